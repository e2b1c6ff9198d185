//! From a configuration, a few closures and a processor to a running batcher.

use std::future::Future;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;

use crate::adaptive::Controller;
use crate::batcher::{Batcher, Shared};
use crate::config::Config;
use crate::error::{BoxError, Error, ErrorKind};
use crate::timer::{PreciseTimer, Timer};

/// What requests can be grouped by: anything that can be compared, hashed and copied.
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Key for K {}

/// Builds a [`Batcher`]; start with [`Batcher::builder`].
pub struct Builder<T, K = ()> {
    pub(crate) config: Config,
    pub(crate) name: &'static str,
    pub(crate) weigh: Box<dyn Fn(&T) -> u64 + Send + Sync>,
    pub(crate) key: Box<dyn Fn(&T) -> K + Send + Sync>,
    pub(crate) timer: Arc<dyn Timer>,
}

/// A processor, whatever it was made from.
pub(crate) type Process<T, R> = Box<dyn Fn(Vec<T>) -> Processing<R> + Send + Sync>;

/// One batch that is being processed.
pub(crate) type Processing<R> = Pin<Box<dyn Future<Output = Vec<Result<R, BoxError>>> + Send>>;

impl<T: Send + 'static> Builder<T> {
    pub(crate) fn new(config: Config) -> Self {
        Builder {
            config,
            name: "batcher",
            weigh: Box::new(|_| 1),
            key: Box::new(|_| ()),
            timer: Arc::new(PreciseTimer),
        }
    }

    /// Batches only requests together whose keys are equal (an image's shape, a model's name).
    /// Keys take turns: one that is always ready cannot starve another of its priority.
    ///
    /// Forming a batch costs O(keys that have requests waiting).
    pub fn group_by<K: Key>(self, key: impl Fn(&T) -> K + Send + Sync + 'static) -> Builder<T, K> {
        let Builder { config, name, weigh, key: _, timer } = self;
        Builder { config, name, weigh, key: Box::new(key), timer }
    }
}

impl<T: Send + 'static, K: Key> Builder<T, K> {
    /// Says what an item counts against [`Config::max_batch_weight`], for instance its tokens.
    pub fn weigh(mut self, weigh: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        self.weigh = Box::new(weigh);
        self
    }

    /// Uses another clock than [`PreciseTimer`], such as [`TokioTimer`](crate::TokioTimer) in tests.
    pub fn timer(mut self, timer: impl Timer) -> Self {
        self.timer = Arc::new(timer);
        self
    }

    /// The name under which metrics and traces of this batcher appear. Default `"batcher"`.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Starts a batcher on the current tokio runtime, whose batches an async closure processes. It
    /// must not block; use [`Builder::build_blocking`] for work that does.
    ///
    /// The closure returns one result per item, in the order of the items. An `Err` is that item's
    /// own; the wrong number of results, a panic or a timeout are errors of that batch alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the configuration cannot work or there is no runtime.
    pub fn build<R, E, F, Fut>(self, process: F) -> Result<Batcher<T, R, K>, Error>
    where
        R: Send + 'static,
        E: Into<BoxError>,
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<R, E>>> + Send + 'static,
    {
        self.start(asynchronous(process), None)
    }

    /// Starts a batcher on the current tokio runtime, whose batches a closure processes that may
    /// compute or block: it runs on tokio's blocking threads, at most
    /// [`Config::max_in_flight`] at once.
    ///
    /// A call that outlives [`Config::service_timeout`] cannot be stopped: its requests are
    /// answered and its slot is given away, but its thread goes on until it returns.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`].
    pub fn build_blocking<R, E, F>(self, process: F) -> Result<Batcher<T, R, K>, Error>
    where
        R: Send + 'static,
        E: Into<BoxError> + Send + 'static,
        F: Fn(Vec<T>) -> Vec<Result<R, E>> + Send + Sync + 'static,
    {
        self.start(blocking(process), None)
    }

    pub(crate) fn start<R: Send + 'static>(
        self,
        process: Process<T, R>,
        controller: Option<Controller>,
    ) -> Result<Batcher<T, R, K>, Error> {
        self.config.validate()?;
        let handle = tokio::runtime::Handle::try_current().map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "a batcher lives on a tokio runtime and there is none here; build it inside one",
            )
        })?;
        Ok(Batcher::start(Shared::new(self, process, controller, handle)))
    }
}

pub(crate) fn asynchronous<T, R, E, F, Fut>(process: F) -> Process<T, R>
where
    E: Into<BoxError>,
    F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Vec<Result<R, E>>> + Send + 'static,
{
    Box::new(move |items| {
        let processing = process(items);
        Box::pin(async move { own(processing.await) })
    })
}

pub(crate) fn blocking<T, R, E, F>(process: F) -> Process<T, R>
where
    T: Send + 'static,
    R: Send + 'static,
    E: Into<BoxError> + Send + 'static,
    F: Fn(Vec<T>) -> Vec<Result<R, E>> + Send + Sync + 'static,
{
    let process = Arc::new(process);
    Box::new(move |items| {
        let process = Arc::clone(&process);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || process(items)).await {
                Ok(results) => own(results),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    // The runtime is shutting down and is about to drop this future, too.
                    Err(_) => std::future::pending().await,
                },
            }
        })
    })
}

fn own<R, E: Into<BoxError>>(results: Vec<Result<R, E>>) -> Vec<Result<R, BoxError>> {
    results.into_iter().map(|result| result.map_err(Into::into)).collect()
}
