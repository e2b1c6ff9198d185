//! The queue policy as a pure state machine: no clock, no tasks, no answers, only decisions.
//!
//! Every method is told what time it is and says what its caller has to do next (a [`Wake`]). A
//! batch is *announced* first (a runner is started) and *formed* only when that runner is there to
//! take it, so that whatever arrives in between still joins.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::config::{Config, TimeoutAction};
use crate::group::{Entry, Group, earlier};
use crate::stats::Rejects;

/// All waiting requests, the slots for batches, and the rules that bring them together.
pub(crate) struct Queue<K, P> {
    config: Config,
    limit: usize,
    groups: HashMap<K, Group<P>>,
    /// The last group that ran empty, kept for its memory.
    spare: Option<Group<P>>,
    waiting: usize,
    waiting_at: Vec<usize>,
    busy: usize,
    announced: bool,
    draining: bool,
    armed: Option<Instant>,
    latest: Option<Instant>,
    next_ticket: u64,
    next_turn: u64,
    /// What was turned away so far.
    pub(crate) rejects: Rejects,
}

/// What the caller of a [`Queue`] has to do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Wake {
    /// Start a runner, which calls [`Queue::begin`].
    pub(crate) start: bool,
    /// Have [`Queue::tick`] called at this moment (replaces a later one).
    pub(crate) arm: Option<Instant>,
}

/// What a runner is given.
pub(crate) struct Batch<P> {
    /// In the order in which they are served; never empty.
    pub(crate) entries: Vec<Entry<P>>,
    /// How many requests of the same key still wait.
    pub(crate) left_behind: usize,
}

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    LevelFull,
    TooHeavy,
    NoSuchLevel,
}

/// Where a waiting request can be found again, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) level: usize,
    pub(crate) number: u64,
}

/// What a request asks of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// From 1, or the configured default.
    pub(crate) priority: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) weight: u64,
}

impl<K: Clone + Eq + Hash, P> Queue<K, P> {
    pub(crate) fn new(config: Config) -> Self {
        Queue {
            limit: config.max_batch_size,
            groups: HashMap::new(),
            spare: None,
            waiting: 0,
            waiting_at: vec![0; config.levels.len()],
            busy: 0,
            announced: false,
            draining: false,
            armed: None,
            latest: None,
            next_ticket: 0,
            next_turn: 0,
            rejects: Rejects::default(),
            config,
        }
    }

    /// Lets a request in, or says why not.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        key: K,
        terms: Terms,
        payload: P,
    ) -> Result<(Ticket, Wake), (Refusal, P)> {
        let now = self.not_before(now);
        let level = match self.admit(&terms) {
            Ok(level) => level,
            Err(refusal) => return Err((refusal, payload)),
        };
        let ticket = Ticket { level, number: self.next_ticket };
        self.next_ticket += 1;
        self.waiting += 1;
        self.waiting_at[level] += 1;

        let group = match self.groups.entry(key) {
            std::collections::hash_map::Entry::Occupied(slot) => slot.into_mut(),
            std::collections::hash_map::Entry::Vacant(slot) => {
                let levels = self.config.levels.len();
                let mut group = self.spare.take().unwrap_or_else(|| Group::new(levels));
                group.turn = self.next_turn;
                self.next_turn += 1;
                slot.insert(group)
            }
        };
        let timeout = match (terms.timeout, self.config.levels[level].timeout) {
            (Some(own), Some(allowed)) => Some(own.min(allowed)),
            (own, allowed) => own.or(allowed),
        };
        let expires = timeout.and_then(|timeout| now.checked_add(timeout));
        let (number, weight) = (ticket.number, terms.weight);
        group.push(level, Entry { number, arrived: now, expires, weight, payload });

        // All others were looked at before; only this one can have made a difference.
        let mut wake = Wake::default();
        if self.busy == self.config.max_in_flight {
            wake.arm = self.arm(expires);
        } else if !self.announced {
            let due = earlier(now.checked_add(self.config.max_queue_delay), expires);
            if group.full(&self.config, self.limit) || due.is_some_and(|due| due <= now) {
                self.announced = true;
                wake.start = true;
            } else {
                wake.arm = self.arm(due);
            }
        }
        Ok((ticket, wake))
    }

    fn admit(&mut self, terms: &Terms) -> Result<usize, Refusal> {
        let level = terms.priority.unwrap_or(self.config.default_level).wrapping_sub(1);
        let Some(rules) = self.config.levels.get(level) else {
            self.rejects.priority += 1;
            return Err(Refusal::NoSuchLevel);
        };
        if self.config.max_batch_weight.is_some_and(|budget| terms.weight > budget) {
            self.rejects.too_heavy += 1;
            return Err(Refusal::TooHeavy);
        }
        if self.waiting >= self.config.max_queue {
            self.rejects.queue_full += 1;
            return Err(Refusal::Full);
        }
        if rules.max_queue.is_some_and(|max| self.waiting_at[level] >= max) {
            self.rejects.queue_full += 1;
            return Err(Refusal::LevelFull);
        }
        Ok(level)
    }

    /// A runner is there: forms the batch that is most worth sending and gives the runner a slot.
    pub(crate) fn begin(&mut self, now: Instant) -> (Option<Batch<P>>, Wake) {
        let now = self.not_before(now);
        self.announced = false;
        let batch = self.form(now);
        self.busy += usize::from(batch.is_some());
        (batch, self.look(now))
    }

    /// A runner gives its slot back, and goes on to [`Queue::begin`] if it is told to start.
    /// Requests whose time ran out while there was no slot are handed over to be refused.
    pub(crate) fn finish(&mut self, now: Instant, refused: &mut Vec<P>) -> Wake {
        let now = self.not_before(now);
        if self.busy == self.config.max_in_flight {
            self.expire(now, refused);
        }
        self.busy -= 1;
        self.look(now)
    }

    /// The moment asked for has come (or any other: an early or late call does no harm).
    pub(crate) fn tick(&mut self, now: Instant, refused: &mut Vec<P>) -> Wake {
        let now = self.not_before(now);
        self.armed = None;
        if self.busy == self.config.max_in_flight {
            self.expire(now, refused);
        }
        self.look(now)
    }

    /// Takes a request out before it is in a batch.
    pub(crate) fn cancel(&mut self, key: &K, ticket: Ticket) -> Option<P> {
        let group = self.groups.get_mut(key)?;
        let entry = group.remove(ticket.level, ticket.number)?;
        self.waiting -= 1;
        self.waiting_at[ticket.level] -= 1;
        self.rejects.cancelled += 1;
        if group.len == 0 {
            self.spare = self.groups.remove(key);
        }
        Some(entry.payload)
    }

    /// From now on nothing is held back for company.
    pub(crate) fn drain(&mut self, now: Instant) -> Wake {
        self.draining = true;
        let now = self.not_before(now);
        self.look(now)
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<P> {
        self.waiting = 0;
        self.waiting_at.fill(0);
        let groups = self.groups.drain();
        groups.flat_map(|(_, mut group)| group.clear()).map(|entry| entry.payload).collect()
    }

    /// Sets the largest batch that is formed from now on. Only a runner may, before it finishes, or
    /// whoever has not let anybody in yet: nobody else looks whether a batch is now complete.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// When [`Queue::tick`] was asked for.
    pub(crate) fn armed(&self) -> Option<Instant> {
        self.armed
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    /// Whether nothing waits, nothing runs and nobody is about to look.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == 0 && self.busy == 0 && !self.announced
    }

    pub(crate) fn oldest_wait(&self, now: Instant) -> Duration {
        let oldest = self.groups.values().filter_map(Group::oldest).min();
        oldest.map_or(Duration::ZERO, |arrived| now.saturating_duration_since(arrived))
    }

    /// A clock that is turned back stands still here.
    fn not_before(&mut self, now: Instant) -> Instant {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        now
    }

    /// Announces a batch if one can be formed, and otherwise asks to be woken when one can.
    fn look(&mut self, now: Instant) -> Wake {
        let mut wake = Wake::default();
        if self.announced {
            return wake;
        }
        let free = self.busy < self.config.max_in_flight;
        let mut next = None;
        for group in self.groups.values_mut() {
            group.settle(now);
            if free && (self.draining || group.ready(now, &self.config, self.limit)) {
                self.announced = true;
                wake.start = true;
                return wake;
            }
            next = earlier(next, if free { group.due(&self.config) } else { group.expiry() });
        }
        wake.arm = self.arm(next);
        wake
    }

    /// Of the groups that are ready, the one with the most urgent request; of those, the one that
    /// has waited longest for its turn.
    fn form(&mut self, now: Instant) -> Option<Batch<P>> {
        let ready = self.groups.iter_mut().filter_map(|(key, group)| {
            group.settle(now);
            let ready = self.draining || group.ready(now, &self.config, self.limit);
            ready.then_some((key, group))
        });
        let (key, group) = ready.min_by_key(|(_, group)| (group.most_urgent(), group.turn))?;
        group.turn = self.next_turn;
        self.next_turn += 1;
        let count = group.count(&self.config, self.limit);
        let mut entries = Vec::with_capacity(count);
        group.take(count, &mut self.waiting_at, &mut entries);
        self.waiting -= count;
        let left_behind = group.len;
        if left_behind == 0 {
            let key = key.clone();
            self.spare = self.groups.remove(&key);
        }
        Some(Batch { entries, left_behind })
    }

    /// Turns away (or back) what has waited too long. Only called while every slot is taken: as
    /// long as one is free a timeout makes its request due, and is never held against it.
    fn expire(&mut self, now: Instant, refused: &mut Vec<P>) {
        let (config, waiting_at) = (&self.config, &mut self.waiting_at);
        let mut late = Vec::new();
        for group in self.groups.values_mut() {
            if group.expiry().is_none_or(|expiry| expiry > now) {
                continue;
            }
            for (level, rules) in config.levels.iter().enumerate() {
                group.take_late(now, level, &mut late);
                match rules.on_timeout {
                    TimeoutAction::Delay => group.put_behind(level, &mut late),
                    TimeoutAction::Reject => {
                        waiting_at[level] -= late.len();
                        self.waiting -= late.len();
                        self.rejects.timed_out += late.len() as u64;
                        refused.extend(late.drain(..).map(|entry| entry.payload));
                    }
                }
            }
            group.settle(now);
        }
        self.groups.retain(|_, group| group.len > 0);
    }

    /// Asks to be woken at `at`, unless that is asked for already; `Some` if it is news.
    fn arm(&mut self, at: Option<Instant>) -> Option<Instant> {
        let at = at.filter(|at| self.armed.is_none_or(|armed| *at < armed))?;
        self.armed = Some(at);
        Some(at)
    }
}

#[cfg(test)]
#[path = "queue_model.rs"]
mod model;
