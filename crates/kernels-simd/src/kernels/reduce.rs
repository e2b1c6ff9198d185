//! Sums, extremes and moments of one vector of floats.

use crate::simd::{Cursor, F32, Simd};

#[inline(always)]
pub(crate) fn sum<S: Simd>(s: S, a: &[f32]) -> f32 {
    let mut acc = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], []) = steps[i];
            acc[i] = s.add(acc[i], x);
        }
    }
    while let Some([([x], [])]) = cursor.take::<1>() {
        acc[0] = s.add(acc[0], x);
    }
    if let Some((([x], []), _)) = cursor.tail() {
        acc[1] = s.add(acc[1], x);
    }
    s.sum(s.add(s.add(acc[0], acc[1]), s.add(acc[2], acc[3])))
}

#[inline(always)]
pub(crate) fn min_max<S: Simd>(s: S, a: &[f32]) -> Option<(f32, f32)> {
    let (above, below) = (s.splat(f32::INFINITY), s.splat(f32::NEG_INFINITY));
    let (mut min, mut max) = ([above; 4], [below; 4]);
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], []) = steps[i];
            min[i] = s.min(x, min[i]);
            max[i] = s.max(x, max[i]);
        }
    }
    while let Some([([x], [])]) = cursor.take::<1>() {
        min[0] = s.min(x, min[0]);
        max[0] = s.max(x, max[0]);
    }
    if let Some((([x], []), count)) = cursor.tail() {
        min[1] = s.min(s.first(count, x, above), min[1]);
        max[1] = s.max(s.first(count, x, below), max[1]);
    }
    let min = s.min_lane(s.min(s.min(min[0], min[1]), s.min(min[2], min[3])));
    let max = s.max_lane(s.max(s.max(max[0], max[1]), s.max(max[2], max[3])));
    // Where nothing but NaN was seen, both still are what they began with.
    (min <= max).then_some((min, max))
}

/// Two passes: the second sums squared deviations from the mean of the first, so that a large mean
/// cancels nothing, and takes off what rounding left in the mean (Chan, Golub, LeVeque 1983).
#[inline(always)]
pub(crate) fn mean_variance<S: Simd>(s: S, a: &[f32]) -> Option<(f32, f32)> {
    if a.is_empty() {
        return None;
    }
    let n = a.len() as f32;
    let mean = sum(s, a) / n;
    let center = s.splat(mean);
    let mut squares = [s.splat(0.0); 4];
    let mut rest = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], []) = steps[i];
            let d = s.sub(x, center);
            squares[i] = s.mul_add(d, d, squares[i]);
            rest[i] = s.add(rest[i], d);
        }
    }
    while let Some([([x], [])]) = cursor.take::<1>() {
        let d = s.sub(x, center);
        squares[0] = s.mul_add(d, d, squares[0]);
        rest[0] = s.add(rest[0], d);
    }
    if let Some((([x], []), count)) = cursor.tail() {
        let d = s.sub(s.first(count, x, center), center);
        squares[1] = s.mul_add(d, d, squares[1]);
        rest[1] = s.add(rest[1], d);
    }
    let squares = s.sum(s.add(s.add(squares[0], squares[1]), s.add(squares[2], squares[3])));
    let rest = s.sum(s.add(s.add(rest[0], rest[1]), s.add(rest[2], rest[3])));
    // The rounding of `rest² / n` can exceed squares that are all but zero.
    let variance = (squares - rest * rest / n) / n;
    Some((mean + rest / n, if variance < 0.0 { 0.0 } else { variance }))
}

/// Finds the maximum, then where it first is: two fast passes, of which the second ends early.
#[inline(always)]
pub(crate) fn argmax<S: Simd>(s: S, a: &[f32]) -> Option<usize> {
    let (_, max) = min_max(s, a)?;
    let max = s.splat(max);
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    let mut at = 0;
    while let Some([([x], [])]) = cursor.take::<1>() {
        let found = s.bits(s.le(max, x));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += S::LANES;
    }
    let (([x], []), _) = cursor.tail()?;
    Some(at + s.bits(s.le(max, x)).trailing_zeros() as usize)
}

#[inline(always)]
pub(crate) fn count_above<S: Simd>(s: S, a: &[f32], threshold: f32) -> usize {
    let limit = s.splat(threshold);
    let mut count = 0;
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    while let Some(steps) = cursor.take::<4>() {
        for ([x], []) in steps {
            count += s.bits(s.lt(limit, x)).count_ones() as usize;
        }
    }
    while let Some([([x], [])]) = cursor.take::<1>() {
        count += s.bits(s.lt(limit, x)).count_ones() as usize;
    }
    if let Some((([x], []), real)) = cursor.tail() {
        count += s.bits(s.lt(limit, s.first(real, x, limit))).count_ones() as usize;
    }
    count
}

/// Keeps the best so far in order; a register is only looked at closer if one of its lanes beats
/// the worst of them, which becomes rare soon.
#[inline(always)]
pub(crate) fn top_k<S: Simd>(s: S, a: &[f32], best: &mut [(f32, u32)]) -> usize {
    let (mut kept, mut at) = (0, 0);
    let mut cursor = Cursor::<S, F32, F32, 1, 0>::new(s, [a], []);
    while let Some([([x], [])]) = cursor.take::<1>() {
        // Until the list is full, everything but NaN goes in.
        let worst = best.last().map_or(
            f32::INFINITY,
            #[inline(always)]
            |last| last.0,
        );
        let worst = s.splat(worst);
        let full = kept == best.len();
        let beats = if full { s.lt(worst, x) } else { s.le(x, x) };
        let mut beats = s.bits(beats);
        while beats != 0 {
            kept = insert(best, kept, a, at + beats.trailing_zeros() as usize);
            beats &= beats - 1;
        }
        at += S::LANES;
    }
    while at < a.len() {
        kept = insert(best, kept, a, at);
        at += 1;
    }
    kept
}

/// Puts `a[i]` behind all of the first `kept` that are not less; the last one of a full list falls
/// off. Says how many there are now.
#[inline(always)]
fn insert(best: &mut [(f32, u32)], kept: usize, a: &[f32], i: usize) -> usize {
    let Some(&value) = a.get(i).filter(|value| !value.is_nan()) else { return kept };
    let (mut place, mut carried, mut moved) = (0, (value, i as u32), false);
    for slot in best.iter_mut().take(kept) {
        // From the first that is less on, each takes the place of the next.
        if moved || slot.0 < value {
            moved = true;
            core::mem::swap(slot, &mut carried);
        }
        place += 1;
    }
    match best.get_mut(place) {
        Some(slot) => {
            *slot = carried;
            kept + 1
        }
        None => kept,
    }
}

/// A value is good only if both comparisons say so, which they do not for a NaN on either side.
#[inline(always)]
pub(crate) fn violations<S: Simd>(
    s: S,
    values: &[f32],
    min: &[f32],
    max: &[f32],
    mask: &mut [u64],
) -> usize {
    let mut count = 0;
    let mut cursor = Cursor::<S, F32, F32, 3, 0>::new(s, [values, min, max], []);
    for word in mask {
        let (mut bits, mut at) = (0_u64, 0);
        while at < 64 {
            let Some([([x, low, high], [])]) = cursor.take::<1>() else { break };
            let bad = !(s.bits(s.le(low, x)) & s.bits(s.le(x, high)));
            bits |= u64::from(bad & lanes(S::LANES)) << at;
            at += S::LANES;
        }
        if at < 64
            && let Some((([x, low, high], []), real)) = cursor.tail()
        {
            let bad = !(s.bits(s.le(low, x)) & s.bits(s.le(x, high)));
            bits |= u64::from(bad & lanes(real)) << at;
        }
        count += bits.count_ones() as usize;
        *word = bits;
    }
    count
}

/// The lowest `count` of 32 bits.
#[inline(always)]
fn lanes(count: usize) -> u32 {
    ((1_u64 << count) - 1) as u32
}
