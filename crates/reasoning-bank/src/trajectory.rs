//! What tasks did: trajectories, the ring that holds the newest, and the names of executors.

use std::collections::VecDeque;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::{Error, ErrorKind};

/// One task, from its request to its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// What was asked, as a vector.
    pub vector: Vec<f32>,
    /// How long it took.
    pub latency: Duration,
    /// The energy it cost.
    pub spent: f32,
    /// What it brought in, in the same unit.
    pub earned: f32,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Who did it.
    pub executor: ExecutorId,
    /// When it ended, since an epoch of the caller's choice.
    pub at: Duration,
}

impl Trajectory {
    /// Earned / spent; 0 if nothing was spent.
    pub fn efficiency(&self) -> f32 {
        if self.spent > 0.0 { self.earned / self.spent } else { 0.0 }
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let finite = self.vector.iter().all(|x| x.is_finite()) && self.earned.is_finite();
        if finite && self.spent >= 0.0 && self.spent.is_finite() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Value,
            format!(
                "a trajectory that spent {} and earned {}: all numbers must be finite and spent \
                 not negative",
                self.spent, self.earned
            ),
        ))
    }
}

/// The number of an executor's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ExecutorId(pub u32);

/// Names of executors, each kept once and numbered from 0.
#[derive(Clone, Debug, Default)]
pub struct Executors {
    names: Vec<String>,
    ids: FxHashMap<String, u32>,
}

impl Executors {
    /// The id of `name`, new if it was never seen.
    pub fn intern(&mut self, name: &str) -> ExecutorId {
        if let Some(&id) = self.ids.get(name) {
            return ExecutorId(id);
        }
        let id = self.names.len() as u32;
        self.names.push(name.into());
        self.ids.insert(name.into(), id);
        ExecutorId(id)
    }

    /// All names, by id.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of an id.
    pub fn name(&self, id: ExecutorId) -> Option<&str> {
        self.names.get(id.0 as usize).map(String::as_str)
    }
}

/// The newest trajectories, until they are drained.
#[derive(Clone, Debug)]
pub struct TrajectoryRing {
    capacity: usize,
    kept: VecDeque<Trajectory>,
    recorded: u64,
    dropped: u64,
}

impl Default for TrajectoryRing {
    /// Keeps 1,000.
    fn default() -> Self {
        TrajectoryRing { capacity: 1000, kept: VecDeque::new(), recorded: 0, dropped: 0 }
    }
}

impl TrajectoryRing {
    /// A ring of `capacity` trajectories.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if that is 0.
    pub fn new(capacity: usize) -> Result<Self, Error> {
        if capacity == 0 {
            return Err(Error::new(ErrorKind::Config, "capacity 0: a ring keeps 1 or more"));
        }
        Ok(TrajectoryRing { capacity, ..TrajectoryRing::default() })
    }

    /// Adds a trajectory; the oldest goes if the ring is full.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] for numbers that are not finite or a negative `spent`.
    pub fn push(&mut self, trajectory: Trajectory) -> Result<(), Error> {
        trajectory.validate()?;
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
            self.dropped += 1;
        }
        self.kept.push_back(trajectory);
        self.recorded += 1;
        Ok(())
    }

    /// Takes all of them out, oldest first.
    pub fn drain(&mut self) -> Vec<Trajectory> {
        self.kept.drain(..).collect()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were ever pushed.
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// How many were pushed out before anybody drained them.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
