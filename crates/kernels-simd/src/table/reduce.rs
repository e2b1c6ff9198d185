//! Reductions of one vector of `f32`.

use crate::kernels::reduce;

family! {
    Reduce in reduce;

    /// The sum, with an error of at most `n · ε · Σ |aᵢ|`. 0 for an empty slice.
    fn sum(a: &[f32]) -> f32 {
        check {} run reduce::sum
    }
    /// The least and the greatest value, NaNs passed over; `None` if there is no other.
    ///
    /// Which sign a zero has is not defined where both signs occur.
    fn min_max(a: &[f32]) -> Option<(f32, f32)> {
        check {} run reduce::min_max
    }
    /// The mean and the population variance `Σ (aᵢ - mean)² / n`; `None` for an empty slice.
    ///
    /// Two passes, so that a mean far from zero cancels nothing. A NaN or an infinity makes both
    /// NaN or the mean infinite, as does a sum that overflows.
    fn mean_variance(a: &[f32]) -> Option<(f32, f32)> {
        check {} run reduce::mean_variance
    }
}
