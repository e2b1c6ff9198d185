//! Images of another size: the loops over a row.
//!
//! Plain loops over integers, so that every instruction set has the same result; all but the gathering
//! of columns are vectorised as they stand.

use crate::simd::Simd;

/// The whole of a share.
pub(crate) const ONE: u32 = 1 << 11;

/// Pixels between those of a row, as fixed point with 7 bits behind the point: for each the first of
/// the two that it lies between, and for each of its bytes the second's share.
#[inline(always)]
pub(crate) fn between_columns<S: Simd>(
    _s: S,
    row: &[u8],
    channels: usize,
    firsts: &[u32],
    shares: &[i16],
    out: &mut [i16],
) {
    match channels {
        1 => columns_of::<1>(row, firsts, shares, out),
        3 => columns_of::<3>(row, firsts, shares, out),
        _ => columns_of::<4>(row, firsts, shares, out),
    }
}

/// Pixels are gathered into blocks one by one, and mixed with a register's width.
#[inline(always)]
fn columns_of<const C: usize>(row: &[u8], firsts: &[u32], shares: &[i16], out: &mut [i16]) {
    const BLOCK: usize = 64;
    let pixels = row.as_chunks::<C>().0;
    let (mut left, mut right) = ([[0_u8; C]; BLOCK], [[0_u8; C]; BLOCK]);
    let blocks = shares.chunks(BLOCK * C).zip(out.chunks_mut(BLOCK * C));
    for (firsts, (shares, out)) in firsts.chunks(BLOCK).zip(blocks) {
        for ((first, left), right) in firsts.iter().zip(&mut left).zip(&mut right) {
            let at = *first as usize;
            // A pixel that is not there has no share; it costs a choice and no call to a panic.
            *left = pixels.get(at).copied().unwrap_or([0; C]);
            *right = pixels.get(at + 1).copied().unwrap_or([0; C]);
        }
        let sides = left.as_flattened().iter().zip(right.as_flattened());
        for ((out, share), (left, right)) in out.iter_mut().zip(shares).zip(sides) {
            let (left, right) = (i32::from(*left), i32::from(*right));
            let sum = left * ONE as i32 + (right - left) * i32::from(*share);
            *out = ((sum + 8) >> 4) as i16;
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

/// The means of blocks of 2 × 2 pixels of two rows, rounded to nearest, halves up.
#[inline(always)]
pub(crate) fn halve_rows<S: Simd>(
    _s: S,
    upper: &[u8],
    lower: &[u8],
    channels: usize,
    out: &mut [u8],
) {
    match channels {
        1 => {
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            for (out, (upper, lower)) in out.iter_mut().zip(pairs) {
                let (upper, lower) = (u16::from_le_bytes(*upper), u16::from_le_bytes(*lower));
                let all = (upper & 255) + (upper >> 8) + (lower & 255) + (lower >> 8);
                *out = ((all + 2) >> 2) as u8;
            }
        }
        3 => {
            let pairs = upper.as_chunks::<6>().0.iter().zip(lower.as_chunks::<6>().0);
            for (out, (upper, lower)) in out.as_chunks_mut::<3>().0.iter_mut().zip(pairs) {
                for c in 0..3 {
                    let upper = u16::from(upper[c]) + u16::from(upper[c + 3]);
                    let lower = u16::from(lower[c]) + u16::from(lower[c + 3]);
                    out[c] = ((upper + lower + 2) >> 2) as u8;
                }
            }
        }
        _ => {
            let pairs = upper.as_chunks::<8>().0.iter().zip(lower.as_chunks::<8>().0);
            for (out, (upper, lower)) in out.as_chunks_mut::<4>().0.iter_mut().zip(pairs) {
                // Two pixels are a register's lane, so that nothing crosses lanes. First and third
                // channel, and second and fourth, have 16 bits each for their sums.
                const BYTES: u64 = 0x00FF_00FF_00FF_00FF;
                let (upper, lower) = (u64::from_le_bytes(*upper), u64::from_le_bytes(*lower));
                let even = (upper & BYTES) + (lower & BYTES);
                let odd = (upper >> 8 & BYTES) + (lower >> 8 & BYTES);
                let round = 0x0002_0002;
                let even = (even + (even >> 32) + round) >> 2 & BYTES;
                let odd = (odd + (odd >> 32) + round) >> 2 & BYTES;
                *out = ((even | odd << 8) as u32).to_le_bytes();
            }
        }
    }
}

/// `sums[i] += weight · row[i]`.
#[inline(always)]
pub(crate) fn add_row<S: Simd>(_s: S, row: &[u8], weight: u32, sums: &mut [u32]) {
    if weight == 1 {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(u32::from(*value));
        }
    } else {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(weight.wrapping_mul(u32::from(*value)));
        }
    }
}

/// The means over columns whose rows are summed, rounded to nearest, halves up. `covered` is what all
/// the weights of a mean sum up to. Few values for each of many of the image: not in the table, as
/// registers do not help it.
pub(crate) fn mean_columns(
    sums: &[u32],
    channels: usize,
    ratio: [usize; 2],
    covered: u64,
    out: &mut [u8],
) {
    if covered < 1 << 12 && ratio[1] == 1 {
        match channels {
            1 => whole_means::<1>(sums, ratio[0], covered, out),
            3 => whole_means::<3>(sums, ratio[0], covered, out),
            _ => whole_means::<4>(sums, ratio[0], covered, out),
        }
    } else if covered < 1 << 12 {
        match channels {
            1 => small_means::<1>(sums, ratio, covered, out),
            3 => small_means::<3>(sums, ratio, covered, out),
            _ => small_means::<4>(sums, ratio, covered, out),
        }
    } else {
        match channels {
            1 => large_means::<1>(sums, ratio, covered, out),
            3 => large_means::<3>(sums, ratio, covered, out),
            _ => large_means::<4>(sums, ratio, covered, out),
        }
    }
}

/// `2³² / covered`, rounded up: multiplying by it divides sums below 2²⁰ exactly. With
/// `sum < 2⁸ · covered` and `covered < 2¹²`, the product is too large by less than `1 / covered`.
#[inline(always)]
fn inverse(covered: u64) -> u64 {
    // Without the call to a panic for a divisor of 0.
    u64::from(u32::MAX).checked_div(covered).unwrap_or(0) + 1
}

/// For small sums where each mean covers `count` whole columns.
#[inline(always)]
fn whole_means<const C: usize>(sums: &[u32], count: usize, covered: u64, out: &mut [u8]) {
    let inverse = inverse(covered);
    let blocks = sums.as_chunks::<C>().0.chunks_exact(count.max(1));
    for (out, block) in out.as_chunks_mut::<C>().0.iter_mut().zip(blocks) {
        let mut all = [(covered / 2) as u32; C];
        for pixel in block {
            for c in 0..C {
                all[c] = all[c].wrapping_add(pixel[c]);
            }
        }
        for c in 0..C {
            out[c] = ((u64::from(all[c]) * inverse) >> 32) as u8;
        }
    }
}

/// For small sums of columns in parts.
#[inline(always)]
fn small_means<const C: usize>(sums: &[u32], ratio: [usize; 2], covered: u64, out: &mut [u8]) {
    let inverse = inverse(covered);
    let mut spread = Spread::new(ratio);
    let pixels = sums.as_chunks::<C>().0;
    for out in out.as_chunks_mut::<C>().0 {
        let mut all = [(covered / 2) as u32; C];
        spread.next(
            #[inline(always)]
            |column, weight| {
                let pixel = pixels.get(column).unwrap_or(&[0; C]);
                for c in 0..C {
                    all[c] = all[c].wrapping_add(weight.wrapping_mul(pixel[c]));
                }
            },
        );
        for c in 0..C {
            out[c] = ((u64::from(all[c]) * inverse) >> 32) as u8;
        }
    }
}

#[inline(always)]
fn large_means<const C: usize>(sums: &[u32], ratio: [usize; 2], covered: u64, out: &mut [u8]) {
    let mut spread = Spread::new(ratio);
    let pixels = sums.as_chunks::<C>().0;
    for out in out.as_chunks_mut::<C>().0 {
        let mut all = [covered / 2; C];
        spread.next(
            #[inline(always)]
            |column, weight| {
                let pixel = pixels.get(column).unwrap_or(&[0; C]);
                for c in 0..C {
                    all[c] = all[c].wrapping_add(u64::from(weight) * u64::from(pixel[c]));
                }
            },
        );
        for c in 0..C {
            out[c] = all[c].checked_div(covered).unwrap_or(0) as u8;
        }
    }
}

/// How `from` things of `to` parts each fill `to` things of `from` parts each, in order.
pub(crate) struct Spread {
    from: usize,
    to: usize,
    at: usize,
    /// Parts of thing `at` that are not yet used.
    left: usize,
}

impl Spread {
    #[inline(always)]
    pub(crate) fn new([from, to]: [usize; 2]) -> Self {
        Spread { from, to, at: 0, left: to }
    }

    /// With the thing `start` to be filled next.
    pub(crate) fn starting_with(start: usize, [from, to]: [usize; 2]) -> Self {
        // The product of two sides, which a `usize` of 32 bits does not hold.
        let used = start as u64 * from as u64;
        let (at, rest) = (used / to as u64, used % to as u64);
        Spread { from, to, at: at as usize, left: to - rest as usize }
    }

    /// Fills the next thing: `add(i, parts)` for each that it takes parts of.
    #[inline(always)]
    pub(crate) fn next(&mut self, mut add: impl FnMut(usize, u32)) {
        let mut wanted = self.from;
        while wanted > 0 {
            let parts = wanted.min(self.left);
            add(self.at, parts as u32);
            wanted -= parts;
            self.left -= parts;
            if self.left == 0 {
                self.at += 1;
                self.left = self.to;
            }
        }
    }
}
