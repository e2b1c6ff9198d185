//! Activations as methods that need more than one kernel.

use crate::table::Kernels;

impl Kernels {
    /// `xᵢ - ln Σ e^xⱼ`, stable for any size of the values.
    ///
    /// Error at most `(n + 16 + 2 |xᵢ - max|) · ε`.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn log_softmax(&self, x: &[f32], out: &mut [f32]) {
        let (values, room) = (x.len(), out.len());
        assert!(values == room, "vectors of different lengths: {values} and {room}");
        let (max, sum) = self.exp_sum(x);
        // Twice, since the maximum may be so large that adding the logarithm loses it.
        self.shift(x, max, out);
        self.shift_in_place(out, ln(sum));
    }

    /// [`Kernels::log_softmax`] in place.
    pub fn log_softmax_in_place(&self, x: &mut [f32]) {
        let (max, sum) = self.exp_sum(x);
        self.shift_in_place(x, max);
        self.shift_in_place(x, ln(sum));
    }
}

fn ln(x: f32) -> f32 {
    #[cfg(feature = "std")]
    return x.ln();
    #[cfg(not(feature = "std"))]
    return libm::logf(x);
}
