//! How the learning rate changes with the epochs.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The factor of the learning rate in epoch `e`, counted from 0. RPROP and SARPROP have no rate and
/// take no notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Schedule {
    /// 1
    #[default]
    Constant,
    /// `factor^⌊e / every⌋`
    Step {
        /// Epochs of one rate.
        every: u64,
        /// From one rate to the next.
        factor: f32,
    },
    /// `factor^e`
    Exponential {
        /// From one epoch to the next.
        factor: f32,
    },
    /// From 1 to `floor` along half a cosine, then `floor` (Loshchilov and Hutter, 2017).
    Cosine {
        /// How many epochs it takes.
        epochs: u64,
        /// What is left, 0 to 1.
        floor: f32,
    },
}

impl Schedule {
    /// The factor in this epoch.
    pub fn factor(self, epoch: u64) -> f32 {
        let epoch_f = epoch as f64;
        match self {
            Schedule::Constant => 1.0,
            Schedule::Step { every, factor } => {
                f64::from(factor).powf((epoch / every.max(1)) as f64) as f32
            }
            Schedule::Exponential { factor } => f64::from(factor).powf(epoch_f) as f32,
            Schedule::Cosine { epochs, floor } => {
                let way = (epoch_f / epochs.max(1) as f64).min(1.0);
                let cosine = 0.5 + 0.5 * (std::f64::consts::PI * way).cos();
                (f64::from(floor) + (1.0 - f64::from(floor)) * cosine) as f32
            }
        }
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        let (periods, factor) = match self {
            Schedule::Constant => return Ok(()),
            Schedule::Step { every, factor } => (every, factor),
            Schedule::Exponential { factor } => (1, factor),
            Schedule::Cosine { epochs, floor } => (epochs, floor),
        };
        if periods > 0 && (0.0..=1.0).contains(&factor) {
            return Ok(());
        }
        Err(Error::config(format!("schedule {self:?}: give a period, and a factor of 0 to 1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_follow_their_formulas() {
        let step = Schedule::Step { every: 10, factor: 0.5 };
        assert_eq!([0, 9, 10, 25].map(|e| step.factor(e)), [1.0, 1.0, 0.5, 0.25]);
        let exponential = Schedule::Exponential { factor: 0.5 };
        assert_eq!([0, 1, 3].map(|e| exponential.factor(e)), [1.0, 0.5, 0.125]);
        let cosine = Schedule::Cosine { epochs: 100, floor: 0.2 };
        assert_eq!([0, 100, 1000].map(|e| cosine.factor(e)), [1.0, 0.2, 0.2]);
        assert!((cosine.factor(50) - 0.6).abs() < 1e-6);
        assert!(Schedule::Step { every: 0, factor: 0.5 }.check().is_err());
        assert!(Schedule::Exponential { factor: f32::NAN }.check().is_err());
        assert!(Schedule::Exponential { factor: 1.5 }.check().is_err());
    }
}
