//! Products of `f32` matrices, after Goto & van de Geijn, "Anatomy of high-performance matrix
//! multiplication" (2008): panels of both operands are packed so that the inner loop reads them in
//! order, and a block of the result stays in registers.
//!
//! A panel of `B` is packed when it is first needed: at once used by all rows of `A`, which makes
//! skinny products cheap.

use super::distance::{Dot, pair};
use crate::matrix::{Activation, Epilogue, Matrix, MatrixMut};
use crate::simd::product::{Finish, product, write_row};
use crate::simd::{self, Cursor, F32, Map, Simd};

/// Steps of a block: a panel of `B` of so many rows fits the first-level cache.
pub(crate) const STEPS: usize = 256;
/// Rows of `A` in a block, which fits the second-level cache.
pub(crate) const ROWS: usize = 480;
/// Columns of a panel at most, and rows of one.
const WIDEST: usize = 64;
const TALLEST: usize = 8;

/// How many values of scratch a product needs.
pub(crate) fn scratch_len(rows: usize, steps: usize) -> usize {
    let steps = steps.min(STEPS);
    steps * (rows.min(ROWS).next_multiple_of(TALLEST * 6) + WIDEST)
}

#[inline(always)]
pub(crate) fn gemm<S: Simd>(
    s: S,
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: MatrixMut<'_>,
    epilogue: Epilogue<'_>,
    scratch: &mut [f32],
) {
    // As many sums as registers hold beside the operands: 32 registers or 16.
    if S::LANES == 16 {
        blocked::<S, 8, 3>(s, a, b, c, epilogue, scratch);
    } else {
        blocked::<S, 6, 2>(s, a, b, c, epilogue, scratch);
    }
}

#[inline(always)]
fn blocked<S: Simd, const R: usize, const V: usize>(
    s: S,
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: MatrixMut<'_>,
    epilogue: Epilogue<'_>,
    scratch: &mut [f32],
) {
    let width = V * S::LANES;
    let (rows, cols, steps) = (c.rows, c.cols, a.cols);
    let mut step = 0;
    // At least once, so that a product of no steps is still finished.
    loop {
        let depth = if steps - step < STEPS { steps - step } else { STEPS };
        let last = step + depth == steps;
        let finish = Last {
            alpha: epilogue.alpha,
            beta: if step == 0 { epilogue.beta } else { 1.0 },
            relu: last && epilogue.activation == Activation::Relu,
        };
        let bias = if last { epilogue.bias.unwrap_or(&[]) } else { &[] };
        let mut row = 0;
        while row < rows {
            let height = if rows - row < ROWS { rows - row } else { ROWS };
            let panels = height.div_ceil(R);
            let Some((packed_a, rest)) = scratch.split_at_mut_checked(panels * R * depth) else {
                return;
            };
            let Some(packed_b) = rest.get_mut(..width * depth) else { return };
            pack_rows::<R>(a, row, height, step, depth, packed_a);
            let mut col = 0;
            while col < cols {
                let across = if cols - col < width { cols - col } else { width };
                pack_cols(s, b, step, depth, col, across, width, packed_b);
                let bias = bias.get(col..col + across).unwrap_or(&[]);
                for panel in 0..panels {
                    let from = panel * R * depth;
                    let Some(panel_a) = packed_a.get(from..from + R * depth) else { return };
                    let block = product::<S, R, V>(s, panel_a, packed_b);
                    for (r, sums) in block.into_iter().enumerate() {
                        let at = row + panel * R + r;
                        if at < row + height {
                            let start = at * c.stride + col;
                            if let Some(out) = c.data.get_mut(start..start + across) {
                                write_row(s, finish, sums, out, bias);
                            }
                        }
                    }
                }
                col += across;
            }
            row += height;
        }
        step += depth;
        if step >= steps {
            return;
        }
    }
}

/// What is done to a sum of products.
#[derive(Clone, Copy)]
struct Last {
    alpha: f32,
    beta: f32,
    relu: bool,
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

/// Panels of `R` rows, step by step; rows that do not exist are zero.
#[inline(always)]
fn pack_rows<const R: usize>(
    a: Matrix<'_>,
    row: usize,
    height: usize,
    step: usize,
    depth: usize,
    packed: &mut [f32],
) {
    for (panel, values) in packed.chunks_exact_mut((R * depth).max(1)).enumerate() {
        for r in 0..R {
            let at = panel * R + r;
            let exists = at < height;
            let mut from = (row + at) * a.row_step + step * a.col_step;
            let mut to = r;
            for _ in 0..depth {
                let value = if exists { a.data.get(from).copied().unwrap_or(0.0) } else { 0.0 };
                if let Some(slot) = values.get_mut(to) {
                    *slot = value;
                }
                from += a.col_step;
                to += R;
            }
        }
    }
}

/// One panel of `width` columns, step by step; columns that do not exist are zero.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "the corner and the size of a block of two matrices")]
fn pack_cols<S: Simd>(
    s: S,
    b: Matrix<'_>,
    step: usize,
    depth: usize,
    col: usize,
    across: usize,
    width: usize,
    packed: &mut [f32],
) {
    for (k, values) in packed.chunks_exact_mut(width.max(1)).take(depth).enumerate() {
        let start = (step + k) * b.row_step + col * b.col_step;
        if b.col_step == 1 && across == width {
            let from = b.data.get(start..start + across).unwrap_or(&[]);
            simd::map(s, Copied, [from], values);
        } else {
            for (j, value) in values.iter_mut().enumerate() {
                let from = b.data.get(start + j * b.col_step);
                *value = if j < across { from.copied().unwrap_or(0.0) } else { 0.0 };
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Copied;

impl<S: Simd> Map<S, 1> for Copied {
    #[inline(always)]
    fn apply(self, _s: S, [x]: [S::F32; 1]) -> S::F32 {
        x
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
