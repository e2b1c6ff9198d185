//! The waiting requests of one key, by priority level, and when they are worth sending.

use std::collections::VecDeque;
use std::time::Instant;

use crate::config::Config;

/// One waiting request.
pub(crate) struct Entry<P> {
    pub(crate) number: u64,
    pub(crate) arrived: Instant,
    pub(crate) expires: Option<Instant>,
    pub(crate) weight: u64,
    pub(crate) payload: P,
}

/// The waiting requests of one key.
pub(crate) struct Group<P> {
    levels: Vec<Waiting<P>>,
    /// No request's time is over before this. It is exact only after [`Group::settle`]: requests
    /// that leave do not move it, so that the common case costs nothing.
    expiry: Option<Instant>,
    weight: u128,
    pub(crate) len: usize,
    /// Smaller is served first; set anew by the queue each time.
    pub(crate) turn: u64,
}

/// The requests of one level: those in time, and those that are late and were put behind.
struct Waiting<P> {
    in_time: VecDeque<Entry<P>>,
    late: VecDeque<Entry<P>>,
}

impl<P> Group<P> {
    pub(crate) fn new(levels: usize) -> Self {
        let waiting = || Waiting { in_time: VecDeque::new(), late: VecDeque::new() };
        Group {
            levels: (0..levels).map(|_| waiting()).collect(),
            expiry: None,
            weight: 0,
            len: 0,
            turn: 0,
        }
    }

    pub(crate) fn push(&mut self, level: usize, entry: Entry<P>) {
        self.expiry = earlier(self.expiry, entry.expires);
        self.len += 1;
        self.weight += u128::from(entry.weight);
        self.levels[level].in_time.push_back(entry);
    }

    /// Makes sure that if [`Group::expiry`] is over, some request's time is. O(requests) if so.
    pub(crate) fn settle(&mut self, now: Instant) {
        if self.expiry.is_some_and(|expiry| expiry <= now) {
            let entries = self.levels.iter().flat_map(|level| &level.in_time);
            self.expiry = entries.filter_map(|entry| entry.expires).min();
        }
    }

    /// Whether the requests are as many, or weigh as much, as a batch is worth sending with.
    pub(crate) fn full(&self, config: &Config, limit: usize) -> bool {
        let good = config.preferred_batch_sizes.first().map_or(limit, |&size| size.min(limit));
        self.len >= good
            || config.max_batch_weight.is_some_and(|budget| self.weight >= u128::from(budget))
    }

    /// Whether a batch is worth sending now: it is full, or somebody must not wait longer. Wants a
    /// settled group.
    pub(crate) fn ready(&self, now: Instant, config: &Config, limit: usize) -> bool {
        self.full(config, limit) || self.due(config).is_some_and(|due| due <= now)
    }

    /// When a batch has to be sent, whatever its size: the oldest request has been held back long
    /// enough, or somebody's time is over.
    pub(crate) fn due(&self, config: &Config) -> Option<Instant> {
        let late = self.levels.iter().filter_map(|level| level.late.front());
        let in_time = self.levels.iter().filter_map(|level| level.in_time.front());
        let held = in_time.filter_map(|entry| entry.arrived.checked_add(config.max_queue_delay));
        late.map(|entry| entry.arrived).chain(held).chain(self.expiry).min()
    }

    /// No request's time is over before this.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        self.expiry
    }

    pub(crate) fn oldest(&self) -> Option<Instant> {
        let fronts = |level: &Waiting<P>| {
            let late = level.late.iter().map(|entry| entry.arrived).min();
            level.in_time.front().map(|entry| entry.arrived).into_iter().chain(late).min()
        };
        self.levels.iter().filter_map(fronts).min()
    }

    /// The level of the most urgent request.
    pub(crate) fn most_urgent(&self) -> usize {
        let empty = |level: &Waiting<P>| level.in_time.is_empty() && level.late.is_empty();
        self.levels.iter().position(|level| !empty(level)).unwrap_or(usize::MAX)
    }

    /// How many requests the next batch has: as many as fit, down to a preferred size if there is
    /// one below. Never 0 in a group that is not empty.
    pub(crate) fn count(&self, config: &Config, limit: usize) -> usize {
        let most = self.len.min(limit);
        let fits = match config.max_batch_weight {
            Some(budget) if self.weight > u128::from(budget) => self
                .levels
                .iter()
                .flat_map(|level| level.in_time.iter().chain(&level.late))
                .take(most)
                .scan(0_u64, |sum, entry| {
                    *sum = sum.saturating_add(entry.weight);
                    (*sum <= budget).then_some(())
                })
                .count(),
            _ => most,
        };
        if fits == limit {
            return fits;
        }
        let preferred = config.preferred_batch_sizes.iter().rev().find(|&&size| size <= fits);
        preferred.copied().unwrap_or(fits)
    }

    /// Moves the first `count` requests into `batch`, by level and arrival.
    pub(crate) fn take(
        &mut self,
        count: usize,
        waiting_at: &mut [usize],
        batch: &mut Vec<Entry<P>>,
    ) {
        for (i, level) in self.levels.iter_mut().enumerate() {
            let before = batch.len();
            let in_time = level.in_time.len().min(count - batch.len());
            batch.extend(level.in_time.drain(..in_time));
            let late = level.late.len().min(count - batch.len());
            batch.extend(level.late.drain(..late));
            waiting_at[i] -= batch.len() - before;
        }
        self.len -= count;
        self.weight -= batch.iter().map(|entry| u128::from(entry.weight)).sum::<u128>();
        if self.len == 0 {
            self.expiry = None;
        }
    }

    /// Takes one request out; `None` if it is not here any more.
    pub(crate) fn remove(&mut self, level: usize, number: u64) -> Option<Entry<P>> {
        let Waiting { in_time, late } = &mut self.levels[level];
        let entry = match in_time.binary_search_by_key(&number, |entry| entry.number) {
            Ok(at) => in_time.remove(at),
            Err(_) => late.remove(late.iter().position(|entry| entry.number == number)?),
        }?;
        self.len -= 1;
        self.weight -= u128::from(entry.weight);
        if self.len == 0 {
            self.expiry = None;
        }
        Some(entry)
    }

    /// Moves what ran out by `now` into `late`, in the order in which it did.
    pub(crate) fn take_late(&mut self, now: Instant, level: usize, late: &mut Vec<Entry<P>>) {
        let in_time = &mut self.levels[level].in_time;
        for _ in 0..in_time.len() {
            let Some(entry) = in_time.pop_front() else { break };
            if entry.expires.is_some_and(|expires| expires <= now) {
                self.len -= 1;
                self.weight -= u128::from(entry.weight);
                late.push(entry);
            } else {
                in_time.push_back(entry);
            }
        }
        late.sort_by_key(|entry| (entry.expires, entry.number));
    }

    /// Puts requests behind all others of their level; their time cannot run out again.
    pub(crate) fn put_behind(&mut self, level: usize, late: &mut Vec<Entry<P>>) {
        for mut entry in late.drain(..) {
            entry.expires = None;
            self.len += 1;
            self.weight += u128::from(entry.weight);
            self.levels[level].late.push_back(entry);
        }
    }

    pub(crate) fn clear(&mut self) -> Vec<Entry<P>> {
        let all = |level: &mut Waiting<P>| {
            let in_time = std::mem::take(&mut level.in_time);
            in_time.into_iter().chain(std::mem::take(&mut level.late))
        };
        self.levels.iter_mut().flat_map(all).collect()
    }
}

/// The earlier of two moments; one that never comes is later than any.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
