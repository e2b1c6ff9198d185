//! Reductions of one vector of `f32`.

use super::{indices, mask_len, same_len};
use crate::kernels::reduce;

family! {
    Reduce in reduce;

    /// The sum, with an error of at most `n · ε · Σ |aᵢ|`. 0 for an empty slice.
    pub fn sum(a: &[f32]) -> f32 {
        check {} run reduce::sum
    }
    /// The least and the greatest value, NaNs passed over; `None` if there is no other.
    ///
    /// Which sign a zero has is not defined where both signs occur.
    pub fn min_max(a: &[f32]) -> Option<(f32, f32)> {
        check {} run reduce::min_max
    }
    /// The mean and the population variance `Σ (aᵢ - mean)² / n`; `None` for an empty slice.
    ///
    /// Two passes, so that a mean far from zero cancels nothing. With the standard deviation σ and the
    /// size `m = |mean| + σ`, the mean is off by at most `(n + 2) · ε · σ + 2 ε · m`, and the variance by
    /// `(n + 4) · ε` of itself and `(n · ε · m)²`. A NaN or an infinity makes both NaN or the mean
    /// infinite, as does a sum that overflows.
    pub fn mean_variance(a: &[f32]) -> Option<(f32, f32)> {
        check {} run reduce::mean_variance
    }
    /// The index of the greatest value, the first of equals; NaNs are passed over, and `None` if
    /// there is nothing else.
    pub fn argmax(a: &[f32]) -> Option<usize> {
        check {} run reduce::argmax
    }
    /// How many values are strictly greater than `threshold`; a NaN is not.
    pub fn count_above(a: &[f32], threshold: f32) -> usize {
        check {} run reduce::count_above
    }
    /// The `best.len()` greatest values with their indices, the greatest first and the first of
    /// equals first; NaNs are passed over. Says how many it found, which is less only if `a` has
    /// fewer.
    ///
    /// A value that is not among the best costs a comparison. Meant for lists of at most a few hundred,
    /// since a new one moves those below it.
    ///
    /// # Panics
    /// If `a` has more than 2³² values.
    pub fn top_k(a: &[f32], best: &mut [(f32, u32)]) -> usize {
        check { indices(a.len()) } run reduce::top_k
    }
    /// Sets bit `i % 64` of `mask[i / 64]` where not `min[i] <= values[i] <= max[i]`, and says how
    /// many those are.
    ///
    /// Fails closed: a NaN among the values or in a bound is a violation. Bits behind the last
    /// value are 0.
    ///
    /// # Panics
    /// If the lengths differ, or `mask` has not one word for each 64 values.
    pub fn violations(values: &[f32], min: &[f32], max: &[f32], mask: &mut [u64]) -> usize {
        check { same_len(values.len(), min.len()); same_len(values.len(), max.len()); mask_len(values.len(), mask.len()) } run reduce::violations
    }
}
