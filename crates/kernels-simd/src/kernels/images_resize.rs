//! Images of another size: the loops over a row.
//!
//! Plain loops over integers, so that every instruction set has the same result; all but the gathering
//! of columns are vectorised as they stand.

use crate::simd::Simd;

/// Between which pixels a pixel lies, and how near to the second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Between {
    /// The first; the second is the next.
    pub(crate) first: u32,
    /// The second's share in [`ONE`]s, 0 where there is no second.
    pub(crate) share: u32,
}

/// The whole of a share.
pub(crate) const ONE: u32 = 1 << 11;

/// Pixels between those of a row, as fixed point with 7 bits behind the point.
#[inline(always)]
pub(crate) fn between_columns<S: Simd>(
    _s: S,
    row: &[u8],
    channels: usize,
    columns: &[Between],
    out: &mut [i16],
) {
    match channels {
        1 => columns_of::<1>(row, columns, out),
        3 => columns_of::<3>(row, columns, out),
        _ => columns_of::<4>(row, columns, out),
    }
}

#[inline(always)]
fn columns_of<const C: usize>(row: &[u8], columns: &[Between], out: &mut [i16]) {
    let pixels = row.as_chunks::<C>().0;
    for (out, between) in out.as_chunks_mut::<C>().0.iter_mut().zip(columns) {
        let at = between.first as usize;
        // A pixel that is not there has no share; it costs a choice and no call to a panic.
        let first = pixels.get(at).unwrap_or(&[0; C]);
        let second = pixels.get(at + 1).unwrap_or(&[0; C]);
        for c in 0..C {
            let sum =
                u32::from(first[c]) * (ONE - between.share) + u32::from(second[c]) * between.share;
            out[c] = ((sum + 8) >> 4) as i16;
        }
    }
}

/// Bytes between two such rows, rounded to nearest.
#[inline(always)]
pub(crate) fn between_rows<S: Simd>(
    _s: S,
    first: &[i16],
    second: &[i16],
    share: u32,
    out: &mut [u8],
) {
    let (near, far) = ((ONE - share) as i32, share as i32);
    for ((out, first), second) in out.iter_mut().zip(first).zip(second) {
        let sum = i32::from(*first) * near + i32::from(*second) * far;
        *out = ((sum + (1 << 17)) >> 18) as u8;
    }
}

/// `sums[i] += weight · row[i]`.
#[inline(always)]
pub(crate) fn add_row<S: Simd>(_s: S, row: &[u8], weight: u32, sums: &mut [u32]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum = sum.wrapping_add(weight.wrapping_mul(u32::from(*value)));
    }
}
