//! The queue policy against its slow twin: one list, every rule spelled out, searched each time.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Queue, Refusal, Terms, Ticket};
use crate::config::{Config, Level, TimeoutAction};

#[derive(Clone, Debug)]
enum Step {
    Push { key: u8, priority: Option<usize>, timeout: Option<u64>, weight: u64 },
    Begin,
    Finish,
    Cancel(usize),
    Wait(u64),
    Limit(usize),
    Drain,
}

#[derive(Clone, Debug)]
struct Item {
    number: u64,
    key: u8,
    level: usize,
    arrived: Instant,
    expires: Option<Instant>,
    weight: u64,
    /// When it was put behind, and as the how-many-eth.
    late: Option<usize>,
}

struct Model {
    config: Config,
    limit: usize,
    items: Vec<Item>,
    /// Keys with items, the next to be served first.
    turns: Vec<u8>,
    busy: usize,
    announced: bool,
    draining: bool,
    lates: usize,
    now: Instant,
}

impl Model {
    fn admits(&self, terms: &Terms) -> Result<usize, Refusal> {
        let level = terms.priority.unwrap_or(self.config.default_level);
        if level == 0 || level > self.config.levels.len() {
            return Err(Refusal::NoSuchLevel);
        }
        let in_level = self.items.iter().filter(|item| item.level == level - 1).count();
        if terms.weight > self.config.max_batch_weight.unwrap_or(u64::MAX) {
            Err(Refusal::TooHeavy)
        } else if self.items.len() >= self.config.max_queue {
            Err(Refusal::Full)
        } else if in_level >= self.config.levels[level - 1].max_queue.unwrap_or(usize::MAX) {
            Err(Refusal::LevelFull)
        } else {
            Ok(level - 1)
        }
    }

    fn of(&self, key: u8) -> Vec<Item> {
        let mut items: Vec<_> = self.items.iter().filter(|i| i.key == key).cloned().collect();
        items.sort_by_key(|item| (item.level, item.late, item.number));
        items
    }

    fn due(&self, key: u8) -> Option<Instant> {
        let due = |item: &Item| match item.late {
            Some(_) => Some(self.now),
            None => [item.arrived.checked_add(self.config.max_queue_delay), item.expires]
                .into_iter()
                .flatten()
                .min(),
        };
        self.of(key).iter().filter_map(due).min()
    }

    fn ready(&self, key: u8) -> bool {
        let items = self.of(key);
        let good = self.config.preferred_batch_sizes.first().copied().unwrap_or(usize::MAX);
        let weight: u64 = items.iter().map(|item| item.weight).sum();
        self.draining
            || items.len() >= good.min(self.limit)
            || weight >= self.config.max_batch_weight.unwrap_or(u64::MAX)
            || self.due(key).is_some_and(|due| due <= self.now)
    }

    fn look(&mut self) -> bool {
        let start = !self.announced
            && self.busy < self.config.max_in_flight
            && self.turns.iter().any(|&key| self.ready(key));
        self.announced |= start;
        start
    }

    fn next_event(&self) -> Option<Instant> {
        if self.announced {
            return None;
        }
        if self.busy < self.config.max_in_flight {
            return self.turns.iter().filter_map(|&key| self.due(key)).min();
        }
        self.items.iter().filter(|i| i.late.is_none()).filter_map(|i| i.expires).min()
    }

    fn form(&mut self) -> Option<Vec<u64>> {
        let urgent = |key: u8| self.of(key)[0].level;
        let ready: Vec<u8> = self.turns.iter().copied().filter(|&key| self.ready(key)).collect();
        let best = ready.iter().map(|&key| urgent(key)).min()?;
        let key = ready.into_iter().find(|&key| urgent(key) == best)?;
        let mut batch = self.of(key);
        batch.truncate(self.limit);
        while batch.iter().map(|item| item.weight).sum::<u64>()
            > self.config.max_batch_weight.unwrap_or(u64::MAX)
        {
            batch.pop();
        }
        if batch.len() < self.limit {
            let fits = |size: &&usize| **size <= batch.len();
            if let Some(&size) = self.config.preferred_batch_sizes.iter().rfind(fits) {
                batch.truncate(size);
            }
        }
        let numbers: Vec<u64> = batch.iter().map(|item| item.number).collect();
        self.items.retain(|item| !numbers.contains(&item.number));
        self.turns.retain(|&other| other != key);
        self.turns.push(key);
        self.forget_empty();
        Some(numbers)
    }

    fn forget_empty(&mut self) {
        let items = &self.items;
        self.turns.retain(|key| items.iter().any(|item| item.key == *key));
    }

    fn expire(&mut self) -> Vec<u64> {
        let mut over: Vec<Item> = self
            .items
            .iter()
            .filter(|i| i.late.is_none() && i.expires.is_some_and(|e| e <= self.now))
            .cloned()
            .collect();
        over.sort_by_key(|item| (item.expires, item.number));
        let mut refused = Vec::new();
        for late in over {
            let at = self.items.iter().position(|item| item.number == late.number).unwrap();
            match self.config.levels[late.level].on_timeout {
                TimeoutAction::Reject => {
                    self.items.remove(at);
                    refused.push(late.number);
                }
                TimeoutAction::Delay => {
                    self.items[at].late = Some(self.lates);
                    self.lates += 1;
                }
            }
        }
        self.forget_empty();
        refused.sort_unstable();
        refused
    }
}

/// Both, side by side.
struct Pair {
    queue: Queue<u8, u64>,
    model: Model,
    tickets: Vec<(u8, Ticket)>,
}

impl Pair {
    fn new(config: Config) -> Self {
        Pair {
            queue: Queue::new(config.clone()),
            model: Model {
                limit: config.max_batch_size,
                config,
                items: Vec::new(),
                turns: Vec::new(),
                busy: 0,
                announced: false,
                draining: false,
                lates: 0,
                now: Instant::now(),
            },
            tickets: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Push { key, priority, timeout, weight } => {
                let timeout = timeout.map(Duration::from_millis);
                self.push(key, Terms { priority, timeout, weight });
            }
            Step::Begin if self.model.announced => self.begin(),
            Step::Finish if self.model.busy > 0 => {
                self.finish(None);
            }
            Step::Limit(limit) if self.model.busy > 0 => {
                self.finish(Some(limit.min(self.model.config.max_batch_size)));
            }
            Step::Cancel(which) if !self.tickets.is_empty() => {
                let (key, ticket) = self.tickets[which % self.tickets.len()];
                let here = self.model.items.iter().position(|i| i.number == ticket.number);
                let expected = here.map(|at| self.model.items.remove(at).number);
                self.model.forget_empty();
                assert_eq!(self.queue.cancel(&key, ticket), expected);
            }
            Step::Wait(ms) => self.wait(Duration::from_millis(ms)),
            Step::Drain if !self.model.draining => {
                self.model.draining = true;
                let wake = self.queue.drain(self.model.now);
                assert_eq!(wake.start, self.model.look());
            }
            _ => {}
        }
        assert_eq!(self.queue.waiting(), self.model.items.len());
        assert_eq!(self.queue.busy(), self.model.busy);
        let oldest = self.model.items.iter().map(|item| item.arrived).min();
        let oldest = oldest.map_or(Duration::ZERO, |oldest| self.model.now - oldest);
        assert_eq!(self.queue.oldest_wait(self.model.now), oldest);
        if let Some(next) = self.model.next_event() {
            let armed = self.queue.armed().expect("something will happen and nobody is woken");
            assert!(armed <= next, "woken {:?} late", armed - next);
        }
    }

    fn push(&mut self, key: u8, terms: Terms) {
        let number = self.queue.next_ticket;
        let model = &mut self.model;
        let pushed = self.queue.push(model.now, key, terms, number);
        let level = match (model.admits(&terms), &pushed) {
            (Ok(level), Ok(_)) => level,
            (Err(expected), Err((refusal, _))) => return assert_eq!(*refusal, expected),
            (expected, Ok(_)) => panic!("let in although {expected:?}"),
            (expected, Err((refusal, _))) => panic!("{refusal:?} although {expected:?}"),
        };
        let allowed = model.config.levels[level].timeout;
        let timeout = terms.timeout.into_iter().chain(allowed).min();
        model.items.push(Item {
            number,
            key,
            level,
            arrived: model.now,
            expires: timeout.and_then(|timeout| model.now.checked_add(timeout)),
            weight: terms.weight,
            late: None,
        });
        if !model.turns.contains(&key) {
            model.turns.push(key);
        }
        if let Ok((ticket, wake)) = pushed {
            assert_eq!(wake.start, model.look());
            self.tickets.push((key, ticket));
        }
    }

    fn begin(&mut self) {
        let model = &mut self.model;
        model.announced = false;
        let (batch, wake) = self.queue.begin(model.now);
        let batch = batch.map(|batch| {
            let left = batch.left_behind;
            (batch.entries.into_iter().map(|e| e.payload).collect::<Vec<_>>(), left)
        });
        let key = |number: u64| self.tickets.iter().find(|t| t.1.number == number).unwrap().0;
        let expected = model.form().map(|numbers| {
            let left = model.of(key(numbers[0])).len();
            (numbers, left)
        });
        assert_eq!(batch, expected);
        model.busy += usize::from(expected.is_some());
        assert_eq!(wake.start, model.look());
    }

    fn finish(&mut self, limit: Option<usize>) {
        let model = &mut self.model;
        if let Some(limit) = limit {
            self.queue.set_limit(limit);
            model.limit = limit;
        }
        let expected =
            if model.busy == model.config.max_in_flight { model.expire() } else { Vec::new() };
        model.busy -= 1;
        let mut refused = Vec::new();
        let wake = self.queue.finish(model.now, &mut refused);
        refused.sort_unstable();
        assert_eq!(refused, expected);
        assert_eq!(wake.start, model.look());
    }

    /// Lets time pass; the queue is woken whenever it asked to be.
    fn wait(&mut self, time: Duration) {
        let end = self.model.now + time;
        while let Some(at) = self.queue.armed().filter(|at| *at <= end) {
            let model = &mut self.model;
            model.now = model.now.max(at);
            let full = model.busy == model.config.max_in_flight;
            let expected = if full { model.expire() } else { Vec::new() };
            let mut refused = Vec::new();
            let wake = self.queue.tick(model.now, &mut refused);
            refused.sort_unstable();
            assert_eq!(refused, expected);
            assert_eq!(wake.start, model.look());
        }
        self.model.now = end;
    }
}

fn config() -> impl Strategy<Value = Config> {
    let level = (proptest::option::of(0..12_u64), any::<bool>(), proptest::option::of(1..6_usize));
    let level = level.prop_map(|(timeout, delay, max_queue)| Level {
        timeout: timeout.map(Duration::from_millis),
        on_timeout: if delay { TimeoutAction::Delay } else { TimeoutAction::Reject },
        max_queue,
    });
    let numbers = (1..7_usize, 0..3_usize, 1..12_usize, 1..4_usize);
    let rest = (proptest::collection::vec(level, 1..4), proptest::option::of(1..9_u64), 0..4_u64);
    (numbers, rest).prop_map(|((max, preferred, max_queue, in_flight), (levels, budget, delay))| {
        Config {
            max_batch_size: max,
            preferred_batch_sizes: [2, 4]
                .into_iter()
                .filter(|s| s <= &max)
                .take(preferred)
                .collect(),
            max_queue_delay: [0, 3, 10]
                .get(delay as usize)
                .map_or(Duration::MAX, |ms| Duration::from_millis(*ms)),
            max_queue,
            max_batch_weight: budget,
            max_in_flight: in_flight,
            default_level: levels.len(),
            levels,
            ..Config::default()
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let push = (0..3_u8, 0..5_usize, proptest::option::of(0..15_u64), 0..10_u64);
    prop_oneof![
        8 => push.prop_map(|(key, priority, timeout, weight)| Step::Push {
            key,
            priority: priority.checked_sub(1),
            timeout,
            weight,
        }),
        5 => Just(Step::Begin),
        4 => Just(Step::Finish),
        1 => (0..64_usize).prop_map(Step::Cancel),
        4 => (0..8_u64).prop_map(Step::Wait),
        1 => (1..7_usize).prop_map(Step::Limit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_decides_as_its_slow_twin_does(
        config in config(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        config.validate().unwrap();
        let mut pair = Pair::new(config);
        for step in &steps {
            pair.step(step);
        }
        // In the end everything that was let in leaves, and nothing loops.
        pair.step(&Step::Drain);
        for _ in 0..steps.len() {
            pair.step(&Step::Begin);
            pair.step(&Step::Finish);
        }
        while pair.model.busy > 0 {
            pair.step(&Step::Finish);
        }
        prop_assert!(pair.queue.is_idle());
    }
}

#[test]
fn a_clock_that_is_turned_back_stands_still() {
    let config = Config { max_queue_delay: Duration::from_millis(10), ..Config::default() };
    let mut queue: Queue<(), u8> = Queue::new(config);
    let terms = Terms { priority: None, timeout: None, weight: 1 };
    let now = Instant::now() + Duration::from_secs(60);
    let (_, wake) = queue.push(now, (), terms, 1).unwrap();
    assert_eq!(wake.arm, Some(now + Duration::from_millis(10)));
    let earlier = now - Duration::from_secs(30);
    let (_, wake) = queue.push(earlier, (), terms, 2).unwrap();
    assert_eq!(wake.arm, None, "the second is not due before the first");
    assert!(!queue.tick(earlier, &mut Vec::new()).start);
    assert!(queue.tick(now + Duration::from_millis(10), &mut Vec::new()).start);
}
