//! The inner loops of matrix products: a block of results that stays in registers.
#![allow(unsafe_code, reason = "offsets into panels whose lengths were compared")]

use super::{Simd, SimdBytes};

/// A block of `R` rows and `V` registers of columns.
pub(crate) type Block<T, const R: usize, const V: usize> = [[T; V]; R];

/// Sums the outer products of two packed panels: `a` has `R` values for each step and `b` has `V`
/// registers.
#[inline(always)]
pub(crate) fn product<S: Simd, const R: usize, const V: usize>(
    s: S,
    a: &[f32],
    b: &[f32],
) -> Block<S::F32, R, V> {
    let (of_a, of_b) = (a.len() / R, b.len() / (V * S::LANES));
    let steps = if of_a < of_b { of_a } else { of_b };
    let (mut a, mut b) = (a.as_ptr(), b.as_ptr());
    let mut acc = [[s.splat(0.0); V]; R];
    for _ in 0..steps {
        // SAFETY: `steps` times R and V · LANES values exist behind the pointers.
        unsafe {
            let mut columns = [s.splat(0.0); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = s.load(b.add(v * S::LANES));
            }
            for r in 0..R {
                let x = s.splat(*a.add(r));
                for v in 0..V {
                    acc[r][v] = s.mul_add(x, columns[v], acc[r][v]);
                }
            }
            a = a.add(R);
            b = b.add(V * S::LANES);
        }
    }
    acc
}

/// Likewise for bytes: four steps at once, `a` has four bytes of each of `R` rows, and `b` registers
/// of lanes of four.
#[inline(always)]
pub(crate) fn product_bytes<S: SimdBytes, const R: usize, const V: usize>(
    s: S,
    a: &[u8],
    b: &[u8],
) -> Block<S::I32, R, V> {
    let (of_a, of_b) = (a.len() / (4 * R), b.len() / (V * S::WIDE));
    let steps = if of_a < of_b { of_a } else { of_b };
    let (mut a, mut b) = (a.as_ptr(), b.as_ptr());
    let mut acc = [[s.zero(); V]; R];
    for _ in 0..steps {
        // SAFETY: `steps` times 4 R and V · WIDE bytes exist behind the pointers.
        unsafe {
            for v in 0..V {
                let columns = s.quads(s.load_wide(b.add(v * S::WIDE)));
                for r in 0..R {
                    let x = a.add(4 * r).cast::<i32>().read_unaligned();
                    acc[r][v] = s.dot_quads(acc[r][v], x, columns);
                }
            }
            a = a.add(4 * R);
            b = b.add(V * S::WIDE);
        }
    }
    acc
}

/// Lanes of a row of a block of bytes at most.
pub(crate) const WIDEST: usize = 64;

/// The sums of a row of a block, in order.
#[inline(always)]
pub(crate) fn sums_of<S: SimdBytes, const V: usize>(s: S, row: [S::I32; V]) -> [i32; WIDEST] {
    const { assert!(V * S::WIDE / 4 <= WIDEST) };
    let mut sums = [0; WIDEST];
    for (v, register) in row.into_iter().enumerate() {
        // SAFETY: V registers of WIDE / 4 lanes have room in the array.
        unsafe { s.store_i32(sums.as_mut_ptr().add(v * S::WIDE / 4), register) };
    }
    sums
}

/// Writes a row of a block: `out[i] = f(row[i], out[i], extra[i])`, where `extra` may be empty. As
/// many columns as `out` has are written.
#[inline(always)]
pub(crate) fn write_row<S: Simd, const V: usize, F: Finish<S>>(
    s: S,
    f: F,
    row: [S::F32; V],
    out: &mut [f32],
    extra: &[f32],
) {
    let zero = s.splat(0.0);
    for (v, value) in row.into_iter().enumerate() {
        let at = v * S::LANES;
        let Some(left) = out.len().checked_sub(at) else { return };
        let has_extra = extra.len() >= out.len();
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
