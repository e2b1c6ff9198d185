//! Image kernels over runs of pixels.
//!
//! Plain loops, but for gray of four bytes a pixel: inside a wrapper's feature context the compiler
//! vectorises them to the full width as they stand, so that nothing is gained by writing registers out.
//! Gray it takes apart into colours first, where an instruction that multiplies and adds neighbours
//! needs none of that: three times as fast.

use super::reduce::mean_variance;
use super::sqrt;
use crate::simd::{self, Simd, SimdBytes};

/// BT.601 in fixed point: the weights of red, green and blue add up to 256.
#[inline(always)]
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

/// Elements in front of the first cache line that begins with one, if they are few beside the others:
/// registers as wide as a line would else touch two lines each.
#[inline(always)]
fn before_line<T>(slice: &[T]) -> usize {
    let before = slice.as_ptr().align_offset(64);
    if slice.len() / 16 > before { before } else { 0 }
}

/// Without the call to a panic.
#[inline(always)]
fn split_at<T>(slice: &[T], at: usize) -> (&[T], &[T]) {
    slice.split_at_checked(at).unwrap_or((&[], slice))
}

#[inline(always)]
fn split_at_mut<T>(slice: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    // Not `_checked`, whose borrow outlives its failure.
    if at <= slice.len() { slice.split_at_mut(at) } else { (&mut [], slice) }
}

#[inline(always)]
pub(crate) fn rgba_to_gray<S: SimdBytes>(s: S, rgba: &[u8], gray: &mut [u8]) {
    let pixels = rgba.as_chunks::<4>().0;
    if simd::gray(s, pixels, gray) {
        return;
    }
    for (pixel, gray) in pixels.iter().zip(gray) {
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
    let (head, body) = split_at(gray, before_line(out));
    let (head_out, body_out) = split_at_mut(out, head.len());
    for (gray, out) in [(head, head_out), (body, body_out)] {
        for (value, out) in gray.iter().zip(out) {
            *out = if *value > limit { 255 } else { 0 };
        }
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

/// One channel of pixels likewise.
#[inline(always)]
pub(crate) fn normalize_channel<S: Simd>(
    s: S,
    pixels: &[u8],
    channels: usize,
    channel: usize,
    mean: f32,
    std: f32,
    out: &mut [f32],
) {
    let (factor, offset) = (1.0 / (255.0 * std), mean / std);
    match channels {
        3 => one_of::<3>(pixels, channel, factor, offset, out),
        4 => one_of::<4>(pixels, channel, factor, offset, out),
        _ => normalize_u8(s, pixels, mean, std, out),
    }
}

#[inline(always)]
fn one_of<const N: usize>(
    pixels: &[u8],
    channel: usize,
    factor: f32,
    offset: f32,
    out: &mut [f32],
) {
    // Without the call to a panic.
    let channel = if channel < N { channel } else { N - 1 };
    for (pixel, out) in pixels.as_chunks::<N>().0.iter().zip(out) {
        *out = f32::from(pixel[channel]) * factor - offset;
    }
}

#[inline(always)]
pub(crate) fn z_score<S: Simd>(s: S, x: &mut [f32]) {
    let Some((mean, variance)) = mean_variance(s, x) else { return };
    standardize(s, x, mean, 1.0 / (sqrt(variance) + 1e-8));
}

/// `x[i] = (x[i] - mean) · factor`.
#[inline(always)]
pub(crate) fn standardize<S: Simd>(_s: S, x: &mut [f32], mean: f32, factor: f32) {
    for value in x {
        *value = (*value - mean) * factor;
    }
}
