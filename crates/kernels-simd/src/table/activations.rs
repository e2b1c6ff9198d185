//! Activation functions and their derivatives.

use super::same_len;
use crate::kernels::activations;

family! {
    Activations in activations;

    /// `e^x`, of each value into `out`.
    ///
    /// Error at most 2 ulp, denormal results included; 0 below -104 and infinite above 88.73. A NaN
    /// stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn exp(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::exp_to
    }
    /// [`Kernels::exp`](super::Kernels::exp) in place.
    pub fn exp_in_place(x: &mut [f32]) {
        check {} run activations::exp_in_place
    }
    /// The hyperbolic tangent, of each value into `out`.
    ///
    /// Error at most 4 ulp. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn tanh(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::tanh_to
    }
    /// [`Kernels::tanh`](super::Kernels::tanh) in place.
    pub fn tanh_in_place(x: &mut [f32]) {
        check {} run activations::tanh_in_place
    }
    /// The logistic function `1 / (1 + e^-x)`, of each value into `out`.
    ///
    /// Error at most 4 ulp, the left tail included. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn sigmoid(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::sigmoid_to
    }
    /// [`Kernels::sigmoid`](super::Kernels::sigmoid) in place.
    pub fn sigmoid_in_place(x: &mut [f32]) {
        check {} run activations::sigmoid_in_place
    }
    /// `max(x, 0)`, of each value into `out`.
    ///
    /// The same on every instruction set. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn relu(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::relu_to
    }
    /// [`Kernels::relu`](super::Kernels::relu) in place.
    pub fn relu_in_place(x: &mut [f32]) {
        check {} run activations::relu_in_place
    }
    /// `x` where it is not negative, else `slope · x`, of each value into `out`.
    ///
    /// The same on every instruction set. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn leaky_relu(x: &[f32], slope: f32, out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::leaky_relu_to
    }
    /// [`Kernels::leaky_relu`](super::Kernels::leaky_relu) in place.
    pub fn leaky_relu_in_place(x: &mut [f32], slope: f32) {
        check {} run activations::leaky_relu_in_place
    }
    /// `x` where it is not negative, else `alpha · (e^x - 1)`, of each value into `out`.
    ///
    /// Error at most 4 ulp, near zero too. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn elu(x: &[f32], alpha: f32, out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::elu_to
    }
    /// [`Kernels::elu`](super::Kernels::elu) in place.
    pub fn elu_in_place(x: &mut [f32], alpha: f32) {
        check {} run activations::elu_in_place
    }
    /// The exact GELU `x · Φ(x)` with the normal distribution Φ (Hendrycks & Gimpel 2016), of each
    /// value into `out`.
    ///
    /// Error at most 4 ulp, the left tail included as far as it is normal. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn gelu(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::gelu_to
    }
    /// [`Kernels::gelu`](super::Kernels::gelu) in place.
    pub fn gelu_in_place(x: &mut [f32]) {
        check {} run activations::gelu_in_place
    }
    /// The tangent form of GELU, `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, of each value into
    /// `out`.
    ///
    /// Error at most 4 ulp of `x`, which is absolute where the result is small. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn gelu_tanh(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::gelu_tanh_to
    }
    /// [`Kernels::gelu_tanh`](super::Kernels::gelu_tanh) in place.
    pub fn gelu_tanh_in_place(x: &mut [f32]) {
        check {} run activations::gelu_tanh_in_place
    }
    /// SiLU or swish, `x · sigmoid(x)`, of each value into `out`.
    ///
    /// Error at most 4 ulp, the left tail included as far as it is normal. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn silu(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::silu_to
    }
    /// [`Kernels::silu`](super::Kernels::silu) in place.
    pub fn silu_in_place(x: &mut [f32]) {
        check {} run activations::silu_in_place
    }
    /// `ln(1 + e^x)`, of each value into `out`.
    ///
    /// Error at most 4 ulp, the left tail included. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn softplus(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::softplus_to
    }
    /// [`Kernels::softplus`](super::Kernels::softplus) in place.
    pub fn softplus_in_place(x: &mut [f32]) {
        check {} run activations::softplus_in_place
    }
    /// Multiplies `gradient` by the derivative of [`relu`](super::Kernels::relu), given what was
    /// its input: 1 where that is greater than 0, else 0, for a NaN too.
    ///
    /// The same on every instruction set.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn relu_backward(gradient: &mut [f32], input: &[f32]) {
        check { same_len(gradient.len(), input.len()) } run activations::relu_backward
    }
    /// Multiplies `gradient` by the derivative of [`leaky_relu`](super::Kernels::leaky_relu), given
    /// what was its input: 1 where that is greater than 0, else `slope`, for a NaN too.
    ///
    /// The same on every instruction set.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn leaky_relu_backward(gradient: &mut [f32], input: &[f32], slope: f32) {
        check { same_len(gradient.len(), input.len()) } run activations::leaky_relu_backward
    }
    /// Multiplies `gradient` by the derivative of [`elu`](super::Kernels::elu), given what was its
    /// input: 1 where that is greater than 0, else `alpha · e^x`; a NaN counts as 0.
    ///
    /// Error at most 4 ulp, the left tail included as far as it is normal.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn elu_backward(gradient: &mut [f32], input: &[f32], alpha: f32) {
        check { same_len(gradient.len(), input.len()) } run activations::elu_backward
    }
    /// Multiplies `gradient` by the derivative of [`sigmoid`](super::Kernels::sigmoid), given what
    /// was its output: `y (1 - y)`.
    ///
    /// Error at most 3 ulp. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn sigmoid_backward(gradient: &mut [f32], output: &[f32]) {
        check { same_len(gradient.len(), output.len()) } run activations::sigmoid_backward
    }
    /// Multiplies `gradient` by the derivative of [`tanh`](super::Kernels::tanh), given what was
    /// its output: `1 - y²`.
    ///
    /// Error at most 3 ε of the gradient, which is absolute where `y` is close to ±1. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn tanh_backward(gradient: &mut [f32], output: &[f32]) {
        check { same_len(gradient.len(), output.len()) } run activations::tanh_backward
    }
    /// Multiplies `gradient` by the derivative of [`silu`](super::Kernels::silu), given what was
    /// its input: 1 for +∞, 0 for -∞.
    ///
    /// Error at most 6 ε of the gradient. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn silu_backward(gradient: &mut [f32], input: &[f32]) {
        check { same_len(gradient.len(), input.len()) } run activations::silu_backward
    }
    /// Multiplies `gradient` by the derivative of [`gelu`](super::Kernels::gelu), given what was
    /// its input: 1 for +∞, 0 for -∞.
    ///
    /// Error at most 6 ε of the gradient. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn gelu_backward(gradient: &mut [f32], input: &[f32]) {
        check { same_len(gradient.len(), input.len()) } run activations::gelu_backward
    }
    /// Multiplies `gradient` by the derivative of [`gelu_tanh`](super::Kernels::gelu_tanh), given
    /// what was its input: 1 for +∞, 0 for -∞.
    ///
    /// Error at most 8 ε of the gradient. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn gelu_tanh_backward(gradient: &mut [f32], input: &[f32]) {
        check { same_len(gradient.len(), input.len()) } run activations::gelu_tanh_backward
    }
    /// Multiplies `gradient` by the derivative of [`softplus`](super::Kernels::softplus), given
    /// what was its input: the [`sigmoid`](super::Kernels::sigmoid) of that.
    ///
    /// Error at most 4 ulp, the left tail included as far as it is normal. A NaN stays.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn softplus_backward(gradient: &mut [f32], input: &[f32]) {
        check { same_len(gradient.len(), input.len()) } run activations::softplus_backward
    }
    /// `e^xᵢ / Σ e^xⱼ`, stable for any size of the values.
    ///
    /// Error at most `(n + 16 + |xᵢ - max|) · ε` of each result, and 2⁻¹⁴⁷: what rounding takes off
    /// `xᵢ - max` the exponential multiplies. A NaN or +∞ makes NaNs; -∞ gives 0 if not all are.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn softmax(x: &[f32], out: &mut [f32]) {
        check { same_len(x.len(), out.len()) } run activations::softmax
    }
    /// [`Kernels::softmax`](super::Kernels::softmax) in place.
    pub fn softmax_in_place(x: &mut [f32]) {
        check {} run activations::softmax_in_place
    }
    /// The greatest value and `Σ e^(xᵢ - max)`; the logarithm is taken outside of the feature context.
    pub(crate) fn exp_sum(x: &[f32]) -> (f32, f32) {
        check {} run activations::exp_sum
    }
    /// `out[i] = x[i] - by`.
    pub(crate) fn shift(x: &[f32], by: f32, out: &mut [f32]) {
        check {} run activations::shift
    }
    /// `x[i] = x[i] - by`.
    pub(crate) fn shift_in_place(x: &mut [f32], by: f32) {
        check {} run activations::shift_in_place
    }
    /// Makes of the gradient of [`softmax`](super::Kernels::softmax)'s output that of its input:
    /// `yᵢ (gᵢ - Σ gⱼ yⱼ)`.
    ///
    /// Error at most `(n + 2) · ε · |yᵢ| (|gᵢ| + Σ |gⱼ yⱼ|)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn softmax_backward(gradient: &mut [f32], output: &[f32]) {
        check { same_len(gradient.len(), output.len()) } run activations::softmax_backward
    }
    /// Makes of the gradient of [`log_softmax`](super::Kernels::log_softmax)'s output that of its
    /// input: `gᵢ - e^yᵢ Σ gⱼ`.
    ///
    /// Error at most `(n + 6) · ε · (|gᵢ| + e^yᵢ Σ |gⱼ|)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn log_softmax_backward(gradient: &mut [f32], output: &[f32]) {
        check { same_len(gradient.len(), output.len()) } run activations::log_softmax_backward
    }
}
