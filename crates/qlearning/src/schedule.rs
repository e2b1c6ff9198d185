//! How a rate changes over an agent's life: exploration, temperature and step size.

use serde::{Deserialize, Serialize};

use crate::policy::larger;
use crate::{Error, ErrorKind};

/// A number as a function of how many steps were learned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// Always the same.
    Constant(f32),
    /// From one to the other in a straight line, then constant.
    Linear {
        /// At step 0.
        from: f32,
        /// From step `over` on.
        to: f32,
        /// How many steps it takes.
        over: u64,
    },
    /// Halves its distance to `to` every `half_life` steps.
    Exponential {
        /// At step 0.
        from: f32,
        /// In the end.
        to: f32,
        /// How many steps halve the distance.
        half_life: u64,
    },
}

impl Schedule {
    /// The value at `step`.
    #[inline]
    pub fn at(&self, step: u64) -> f32 {
        match *self {
            Schedule::Constant(value) => value,
            Schedule::Linear { from, to, over } => {
                if step >= over {
                    to
                } else {
                    from + (to - from) * (step as f64 / over as f64) as f32
                }
            }
            Schedule::Exponential { from, to, half_life } => {
                to + (from - to) * (-(step as f64 / half_life.max(1) as f64)).exp2() as f32
            }
        }
    }

    /// Both ends must lie in `range`.
    pub(crate) fn validate(&self, name: &str, low: f32, high: f32) -> Result<(), Error> {
        let (from, to) = match *self {
            Schedule::Constant(value) => (value, value),
            Schedule::Linear { from, to, .. } | Schedule::Exponential { from, to, .. } => {
                (from, to)
            }
        };
        if (low..=high).contains(&from) && (low..=high).contains(&to) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Config,
            format!("{name} goes from {from} to {to}: it must stay within {low} to {high}"),
        ))
    }
}

/// How far an update moves a value towards its target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum StepSize {
    /// α by the number of steps learned.
    Scheduled(Schedule),
    /// α = half / (half + n), where n is how often this state and action was updated before: 1 at
    /// first, a half after `half` visits, then like 1/n, and never below `floor`. With floor 0 it
    /// meets the conditions under which Q-learning converges (Sutton & Barto 2.7).
    Harmonic {
        /// Visits until α is a half.
        half: f32,
        /// The smallest α.
        floor: f32,
    },
}

impl StepSize {
    /// α for an update at `step` of a cell that was visited `visits` times before.
    #[inline]
    pub fn at(&self, step: u64, visits: u32) -> f32 {
        match *self {
            StepSize::Scheduled(schedule) => schedule.at(step),
            StepSize::Harmonic { half, floor } => harmonic(half, floor, visits),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        match *self {
            StepSize::Scheduled(schedule) => schedule.validate("step size", 0.0, 1.0),
            StepSize::Harmonic { half, floor } => {
                if half.is_finite() && half > 0.0 && (0.0..=1.0).contains(&floor) {
                    return Ok(());
                }
                Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "harmonic step size with half {half} and floor {floor}: half must be \
                         positive and floor within 0 to 1"
                    ),
                ))
            }
        }
    }
}

/// The step size of a cell that was visited `visits` times, see [`StepSize::Harmonic`].
#[inline(always)]
pub(crate) fn harmonic(half: f32, floor: f32, visits: u32) -> f32 {
    larger(half / (half + visits as f32), floor)
}
