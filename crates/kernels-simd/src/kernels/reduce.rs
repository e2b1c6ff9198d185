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
