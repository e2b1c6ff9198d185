//! Image kernels over runs of pixels.
//!
//! Plain loops: inside a wrapper's feature context the compiler vectorises them to the full width as
//! they stand, so that nothing is gained by writing registers out.

use super::reduce::mean_variance;
use super::sqrt;
use crate::simd::Simd;

/// BT.601 in fixed point: the weights of red, green and blue add up to 256.
#[inline(always)]
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

#[inline(always)]
pub(crate) fn rgba_to_gray<S: Simd>(_s: S, rgba: &[u8], gray: &mut [u8]) {
    for (pixel, gray) in rgba.as_chunks::<4>().0.iter().zip(gray) {
        *gray = luma(pixel[0], pixel[1], pixel[2]);
    }
}

#[inline(always)]
pub(crate) fn rgb_to_gray<S: Simd>(_s: S, rgb: &[u8], gray: &mut [u8]) {
    for (pixel, gray) in rgb.as_chunks::<3>().0.iter().zip(gray) {
        *gray = luma(pixel[0], pixel[1], pixel[2]);
    }
}

#[inline(always)]
pub(crate) fn threshold<S: Simd>(_s: S, gray: &[u8], limit: u8, out: &mut [u8]) {
    for (value, out) in gray.iter().zip(out) {
        *out = if *value > limit { 255 } else { 0 };
    }
}

#[inline(always)]
pub(crate) fn normalize_u8<S: Simd>(_s: S, x: &[u8], mean: f32, std: f32, out: &mut [f32]) {
    // One multiplication and one subtraction instead of two divisions.
    let (factor, offset) = (1.0 / (255.0 * std), mean / std);
    for (value, out) in x.iter().zip(out) {
        *out = f32::from(*value) * factor - offset;
    }
}

#[inline(always)]
pub(crate) fn z_score<S: Simd>(s: S, x: &mut [f32]) {
    let Some((mean, variance)) = mean_variance(s, x) else { return };
    let factor = 1.0 / (sqrt(variance) + 1e-8);
    for value in x {
        *value = (*value - mean) * factor;
    }
}
