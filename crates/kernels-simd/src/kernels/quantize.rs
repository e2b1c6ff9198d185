//! Between floats and shorter numbers: codes of 8 and 4 bits, halves, and sums of products of codes.
//!
//! Plain loops, which the compiler vectorises to the full width of a wrapper's set as they stand. A
//! loop over one slice runs over whole blocks, and what is left is done as a block that overlaps the
//! last one, so that at most three values are done one at a time.

use half::{bf16, f16};

use crate::matrix::Activation;
use crate::simd::{Cursor, F32, Simd};
use crate::table::Dequantize;

/// Values of a block: a register of bytes.
const BLOCK: usize = 64;

/// `out[i] = f(x[i])` of slices that are as long as each other, in the largest blocks that fit.
#[inline(always)]
fn each<A: Copy, B: Copy>(x: &[A], out: &mut [B], f: impl Fn(A) -> B) {
    if x.len() >= BLOCK {
        blocks::<BLOCK, A, B>(x, out, f);
    } else if x.len() >= 16 {
        blocks::<16, A, B>(x, out, f);
    } else if x.len() >= 4 {
        blocks::<4, A, B>(x, out, f);
    } else {
        for (out, x) in out.iter_mut().zip(x) {
            *out = f(*x);
        }
    }
}

#[inline(always)]
fn blocks<const N: usize, A: Copy, B: Copy>(x: &[A], out: &mut [B], f: impl Fn(A) -> B) {
    for (out, x) in out.as_chunks_mut::<N>().0.iter_mut().zip(x.as_chunks::<N>().0) {
        for i in 0..N {
            out[i] = f(x[i]);
        }
    }
    if let (Some(out), Some(x)) = (out.last_chunk_mut::<N>(), x.last_chunk::<N>()) {
        for i in 0..N {
            out[i] = f(x[i]);
        }
    }
}

/// How values become codes, of which it knows the last eight bits.
#[derive(Clone, Copy)]
struct Coder {
    low: f32,
    high: f32,
    zero_point: u8,
}

impl Coder {
    #[inline(always)]
    fn new(lowest: i32, highest: i32, zero_point: i32) -> Self {
        let (low, high) = ((lowest - zero_point) as f32, (highest - zero_point) as f32);
        Coder { low, high, zero_point: zero_point as u8 }
    }

    /// Clamping before rounding is the same as after, the bounds being whole numbers, and leaves a
    /// magnitude that adding 1.5 · 2²³ rounds to even; the last byte of the sum then counts.
    #[inline(always)]
    fn code(self, value: f32, inverse: f32) -> u8 {
        const MAGIC: f32 = 12_582_912.0;
        let scaled = value * inverse;
        // As comparisons, which are one instruction each and send NaN to `low`.
        let scaled = if scaled > self.low { scaled } else { self.low };
        let scaled = if scaled < self.high { scaled } else { self.high };
        ((scaled + MAGIC).to_bits() as u8).wrapping_add(self.zero_point)
    }
}

#[inline(always)]
pub(crate) fn quantize_i8<S: Simd>(_s: S, x: &[f32], inverse: f32, zero: i8, out: &mut [i8]) {
    let coder = Coder::new(-128, 127, i32::from(zero));
    each(
        x,
        out,
        #[inline(always)]
        |x| coder.code(x, inverse) as i8,
    );
}

#[inline(always)]
pub(crate) fn quantize_u8<S: Simd>(_s: S, x: &[f32], inverse: f32, zero: u8, out: &mut [u8]) {
    let coder = Coder::new(0, 255, i32::from(zero));
    each(
        x,
        out,
        #[inline(always)]
        |x| coder.code(x, inverse),
    );
}

#[inline(always)]
pub(crate) fn quantize_i8_columns<S: Simd>(
    _s: S,
    x: &[f32],
    inverses: &[f32],
    zeros: &[i8],
    out: &mut [i8],
) {
    let columns = if inverses.is_empty() { 1 } else { inverses.len() };
    for (x, out) in x.chunks(columns).zip(out.chunks_mut(columns)) {
        for (((out, x), inverse), zero) in out.iter_mut().zip(x).zip(inverses).zip(zeros) {
            *out = Coder::new(-128, 127, i32::from(*zero)).code(*x, *inverse) as i8;
        }
    }
}

#[inline(always)]
pub(crate) fn dequantize<S: Simd, C: Copy + Into<i32>>(
    _s: S,
    codes: &[C],
    scale: f32,
    zero: C,
    out: &mut [f32],
) {
    let zero = zero.into();
    each(
        codes,
        out,
        #[inline(always)]
        |code| scale * (code.into() - zero) as f32,
    );
}

#[inline(always)]
pub(crate) fn dequantize_i8_columns<S: Simd>(
    _s: S,
    codes: &[i8],
    scales: &[f32],
    zeros: &[i8],
    out: &mut [f32],
) {
    let columns = if scales.is_empty() { 1 } else { scales.len() };
    for (codes, out) in codes.chunks(columns).zip(out.chunks_mut(columns)) {
        for (((out, code), scale), zero) in out.iter_mut().zip(codes).zip(scales).zip(zeros) {
            *out = *scale * (i32::from(*code) - i32::from(*zero)) as f32;
        }
    }
}

/// Codes a block first and packs it then, since the values of a byte are neighbours.
#[inline(always)]
pub(crate) fn quantize_u4<S: Simd>(_s: S, x: &[f32], inverse: f32, zero: u8, out: &mut [u8]) {
    let coder = Coder::new(0, 15, i32::from(zero));
    let (blocks, rest) = x.as_chunks::<BLOCK>();
    // 63 values have a whole block of bytes, but are none themselves.
    let Some((packed, last)) = out.split_at_mut_checked(blocks.len() * BLOCK / 2) else { return };
    let mut codes = [0; BLOCK];
    for (block, packed) in blocks.iter().zip(packed.as_chunks_mut::<{ BLOCK / 2 }>().0) {
        for i in 0..BLOCK {
            codes[i] = coder.code(block[i], inverse);
        }
        pack(&codes, packed);
    }
    for i in 0..BLOCK {
        // A lone last value leaves the high half at the code of zero.
        codes[i] = zero;
    }
    for (code, x) in codes.iter_mut().zip(rest) {
        *code = coder.code(*x, inverse);
    }
    pack(&codes, last);
}

#[inline(always)]
fn pack(codes: &[u8; BLOCK], packed: &mut [u8]) {
    for (byte, pair) in packed.iter_mut().zip(codes.as_chunks::<2>().0) {
        let pair = u16::from_le_bytes(*pair);
        *byte = (pair | pair >> 4) as u8;
    }
}

#[inline(always)]
pub(crate) fn dequantize_u4<S: Simd>(_s: S, codes: &[u8], scale: f32, zero: u8, out: &mut [f32]) {
    let zero = i32::from(zero);
    let (pairs, last) = out.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(codes) {
        pair[0] = scale * (i32::from(byte & 15) - zero) as f32;
        pair[1] = scale * (i32::from(byte >> 4) - zero) as f32;
    }
    if let (Some(last), Some(byte)) = (last.first_mut(), codes.last()) {
        *last = scale * (i32::from(byte & 15) - zero) as f32;
    }
}

#[inline(always)]
pub(crate) fn narrow_f16<S: Simd>(_s: S, x: &[f32], out: &mut [f16]) {
    each(x, out, to_f16);
}

#[inline(always)]
pub(crate) fn widen_f16<S: Simd>(_s: S, x: &[f16], out: &mut [f32]) {
    each(x, out, from_f16);
}

#[inline(always)]
pub(crate) fn narrow_bf16<S: Simd>(_s: S, x: &[f32], out: &mut [bf16]) {
    each(x, out, to_bf16);
}

#[inline(always)]
pub(crate) fn widen_bf16<S: Simd>(_s: S, x: &[bf16], out: &mut [f32]) {
    each(
        x,
        out,
        #[inline(always)]
        |x| f32::from_bits(u32::from(x.to_bits()) << 16),
    );
}

/// In integers and without branches, so that it is vectorised on sets that have no instruction.
#[inline(always)]
fn to_f16(x: f32) -> f16 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7FFF_FFFF;
    // Above 2⁻¹⁴: another bias, and half of the last place less a bit that a tie to even gives back.
    let odd = magnitude >> 13 & 1;
    let normal = magnitude.wrapping_sub(112 << 23).wrapping_add(0xFFF + odd) >> 13;
    // Below it, adding ½ makes the last place that of a denormal half, and rounds.
    let denormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5_f32.to_bits());
    let half = if magnitude < 113 << 23 { denormal } else { normal };
    // 2¹⁶ and above, which is infinity, and NaN, which stays one.
    let half = if magnitude >= 143 << 23 { 0x7C00 } else { half };
    let half = if magnitude > 255 << 23 { 0x7E00 | magnitude >> 13 & 0x3FF } else { half };
    f16::from_bits((bits >> 16 & 0x8000 | half) as u16)
}

#[inline(always)]
fn from_f16(x: f16) -> f32 {
    let bits = u32::from(x.to_bits());
    let magnitude = bits & 0x7FFF;
    // As an f32 the shifted bits are 2¹¹² too small, denormals included.
    let value = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
    // Infinities and NaNs keep their mantissa and get the largest exponent.
    let special = if magnitude >= 0x7C00 { 255 << 23 } else { 0 };
    f32::from_bits(value.to_bits() | special | (bits & 0x8000) << 16)
}

#[inline(always)]
fn to_bf16(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1));
    let nan = bits & 0x7FFF_FFFF > 255 << 23;
    bf16::from_bits((if nan { bits | 0x40_0000 } else { rounded } >> 16) as u16)
}

/// Least and greatest as [`min_max`](super::reduce::min_max), and beside them the sum of `0 · x`,
/// which is a number only if all are.
#[inline(always)]
pub(crate) fn finite_min_max<S: Simd>(s: S, a: &[f32]) -> Option<(f32, f32)> {
    let zero = s.splat(0.0);
    let (above, below) = (s.splat(f32::INFINITY), s.splat(f32::NEG_INFINITY));
    let (mut min, mut max, mut nothing) = ([above; 4], [below; 4], [zero; 4]);
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], []) = steps[i];
            min[i] = s.min(x, min[i]);
            max[i] = s.max(x, max[i]);
            nothing[i] = s.mul_add(x, zero, nothing[i]);
        }
    }
    while let Some([([x], [])]) = cursor.take::<1>() {
        min[0] = s.min(x, min[0]);
        max[0] = s.max(x, max[0]);
        nothing[0] = s.mul_add(x, zero, nothing[0]);
    }
    if let Some((([x], []), count)) = cursor.tail() {
        min[1] = s.min(s.first(count, x, above), min[1]);
        max[1] = s.max(s.first(count, x, below), max[1]);
        nothing[1] = s.mul_add(x, zero, nothing[1]);
    }
    let min = s.min_lane(s.min(s.min(min[0], min[1]), s.min(min[2], min[3])));
    let max = s.max_lane(s.max(s.max(max[0], max[1]), s.max(max[2], max[3])));
    let nothing = s.sum(s.add(s.add(nothing[0], nothing[1]), s.add(nothing[2], nothing[3])));
    (nothing == 0.0 && min <= max).then_some((min, max))
}

/// Rows of sums below each other become rows of values, `stride` apart. The activation, if it is ReLU,
/// is part of the loop; any other one is left to do.
#[inline(always)]
pub(crate) fn dequantize_sums<S: Simd>(
    _s: S,
    sums: &[i32],
    meaning: Dequantize<'_>,
    activation: Activation,
    out: &mut [f32],
    stride: usize,
) {
    let out = (out, if stride == 0 { 1 } else { stride });
    if activation == Activation::Relu {
        values_of(
            sums,
            meaning,
            out,
            #[inline(always)]
            |value| if value < 0.0 { 0.0 } else { value },
        );
    } else {
        values_of(
            sums,
            meaning,
            out,
            #[inline(always)]
            |value| value,
        );
    }
}

/// Down as many columns at a time as fill whole lines, so that what belongs to a column stays in
/// registers; what is left goes value by value.
#[inline(always)]
fn values_of(
    sums: &[i32],
    meaning: Dequantize<'_>,
    (out, stride): (&mut [f32], usize),
    f: impl Fn(f32) -> f32 + Copy,
) {
    let mut col = 0;
    while col < meaning.scales.len() {
        col += match meaning.scales.len() - col {
            32.. => columns_of::<32>(col, sums, meaning, (out, stride), f),
            16.. => columns_of::<16>(col, sums, meaning, (out, stride), f),
            _ => columns_of::<1>(col, sums, meaning, (out, stride), f),
        };
    }
}

/// The `N` columns from `col` on, which exist.
#[inline(always)]
fn columns_of<const N: usize>(
    col: usize,
    sums: &[i32],
    meaning: Dequantize<'_>,
    (out, stride): (&mut [f32], usize),
    f: impl Fn(f32) -> f32,
) -> usize {
    let Dequantize { row_scales, zero_points, scales, code_sums, bias } = meaning;
    let across = if scales.is_empty() { 1 } else { scales.len() };
    let channels =
        (chunk::<_, N>(scales, col), chunk::<_, N>(code_sums, col), chunk::<_, N>(bias, col));
    let (Some(scales), Some(code_sums), Some(bias)) = channels else { return N };
    let rows = sums.chunks_exact(across).zip(out.chunks_mut(stride));
    for ((sums, out), (scale, zero)) in rows.zip(row_scales.iter().zip(zero_points)) {
        let out = out.get_mut(col..).and_then(|out| out.first_chunk_mut::<N>());
        if let (Some(sums), Some(out)) = (chunk::<_, N>(sums, col), out) {
            for j in 0..N {
                out[j] = f(worth(sums[j], (*scale, *zero), (scales[j], code_sums[j], bias[j])));
            }
        }
    }
    N
}

/// `N` values from `at` on.
#[inline(always)]
fn chunk<T, const N: usize>(values: &[T], at: usize) -> Option<&[T; N]> {
    values.get(at..)?.first_chunk()
}

/// What a sum is worth, of a row's scale and code of zero and a channel's scale, sum of codes and bias.
#[inline(always)]
fn worth(sum: i32, (scale, zero): (f32, i32), (channel, codes, bias): (f32, i32, f32)) -> f32 {
    sum.wrapping_sub(zero.wrapping_mul(codes)) as f32 * (scale * channel) + bias
}
