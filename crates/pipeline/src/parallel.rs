//! Parallel maps over items that are all there, on rayon.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Error;

/// The threads that the maps run on. Results are always in the order of the items.
///
/// Items are anything that rayon can split: a `Vec`, a slice, a range. A panic in `f` ends the map
/// and goes on in the caller.
pub struct Workers<'p>(Pool<'p>);

enum Pool<'p> {
    Current,
    Callers(&'p ThreadPool),
    Own(ThreadPool),
}

/// The first error of a map, by the place of its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed<E> {
    /// The item's place, from 0.
    pub index: usize,
    /// What was wrong with it.
    pub error: E,
}

impl<E: fmt::Display> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}: {}", self.index, self.error)
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Failed<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Workers<'static> {
    /// The pool that the caller runs in, or else rayon's global one.
    pub fn current() -> Self {
        Workers(Pool::Current)
    }

    /// A pool of so many threads, which ends with the returned value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for 0 threads, and if they cannot be started.
    pub fn scoped(threads: usize) -> Result<Self, Error> {
        if threads == 0 {
            return Err(Error::config("a pool of 0 threads does no work; ask for at least 1"));
        }
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| {
            Error::config(format!("cannot start {threads} threads ({error}); ask for fewer"))
        })?;
        Ok(Workers(Pool::Own(pool)))
    }
}

impl<'p> Workers<'p> {
    /// The caller's pool.
    pub fn of(pool: &'p ThreadPool) -> Self {
        Workers(Pool::Callers(pool))
    }

    /// `f` of each item. For items that cost about the same, a microsecond or more.
    pub fn map<I, R, F>(&self, items: I, f: F) -> Vec<R>
    where
        I: IntoParallelIterator<Iter: IndexedParallelIterator> + Send,
        R: Send,
        F: Fn(I::Item) -> R + Sync + Send,
    {
        self.install(|| items.into_par_iter().map(f).collect())
    }

    /// `f` of each item, or the first error by the items' order, whichever thread met it first.
    /// Items behind a known error are not started; those before it are, as one of them may be the
    /// first.
    ///
    /// # Errors
    ///
    /// The error of the first item for which `f` returned one.
    pub fn try_map<I, R, E, F>(&self, items: I, f: F) -> Result<Vec<R>, Failed<E>>
    where
        I: IntoParallelIterator<Iter: IndexedParallelIterator> + Send,
        R: Send,
        E: Send,
        F: Fn(I::Item) -> Result<R, E> + Sync + Send,
    {
        let first = AtomicUsize::new(usize::MAX);
        let attempt = |(index, item)| {
            if index > first.load(Ordering::Relaxed) {
                return Ok(None);
            }
            f(item).map(Some).map_err(|error| {
                first.fetch_min(index, Ordering::Relaxed);
                Failed { index, error }
            })
        };
        let items = || items.into_par_iter().enumerate().map(attempt);
        let results: Vec<Result<Option<R>, Failed<E>>> = self.install(|| items().collect());
        let mut done = Vec::with_capacity(results.len());
        for result in results {
            // Skipped ones are behind the first error, which returns.
            done.extend(result?);
        }
        Ok(done)
    }

    /// `f` of each item, handed to the threads at least `chunk` at a time. For items that cost so
    /// little (tens of nanoseconds) that sharing them out one by one costs more. 0 counts as 1.
    pub fn map_chunked<I, R, F>(&self, items: I, chunk: usize, f: F) -> Vec<R>
    where
        I: IntoParallelIterator<Iter: IndexedParallelIterator> + Send,
        R: Send,
        F: Fn(I::Item) -> R + Sync + Send,
    {
        self.install(|| items.into_par_iter().with_min_len(chunk.max(1)).map(f).collect())
    }

    /// `f` of each item, handed to the threads one at a time. For items whose costs differ widely,
    /// above all when the dear ones are neighbours: no thread is left holding several of them.
    pub fn map_unbalanced<I, R, F>(&self, items: I, f: F) -> Vec<R>
    where
        I: IntoParallelIterator<Iter: IndexedParallelIterator> + Send,
        R: Send,
        F: Fn(I::Item) -> R + Sync + Send,
    {
        self.install(|| items.into_par_iter().with_max_len(1).map(f).collect())
    }

    fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Pool::Current => work(),
            Pool::Callers(pool) => pool.install(work),
            Pool::Own(pool) => pool.install(work),
        }
    }
}
