//! Element-wise arithmetic of `f32`, and update rules.

use super::{ordered, same_len};
use crate::kernels::elements;

family! {
    Elements in elements;

    /// `out[i] = a[i] + b[i]`, the same on every instruction set.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(a: &[f32], b: &[f32], out: &mut [f32]) {
        check { same_len(a.len(), b.len()); same_len(a.len(), out.len()) } run elements::add
    }
    /// `out[i] = a[i] - b[i]`, the same on every instruction set.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn sub(a: &[f32], b: &[f32], out: &mut [f32]) {
        check { same_len(a.len(), b.len()); same_len(a.len(), out.len()) } run elements::sub
    }
    /// `out[i] = a[i] · b[i]`, the same on every instruction set.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn mul(a: &[f32], b: &[f32], out: &mut [f32]) {
        check { same_len(a.len(), b.len()); same_len(a.len(), out.len()) } run elements::mul
    }
    /// `out[i] = a[i] · b[i] + c[i]`, rounded once where the set has a fused instruction and twice
    /// where it has not. Error at most `2 ε (|a[i] · b[i]| + |c[i]|)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn fma(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
        check { same_len(a.len(), b.len()); same_len(a.len(), c.len()); same_len(a.len(), out.len()) } run elements::fma
    }
    /// `out[i] = a[i] + t · (b[i] - a[i])`; `t` outside of [0, 1] extrapolates.
    ///
    /// Error at most `3 ε (|a[i]| + |t (b[i] - a[i])|)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn lerp(a: &[f32], b: &[f32], t: f32, out: &mut [f32]) {
        check { same_len(a.len(), b.len()); same_len(a.len(), out.len()) } run elements::lerp
    }
    /// `x[i] = factor · x[i]`, the same on every instruction set.
    pub fn scale(x: &mut [f32], factor: f32) {
        check {} run elements::scale
    }
    /// `y[i] = y[i] + alpha · x[i]`.
    ///
    /// Error at most `2 ε (|y[i]| + |alpha · x[i]|)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn axpy(alpha: f32, x: &[f32], y: &mut [f32]) {
        check { same_len(x.len(), y.len()) } run elements::axpy
    }
    /// `x[i]` within [`low`, `high`]; a NaN stays one.
    ///
    /// # Panics
    /// Unless `low <= high`.
    pub fn clamp(x: &mut [f32], low: f32, high: f32) {
        check { ordered(low, high) } run elements::clamp
    }
    /// Divides `x` by its Euclidean norm, which it returns; a norm of 0 leaves `x` as it is.
    ///
    /// Error at most `(n / 2 + 5) · ε` of the norm and of each result, however small or large the values
    /// are, and 2⁻¹⁴⁹ where those are denormal. A norm that exceeds `f32` is returned as infinite; a NaN
    /// or an infinity in `x` makes the norm one.
    pub fn normalize(x: &mut [f32]) -> f32 {
        check {} run elements::normalize
    }
    /// The exponential moving average `average[i] += alpha · (x[i] - average[i])`.
    ///
    /// Error as of [`lerp`](super::Kernels::lerp).
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn ema(average: &mut [f32], x: &[f32], alpha: f32) {
        check { same_len(average.len(), x.len()) } run elements::ema
    }
    /// The batched update of Q-learning, `q[i] += alpha · (rewards[i] + gamma · next[i] - q[i])`,
    /// where `next[i]` is the greatest value of the state that followed (Watkins 1989).
    ///
    /// Error at most `5 ε (|q[i]| + |alpha| (|rewards[i]| + |gamma · next[i]| + |q[i]|))`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn q_update(q: &mut [f32], rewards: &[f32], next: &[f32], alpha: f32, gamma: f32) {
        check { same_len(q.len(), rewards.len()); same_len(q.len(), next.len()) } run elements::q_update
    }
}
