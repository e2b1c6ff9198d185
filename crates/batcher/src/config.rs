//! The queue policy in numbers, validated once when a batcher is built.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// How requests are queued and made into batches.
///
/// The vocabulary is that of Triton's dynamic batcher. [`Config::default`] batches whatever is
/// waiting (up to 32) as soon as the processor is free and never holds a request back.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The most items of one batch. Default 32.
    pub max_batch_size: usize,
    /// Sizes that the processor likes best, ascending. As soon as the smallest can be formed, the
    /// largest that can be is sent; without any, only `max_batch_size` is worth sending early.
    pub preferred_batch_sizes: Vec<usize>,
    /// How long the **oldest** waiting request of a key may be held back for company. Default zero.
    pub max_queue_delay: Duration,
    /// The most requests that wait, over all keys and levels. Default 4096.
    pub max_queue: usize,
    /// The most that the items of one batch may weigh together (tokens, pixels), or no bound. What
    /// an item weighs is said by [`Builder::weigh`](crate::Builder::weigh); 1 without it.
    pub max_batch_weight: Option<u64>,
    /// The most batches that are with the processor at once. Default 1.
    pub max_in_flight: usize,
    /// How long the processor may work on one batch, or for ever. Default for ever.
    pub service_timeout: Option<Duration>,
    /// The order in which answers leave. Default [`Ordering::Completion`].
    pub ordering: Ordering,
    /// The priority levels; the first is level 1 and the most urgent. Default one level.
    pub levels: Vec<Level>,
    /// The level (from 1) of requests that name none. Default 1.
    pub default_level: usize,
}

/// One priority level. More urgent levels are always served first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// How long a request of this level may wait while every slot for batches is taken. A
    /// request's own timeout can shorten this, never lengthen it.
    pub timeout: Option<Duration>,
    /// What becomes of a request whose time is over.
    pub on_timeout: TimeoutAction,
    /// The most requests of this level that wait, or only `max_queue` if `None`.
    pub max_queue: Option<usize>,
}

/// What becomes of a request whose time in the queue is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeoutAction {
    /// It is answered with [`ErrorKind::QueueTimeout`].
    #[default]
    Reject,
    /// It falls behind all requests of its level that are still in time.
    Delay,
}

/// The order in which answers leave when several batches are in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordering {
    /// Each batch is answered when it is done.
    #[default]
    Completion,
    /// A batch is answered after all batches that were formed before it, so that requests of one
    /// key are answered in the order of their arrival. Needs one level that does not delay.
    Arrival,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_batch_size: 32,
            preferred_batch_sizes: Vec::new(),
            max_queue_delay: Duration::ZERO,
            max_queue: 4096,
            max_batch_weight: None,
            max_in_flight: 1,
            service_timeout: None,
            ordering: Ordering::Completion,
            levels: vec![Level::default()],
            default_level: 1,
        }
    }
}

impl Config {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let positive = [
            ("max_batch_size", self.max_batch_size as u64),
            ("max_queue", self.max_queue as u64),
            ("max_in_flight", self.max_in_flight as u64),
            ("levels.len()", self.levels.len() as u64),
            ("default_level", self.default_level as u64),
            ("max_batch_weight", self.max_batch_weight.unwrap_or(1)),
        ];
        for (name, value) in positive {
            if value == 0 {
                return refuse(format!("{name} is 0; make it at least 1"));
            }
        }
        if self.default_level > self.levels.len() {
            return refuse(format!(
                "default_level is {} but there are {} levels; count from 1",
                self.default_level,
                self.levels.len()
            ));
        }
        let sizes = &self.preferred_batch_sizes;
        if let Some(bad) = sizes.iter().find(|&&s| s == 0 || s > self.max_batch_size) {
            return refuse(format!(
                "preferred batch size {bad} is outside 1..={}; drop it or raise max_batch_size",
                self.max_batch_size
            ));
        }
        if let Some(pair) = sizes.windows(2).find(|pair| pair[0] >= pair[1]) {
            return refuse(format!(
                "preferred batch sizes {} and {} are not ascending; sort them",
                pair[0], pair[1]
            ));
        }
        if let Some(i) = self.levels.iter().position(|level| level.max_queue == Some(0)) {
            return refuse(format!(
                "level {} has max_queue 0 and would refuse everything; leave the level out",
                i + 1
            ));
        }
        let delays = self.levels.iter().any(|level| level.on_timeout == TimeoutAction::Delay);
        if self.ordering == Ordering::Arrival && (self.levels.len() > 1 || delays) {
            return refuse(
                "answers cannot leave in order of arrival when levels or TimeoutAction::Delay \
                 change the order; use one level that rejects, or Ordering::Completion"
                    .into(),
            );
        }
        Ok(())
    }
}

fn refuse<T>(message: String) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Config, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_configuration_is_refused_by_name() {
        let ok = Config::default;
        let cases: [(Config, &str); 12] = [
            (Config { max_batch_size: 0, ..ok() }, "max_batch_size"),
            (Config { max_queue: 0, ..ok() }, "max_queue"),
            (Config { max_in_flight: 0, ..ok() }, "max_in_flight"),
            (Config { levels: vec![], ..ok() }, "levels"),
            (Config { default_level: 0, ..ok() }, "default_level"),
            (Config { default_level: 2, ..ok() }, "default_level is 2"),
            (Config { max_batch_weight: Some(0), ..ok() }, "max_batch_weight"),
            (Config { preferred_batch_sizes: vec![0], ..ok() }, "preferred batch size 0"),
            (Config { preferred_batch_sizes: vec![33], ..ok() }, "outside 1..=32"),
            (Config { preferred_batch_sizes: vec![8, 8], ..ok() }, "not ascending"),
            (
                Config { levels: vec![Level { max_queue: Some(0), ..Level::default() }], ..ok() },
                "level 1",
            ),
            (
                Config {
                    ordering: Ordering::Arrival,
                    levels: vec![Level { on_timeout: TimeoutAction::Delay, ..Level::default() }],
                    ..ok()
                },
                "order of arrival",
            ),
        ];
        for (config, says) in cases {
            let error = config.validate().expect_err(says);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(says), "{error}");
        }
        assert!(ok().validate().is_ok());
    }
}
