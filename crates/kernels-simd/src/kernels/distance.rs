//! Distances between two vectors of floats.
//!
//! Four accumulators hide the latency of the multiply-add; eight gain nothing on long vectors and
//! cost 2 to 3 ns on short ones.

use crate::simd::{Cursor, F32, Simd};

#[inline(always)]
pub(crate) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let mut acc = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, F32, F32, 1, 1>::new(s, [a], [b]);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], [y]) = steps[i];
            acc[i] = s.mul_add(x, y, acc[i]);
        }
    }
    while let Some([([x], [y])]) = cursor.take::<1>() {
        acc[0] = s.mul_add(x, y, acc[0]);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc[1] = s.mul_add(x, y, acc[1]);
    }
    s.sum(s.add(s.add(acc[0], acc[1]), s.add(acc[2], acc[3])))
}

#[inline(always)]
pub(crate) fn l2_squared<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let mut acc = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, F32, F32, 1, 1>::new(s, [a], [b]);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], [y]) = steps[i];
            let d = s.sub(x, y);
            acc[i] = s.mul_add(d, d, acc[i]);
        }
    }
    while let Some([([x], [y])]) = cursor.take::<1>() {
        let d = s.sub(x, y);
        acc[0] = s.mul_add(d, d, acc[0]);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        let d = s.sub(x, y);
        acc[1] = s.mul_add(d, d, acc[1]);
    }
    s.sum(s.add(s.add(acc[0], acc[1]), s.add(acc[2], acc[3])))
}

/// One pass over both vectors; two accumulators for each of the three sums.
#[inline(always)]
pub(crate) fn cosine<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let zero = s.splat(0.0);
    let (mut xy, mut xx, mut yy) = ([zero; 2], [zero; 2], [zero; 2]);
    let mut cursor = Cursor::<S, F32, F32, 1, 1>::new(s, [a], [b]);
    while let Some(steps) = cursor.take::<2>() {
        for i in 0..2 {
            let ([x], [y]) = steps[i];
            xy[i] = s.mul_add(x, y, xy[i]);
            xx[i] = s.mul_add(x, x, xx[i]);
            yy[i] = s.mul_add(y, y, yy[i]);
        }
    }
    if let Some([([x], [y])]) = cursor.take::<1>() {
        xy[0] = s.mul_add(x, y, xy[0]);
        xx[0] = s.mul_add(x, x, xx[0]);
        yy[0] = s.mul_add(y, y, yy[0]);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        xy[1] = s.mul_add(x, y, xy[1]);
        xx[1] = s.mul_add(x, x, xx[1]);
        yy[1] = s.mul_add(y, y, yy[1]);
    }
    let (xy, xx, yy) = (s.add(xy[0], xy[1]), s.add(xx[0], xx[1]), s.add(yy[0], yy[1]));
    let [dot, norm_a, norm_b, _] = s.sum_4([xy, xx, yy, zero]);
    similarity(dot, sqrt(norm_a), sqrt(norm_b))
}

#[inline(always)]
pub(crate) fn cosine_with_norms<S: Simd>(s: S, a: &[f32], b: &[f32], na: f32, nb: f32) -> f32 {
    similarity(dot(s, a, b), na, nb)
}

#[inline(always)]
pub(crate) fn norm<S: Simd>(s: S, a: &[f32]) -> f32 {
    sqrt(dot(s, a, a))
}

/// `dot / (norm_a · norm_b)` within [-1, 1], 0 if a norm is 0. The product of two square roots of
/// `f32`s does not overflow.
#[inline(always)]
fn similarity(dot: f32, norm_a: f32, norm_b: f32) -> f32 {
    let norms = norm_a * norm_b;
    if norms == 0.0 { 0.0 } else { (dot / norms).clamp(-1.0, 1.0) }
}

#[inline(always)]
fn sqrt(x: f32) -> f32 {
    // One instruction wherever there is one; `core` does not offer it without `std`.
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    return libm::sqrtf(x);
}
