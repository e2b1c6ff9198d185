//! Codes of 8 and 4 bits, halves, and what sums of products of codes mean.

use core::ops::Range;

use half::{bf16, f16};

use super::same_len;
use crate::kernels::quantize;
use crate::matrix::Activation;

/// What sums of products of 8-bit codes stand for, of row `i` of the activations and channel `j` of the
/// weights: `row_scales[i] · scales[j] · (sum − zero_points[i] · code_sums[j]) + bias[j]`.
///
/// The difference is taken in integers modulo 2³²; then follow one rounding to `f32`, the product of
/// the scales, its product with the difference, and the sum with the bias, each rounded.
#[derive(Clone, Copy, Debug)]
pub struct Dequantize<'a> {
    /// The step of the codes of each row.
    pub row_scales: &'a [f32],
    /// The code of zero in each row.
    pub zero_points: &'a [i32],
    /// The step of each channel's codes, of which 0 is the code of zero.
    pub scales: &'a [f32],
    /// The sum of each channel's codes.
    pub code_sums: &'a [i32],
    /// Added to each channel.
    pub bias: &'a [f32],
}

impl<'a> Dequantize<'a> {
    /// The part that is about some rows and channels.
    pub(crate) fn part(self, rows: Range<usize>, channels: Range<usize>) -> Self {
        Dequantize {
            row_scales: &self.row_scales[rows.clone()],
            zero_points: &self.zero_points[rows],
            scales: &self.scales[channels.clone()],
            code_sums: &self.code_sums[channels.clone()],
            bias: &self.bias[channels],
        }
    }

    #[track_caller]
    pub(crate) fn check(&self, rows: usize, channels: usize) {
        same_len(rows, self.row_scales.len());
        same_len(rows, self.zero_points.len());
        same_len(channels, self.scales.len());
        same_len(channels, self.code_sums.len());
        same_len(channels, self.bias.len());
    }
}

impl super::Kernels {
    /// What rows of sums of products of codes stand for: see [`Dequantize`]. Bit-exact on every
    /// instruction set.
    ///
    /// # Panics
    /// Unless `sums` and `out` have a value for each row and channel of `meaning`, and its slices are as
    /// long as each other.
    #[track_caller]
    pub fn dequantize_sums(&self, sums: &[i32], meaning: Dequantize<'_>, out: &mut [f32]) {
        let (rows, channels) = (meaning.row_scales.len(), meaning.scales.len());
        meaning.check(rows, channels);
        same_len(sums.len(), out.len());
        assert!(
            rows.checked_mul(channels) == Some(sums.len()),
            "{} sums for {rows} rows of {channels} channels",
            sums.len()
        );
        self.gemm_dequantize(sums, meaning, Activation::Identity, out, channels);
    }
}

family! {
    Quantize in quantize;

    /// `clamp(round(x · inverse) + zero_point, −128, 127)`, ties to even; a NaN gives −128. Bit-exact
    /// on every instruction set.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn quantize_i8(x: &[f32], inverse: f32, zero_point: i8, out: &mut [i8]) {
        check { same_len(x.len(), out.len()) } run quantize::quantize_i8
    }
    /// `clamp(round(x · inverse) + zero_point, 0, 255)`, likewise; a NaN gives 0.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn quantize_u8(x: &[f32], inverse: f32, zero_point: u8, out: &mut [u8]) {
        check { same_len(x.len(), out.len()) } run quantize::quantize_u8
    }
    /// [`Kernels::quantize_i8`](super::Kernels::quantize_i8) of rows of `inverses.len()` values, each
    /// column with its own factor and code of zero. The last row may be short.
    ///
    /// # Panics
    /// If the lengths of `x` and `out` or of `inverses` and `zero_points` differ, or there are values
    /// and no columns.
    pub fn quantize_i8_columns(
        x: &[f32],
        inverses: &[f32],
        zero_points: &[i8],
        out: &mut [i8],
    ) {
        check { columns(x.len(), inverses.len(), zero_points.len(), out.len()) } run quantize::quantize_i8_columns
    }
    /// `scale · (code − zero_point)`, rounded once.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dequantize_i8(codes: &[i8], scale: f32, zero_point: i8, out: &mut [f32]) {
        check { same_len(codes.len(), out.len()) } run quantize::dequantize
    }
    /// `scale · (code − zero_point)`, rounded once.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dequantize_u8(codes: &[u8], scale: f32, zero_point: u8, out: &mut [f32]) {
        check { same_len(codes.len(), out.len()) } run quantize::dequantize
    }
    /// [`Kernels::dequantize_i8`](super::Kernels::dequantize_i8) of rows of `scales.len()` codes, each
    /// column with its own step and code of zero. The last row may be short.
    ///
    /// # Panics
    /// If the lengths of `codes` and `out` or of `scales` and `zero_points` differ, or there are
    /// codes and no columns.
    pub fn dequantize_i8_columns(
        codes: &[i8],
        scales: &[f32],
        zero_points: &[i8],
        out: &mut [f32],
    ) {
        check { columns(codes.len(), scales.len(), zero_points.len(), out.len()) } run quantize::dequantize_i8_columns
    }
    /// `clamp(round(x · inverse) + zero_point, 0, 15)`, ties to even, two codes a byte, the first in
    /// the low half; a NaN gives 0. Where a last value is alone, the high half is `zero_point`.
    ///
    /// # Panics
    /// Unless `out` has a byte for each two values, or if `zero_point` is above 15.
    pub fn quantize_u4(x: &[f32], inverse: f32, zero_point: u8, out: &mut [u8]) {
        check { pairs(x.len(), out.len()); nibble(zero_point) } run quantize::quantize_u4
    }
    /// `scale · (code − zero_point)` of codes packed that way, rounded once.
    ///
    /// # Panics
    /// Unless `codes` has a byte for each two of `out`, or if `zero_point` is above 15.
    pub fn dequantize_u4(codes: &[u8], scale: f32, zero_point: u8, out: &mut [f32]) {
        check { pairs(out.len(), codes.len()); nibble(zero_point) } run quantize::dequantize_u4
    }
    /// The nearest IEEE binary16, ties to even; infinite from 65,520 on, and a NaN stays one.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn narrow_f16(x: &[f32], out: &mut [f16]) {
        check { same_len(x.len(), out.len()) } run quantize::narrow_f16
    }
    /// The same values, exactly.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn widen_f16(x: &[f16], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run quantize::widen_f16
    }
    /// The nearest bfloat16, ties to even; a NaN stays one.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn narrow_bf16(x: &[f32], out: &mut [bf16]) {
        check { same_len(x.len(), out.len()) } run quantize::narrow_bf16
    }
    /// The same values, exactly.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn widen_bf16(x: &[bf16], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run quantize::widen_bf16
    }
    /// The least and the greatest value; `None` if one is NaN or infinite, or there are none.
    ///
    /// One pass: what a range is learned from has to be finite. Which sign a zero has is not defined
    /// where both signs occur.
    pub fn finite_min_max(a: &[f32]) -> Option<(f32, f32)> {
        check {} run quantize::finite_min_max
    }
    /// What rows of sums stand for, or ReLU of that; the rows of `out` begin `stride` apart.
    pub(crate) fn gemm_dequantize(
        sums: &[i32],
        meaning: Dequantize<'_>,
        activation: Activation,
        out: &mut [f32],
        stride: usize,
    ) {
        check {} run quantize::dequantize_sums
    }
}

#[inline]
#[track_caller]
fn columns(values: usize, columns: usize, zero_points: usize, out: usize) {
    same_len(values, out);
    assert!(columns == zero_points, "{columns} columns with {zero_points} zero points");
    assert!(columns > 0 || values == 0, "{values} values in rows of no columns");
}

#[inline]
#[track_caller]
fn pairs(values: usize, bytes: usize) {
    assert!(bytes == values.div_ceil(2), "{bytes} bytes for {values} values, two a byte");
}

#[inline]
#[track_caller]
fn nibble(zero_point: u8) {
    assert!(zero_point < 16, "zero point {zero_point} is not within [0, 15]");
}
