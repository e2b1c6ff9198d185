//! What one writes without this crate: plain loops, compiled for baseline x86-64.
//!
//! Never inlined, so that a caller's features do not reach them.

#[inline(never)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[inline(never)]
pub(super) fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Three passes, as most code has it.
#[inline(never)]
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

#[inline(never)]
pub(super) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

#[inline(never)]
pub(super) fn sum(a: &[f32]) -> f32 {
    a.iter().sum()
}

#[inline(never)]
pub(super) fn min_max(a: &[f32]) -> (f32, f32) {
    a.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &x| (min.min(x), max.max(x)))
}

/// The mean, then the mean of the squared deviations.
#[inline(never)]
pub(super) fn mean_variance(a: &[f32]) -> (f32, f32) {
    let mean = sum(a) / a.len() as f32;
    let variance = a.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / a.len() as f32;
    (mean, variance)
}
