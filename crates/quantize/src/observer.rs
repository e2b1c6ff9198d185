//! Observers: what watches a stream of activations and says which range to quantise.

use crate::error::finite_range;
use crate::{Affine, Error, ErrorKind, Histogram, Scheme};

/// How an [`Observer`] turns what it saw into a range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Calibration {
    /// From the smallest to the largest value: nothing is clipped, one outlier coarsens everything.
    #[default]
    MinMax,
    /// The exponential moving average of each batch's smallest and largest value.
    MovingAverage {
        /// Weight of a new batch, above 0 up to 1. PyTorch's default is 0.01.
        weight: f32,
    },
    /// Without the values farthest out.
    Percentile {
        /// Per cent of the values that are cut off at either end, 0 to 50.
        tail: f64,
    },
    /// The range of the least mean squared error.
    Mse,
    /// The range of the least Kullback–Leibler divergence.
    KullbackLeibler,
}

/// Watches a stream and learns a range from it.
///
/// Memory: a few bytes, or 1 MiB for the calibrations that need a [`Histogram`].
///
/// ```
/// use edgekit_quantize::{Calibration, Observer, Scheme};
///
/// let mut observer = Observer::new(Calibration::Percentile { tail: 1.0 })?;
/// observer.observe(&(0..1000).map(|i| i as f32).collect::<Vec<_>>())?;
/// let (low, high) = observer.range()?;
/// assert!((low - 10.0).abs() < 0.1 && (high - 989.0).abs() < 4.0);
/// let map = observer.affine(Scheme::Asymmetric)?;
/// assert_eq!(map.zero_point(), -128);
/// # Ok::<(), edgekit_quantize::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Observer {
    calibration: Calibration,
    seen: Seen,
}

#[derive(Clone, Debug)]
enum Seen {
    Range(Option<(f32, f32)>),
    Histogram(Histogram),
}

impl Observer {
    /// An observer that has seen nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a weight or a tail out of its range.
    pub fn new(calibration: Calibration) -> Result<Self, Error> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        let seen = match calibration {
            Calibration::MinMax => Seen::Range(None),
            Calibration::MovingAverage { weight } if weight > 0.0 && weight <= 1.0 => {
                Seen::Range(None)
            }
            Calibration::MovingAverage { weight } => {
                return wrong(format!("weight {weight}: give more than 0 and at most 1"));
            }
            Calibration::Percentile { tail } if !(0.0..=50.0).contains(&tail) => {
                return wrong(format!("a tail of {tail} % at either end: give 0 to 50"));
            }
            Calibration::Percentile { .. } | Calibration::Mse | Calibration::KullbackLeibler => {
                Seen::Histogram(Histogram::new())
            }
        };
        Ok(Observer { calibration, seen })
    }

    /// Watches one batch. An empty batch changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFinite`]; the batch is then not counted.
    pub fn observe(&mut self, batch: &[f32]) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let range = match &mut self.seen {
            Seen::Histogram(histogram) => return histogram.observe(batch),
            Seen::Range(range) => range,
        };
        let (low, high) = finite_range(batch)?;
        *range = Some(match (*range, self.calibration) {
            (None, _) => (low, high),
            (Some((a, b)), Calibration::MovingAverage { weight }) => {
                (a + weight * (low - a), b + weight * (high - b))
            }
            (Some((a, b)), _) => (a.min(low), b.max(high)),
        });
        Ok(())
    }

    /// The range that the calibration chooses. O(1), or a few milliseconds where a search is needed.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] before the first value.
    pub fn range(&self) -> Result<(f32, f32), Error> {
        self.range_for(Scheme::Symmetric)
    }

    /// The map for that range.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] before the first value.
    pub fn affine(&self, scheme: Scheme) -> Result<Affine, Error> {
        let (low, high) = self.range_for(scheme)?;
        Affine::from_range(low, high, scheme)
    }

    fn range_for(&self, scheme: Scheme) -> Result<(f32, f32), Error> {
        match &self.seen {
            Seen::Range(Some(range)) => Ok(*range),
            Seen::Range(None) => {
                Err(Error::new(ErrorKind::Empty, "no values were observed; observe some first"))
            }
            Seen::Histogram(histogram) => match self.calibration {
                Calibration::Percentile { tail } => histogram.percentile_range(tail),
                Calibration::KullbackLeibler => histogram.kl_range(scheme),
                _ => histogram.mse_range(scheme),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_max_and_moving_average_follow_their_definitions() {
        let mut exact = Observer::new(Calibration::MinMax).unwrap();
        let mut slow = Observer::new(Calibration::MovingAverage { weight: 0.25 }).unwrap();
        for batch in [[-1.0, 2.0], [0.0, 10.0], [-5.0, 2.0]] {
            exact.observe(&batch).unwrap();
            slow.observe(&batch).unwrap();
        }
        assert_eq!(exact.range().unwrap(), (-5.0, 10.0));
        // -1, -1 + 0.25·1 = -0.75, -0.75 + 0.25·(-4.25); 2, 4, 3.5
        assert_eq!(slow.range().unwrap(), (-1.8125, 3.5));
    }

    #[test]
    fn batches_in_any_order_give_the_same_range() {
        let batches: Vec<Vec<f32>> = (0..9)
            .map(|b| (0..50).map(|i| ((b * 50 + i) as f32).sin() * b as f32).collect())
            .collect();
        let all = [
            Calibration::MinMax,
            Calibration::Percentile { tail: 0.5 },
            Calibration::Mse,
            Calibration::KullbackLeibler,
        ];
        for calibration in all {
            let mut there = Observer::new(calibration).unwrap();
            let mut back = Observer::new(calibration).unwrap();
            batches.iter().for_each(|b| there.observe(b).unwrap());
            batches.iter().rev().for_each(|b| back.observe(b).unwrap());
            assert_eq!(there.range().unwrap(), back.range().unwrap(), "{calibration:?}");
        }
    }

    #[test]
    fn nothing_seen_and_bad_settings_are_typed_errors() {
        for calibration in [Calibration::MinMax, Calibration::Mse] {
            let mut observer = Observer::new(calibration).unwrap();
            observer.observe(&[]).unwrap();
            assert_eq!(observer.range().unwrap_err().kind(), ErrorKind::Empty);
            let error = observer.observe(&[f32::INFINITY]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFinite);
            assert_eq!(observer.range().unwrap_err().kind(), ErrorKind::Empty);
        }
        for bad in [
            Calibration::MovingAverage { weight: 0.0 },
            Calibration::MovingAverage { weight: f32::NAN },
            Calibration::Percentile { tail: -1.0 },
            Calibration::Percentile { tail: 50.5 },
        ] {
            assert_eq!(Observer::new(bad).unwrap_err().kind(), ErrorKind::Config, "{bad:?}");
        }
    }
}
