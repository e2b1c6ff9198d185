//! 4-bit codes in groups that share a scale, two a byte.

use edgekit_kernels_simd::Kernels;

use crate::Scheme;

/// How many neighbouring values share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// 32: 5 bits a value with its `f32` scale.
    G32,
    /// 64: 4.5 bits a value.
    G64,
    /// 128: 4.25 bits a value.
    G128,
}

impl Group {
    /// Values in a group.
    pub const fn size(self) -> usize {
        match self {
            Group::G32 => 32,
            Group::G64 => 64,
            Group::G128 => 128,
        }
    }

    /// The group of that size, if there is one.
    pub const fn of_size(size: usize) -> Option<Self> {
        match size {
            32 => Some(Group::G32),
            64 => Some(Group::G64),
            128 => Some(Group::G128),
            _ => None,
        }
    }
}

/// The largest code.
const TOP: f32 = 15.0;
/// The code of zero of symmetric groups: codes 1 to 15 stand for −7 to 7.
const MIDDLE: u8 = 8;

/// Codes one group; `codes` has half a byte a value, the first value in the low half. Returns scale
/// and code of zero. The values are finite.
pub(crate) fn encode(values: &[f32], scheme: Scheme, codes: &mut [u8]) -> (f32, u8) {
    // Codes of a wider range could stand for values beyond f32, since the code of zero is rounded.
    let kernels = Kernels::get();
    let (low, high) = kernels.min_max(values).unwrap_or_default();
    let (low, high) = (low.clamp(-f32::MAX / 2.0, 0.0), high.clamp(0.0, f32::MAX / 2.0));
    let width = match scheme {
        Scheme::Symmetric => f64::from(high.max(-low)) / 7.0,
        Scheme::Asymmetric => (f64::from(high) - f64::from(low)) / f64::from(TOP),
    };
    let scale = if width == 0.0 { 1.0 } else { (width as f32).max(f32::MIN_POSITIVE) };
    let zero = match scheme {
        Scheme::Symmetric => MIDDLE,
        Scheme::Asymmetric => (-low / scale).round_ties_even().clamp(0.0, TOP) as u8,
    };
    // A lone last value leaves the high half at zero's code, so that equal data has equal bytes.
    kernels.quantize_u4(values, 1.0 / scale, zero, codes);
    (scale, zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(values: &[f32], scheme: Scheme) -> (Vec<f32>, f32) {
        let mut codes = vec![0; values.len().div_ceil(2)];
        let (scale, zero) = encode(values, scheme, &mut codes);
        let mut back = vec![0.0; values.len()];
        Kernels::get().dequantize_u4(&codes, scale, zero, &mut back);
        (back, scale)
    }

    #[test]
    fn nothing_is_off_by_more_than_half_a_step() {
        for scheme in [Scheme::Symmetric, Scheme::Asymmetric] {
            for n in 1..=129 {
                let values: Vec<f32> = (0..n).map(|i| (i as f32 * 1.7).sin() * 3.0 + 0.5).collect();
                let (back, scale) = round_trip(&values, scheme);
                for (x, y) in values.iter().zip(&back) {
                    // The code of zero is rounded too, which may cost another half at the far end.
                    assert!((x - y).abs() <= 1.001 * scale, "{scheme:?} {n}: {x} {y} {scale}");
                }
            }
        }
    }

    #[test]
    fn zeros_and_extremes_are_defined() {
        for scheme in [Scheme::Symmetric, Scheme::Asymmetric] {
            assert_eq!(round_trip(&[0.0; 5], scheme).0, [0.0; 5]);
            let (back, _) = round_trip(&[f32::MAX, f32::MIN, 0.0], scheme);
            assert!(back.iter().all(|x| x.is_finite()) && back[2] == 0.0, "{back:?}");
            assert!(round_trip(&[1e-44, 0.0], scheme).0[0].abs() <= 2e-38);
        }
    }
}
