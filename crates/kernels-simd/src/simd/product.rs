//! The inner loops of matrix products: a block of results that stays in registers.
#![allow(unsafe_code, reason = "offsets into matrices and panels whose lengths were compared")]

use super::{Simd, SimdBytes};

/// A block of `R` rows and `V` registers of columns.
pub(crate) type Block<T, const R: usize, const V: usize> = [[T; V]; R];

/// How many steps ahead a row of `B` is asked for: what lies in a far cache, a page from the last, no
/// prefetcher of the hardware sees coming.
const AHEAD: usize = 16;
/// Likewise where the rows are apart: each is a page of its own, of which few may be asked for at once.
const AHEAD_APART: usize = 8;

/// Where `R` rows of a matrix begin; rows that do not exist are the last that does.
///
/// `None` unless `rows > 0` rows of `len` elements, `stride` apart, are inside `a`.
#[inline(always)]
fn starts<T, const R: usize>(
    a: &[T],
    stride: usize,
    rows: usize,
    len: usize,
) -> Option<[*const T; R]> {
    let last = if rows < R { rows.checked_sub(1)? } else { R - 1 };
    if last * stride + len > a.len() {
        return None;
    }
    let mut from = [a.as_ptr(); R];
    for (r, from) in from.iter_mut().enumerate() {
        let row = if r < last { r } else { last };
        *from = from.wrapping_add(row * stride);
    }
    Some(from)
}

/// Sums the outer products of columns of `a`, which has `rows` rows `stride` apart, and of `steps`
/// rows of `b`, which begin `step` apart and of which each is `V` registers.
#[inline(always)]
pub(crate) fn product<S: Simd, const R: usize, const V: usize>(
    s: S,
    (a, stride, rows): (&[f32], usize, usize),
    (b, step, steps): (&[f32], usize, usize),
) -> Block<S::F32, R, V> {
    let mut acc = [[s.splat(0.0); V]; R];
    let Some(from) = starts::<_, R>(a, stride, rows, steps) else { return acc };
    if steps == 0 || (steps - 1) * step + V * S::LANES > b.len() {
        return acc;
    }
    let mut b = b.as_ptr();
    let ahead = step * if step == V * S::LANES { AHEAD } else { AHEAD_APART };
    for k in 0..steps {
        // SAFETY: each row of `a` has `steps` values, and V registers begin at each step of `b`.
        unsafe {
            let mut columns = [s.splat(0.0); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = s.load(b.add(v * S::LANES));
            }
            for v in 0..V {
                super::prefetch_line(b.wrapping_add(ahead + v * S::LANES));
            }
            for r in 0..R {
                let x = s.splat(*from[r].add(k));
                for v in 0..V {
                    acc[r][v] = s.mul_add(x, columns[v], acc[r][v]);
                }
            }
        }
        b = b.wrapping_add(step);
    }
    acc
}

/// Likewise for bytes, four steps at once: `a` has rows of `4 · steps` bytes, and the panel
/// registers of lanes of four.
#[inline(always)]
pub(crate) fn product_bytes<S: SimdBytes, const R: usize, const V: usize>(
    s: S,
    a: &[u8],
    stride: usize,
    rows: usize,
    panel: &[u8],
) -> Block<S::I32, R, V> {
    let steps = panel.len() / (V * S::WIDE);
    let mut acc = [[s.zero(); V]; R];
    let Some(from) = starts::<_, R>(a, stride, rows, 4 * steps) else { return acc };
    let mut panel = panel.as_ptr();
    for k in 0..steps {
        // SAFETY: each row has `4 · steps` bytes, and the panel as often V · WIDE.
        unsafe {
            let mut columns = [s.quads(s.load_wide(panel)); V];
            for (v, column) in columns.iter_mut().enumerate().skip(1) {
                *column = s.quads(s.load_wide(panel.add(v * S::WIDE)));
            }
            for v in 0..V {
                super::prefetch_line(panel.wrapping_add((AHEAD * V + v) * S::WIDE));
            }
            for r in 0..R {
                let x = from[r].add(4 * k).cast::<i32>().read_unaligned();
                for v in 0..V {
                    acc[r][v] = s.dot_quads(acc[r][v], x, columns[v]);
                }
            }
            panel = panel.add(V * S::WIDE);
        }
    }
    acc
}

/// What the bytes of a left operand stand for.
#[derive(Clone, Copy)]
pub(crate) enum Coding<'a> {
    /// Themselves, without a sign.
    Unsigned,
    /// Themselves, with a sign: only tiles can multiply those.
    Signed,
    /// Numbers that were shifted, by which the sums of a column have so much too much.
    Shifted(&'a [i32]),
}

/// Bytes of a row of a tile at most.
const TILE_BYTES: usize = 64;
/// Columns of a block of tiles.
pub(crate) const TILE_COLUMNS: usize = 32;

/// Whether as many rows of as many bytes are worth the configuration of tiles, which takes as long as
/// lanes of four take for eight rows of 256 bytes; for one or two rows those have blocks of their own,
/// and need less time than tiles need to be filled.
#[inline(always)]
pub(crate) fn fill_tiles(rows: usize, depth: usize) -> bool {
    rows > 2 && rows.div_ceil(8) * depth >= 256
}

/// How many bytes of rows of `len` go into tiles in one step: a multiple of four, and no more than the
/// fewest steps need.
#[inline(always)]
pub(crate) fn tile_depth(len: usize) -> usize {
    let steps = if len > TILE_BYTES { len.div_ceil(TILE_BYTES) } else { 1 };
    len.div_ceil(steps).next_multiple_of(4)
}

/// The part of a result that a block of sums goes to.
pub(crate) struct Tile<'a, T> {
    /// From its first element on.
    pub(crate) data: &'a mut [T],
    pub(crate) stride: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

impl<T> Tile<'_, T> {
    /// Row `r`, empty if it is outside.
    #[inline(always)]
    fn row(&mut self, r: usize) -> &mut [T] {
        let start = r * self.stride;
        self.data.get_mut(start..start + self.cols).unwrap_or(&mut [])
    }
}

impl Tile<'_, f32> {
    /// `out[r][i] = f(sums[r][i], out[r][i], extra[i])`, where `extra` may be empty.
    #[inline(always)]
    pub(crate) fn write<S: Simd, const R: usize, const V: usize, F: Finish<S>>(
        &mut self,
        s: S,
        f: F,
        sums: Block<S::F32, R, V>,
        extra: &[f32],
    ) {
        let whole = self.rows == R && self.cols == V * S::LANES;
        let fits = (R - 1) * self.stride + self.cols <= self.data.len();
        if whole && fits && (extra.is_empty() || extra.len() == self.cols) {
            // Unrolled, this keeps the sums in registers until they are stored.
            let mut columns = [s.splat(0.0); V];
            if !extra.is_empty() {
                for (v, column) in columns.iter_mut().enumerate() {
                    // SAFETY: V registers are in `extra`.
                    *column = unsafe { s.load(extra.as_ptr().add(v * S::LANES)) };
                }
            }
            let mut to = self.data.as_mut_ptr();
            for r in 0..R {
                for v in 0..V {
                    // SAFETY: V registers are in each of R rows.
                    unsafe {
                        let to = to.add(v * S::LANES);
                        let old = if f.reads_old() { s.load(to) } else { columns[v] };
                        s.store(to, f.finish(s, sums[r][v], old, columns[v]));
                    }
                }
                to = to.wrapping_add(self.stride);
            }
            return;
        }
        for r in 0..R {
            if r < self.rows {
                write_row(s, f, sums[r], self.row(r), extra);
            }
        }
    }
}

/// `out[i] = f(row[i], out[i], extra[i])`, as many columns as `out` has.
#[inline(always)]
fn write_row<S: Simd, const V: usize, F: Finish<S>>(
    s: S,
    f: F,
    row: [S::F32; V],
    out: &mut [f32],
    extra: &[f32],
) {
    let zero = s.splat(0.0);
    let has_extra = extra.len() >= out.len();
    for (v, value) in row.into_iter().enumerate() {
        let at = v * S::LANES;
        let Some(left) = out.len().checked_sub(at) else { return };
        // SAFETY: `left` values exist behind `at` in `out`, and in `extra` if it is as long.
        unsafe {
            let to = out.as_mut_ptr().add(at);
            let from = extra.as_ptr().wrapping_add(at);
            if left >= S::LANES {
                let old = if f.reads_old() { s.load(to) } else { zero };
                let extra = if has_extra { s.load(from) } else { zero };
                s.store(to, f.finish(s, value, old, extra));
            } else if left > 0 {
                let old = if f.reads_old() { s.load_partial(to, left) } else { zero };
                let extra = if has_extra { s.load_partial(from, left) } else { zero };
                s.store_partial(to, f.finish(s, value, old, extra), left);
            }
        }
    }
}

/// The last step of a product.
pub(crate) trait Finish<S: Simd>: Copy {
    fn reads_old(self) -> bool;
    fn finish(self, s: S, sum: S::F32, old: S::F32, bias: S::F32) -> S::F32;
}

impl Tile<'_, i32> {
    /// `out[r][i] = sums[r][i] - excess[i]`, modulo 2³².
    #[inline(always)]
    pub(crate) fn write<S: SimdBytes, const R: usize, const V: usize>(
        &mut self,
        s: S,
        sums: Block<S::I32, R, V>,
        excess: &[i32],
    ) {
        let whole = self.rows == R && self.cols == V * S::WIDE / 4;
        if whole && (R - 1) * self.stride + self.cols <= self.data.len() {
            // Unrolled, this stores the registers that the sums are in.
            let mut to = self.data.as_mut_ptr();
            for sums in sums {
                for (v, sums) in sums.into_iter().enumerate() {
                    // SAFETY: V registers are in each of R rows.
                    unsafe { s.store_i32(to.add(v * S::WIDE / 4), sums) };
                }
                to = to.wrapping_add(self.stride);
            }
        } else {
            for r in 0..R {
                if r < self.rows {
                    let sums = sums_of(s, sums[r]);
                    for (out, sum) in self.row(r).iter_mut().zip(sums) {
                        *out = sum;
                    }
                }
            }
        }
        if !excess.is_empty() {
            for r in 0..self.rows {
                for (out, excess) in self.row(r).iter_mut().zip(excess) {
                    *out = out.wrapping_sub(*excess);
                }
            }
        }
    }
}

/// Lanes of a row of a block of bytes at most.
const WIDEST: usize = 48;

/// The sums of a row of a block, in order.
#[inline(always)]
fn sums_of<S: SimdBytes, const V: usize>(s: S, row: [S::I32; V]) -> [i32; WIDEST] {
    const { assert!(V * S::WIDE / 4 <= WIDEST) };
    let mut sums = [0; WIDEST];
    for (v, register) in row.into_iter().enumerate() {
        // SAFETY: V registers of WIDE / 4 lanes have room in the array.
        unsafe { s.store_i32(sums.as_mut_ptr().add(v * S::WIDE / 4), register) };
    }
    sums
}

/// Transposes a matrix of elements of four bytes: `to[k][j] = from[j][k]`.
///
/// `from` has `rows` rows of `len` bytes, `stride` bytes apart, of which the last element may be
/// short; it and the columns from `rows` to `width`, which are the elements of a row of `to`, become
/// zero where there is nothing.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(
    s: S,
    from: &[u8],
    stride: usize,
    rows: usize,
    len: usize,
    to: &mut [u8],
    width: usize,
) {
    const { assert!(S::LANES <= MOST_LANES) };
    let quads = len.div_ceil(4);
    let inside = rows == 0 || (rows - 1) * stride + len <= from.len();
    if !inside || rows > width || !width.is_multiple_of(S::LANES) || quads * 4 * width > to.len() {
        return;
    }
    let (from, to) = (from.as_ptr(), to.as_mut_ptr());
    let mut j = 0;
    while j < width {
        let exist = rows.saturating_sub(j);
        let mut k = 0;
        // SAFETY: what is read is inside of `rows` rows of `len` bytes, and what is written inside of
        // `quads` rows of `width` elements, of which whole registers are left at `j`.
        unsafe {
            while exist >= S::LANES && 4 * k + 16 <= len {
                let found = s.load_transposed(from.add(j * stride + 4 * k), stride);
                for (i, found) in found.into_iter().enumerate() {
                    s.store(to.add(4 * ((k + i) * width + j)).cast(), found);
                }
                k += 4;
            }
            // At the edges, what exists goes through memory that is zero otherwise.
            let mut part = [[0_u64; 2]; MOST_LANES];
            while k < quads {
                let left = len - 4 * k;
                let (first, second) = if left < 8 { (left, 0) } else { (8, left - 8) };
                for (i, part) in part.iter_mut().enumerate() {
                    let row = from.wrapping_add((j + i) * stride + 4 * k);
                    if i < exist && left >= 16 {
                        *part = row.cast::<[u64; 2]>().read_unaligned();
                    } else if i < exist {
                        let rest = super::read_half(row.wrapping_add(8), second);
                        // In the order of memory.
                        *part = [super::read_half(row, first).to_le(), rest.to_le()];
                    }
                }
                let found = s.load_transposed(part.as_ptr().cast(), 16);
                for (i, found) in found.into_iter().enumerate() {
                    if k + i < quads {
                        s.store(to.add(4 * ((k + i) * width + j)).cast(), found);
                    }
                }
                k += 4;
            }
        }
        j += S::LANES;
    }
}

/// Lanes of four bytes in the widest register.
const MOST_LANES: usize = 16;

/// Numbers whose bytes may be looked at.
pub(crate) trait Number: Copy {}
impl Number for f32 {}
impl Number for i8 {}

/// Copies `V` registers.
#[inline(always)]
pub(crate) fn copy<S: Simd, const V: usize>(s: S, from: &[f32], to: &mut [f32]) {
    if from.len() < V * S::LANES || to.len() < V * S::LANES {
        return;
    }
    for v in 0..V {
        // SAFETY: V registers are in both, as was compared.
        unsafe {
            s.store(to.as_mut_ptr().add(v * S::LANES), s.load(from.as_ptr().add(v * S::LANES)))
        };
    }
}

/// Copies as many values as `from` has, and makes the others zero; `to` is whole registers.
#[inline(always)]
pub(crate) fn copy_padded<S: Simd>(s: S, from: &[f32], to: &mut [f32]) {
    let (lanes, mut at) = (S::LANES, 0);
    while at + lanes <= to.len() {
        // SAFETY: a register is left of `to` at `at`, and of `from` what is read of it.
        unsafe {
            let (from, left) = (from.as_ptr().wrapping_add(at), from.len().saturating_sub(at));
            let found = if left >= lanes { s.load(from) } else { s.load_partial(from, left) };
            s.store(to.as_mut_ptr().add(at), found);
        }
        at += lanes;
    }
}

/// The bytes of values.
#[inline(always)]
pub(crate) fn as_bytes<T: Number>(values: &[T]) -> &[u8] {
    // SAFETY: numbers have no bytes that are not initialised.
    unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of values, to be written.
#[inline(always)]
pub(crate) fn as_bytes_mut(values: &mut [f32]) -> &mut [u8] {
    // SAFETY: an f32 is four bytes, and any four bytes are one.
    unsafe { core::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}
