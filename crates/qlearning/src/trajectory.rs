//! A ring of trajectories: what was tried, what it cost and what it earned.

use rand::{Rng, RngExt};
use std::collections::VecDeque;
use std::time::Duration;

use crate::{Error, ErrorKind, Transition};

/// What happened from a task's start to its end.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Trajectory {
    /// The steps, in order; may be empty if only the outcome matters.
    pub transitions: Vec<Transition>,
    /// What it earned, in the unit of the rewards.
    pub earned: f64,
    /// What it cost, in the same unit; not negative.
    pub spent: f64,
    /// Whether the task was done.
    pub succeeded: bool,
    /// When it ended, since an epoch of the caller's choice.
    pub at: Duration,
}

impl Trajectory {
    /// Earned / spent; 0 if nothing was spent.
    pub fn efficiency(&self) -> f64 {
        ratio(self.earned, self.spent)
    }
}

/// The newest trajectories, each under an id that is never used again.
#[derive(Clone, Debug)]
pub struct TrajectoryBuffer {
    capacity: usize,
    kept: VecDeque<Trajectory>,
    /// The id of the oldest that is kept.
    first: u64,
    dropped: u64,
}

/// What the trajectories of a buffer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct TrajectorySummary {
    /// How many there are.
    pub count: usize,
    /// All that was earned, divided by all that was spent; 0 if nothing was spent.
    pub efficiency: f64,
    /// The share that succeeded; 0 if there are none.
    pub success_rate: f64,
    /// The mean of what was earned; 0 if there are none.
    pub mean_earned: f64,
}

impl Default for TrajectoryBuffer {
    /// Keeps 1,000.
    fn default() -> Self {
        TrajectoryBuffer { capacity: 1000, kept: VecDeque::new(), first: 0, dropped: 0 }
    }
}

impl TrajectoryBuffer {
    /// A buffer that keeps the newest `capacity` trajectories.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if that is 0.
    pub fn new(capacity: usize) -> Result<Self, Error> {
        if capacity == 0 {
            return Err(Error::new(ErrorKind::Config, "capacity 0: a buffer keeps 1 or more"));
        }
        Ok(TrajectoryBuffer { capacity, ..TrajectoryBuffer::default() })
    }

    /// Adds a trajectory, dropping the oldest if the buffer is full, and returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if a number in it is not finite or `spent` is negative.
    pub fn push(&mut self, trajectory: Trajectory) -> Result<u64, Error> {
        let finite = trajectory.earned.is_finite()
            && trajectory.spent.is_finite()
            && trajectory.transitions.iter().all(|t| t.reward.is_finite());
        if !finite || trajectory.spent < 0.0 {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "trajectory that earned {} and spent {}: all numbers must be finite and spent \
                     not negative",
                    trajectory.earned, trajectory.spent
                ),
            ));
        }
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
            self.first += 1;
            self.dropped += 1;
        }
        self.kept.push_back(trajectory);
        Ok(self.first + self.kept.len() as u64 - 1)
    }

    /// The trajectory with that id, unless it was dropped or drained.
    pub fn get(&self, id: u64) -> Option<&Trajectory> {
        self.kept.get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were pushed out by later ones before anybody drained them.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The kept ones with their ids, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Trajectory)> {
        (self.first..).zip(&self.kept)
    }

    /// Takes all of them out, oldest first; ids go on from where they were.
    pub fn drain(&mut self) -> Vec<Trajectory> {
        self.first += self.kept.len() as u64;
        self.kept.drain(..).collect()
    }

    /// The ids of the `count` that earned most, best first, older before newer among equals.
    /// O(n log n).
    pub fn best(&self, count: usize) -> Vec<u64> {
        let mut ids: Vec<(f64, u64)> = self.iter().map(|(id, t)| (t.earned, id)).collect();
        ids.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ids.into_iter().take(count).map(|(_, id)| id).collect()
    }

    /// `count` ids, each drawn uniformly from all that are kept, with replacement; none if the
    /// buffer is empty.
    pub fn sample(&self, count: usize, rng: &mut impl Rng) -> Vec<u64> {
        if self.is_empty() {
            return Vec::new();
        }
        (0..count).map(|_| self.first + rng.random_range(0..self.kept.len() as u64)).collect()
    }

    /// Efficiency, success rate and mean of what is kept. O(n).
    pub fn summary(&self) -> TrajectorySummary {
        let count = self.kept.len();
        let earned: f64 = self.kept.iter().map(|t| t.earned).sum();
        let spent: f64 = self.kept.iter().map(|t| t.spent).sum();
        let succeeded = self.kept.iter().filter(|t| t.succeeded).count();
        TrajectorySummary {
            count,
            efficiency: ratio(earned, spent),
            success_rate: ratio(succeeded as f64, count as f64),
            mean_earned: ratio(earned, count as f64),
        }
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
