//! How much of the original quantisation kept.

use crate::{Error, ErrorKind};

/// What was lost between values and what became of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// Mean squared error.
    pub mse: f64,
    /// The largest absolute error.
    pub max_error: f64,
    /// Signal to quantisation noise ratio in decibels, `10 log₁₀(Σ x² / Σ (x − y)²)`; infinite if
    /// nothing was lost.
    pub sqnr_db: f64,
    /// Cosine of the angle between both; 1 if both are zero, 0 if one is.
    pub cosine: f64,
}

impl Fidelity {
    /// Compares `kept` with `original`. O(n), in `f64`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the lengths differ, [`ErrorKind::Empty`] if there is nothing to
    /// compare.
    pub fn between(original: &[f32], kept: &[f32]) -> Result<Self, Error> {
        if original.len() != kept.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("{} values against {}", original.len(), kept.len()),
            ));
        }
        if original.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "there are no values to compare"));
        }
        let (mut signal, mut noise, mut max_error) = (0.0, 0.0, 0.0_f64);
        let (mut dot, mut other) = (0.0, 0.0);
        for (&x, &y) in original.iter().zip(kept) {
            let (x, y) = (f64::from(x), f64::from(y));
            let off = x - y;
            signal += x * x;
            other += y * y;
            dot += x * y;
            noise += off * off;
            max_error = max_error.max(off.abs());
        }
        let sqnr_db = if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() };
        let cosine = if signal == 0.0 && other == 0.0 {
            1.0
        } else if signal == 0.0 || other == 0.0 {
            0.0
        } else {
            dot / (signal.sqrt() * other.sqrt())
        };
        Ok(Fidelity { mse: noise / original.len() as f64, max_error, sqnr_db, cosine })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_its_definition() {
        let f = Fidelity::between(&[3.0, 4.0], &[3.0, 3.0]).unwrap();
        assert_eq!((f.mse, f.max_error), (0.5, 1.0));
        assert!((f.sqnr_db - 10.0 * 25f64.log10()).abs() < 1e-12);
        assert!((f.cosine - 21.0 / (5.0 * 18f64.sqrt())).abs() < 1e-12);
        let same = Fidelity::between(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!(same.sqnr_db, f64::INFINITY);
        assert!((same.cosine - 1.0).abs() < 1e-12);
        assert_eq!(Fidelity::between(&[0.0], &[0.0]).unwrap().cosine, 1.0);
        assert_eq!(Fidelity::between(&[0.0], &[1.0]).unwrap().cosine, 0.0);
        assert_eq!(Fidelity::between(&[], &[]).unwrap_err().kind(), ErrorKind::Empty);
        assert_eq!(Fidelity::between(&[1.0], &[]).unwrap_err().kind(), ErrorKind::Shape);
    }
}
