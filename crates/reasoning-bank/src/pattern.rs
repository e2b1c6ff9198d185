//! What is remembered: patterns, and when two of them are one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// What tasks of one kind have in common, and how well they went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// Where these tasks lie: the mean of their vectors. Only its direction counts for look-ups.
    pub centroid: Arc<[f32]>,
    /// The share of the tasks that each executor had, by the number of its id; may be shorter than
    /// there are executors.
    pub allocation: Vec<f32>,
    /// Mean energy that a task took, in the caller's unit.
    pub energy: f32,
    /// How much the pattern is to be trusted, 0 to 1.
    pub confidence: f32,
    /// How many tasks it rests on.
    pub samples: u64,
    /// Mean latency of a task.
    pub mean_latency: Duration,
    /// The share of the tasks that succeeded, 0 to 1.
    pub success_rate: f32,
    /// When it was made, since an epoch of the caller's choice.
    pub created: Duration,
    /// When it was last returned by a look-up, taught by a task, or made.
    pub last_used: Duration,
}

impl Pattern {
    /// A pattern of one task-to-come: that direction, confidence and time, and nothing known yet.
    pub fn new(centroid: impl Into<Arc<[f32]>>, confidence: f32, created: Duration) -> Self {
        Pattern {
            centroid: centroid.into(),
            allocation: Vec::new(),
            energy: 0.0,
            confidence,
            samples: 1,
            mean_latency: Duration::ZERO,
            success_rate: 0.0,
            created,
            last_used: created,
        }
    }

    /// Confidence × samples: what [`Bank::export`](crate::Bank::export) ranks by.
    pub fn worth(&self) -> f64 {
        f64::from(self.confidence) * self.samples as f64
    }

    /// Refuses what would poison a bank: wrong dimension, no direction, numbers out of range.
    pub(crate) fn validate(&self, dim: usize) -> Result<(), Error> {
        if self.centroid.len() != dim {
            return Err(wrong_dimension(self.centroid.len(), dim));
        }
        unit(&self.centroid)?;
        let share = |name: &str, value: f32| {
            if (0.0..=1.0).contains(&value) {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Value, format!("{name} {value}: it must be within 0 to 1")))
        };
        share("confidence", self.confidence)?;
        share("success rate", self.success_rate)?;
        self.allocation.iter().try_for_each(|&part| share("allocation", part))?;
        if !(self.energy.is_finite() && self.energy >= 0.0) {
            return Err(Error::new(
                ErrorKind::Value,
                format!("energy {}: it must be finite and not negative", self.energy),
            ));
        }
        Ok(())
    }

    /// Takes `other` in: means weighted by samples, counts summed, earliest creation, latest use.
    pub(crate) fn absorb(&mut self, other: &Pattern) {
        let total = self.samples.saturating_add(other.samples).max(1);
        let share = other.samples as f64 / total as f64;
        let mix = |a: f32, b: f32| (f64::from(a) + share * (f64::from(b) - f64::from(a))) as f32;
        self.centroid =
            self.centroid.iter().zip(&*other.centroid).map(|(&a, &b)| mix(a, b)).collect();
        let executors = self.allocation.len().max(other.allocation.len());
        self.allocation.resize(executors, 0.0);
        for (at, part) in self.allocation.iter_mut().enumerate() {
            *part = mix(*part, other.allocation.get(at).copied().unwrap_or(0.0));
        }
        self.energy = mix(self.energy, other.energy);
        self.confidence = mix(self.confidence, other.confidence);
        self.success_rate = mix(self.success_rate, other.success_rate);
        self.mean_latency = mix_durations(self.mean_latency, other.mean_latency, share);
        self.samples = total;
        self.created = self.created.min(other.created);
        self.last_used = self.last_used.max(other.last_used);
    }
}

/// `share` of the way from `a` to `b`.
pub(crate) fn mix_durations(a: Duration, b: Duration, share: f64) -> Duration {
    let seconds = a.as_secs_f64() + share * (b.as_secs_f64() - a.as_secs_f64());
    Duration::try_from_secs_f64(seconds).unwrap_or(a)
}

/// `vector` at length 1.
pub(crate) fn unit(vector: &[f32]) -> Result<Vec<f32>, Error> {
    let mut out = Vec::with_capacity(vector.len());
    unit_into(vector, &mut out)?;
    Ok(out)
}

/// `vector` at length 1, into `out`. In f64, so that no vector of finite values over- or underflows.
pub(crate) fn unit_into(vector: &[f32], out: &mut Vec<f32>) -> Result<(), Error> {
    // In four lanes: one sum would wait for itself at every value.
    let (fours, rest) = vector.as_chunks::<4>();
    let mut lanes = [0.0f64; 4];
    for four in fours {
        for (lane, &x) in lanes.iter_mut().zip(four) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    let squared =
        lanes.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    if !(squared.is_finite() && squared > 0.0) {
        return Err(Error::new(
            ErrorKind::Value,
            format!(
                "a vector of length {}: its values must be finite and not all 0",
                squared.sqrt()
            ),
        ));
    }
    let scale = 1.0 / squared.sqrt();
    out.clear();
    out.extend(vector.iter().map(|&x| (f64::from(x) * scale) as f32));
    Ok(())
}

#[cold]
pub(crate) fn wrong_dimension(len: usize, dim: usize) -> Error {
    Error::new(ErrorKind::Dimension, format!("{len} values where the bank's vectors have {dim}"))
}
