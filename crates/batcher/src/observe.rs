//! What the `metrics` and `tracing` features report; without them these calls are nothing.

use std::time::Duration;

/// A batch is done.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    pub(crate) size: usize,
    pub(crate) queued: usize,
    pub(crate) oldest_wait: Duration,
    pub(crate) service: Duration,
    /// `"ok"`, or why the batch came to nothing.
    pub(crate) outcome: &'static str,
}

/// Requests were turned away.
pub(crate) fn rejected(name: &'static str, reason: &'static str, count: u64) {
    #[cfg(feature = "metrics")]
    metrics::counter!("batcher_rejected_total", "batcher" => name, "reason" => reason)
        .increment(count);
    #[cfg(feature = "tracing")]
    tracing::debug!(batcher = name, reason, count, "requests rejected");
    let _ = (name, reason, count);
}

/// A batch is done.
pub(crate) fn done(name: &'static str, done: Done) {
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("batcher_batches_total", "batcher" => name, "outcome" => done.outcome)
            .increment(1);
        metrics::histogram!("batcher_batch_size", "batcher" => name).record(done.size as f64);
        metrics::histogram!("batcher_oldest_wait_seconds", "batcher" => name)
            .record(done.oldest_wait);
        metrics::histogram!("batcher_service_seconds", "batcher" => name).record(done.service);
        metrics::gauge!("batcher_queued", "batcher" => name).set(done.queued as f64);
    }
    #[cfg(feature = "tracing")]
    if done.outcome != "ok" {
        tracing::warn!(
            batcher = name,
            outcome = done.outcome,
            size = done.size,
            service_us = done.service.as_micros() as u64,
            "batch failed"
        );
    }
    let Done { size, queued, oldest_wait, service, outcome } = done;
    let _ = (name, size, queued, oldest_wait, service, outcome);
}

/// The span in which a batch is processed.
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Span {
    pub(crate) fn new(name: &'static str, size: usize) -> Self {
        let _ = (name, size);
        Span {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!("batch", batcher = name, size),
        }
    }

    pub(crate) fn within<X>(&self, f: impl FnOnce() -> X) -> X {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        f()
    }
}
