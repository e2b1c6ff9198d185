//! A processor that writes down what it was given and when, and does what the test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use edgekit_batcher::{Batcher, BoxError, Builder, Config, Key, TokioTimer};
use tokio::time::Instant;

/// Its items, and when it came.
type Batch<T> = (Vec<T>, Duration);

/// The batches that a processor saw: their items, and when (since the log was made).
#[derive(Clone)]
pub(crate) struct Log<T> {
    start: Instant,
    batches: Arc<Mutex<Vec<Batch<T>>>>,
}

impl<T: Clone> Log<T> {
    pub(crate) fn new() -> Self {
        Log { start: Instant::now(), batches: Arc::default() }
    }

    pub(crate) fn write(&self, items: &[T]) {
        self.batches.lock().unwrap().push((items.to_vec(), self.start.elapsed()));
    }

    /// The items of each batch.
    pub(crate) fn batches(&self) -> Vec<Vec<T>> {
        self.batches.lock().unwrap().iter().map(|(items, _)| items.clone()).collect()
    }

    /// When each batch came, in milliseconds.
    pub(crate) fn times(&self) -> Vec<u64> {
        self.batches.lock().unwrap().iter().map(|(_, at)| at.as_millis() as u64).collect()
    }

    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.batches().iter().map(Vec::len).collect()
    }
}

/// A batcher of numbers that takes `takes` a batch and answers each with ten times itself.
pub(crate) fn tens(config: Config, takes: Duration) -> (Batcher<u64, u64>, Log<u64>) {
    build(Batcher::builder(config), takes)
}

pub(crate) fn build<K: Key>(
    builder: Builder<u64, K>,
    takes: Duration,
) -> (Batcher<u64, u64, K>, Log<u64>) {
    let log = Log::new();
    let seen = log.clone();
    let process = move |items: Vec<u64>| {
        seen.write(&items);
        async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            items.into_iter().map(|x| Ok::<_, BoxError>(x * 10)).collect()
        }
    };
    (builder.timer(TokioTimer).build(process).unwrap(), log)
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lets every task that can run do so, without time passing.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
