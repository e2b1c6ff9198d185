//! Products of `f32` matrices, after Goto & van de Geijn, "Anatomy of high-performance matrix
//! multiplication" (2008): a block of the result stays in registers while a few rows of `A` stay in the
//! first-level cache and a block of `B`, packed so that it is read in order, in the second.
//!
//! `A` is read where it is, a value of each of several rows at a time. The loops around are in
//! `product.rs`, outside of the feature context: they are compiled once and may call.

use super::distance::{Dot, pair};
use crate::matrix::{Matrix, MatrixMut, group};
use crate::simd::product::{
    Finish, Tile, as_bytes, as_bytes_mut, copy, copy_padded, product, transpose,
};
use crate::simd::{self, Cursor, F32, Map, Simd};

/// The width of the panels of a group of `across` columns, for registers of so many lanes: as many
/// sums as registers hold beside the operands, 32 registers or 16.
#[inline(always)]
pub(super) fn panel_width(lanes: usize, across: usize) -> usize {
    match lanes {
        16 if across > 32 => 48,
        16 if across <= 16 => 16,
        lanes => 2 * lanes,
    }
}

/// Packs a group of columns: panel by panel, step by step; columns that do not exist are zero.
#[inline(always)]
pub(crate) fn pack_columns<S: Simd>(s: S, b: Matrix<'_>, packed: &mut [f32]) {
    let width = panel_width(S::LANES, b.cols);
    let mut col = 0;
    for packed in packed.chunks_exact_mut((width * b.rows).max(1)) {
        let left = b.cols.saturating_sub(col);
        let across = if left < width { left } else { width };
        let from = b.data.get(col * b.col_step..).unwrap_or(&[]);
        col += width;
        if b.col_step != 1 {
            let (from, to) = (as_bytes(from), as_bytes_mut(packed));
            transpose(s, from, 4 * b.col_step, across, 4 * b.rows, to, width);
            continue;
        }
        for (k, values) in packed.chunks_exact_mut(width).enumerate() {
            let from = from.get(k * b.row_step..).unwrap_or(&[]);
            match across / S::LANES {
                3 if across == width => copy::<S, 3>(s, from, values),
                2 if across == width => copy::<S, 2>(s, from, values),
                _ => copy_padded(s, from.get(..across).unwrap_or(from), values),
            }
        }
    }
}

/// Copies a transposed matrix row by row, `stride` values from one to the next.
#[inline(always)]
pub(crate) fn pack_rows<S: Simd>(s: S, a: Matrix<'_>, packed: &mut [f32], stride: usize) {
    let (from, to) = (as_bytes(a.data), as_bytes_mut(packed));
    transpose(s, from, 4 * a.col_step, a.cols, 4 * a.rows, to, stride);
}

/// A group of columns of `B`: packed, or where it is.
#[derive(Clone, Copy)]
pub(crate) enum Columns<'a> {
    Packed(&'a [f32]),
    /// Stored row by row, so many values from one to the next, and of whole panels.
    Plain(&'a [f32], usize),
}

/// Multiplies `a`, which is stored row by row, by groups of columns: few rows by all of them, then
/// the next.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(
    s: S,
    a: Matrix<'_>,
    b: Columns<'_>,
    mut c: MatrixMut<'_>,
    last: Last,
    bias: &[f32],
) {
    let high = if S::LANES == 16 { 8 } else { 6 };
    let mut row = 0;
    while row < c.rows {
        let height = if c.rows - row < high { c.rows - row } else { high };
        let a = a.part(row, 0, height, a.cols);
        let mut col = 0;
        while col < c.cols {
            let across = group(c.cols - col);
            let b = match b {
                Columns::Packed(b) => Columns::Packed(b.get(col * a.cols..).unwrap_or(&[])),
                Columns::Plain(b, step) => Columns::Plain(b.get(col..).unwrap_or(&[]), step),
            };
            let c = c.part(row, col, height, across);
            let bias = bias.get(col..col + across).unwrap_or(&[]);
            if S::LANES == 16 {
                match panel_width(S::LANES, across) / 16 {
                    1 => blocks::<S, 8, 1>(s, a, b, c, last, bias),
                    2 => blocks::<S, 8, 2>(s, a, b, c, last, bias),
                    _ => blocks::<S, 8, 3>(s, a, b, c, last, bias),
                }
            } else {
                blocks::<S, 6, 2>(s, a, b, c, last, bias);
            }
            col += across;
        }
        row += height;
    }
}

/// Multiplies `R` rows at most by the panels of a group; few of them in a block of their number, since
/// rows that do not exist take as long as those that do.
#[inline(always)]
fn blocks<S: Simd, const R: usize, const V: usize>(
    s: S,
    a: Matrix<'_>,
    b: Columns<'_>,
    c: MatrixMut<'_>,
    last: Last,
    bias: &[f32],
) {
    match c.rows {
        1 => panels::<S, 1, V>(s, a, b, c, last, bias),
        2 => panels::<S, 2, V>(s, a, b, c, last, bias),
        _ => panels::<S, R, V>(s, a, b, c, last, bias),
    }
}

/// Multiplies `R` rows at most by the panels of a group.
#[inline(always)]
fn panels<S: Simd, const R: usize, const V: usize>(
    s: S,
    a: Matrix<'_>,
    b: Columns<'_>,
    c: MatrixMut<'_>,
    last: Last,
    bias: &[f32],
) {
    let (width, steps) = (V * S::LANES, a.cols);
    let mut col = 0;
    while col < c.cols {
        let across = if c.cols - col < width { c.cols - col } else { width };
        let (panel, step) = match b {
            Columns::Packed(b) => (b.get(col * steps..).unwrap_or(&[]), width),
            Columns::Plain(b, step) => (b.get(col..).unwrap_or(&[]), step),
        };
        let bias = bias.get(col..col + across).unwrap_or(&[]);
        let Some(to) = c.data.get_mut(col..) else { return };
        let mut tile = Tile { data: to, stride: c.stride, rows: c.rows, cols: across };
        let sums = product::<S, R, V>(s, (a.data, a.row_step, c.rows), (panel, step, steps));
        tile.write(s, last, sums, bias);
        col += width;
    }
}

/// What is done to a sum of products.
#[derive(Clone, Copy)]
pub(crate) struct Last {
    pub(crate) alpha: f32,
    pub(crate) beta: f32,
    pub(crate) relu: bool,
}

impl<S: Simd> Finish<S> for Last {
    #[inline(always)]
    fn reads_old(self) -> bool {
        self.beta != 0.0
    }

    #[inline(always)]
    fn finish(self, s: S, sum: S::F32, old: S::F32, bias: S::F32) -> S::F32 {
        let scaled = s.mul_add(s.splat(self.alpha), sum, bias);
        let value =
            if self.beta != 0.0 { s.mul_add(s.splat(self.beta), old, scaled) } else { scaled };
        // A NaN stays: zero takes the place only of what is less.
        let zero = s.splat(0.0);
        if self.relu { s.select(s.lt(value, zero), zero, value) } else { value }
    }
}

/// `y = alpha · Aᵀ x + beta · y`, four rows of `A` at a time, so that `y` is read and written once
/// for them.
#[inline(always)]
pub(crate) fn gemv_transposed<S: Simd>(
    s: S,
    alpha: f32,
    a: Matrix<'_>,
    x: &[f32],
    beta: f32,
    y: &mut [f32],
) {
    simd::update(s, Beta { beta }, y);
    let (fours, rest) = x.as_chunks::<4>();
    for (i, four) in fours.iter().enumerate() {
        let add =
            Rank4 { factors: [alpha * four[0], alpha * four[1], alpha * four[2], alpha * four[3]] };
        let i = 4 * i;
        let rows = [row(a, i), row(a, i + 1), row(a, i + 2), row(a, i + 3)];
        simd::update_5(s, add, y, rows);
    }
    for (i, value) in rest.iter().enumerate() {
        simd::update_2(s, Rank1 { factor: alpha * value }, y, row(a, 4 * fours.len() + i));
    }
}

#[derive(Clone, Copy)]
struct Beta {
    beta: f32,
}

impl<S: Simd> Map<S, 1> for Beta {
    #[inline(always)]
    fn apply(self, s: S, [y]: [S::F32; 1]) -> S::F32 {
        if self.beta == 0.0 { s.splat(0.0) } else { s.mul(s.splat(self.beta), y) }
    }
}

#[derive(Clone, Copy)]
struct Rank1 {
    factor: f32,
}

impl<S: Simd> Map<S, 2> for Rank1 {
    #[inline(always)]
    fn apply(self, s: S, [y, x]: [S::F32; 2]) -> S::F32 {
        s.mul_add(s.splat(self.factor), x, y)
    }
}

#[derive(Clone, Copy)]
struct Rank4 {
    factors: [f32; 4],
}

impl<S: Simd> Map<S, 5> for Rank4 {
    #[inline(always)]
    fn apply(self, s: S, [y, a, b, c, d]: [S::F32; 5]) -> S::F32 {
        let [p, q, r, t] = self.factors;
        let first = s.mul_add(s.splat(q), b, s.mul_add(s.splat(p), a, y));
        s.mul_add(s.splat(t), d, s.mul_add(s.splat(r), c, first))
    }
}

/// `y = alpha · A x + beta · y`: each result is an inner product.
#[inline(always)]
pub(crate) fn gemv<S: Simd>(s: S, alpha: f32, a: Matrix<'_>, x: &[f32], beta: f32, y: &mut [f32]) {
    let mut i = 0;
    let (fours, rest) = y.as_chunks_mut::<4>();
    for out in fours {
        let mut acc = [s.splat(0.0); 4];
        let rows = [row(a, i), row(a, i + 1), row(a, i + 2), row(a, i + 3)];
        i += 4;
        let mut cursor = Cursor::<S, F32, F32, 1, 4>::new(s, [x], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                acc[i] = s.mul_add(x, ys[i], acc[i]);
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            for i in 0..4 {
                acc[i] = s.mul_add(x, ys[i], acc[i]);
            }
        }
        let sums = s.sum_4(acc);
        for i in 0..4 {
            out[i] = scaled(alpha, sums[i], beta, out[i]);
        }
    }
    for out in rest {
        let sum = pair::<S, Dot, F32, F32>(s, x, row(a, i));
        *out = scaled(alpha, sum, beta, *out);
        i += 1;
    }
}

#[inline(always)]
fn scaled(alpha: f32, sum: f32, beta: f32, old: f32) -> f32 {
    if beta == 0.0 { alpha * sum } else { alpha * sum + beta * old }
}

/// Row `i` of a matrix that is stored row by row.
#[inline(always)]
fn row(a: Matrix<'_>, i: usize) -> &[f32] {
    let start = i * a.row_step;
    a.data.get(start..start + a.cols).unwrap_or(&[])
}
