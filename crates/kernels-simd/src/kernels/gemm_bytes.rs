//! Products of matrices of bytes, exact modulo 2³², with `B` given row by output channel.
//!
//! Four steps go into each lane with one instruction where there is one. It takes unsigned bytes of
//! `A`, from which signed ones are made by a shift of 128; what a row of zeros gives is the excess
//! that this adds.

use super::gemm::panel_width;
use crate::matrix::UNIT;
use crate::rows::Rows;
use crate::simd::product::{Coding, Tile, as_bytes, product_bytes, transpose};
use crate::simd::{Simd, SimdBytes};

/// Packs a group of columns, which are rows of `B`: panel by panel four bytes of each in turn, as many
/// as there is room for; what does not exist is zero.
#[inline(always)]
pub(crate) fn pack<S: Simd>(s: S, b: Rows<'_, i8>, packed: &mut [u8]) {
    let width = panel_width(S::LANES, b.len());
    let units = b.len().div_ceil(UNIT).max(1);
    let panel = width * packed.len().checked_div(units * UNIT).unwrap_or(0);
    let filled = width * b.dim().next_multiple_of(4);
    let mut row = 0;
    for packed in packed.chunks_exact_mut(panel.max(1)) {
        let left = b.len().saturating_sub(row);
        let across = if left < width { left } else { width };
        let rows = b.part(row, across);
        transpose(s, as_bytes(rows.data()), rows.stride(), across, rows.dim(), packed, width);
        packed.get_mut(filled..).unwrap_or(&mut []).fill(0);
        row += width;
    }
}

/// Multiplies rows of unsigned bytes, a multiple of four in each, by a packed group of columns, and
/// takes off what a shift added.
#[inline(always)]
pub(crate) fn multiply<S: SimdBytes>(
    s: S,
    a: Rows<'_, u8>,
    coding: Coding<'_>,
    packed: &[u8],
    sums: Tile<'_, i32>,
) {
    let Some(excess) = excess(coding) else { return };
    if S::WIDE == 64 {
        match panel_width(16, sums.cols) / 16 {
            1 => panels::<S, 8, 1>(s, a, packed, sums, excess),
            2 => panels::<S, 8, 2>(s, a, packed, sums, excess),
            _ => panels::<S, 8, 3>(s, a, packed, sums, excess),
        }
    } else {
        panels::<S, 4, 2>(s, a, packed, sums, excess);
    }
}

/// The same for one or two rows: in larger blocks, rows that do not exist take as long as those that do.
/// Apart, because together with the blocks above the compiler keeps neither in registers.
#[inline(always)]
pub(crate) fn multiply_few<S: SimdBytes>(
    s: S,
    a: Rows<'_, u8>,
    coding: Coding<'_>,
    packed: &[u8],
    sums: Tile<'_, i32>,
) {
    let Some(excess) = excess(coding) else { return };
    if S::WIDE == 64 {
        match (panel_width(16, sums.cols) / 16, sums.rows) {
            (1, 1) => panels::<S, 1, 1>(s, a, packed, sums, excess),
            (2, 1) => panels::<S, 1, 2>(s, a, packed, sums, excess),
            (_, 1) => panels::<S, 1, 3>(s, a, packed, sums, excess),
            (1, _) => panels::<S, 2, 1>(s, a, packed, sums, excess),
            (2, _) => panels::<S, 2, 2>(s, a, packed, sums, excess),
            (_, _) => panels::<S, 2, 3>(s, a, packed, sums, excess),
        }
    } else if sums.rows == 1 {
        panels::<S, 1, 2>(s, a, packed, sums, excess);
    } else {
        panels::<S, 2, 2>(s, a, packed, sums, excess);
    }
}

/// What a shift added; nothing of codes that only tiles multiply.
#[inline(always)]
fn excess(coding: Coding<'_>) -> Option<&[i32]> {
    match coding {
        Coding::Unsigned => Some(&[]),
        Coding::Shifted(excess) => Some(excess),
        Coding::Signed => None,
    }
}

#[inline(always)]
fn panels<S: SimdBytes, const R: usize, const V: usize>(
    s: S,
    a: Rows<'_, u8>,
    packed: &[u8],
    sums: Tile<'_, i32>,
    excess: &[i32],
) {
    let width = V * S::WIDE / 4;
    let mut col = 0;
    while col < sums.cols {
        let across = if sums.cols - col < width { sums.cols - col } else { width };
        let panel = packed.get(col * a.dim()..(col + width) * a.dim()).unwrap_or(&[]);
        let excess = excess.get(col..col + across).unwrap_or(&[]);
        let mut row = 0;
        while row < sums.rows {
            let height = if sums.rows - row < R { sums.rows - row } else { R };
            let Some(to) = sums.data.get_mut(row * sums.stride + col..) else { return };
            let mut tile = Tile { data: to, stride: sums.stride, rows: height, cols: across };
            let rest = a.part(row, height);
            let block = product_bytes::<S, R, V>(s, rest.data(), a.stride(), rest.len(), panel);
            tile.write(s, block, excess);
            row += height;
        }
        col += width;
    }
}

/// `clamp(round(value / step) + zero)` for rows of `across` values, `stride` apart in `out`.
#[inline(always)]
pub(crate) fn round<S: Simd>(
    _s: S,
    values: &[f32],
    across: usize,
    step: f32,
    zero: i32,
    out: &mut [i8],
    stride: usize,
) {
    for (values, out) in values.chunks_exact(across.max(1)).zip(out.chunks_mut(stride.max(1))) {
        let (blocks, rest) = values.as_chunks::<16>();
        for (out, values) in out.as_chunks_mut::<16>().0.iter_mut().zip(blocks) {
            for i in 0..16 {
                out[i] = byte(values[i], step, zero);
            }
        }
        for (out, value) in out.iter_mut().skip(values.len() - rest.len()).zip(rest) {
            *out = byte(*value, step, zero);
        }
    }
}

#[inline(always)]
fn byte(value: f32, step: f32, zero: i32) -> i8 {
    let (least, most) = ((-128 - zero) as f32, (127 - zero) as f32);
    let value = value / step;
    // A NaN becomes the least.
    let value = if value > least { value } else { least };
    let value = if value < most { value } else { most };
    (nearest(value) + zero) as i8
}

/// The nearest integer, ties to even, of a value below 2²² in magnitude: added to 1.5 · 2²³ it is
/// what the last bits of the sum count.
#[inline(always)]
fn nearest(value: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    (value + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i32
}
