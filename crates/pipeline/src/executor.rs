//! Many async tasks, so many at a time, with results in the order of the items.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use crate::error::{Error, ErrorKind, said};

/// How an [`AsyncExecutor`] runs its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most tasks at once. Default: [`optimal_threads`](crate::optimal_threads).
    pub concurrency: usize,
    /// How long each task may take from its start, or for ever. Default for ever.
    pub task_timeout: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { concurrency: crate::optimal_threads(), task_timeout: None }
    }
}

/// Runs a future for each item on tokio, never more than so many at once.
#[derive(Clone, Debug)]
pub struct AsyncExecutor {
    limits: Limits,
}

impl AsyncExecutor {
    /// An executor with these limits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the concurrency is 0.
    pub fn new(limits: Limits) -> Result<Self, Error> {
        if limits.concurrency == 0 {
            return Err(Error::config("a concurrency of 0 runs nothing; make it at least 1"));
        }
        Ok(AsyncExecutor { limits })
    }

    /// The result of each item's future, in the order of the items. A task that panics or runs out
    /// of time is an error in its place; the others go on. Items are taken only as tasks end.
    ///
    /// Dropping the returned future cancels all tasks. It has to be polled on a tokio runtime, with
    /// its time enabled if there is a timeout.
    pub async fn map<T, R, F, Fut>(
        &self,
        items: impl IntoIterator<Item = T>,
        f: F,
    ) -> Vec<Result<R, Error>>
    where
        R: Send + 'static,
        F: Fn(T) -> Fut,
        Fut: Future<Output = R> + Send + 'static,
    {
        let mut tasks = Running { set: JoinSet::new(), places: HashMap::new() };
        let mut results: Vec<Option<Result<R, Error>>> = Vec::new();
        for item in items {
            if tasks.set.len() == self.limits.concurrency
                && let Some((index, result)) = tasks.next().await
            {
                results[index] = Some(result);
            }
            tasks.start(results.len(), self.limits.task_timeout, f(item));
            results.push(None);
        }
        while let Some((index, result)) = tasks.next().await {
            results[index] = Some(result);
        }
        results.into_iter().flatten().collect()
    }
}

/// The tasks that run, and whose they are. Dropping the set cancels them.
struct Running<R> {
    set: JoinSet<Result<R, Duration>>,
    places: HashMap<Id, usize>,
}

impl<R: Send + 'static> Running<R> {
    fn start(
        &mut self,
        index: usize,
        timeout: Option<Duration>,
        task: impl Future<Output = R> + Send + 'static,
    ) {
        let handle = self.set.spawn(async move {
            match timeout {
                Some(limit) => tokio::time::timeout(limit, task).await.map_err(|_| limit),
                None => Ok(task.await),
            }
        });
        self.places.insert(handle.id(), index);
    }

    async fn next(&mut self) -> Option<(usize, Result<R, Error>)> {
        let (id, result) = match self.set.join_next_with_id().await? {
            Ok((id, result)) => (id, Ok(result)),
            Err(error) => (error.id(), Err(error)),
        };
        let index = self.places.remove(&id)?;
        let result = match result {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(limit)) => {
                let what = format!("took longer than {limit:?}; allow more time");
                Err(Error::task(ErrorKind::TimedOut, index, what))
            }
            Err(error) => Err(ended(index, error)),
        };
        Some((index, result))
    }
}

fn ended(index: usize, error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => {
            let what = format!("panicked: {}", said(&*panic));
            Error::task(ErrorKind::Panicked, index, what)
        }
        Err(_) => {
            let what = "was cancelled as its runtime shut down";
            Error::task(ErrorKind::Cancelled, index, what)
        }
    }
}
