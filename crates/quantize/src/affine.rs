//! The affine map between real values and 8-bit codes.

use edgekit_kernels_simd::Kernels;

use crate::error::{check_values, finite_range};
use crate::{Error, ErrorKind};

/// Where the codes of a range lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Zero is code 0 and both signs reach as far as the larger of them: codes −127 to 127. What
    /// weights want, because products of such codes need no correction.
    #[default]
    Symmetric,
    /// The range from the smallest to the largest value (always including zero) is spread over all
    /// 256 codes. What activations want, which are often of one sign.
    Asymmetric,
}

/// `real = scale · (code − zero_point)`, codes being `i8`.
///
/// Quantising is `clamp(round(real · (1 / scale)) + zero_point, −128, 127)` in `f32`, halves to the
/// even code. That is the definition which PyTorch's `quantize_per_tensor` has on x86 CPUs, and the
/// codes are equal to its codes bit for bit. A NaN gets the lowest code (PyTorch's differs between
/// its paths); the types of this crate that take data from outside refuse it instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    scale: f32,
    zero_point: i8,
}

impl Affine {
    /// The map with this scale and zero point.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] unless `scale` is a positive normal number.
    pub fn new(scale: f32, zero_point: i8) -> Result<Self, Error> {
        if scale.is_normal() && scale > 0.0 {
            return Ok(Affine { scale, zero_point });
        }
        Err(Error::new(
            ErrorKind::Config,
            format!("scale {scale} is not a positive normal number; learn it from a range"),
        ))
    }

    /// The map that covers `low..=high` and zero. A range of nothing but zero gets scale 1; bounds
    /// beyond ±1.7e38 are clipped to that.
    ///
    /// # Errors
    /// [`ErrorKind::NotFinite`] for bounds that are not finite, [`ErrorKind::Config`] if
    /// `low > high`.
    pub fn from_range(low: f32, high: f32, scheme: Scheme) -> Result<Self, Error> {
        check_values(&[low, high])?;
        if low > high {
            return Err(Error::new(
                ErrorKind::Config,
                format!("range {low} to {high} is upside down; give the smaller bound first"),
            ));
        }
        // Codes of a wider range could stand for values beyond f32, since the code of zero is rounded.
        let (low, high) = (low.max(-f32::MAX / 2.0), high.min(f32::MAX / 2.0));
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let width = match scheme {
            Scheme::Symmetric => high.max(-low) / 127.0,
            Scheme::Asymmetric => (high - low) / 255.0,
        };
        if width == 0.0 {
            return Ok(Affine { scale: 1.0, zero_point: 0 });
        }
        // Below the smallest normal number the reciprocal would overflow.
        let scale = (width as f32).max(f32::MIN_POSITIVE);
        let zero_point = match scheme {
            Scheme::Symmetric => 0,
            Scheme::Asymmetric => {
                (-128.0 - (low / f64::from(scale)).round_ties_even()).clamp(-128.0, 127.0) as i8
            }
        };
        Ok(Affine { scale, zero_point })
    }

    /// The map that covers the values and zero.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] and [`ErrorKind::NotFinite`].
    pub fn from_values(values: &[f32], scheme: Scheme) -> Result<Self, Error> {
        let (low, high) = finite_range(values)?;
        Affine::from_range(low, high, scheme)
    }

    /// The distance between neighbouring codes.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The code of zero.
    pub fn zero_point(&self) -> i8 {
        self.zero_point
    }

    /// Writes the code of each value. O(n), one pass.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn quantize(&self, values: &[f32], codes: &mut [i8]) {
        assert!(
            values.len() == codes.len(),
            "room for {} codes of {} values",
            codes.len(),
            values.len()
        );
        Kernels::get().quantize_i8(values, 1.0 / self.scale, self.zero_point, codes);
    }

    /// Writes the value of each code. O(n), one pass.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn dequantize(&self, codes: &[i8], values: &mut [f32]) {
        assert!(
            values.len() == codes.len(),
            "room for {} values of {} codes",
            values.len(),
            codes.len()
        );
        Kernels::get().dequantize_i8(codes, self.scale, self.zero_point, values);
    }

    /// The value of one code.
    #[inline]
    pub fn decode(&self, code: i8) -> f32 {
        self.scale * (i32::from(code) - i32::from(self.zero_point)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word.
    fn slow(value: f32, map: Affine) -> i8 {
        let rounded = f64::from((value * (1.0 / map.scale)).round_ties_even());
        (rounded + f64::from(map.zero_point)).clamp(-128.0, 127.0) as i8
    }

    #[test]
    fn fast_rounding_is_the_definition() {
        for (scale, zero_point) in [(1.0, 0), (0.1, 0), (0.02, -128), (0.007, 127), (3.0, 17)] {
            let map = Affine::new(scale, zero_point).unwrap();
            let near = (-4000..=4000).map(|i| i as f32 * 0.125 * scale);
            let far = [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -0.0];
            let values: Vec<f32> = near.chain(far).collect();
            let mut codes = vec![0; values.len()];
            map.quantize(&values, &mut codes);
            for (&value, &code) in values.iter().zip(&codes) {
                assert_eq!(code, slow(value, map), "{value} with {map:?}");
            }
        }
    }

    #[test]
    fn nan_gets_the_lowest_code() {
        let mut code = [0];
        Affine::new(1.0, 5).unwrap().quantize(&[f32::NAN], &mut code);
        assert_eq!(code, [-128]);
    }

    #[test]
    fn symmetric_ranges_reach_127_on_both_sides() {
        let map = Affine::from_range(-2.0, 1.0, Scheme::Symmetric).unwrap();
        let mut codes = [0; 3];
        map.quantize(&[-2.0, 0.0, 2.0], &mut codes);
        assert_eq!((codes, map.zero_point()), ([-127, 0, 127], 0));
    }

    #[test]
    fn asymmetric_ranges_use_every_code_and_keep_zero_exact() {
        for (low, high) in [(-1.0, 3.0), (0.0, 6.0), (2.0, 6.0), (-6.0, -2.0), (-1e-3, 1e6)] {
            let map = Affine::from_range(low, high, Scheme::Asymmetric).unwrap();
            let mut codes = [0; 3];
            map.quantize(&[low.min(0.0), 0.0, high.max(0.0)], &mut codes);
            assert_eq!((codes[0], codes[2]), (-128, 127), "{low} to {high}");
            assert_eq!(map.decode(codes[1]), 0.0);
        }
    }

    #[test]
    fn extreme_ranges_are_defined() {
        assert_eq!(Affine::from_values(&[0.0; 4], Scheme::Asymmetric).unwrap().scale(), 1.0);
        for scheme in [Scheme::Symmetric, Scheme::Asymmetric] {
            let widest = Affine::from_range(f32::MIN, f32::MAX, scheme).unwrap();
            assert!(widest.scale().is_finite());
            assert!(widest.decode(-128).is_finite() && widest.decode(127).is_finite());
            let mut code = [0];
            widest.quantize(&[f32::MAX], &mut code);
            assert_eq!(code, [127]);
            let tiny = Affine::from_range(0.0, 1e-44, scheme).unwrap();
            tiny.quantize(&[1e-44], &mut code);
            assert!(tiny.decode(code[0]).abs() <= 2e-38);
        }
    }

    #[test]
    fn bad_ranges_are_typed_errors() {
        let kind = |r: Result<Affine, Error>| r.unwrap_err().kind();
        assert_eq!(kind(Affine::from_range(1.0, -1.0, Scheme::Symmetric)), ErrorKind::Config);
        assert_eq!(
            kind(Affine::from_range(f32::NAN, 1.0, Scheme::Symmetric)),
            ErrorKind::NotFinite
        );
        assert_eq!(kind(Affine::from_values(&[], Scheme::Symmetric)), ErrorKind::Empty);
        assert_eq!(
            kind(Affine::from_values(&[1.0, f32::INFINITY], Scheme::Symmetric)),
            ErrorKind::NotFinite
        );
        assert_eq!(kind(Affine::new(0.0, 0)), ErrorKind::Config);
        assert_eq!(kind(Affine::new(1e-40, 0)), ErrorKind::Config);
    }
}
