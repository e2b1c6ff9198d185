//! Which distance an index ranks by, and how a vector is made ready for it.

use edgekit_kernels_simd::Kernels;

use crate::{Error, ErrorKind};

/// How far apart two vectors are. Smaller is always nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `1 − cos(a, b)`, from 0 to 2. A zero vector is at distance 1 from everything, itself
    /// included.
    #[default]
    Cosine,
    /// `−a·b`. On vectors of unit length it ranks as cosine does and saves the normalising; on
    /// others a long vector may be nearer to a query than the query's own copy.
    InnerProduct,
    /// `Σ (aᵢ − bᵢ)²`: the square of the Euclidean distance, which ranks the same.
    L2Squared,
}

impl Metric {
    /// Checks `vector` and writes it into `out` (as long as it) the way rows are stored: of unit
    /// length under [`Metric::Cosine`], as it is otherwise. Returns its length (L2 norm).
    pub(crate) fn prepare(self, vector: &[f32], out: &mut [f32]) -> Result<f32, Error> {
        check_finite(vector)?;
        let squared = Kernels::get().dot(vector, vector);
        let in_range = (1e-24..=f32::MAX / 8.0).contains(&squared);
        match self {
            Metric::Cosine => {
                // Squares of very small or large values leave the range of f32; f64 holds them.
                let norm = if in_range {
                    f64::from(squared).sqrt()
                } else {
                    vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
                };
                let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
                if in_range {
                    let scale = scale as f32;
                    out.iter_mut().zip(vector).for_each(|(o, &x)| *o = x * scale);
                } else {
                    out.iter_mut()
                        .zip(vector)
                        .for_each(|(o, &x)| *o = (f64::from(x) * scale) as f32);
                }
                Ok(norm as f32)
            }
            Metric::InnerProduct | Metric::L2Squared => {
                if squared > f32::MAX / 8.0 {
                    return Err(Error::new(
                        ErrorKind::NotFinite,
                        format!(
                            "the vector's squared length {squared} would overflow distances; scale the data down"
                        ),
                    ));
                }
                out.copy_from_slice(vector);
                Ok(squared.sqrt())
            }
        }
    }
}

fn check_finite(vector: &[f32]) -> Result<(), Error> {
    // A fold over bits vectorises where `all(is_finite)` branches on every value.
    const EXPONENT: u32 = 0x7f80_0000;
    let bad = |x: &f32| x.to_bits() & EXPONENT == EXPONENT;
    if !vector.iter().fold(false, |any, x| any | bad(x)) {
        return Ok(());
    }
    let at = vector.iter().position(bad).unwrap_or_default();
    Err(Error::new(
        ErrorKind::NotFinite,
        format!("value {at} of the vector is {}; only finite values can be ranked", vector[at]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(metric: Metric, vector: &[f32]) -> Result<(Vec<f32>, f32), ErrorKind> {
        let mut out = vec![0.0; vector.len()];
        let norm = metric.prepare(vector, &mut out).map_err(|error| error.kind())?;
        Ok((out, norm))
    }

    #[test]
    fn cosine_normalises_at_any_scale() {
        for scale in [1e-30, 1e-12, 1.0, 1e12, 1e30] {
            let (unit, norm) = prepared(Metric::Cosine, &[3.0 * scale, 4.0 * scale]).unwrap();
            assert!((unit[0] - 0.6).abs() < 1e-6 && (unit[1] - 0.8).abs() < 1e-6, "{unit:?}");
            assert!((norm / (5.0 * scale) - 1.0).abs() < 1e-6);
        }
        assert_eq!(prepared(Metric::Cosine, &[0.0, 0.0]).unwrap(), (vec![0.0, 0.0], 0.0));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2Squared] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                assert_eq!(prepared(metric, &[1.0, bad]), Err(ErrorKind::NotFinite));
            }
        }
        assert_eq!(prepared(Metric::L2Squared, &[1e30, 0.0]), Err(ErrorKind::NotFinite));
        assert!(prepared(Metric::L2Squared, &[1e18, -1e18]).is_ok());
    }
}
