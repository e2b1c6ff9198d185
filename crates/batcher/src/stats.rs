//! What a batcher counts: queue, batches, latencies, rejects.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Numbers of a batcher since it was built, taken at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that wait for a batch.
    pub queued: usize,
    /// How long the oldest of them has waited.
    pub oldest_wait: Duration,
    /// Batches that are with the processor.
    pub in_flight: usize,
    /// The present bound on the size of a batch.
    pub batch_size_limit: usize,
    /// Batches that the processor was given and that are done, one way or another.
    pub batches: u64,
    /// Requests in those batches.
    pub items: u64,
    /// How many batches there were of each size that occurred, ascending.
    pub batch_sizes: Vec<(usize, u64)>,
    /// From a request's arrival until its batch was formed.
    pub wait: Latency,
    /// From a batch's forming until its results were there.
    pub service: Latency,
    /// Requests that the processor was never given, by reason.
    pub rejects: Rejects,
    /// Batches that came to nothing, by reason.
    pub failures: Failures,
}

/// Requests that never reached the processor, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejects {
    /// The queue or the request's level was full.
    pub queue_full: u64,
    /// The request's time was over.
    pub timed_out: u64,
    /// The request weighed more than a whole batch may.
    pub too_heavy: u64,
    /// The priority level does not exist.
    pub priority: u64,
    /// The caller went away.
    pub cancelled: u64,
    /// The batcher was shut down or aborted.
    pub closed: u64,
}

impl Rejects {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Rejects { queue_full, timed_out, too_heavy, priority, cancelled, closed } = self;
        queue_full + timed_out + too_heavy + priority + cancelled + closed
    }
}

/// Batches whose requests were all answered with an error, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failures {
    /// The processor panicked.
    pub panicked: u64,
    /// The processor returned the wrong number of results.
    pub wrong_count: u64,
    /// The processor took too long.
    pub timed_out: u64,
    /// The batcher was aborted meanwhile.
    pub aborted: u64,
}

/// Percentiles of a latency, exact to two significant digits; zero while there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half were no longer than this.
    pub p50: Duration,
    /// 95 % were no longer than this.
    pub p95: Duration,
    /// 99 % were no longer than this.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// The histograms behind [`Stats`].
pub(crate) struct Recorder {
    pub(crate) wait: Timings,
    pub(crate) service: Timings,
    sizes: Vec<u64>,
    pub(crate) failures: Failures,
}

impl Recorder {
    pub(crate) fn new(max_batch_size: usize) -> Self {
        Recorder {
            wait: Timings::new(),
            service: Timings::new(),
            sizes: vec![0; max_batch_size + 1],
            failures: Failures::default(),
        }
    }

    pub(crate) fn batch(&mut self, size: usize) {
        self.sizes[size] += 1;
    }

    pub(crate) fn fill(&self, stats: &mut Stats) {
        let sizes = self.sizes.iter().copied().enumerate();
        stats.batch_sizes = sizes.filter(|(_, count)| *count > 0).collect();
        stats.batches = stats.batch_sizes.iter().map(|(_, count)| count).sum();
        stats.items = stats.batch_sizes.iter().map(|(size, count)| *size as u64 * count).sum();
        stats.wait = self.wait.latency();
        stats.service = self.service.latency();
        stats.failures = self.failures;
    }
}

/// A histogram of durations: about 30 KiB, two significant digits, up to an hour.
pub(crate) struct Timings(Histogram<u64>);

impl Timings {
    pub(crate) fn new() -> Self {
        const HOUR: u64 = 3_600_000_000_000;
        // From 1 µs up in steps of at most 1 %; what is longer than an hour counts as an hour.
        Timings(Histogram::new_with_bounds(1_000, HOUR, 2).expect("constant bounds are in order"))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn quantile(&self, q: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(q))
    }

    fn latency(&self) -> Latency {
        if self.0.is_empty() {
            return Latency::default();
        }
        Latency {
            count: self.count(),
            p50: self.quantile(0.50),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            max: Duration::from_nanos(self.0.max()),
        }
    }
}
