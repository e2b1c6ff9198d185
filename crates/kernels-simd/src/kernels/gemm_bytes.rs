//! Products of matrices of bytes, exact modulo 2³², with `B` given row by output channel.
//!
//! Four steps go into each lane with one instruction where there is one. Signed bytes of `A` are
//! shifted by 128 to be unsigned, and what that adds is taken off by the sums of `B`'s rows.

use crate::matrix::Requantize;
use crate::rows::Rows;
use crate::simd::SimdBytes;
use crate::simd::product::{WIDEST, product_bytes, sums_of};

/// Rows of a block at most.
const TALLEST: usize = 8;
/// Rows of `A` that are packed together.
pub(crate) const ROWS: usize = 480;

/// How many bytes of scratch a product needs: packed rows of `A`, and one panel of `B`.
pub(crate) fn scratch_len(rows: usize, dim: usize) -> usize {
    dim.next_multiple_of(4) * (rows.min(ROWS).next_multiple_of(TALLEST * 6) + WIDEST)
}

/// Bytes of `A`, which become unsigned ones.
pub(crate) trait Operand: Copy {
    /// What the conversion adds.
    const SHIFT: i32;
    fn shifted(self) -> u8;
}

impl Operand for u8 {
    const SHIFT: i32 = 0;
    #[inline(always)]
    fn shifted(self) -> u8 {
        self
    }
}

impl Operand for i8 {
    const SHIFT: i32 = 128;
    #[inline(always)]
    fn shifted(self) -> u8 {
        self as u8 ^ 128
    }
}

#[inline(always)]
pub(crate) fn gemm<S: SimdBytes, T: Operand>(
    s: S,
    a: Rows<'_, T>,
    b: Rows<'_, i8>,
    out: &mut [i32],
    scratch: &mut [u8],
) {
    let cols = b.len();
    product(s, a, b, Sums { out, cols }, scratch);
}

#[inline(always)]
pub(crate) fn gemm_requantized<S: SimdBytes, T: Operand>(
    s: S,
    a: Rows<'_, T>,
    b: Rows<'_, i8>,
    requantize: Requantize<'_>,
    out: &mut [i8],
    scratch: &mut [u8],
) {
    let cols = b.len();
    product(s, a, b, Quantized { out, cols, requantize }, scratch);
}

/// Where a row of sums goes.
trait Output {
    fn put(&mut self, row: usize, col: usize, sums: &[i32]);
}

struct Sums<'a> {
    out: &'a mut [i32],
    cols: usize,
}

impl Output for Sums<'_> {
    #[inline(always)]
    fn put(&mut self, row: usize, col: usize, sums: &[i32]) {
        let start = row * self.cols + col;
        if let Some(out) = self.out.get_mut(start..start + sums.len()) {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = *sum;
            }
        }
    }
}

struct Quantized<'a> {
    out: &'a mut [i8],
    cols: usize,
    requantize: Requantize<'a>,
}

impl Output for Quantized<'_> {
    /// A plain loop: in the wrapper's feature context it is vectorised as it stands.
    #[inline(always)]
    fn put(&mut self, row: usize, col: usize, sums: &[i32]) {
        let start = row * self.cols + col;
        let columns = col..col + sums.len();
        let (Some(out), Some(scales), Some(bias)) = (
            self.out.get_mut(start..start + sums.len()),
            self.requantize.scales.get(columns.clone()),
            self.requantize.bias.get(columns),
        ) else {
            return;
        };
        let zero = self.requantize.zero_point;
        let (least, most) = ((-128 - zero) as f32, (127 - zero) as f32);
        for (((out, sum), scale), bias) in out.iter_mut().zip(sums).zip(scales).zip(bias) {
            let value = *sum as f32 * scale + bias;
            // A NaN becomes the least.
            let value = if value > least { value } else { least };
            let value = if value < most { value } else { most };
            *out = (nearest(value) + zero) as i8;
        }
    }
}

/// The nearest integer, ties to even, of a value below 2²² in magnitude: added to 1.5 · 2²³ it is
/// what the last bits of the sum count.
#[inline(always)]
fn nearest(value: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    (value + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i32
}

#[inline(always)]
fn product<S: SimdBytes, T: Operand>(
    s: S,
    a: Rows<'_, T>,
    b: Rows<'_, i8>,
    out: impl Output,
    scratch: &mut [u8],
) {
    if S::WIDE == 64 {
        blocked::<S, T, 8, 3>(s, a, b, out, scratch);
    } else {
        blocked::<S, T, 4, 2>(s, a, b, out, scratch);
    }
}

#[inline(always)]
fn blocked<S: SimdBytes, T: Operand, const R: usize, const V: usize>(
    s: S,
    a: Rows<'_, T>,
    b: Rows<'_, i8>,
    mut out: impl Output,
    scratch: &mut [u8],
) {
    let lanes = S::WIDE / 4;
    let width = V * lanes;
    let quads = a.dim().div_ceil(4);
    let (rows, cols) = (a.len(), b.len());
    let mut row = 0;
    while row < rows {
        let height = if rows - row < ROWS { rows - row } else { ROWS };
        let panels = height.div_ceil(R);
        let Some((packed_a, rest)) = scratch.split_at_mut_checked(panels * R * 4 * quads) else {
            return;
        };
        let Some(packed_b) = rest.get_mut(..width * 4 * quads) else { return };
        pack_a::<T, R>(a, row, packed_a, 4 * quads);
        let mut col = 0;
        while col < cols {
            let across = if cols - col < width { cols - col } else { width };
            let mut sums = [0; WIDEST];
            pack_b(b, col, across, width, packed_b, &mut sums);
            for panel in 0..panels {
                let from = panel * R * 4 * quads;
                let Some(panel_a) = packed_a.get(from..from + R * 4 * quads) else { return };
                let block = product_bytes::<S, R, V>(s, panel_a, packed_b);
                for (r, registers) in block.into_iter().enumerate() {
                    let at = row + panel * R + r;
                    if at < row + height {
                        let mut found = sums_of(s, registers);
                        for (found, sum) in found.iter_mut().zip(sums) {
                            let excess = (T::SHIFT - S::QUAD_SHIFT).wrapping_mul(sum);
                            *found = found.wrapping_sub(excess);
                        }
                        out.put(at, col, found.get(..across).unwrap_or(&[]));
                    }
                }
            }
            col += across;
        }
        row += height;
    }
}

/// Panels of `R` rows, four bytes of each in turn; what does not exist is the shifted zero.
#[inline(always)]
fn pack_a<T: Operand, const R: usize>(a: Rows<'_, T>, row: usize, packed: &mut [u8], depth: usize) {
    for (panel, bytes) in packed.chunks_exact_mut((R * depth).max(1)).enumerate() {
        for r in 0..R {
            let values = a.get_or_empty(row + panel * R + r);
            let mut values = values.iter();
            for group in bytes.chunks_exact_mut(4 * R) {
                for byte in group.iter_mut().skip(4 * r).take(4) {
                    // Against the zeros of `B` beyond its end, any byte would do.
                    *byte = match values.next() {
                        Some(value) => value.shifted(),
                        None => 0,
                    };
                }
            }
        }
    }
}

/// One panel of columns, which are rows of `B`: four bytes of each in turn, and their sums.
#[inline(always)]
fn pack_b(
    b: Rows<'_, i8>,
    col: usize,
    across: usize,
    width: usize,
    packed: &mut [u8],
    sums: &mut [i32; WIDEST],
) {
    for (j, sum) in sums.iter_mut().enumerate().take(width) {
        let values = if j < across { b.get_or_empty(col + j) } else { &[] };
        let (fours, rest) = values.as_chunks::<4>();
        let mut groups = packed.chunks_exact_mut((4 * width).max(1));
        let mut total = 0_i32;
        for (four, group) in fours.iter().zip(&mut groups) {
            let [p, q, r, t] = *four;
            total += i32::from(p) + i32::from(q) + i32::from(r) + i32::from(t);
            if let Some(slot) = group.get_mut(4 * j..4 * j + 4) {
                slot.copy_from_slice(&[p as u8, q as u8, r as u8, t as u8]);
            }
        }
        for group in groups {
            // The last values, then zeros: the packed room is used again.
            let mut last = [0_u8; 4];
            for (slot, value) in last.iter_mut().zip(rest) {
                *slot = *value as u8;
                total += i32::from(*value);
            }
            if let Some(slot) = group.get_mut(4 * j..4 * j + 4) {
                slot.copy_from_slice(&last);
            }
        }
        *sum = total;
    }
}
