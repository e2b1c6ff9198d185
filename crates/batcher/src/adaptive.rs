//! Finds the size of batches by itself: additive increase, multiplicative decrease.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

use crate::batcher::{Batcher, locked};
use crate::builder::{Builder, Key, asynchronous, blocking};
use crate::error::{BoxError, Error, ErrorKind};
use crate::stats::Timings;

/// What an [`AdaptiveBatcher`] aims at, and how fast it moves.
///
/// Larger batches are cheaper for each item and slower for each batch; the controller looks for the
/// largest whose requests still meet the objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// What the 95th percentile of a request's latency, wait and service together, should stay
    /// under. Default 50 ms.
    pub p95: Duration,
    /// The bound to start with. Default 1.
    pub start: usize,
    /// How much a bound that is worth raising is raised by. Default 2.
    pub step: usize,
    /// What a bound that is too large is multiplied by; between 0 and 1. Default 0.9.
    pub back_off: f64,
    /// How many requests are looked at before each decision. Default 256.
    pub window: usize,
}

impl Default for Objective {
    fn default() -> Self {
        Objective { p95: Duration::from_millis(50), start: 1, step: 2, back_off: 0.9, window: 256 }
    }
}

/// One decision of the controller.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// Counted from 0.
    pub number: u64,
    /// The 95th percentile of the latency of the requests looked at.
    pub p95: Duration,
    /// Items per second of processing time at the bound that was in force.
    pub rate: f64,
    /// The bound that was in force.
    pub before: usize,
    /// The bound from now on.
    pub after: usize,
}

/// A [`Batcher`] that moves its own bound on batches, between 1 and
/// [`Config::max_batch_size`](crate::Config::max_batch_size), towards an [`Objective`].
///
/// After each window of requests the bound
/// - is **multiplied** by the back-off if the processor alone took longer than the objective, if
///   requests were too slow although no batch left any behind (the batches are what is slow), or if
///   larger batches have turned out to be processed at a lower rate than smaller ones were;
/// - is **raised** by the step if batches left requests behind: also when these are too slow, since
///   smaller batches would only lengthen their queue (this is how it recovers from 1);
/// - stays if it did not bind.
pub struct AdaptiveBatcher<T: Send + 'static, R: Send + 'static, K: Key = ()>(Batcher<T, R, K>);

impl<T: Send + 'static, R: Send + 'static, K: Key> AdaptiveBatcher<T, R, K> {
    /// Starts an adaptive batcher with an async processor; see [`Builder::build`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the objective or the configuration cannot work or there is no
    /// runtime.
    pub fn new<E, F, Fut>(
        builder: Builder<T, K>,
        objective: Objective,
        process: F,
    ) -> Result<Self, Error>
    where
        E: Into<BoxError>,
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<R, E>>> + Send + 'static,
    {
        let controller = Controller::new(objective, builder.config.max_batch_size)?;
        builder.start(asynchronous(process), Some(controller)).map(AdaptiveBatcher)
    }

    /// Starts an adaptive batcher with a blocking processor; see [`Builder::build_blocking`].
    ///
    /// # Errors
    ///
    /// As for [`AdaptiveBatcher::new`].
    pub fn new_blocking<E, F>(
        builder: Builder<T, K>,
        objective: Objective,
        process: F,
    ) -> Result<Self, Error>
    where
        E: Into<BoxError> + Send + 'static,
        F: Fn(Vec<T>) -> Vec<Result<R, E>> + Send + Sync + 'static,
    {
        let controller = Controller::new(objective, builder.config.max_batch_size)?;
        builder.start(blocking(process), Some(controller)).map(AdaptiveBatcher)
    }

    /// The last 1,024 decisions, oldest first.
    pub fn trajectory(&self) -> Vec<Decision> {
        let controller = self.0.shared().controller.as_ref();
        controller.map_or_else(Vec::new, |c| locked(c).decisions.iter().copied().collect())
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Deref for AdaptiveBatcher<T, R, K> {
    type Target = Batcher<T, R, K>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Send + 'static, R: Send + 'static, K: Key> Clone for AdaptiveBatcher<T, R, K> {
    fn clone(&self) -> Self {
        AdaptiveBatcher(self.0.clone())
    }
}

/// The control loop, without the batcher.
pub(crate) struct Controller {
    objective: Objective,
    ceiling: usize,
    limit: usize,
    latency: Timings,
    service: Timings,
    items: u64,
    worked: Duration,
    batches: u64,
    binding: u64,
    /// The bound with the highest rate of late, and that rate.
    best: Option<(usize, f64)>,
    decided: u64,
    decisions: VecDeque<Decision>,
}

/// A rate this much below the best is not noise.
const PAST_BEST: f64 = 0.95;
/// How fast a best rate is forgotten, so that a processor that has changed is found out.
const FADE: f64 = 0.995;
const TRAJECTORY: usize = 1024;

impl Controller {
    pub(crate) fn new(objective: Objective, ceiling: usize) -> Result<Self, Error> {
        let Objective { p95, start, step, back_off, window } = objective;
        let wrong = if p95.is_zero() {
            Some("the objective's p95 is zero; say how slow a request may be".into())
        } else if start == 0 || start > ceiling {
            Some(format!("the objective starts at {start}, outside 1..={ceiling}"))
        } else if step == 0 || window == 0 {
            Some(format!(
                "the objective's step is {step} and its window {window}; neither may be 0"
            ))
        } else if !(back_off > 0.0 && back_off < 1.0) {
            Some(format!("the objective's back-off is {back_off}; it must be between 0 and 1"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Err(Error::new(ErrorKind::Config, wrong));
        }
        Ok(Controller {
            objective,
            ceiling,
            limit: start,
            latency: Timings::new(),
            service: Timings::new(),
            items: 0,
            worked: Duration::ZERO,
            batches: 0,
            binding: 0,
            best: None,
            decided: 0,
            decisions: VecDeque::new(),
        })
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Learns how a batch went; the new bound, if it moves.
    pub(crate) fn observe(
        &mut self,
        waits: &[Duration],
        service: Duration,
        left_behind: bool,
    ) -> Option<usize> {
        for &wait in waits {
            self.latency.record(wait + service);
        }
        self.service.record(service);
        self.items += waits.len() as u64;
        self.worked += service;
        self.batches += 1;
        self.binding += u64::from(left_behind);
        if self.latency.count() < self.objective.window as u64 {
            return None;
        }
        let before = self.limit;
        self.decide();
        (self.limit != before).then_some(self.limit)
    }

    fn decide(&mut self) {
        let before = self.limit;
        let p95 = self.latency.quantile(0.95);
        let slow = p95 > self.objective.p95;
        let slow_alone = self.service.quantile(0.95) > self.objective.p95;
        let binding = self.binding * 2 >= self.batches;
        let rate = self.items as f64 / self.worked.as_secs_f64().max(1e-9);
        let past_best = binding && self.is_past_best(rate);
        if slow_alone || past_best || (slow && !binding) {
            self.limit = ((before as f64 * self.objective.back_off) as usize).max(1);
        } else if binding {
            self.limit = before.saturating_add(self.objective.step).min(self.ceiling);
        }
        if self.decisions.len() == TRAJECTORY {
            self.decisions.pop_front();
        }
        let number = self.decided;
        self.decisions.push_back(Decision { number, p95, rate, before, after: self.limit });
        self.decided += 1;
        self.latency.clear();
        self.service.clear();
        (self.items, self.worked, self.batches, self.binding) = (0, Duration::ZERO, 0, 0);
    }

    /// Whether a smaller bound was processed at a clearly higher rate; remembers the best.
    fn is_past_best(&mut self, rate: f64) -> bool {
        let (best, best_rate) = *self.best.get_or_insert((self.limit, rate));
        let faded = best_rate * FADE;
        if rate >= faded || self.limit == best {
            self.best = Some((self.limit, rate));
            return false;
        }
        self.best = Some((best, faded));
        self.limit > best && rate < best_rate * PAST_BEST
    }
}
