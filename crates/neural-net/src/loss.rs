//! What training makes small: objectives of one sample, and their gradients by the outputs.

use edgekit_kernels_simd::Kernels;
use serde::{Deserialize, Serialize};

/// The objective of a sample with outputs `y` and targets `t`; training lowers its mean over the
/// samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Loss {
    /// `½ Σ (y − t)²`
    #[default]
    Mse,
    /// `Σ |y − t|`
    Mae,
    /// FANN's tanh error, which punishes large differences more: its gradient is
    /// `ln((1 + d) / (1 − d))` with `d = y − t`, halved for outputs between −1 and 1, and ±17 beyond
    /// `|d| = 0.9999999`.
    Tanh,
    /// `−Σ t · ln softmax(y)`: the outputs are logits, best of a linear layer. `run` returns the logits.
    CrossEntropy,
}

const TANH_LIMIT: f32 = 0.999_999_9;
const TANH_STEEPEST: f32 = 17.0;

impl Loss {
    /// The objective of one sample; `spans` has 2 for outputs between −1 and 1, else 1.
    pub(crate) fn objective(self, y: &[f32], t: &[f32], spans: &[f32]) -> f64 {
        let differences = y.iter().zip(t).map(|(y, t)| f64::from(*y) - f64::from(*t));
        match self {
            Loss::Mse => differences.map(|d| 0.5 * d * d).sum(),
            Loss::Mae => differences.map(f64::abs).sum(),
            Loss::Tanh => differences
                .zip(spans)
                .map(|(d, span)| f64::from(*span) * tanh_objective(d / f64::from(*span)))
                .sum(),
            Loss::CrossEntropy => {
                let max = y.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = y.iter().map(|y| f64::from(y - max).exp()).sum();
                let log = sum.ln() + f64::from(max);
                y.iter().zip(t).map(|(y, t)| f64::from(*t) * (log - f64::from(*y))).sum()
            }
        }
    }

    /// The gradient of one sample or of several rows by their outputs.
    pub(crate) fn gradient(
        self,
        kernels: &Kernels,
        y: &[f32],
        t: &[f32],
        spans: &[f32],
        out: &mut [f32],
    ) {
        match self {
            Loss::Mse => kernels.sub(y, t, out),
            Loss::Mae => {
                for ((out, y), t) in out.iter_mut().zip(y).zip(t) {
                    let d = y - t;
                    *out = if d == 0.0 { 0.0 } else { 1f32.copysign(d) };
                }
            }
            Loss::Tanh => {
                let width = spans.len();
                for (i, out) in out.iter_mut().enumerate() {
                    *out = tanh_gradient((y[i] - t[i]) / spans[i % width]);
                }
            }
            Loss::CrossEntropy => {
                let width = spans.len();
                let rows = y.chunks_exact(width).zip(t.chunks_exact(width));
                for ((y, t), out) in rows.zip(out.chunks_exact_mut(width)) {
                    kernels.softmax(y, out);
                    let total = kernels.sum(t);
                    out.iter_mut().zip(t).for_each(|(p, t)| *p = *p * total - t);
                }
            }
        }
    }
}

fn tanh_gradient(d: f32) -> f32 {
    if d.abs() > TANH_LIMIT {
        return TANH_STEEPEST.copysign(d);
    }
    ((1.0 + d) / (1.0 - d)).ln()
}

/// The integral of the gradient.
fn tanh_objective(d: f64) -> f64 {
    let limit = f64::from(TANH_LIMIT);
    let inside = d.abs().min(limit);
    let area = (1.0 + inside) * inside.ln_1p() + (1.0 - inside) * (-inside).ln_1p();
    area + f64::from(TANH_STEEPEST) * (d.abs() - inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_those_of_the_objectives() {
        let kernels = Kernels::get();
        let y = [0.3_f32, -0.7, 0.95, 0.1];
        let t = [0.1_f32, 0.5, 0.2, 0.1];
        for loss in [Loss::Mse, Loss::Mae, Loss::Tanh, Loss::CrossEntropy] {
            for spans in [[1.0; 4], [2.0, 1.0, 2.0, 1.0]] {
                // Beyond its domain the tanh error is a straight line.
                let mut out = [0.0; 4];
                loss.gradient(kernels, &y, &t, &spans, &mut out);
                for i in 0..3 {
                    let h = 1e-3;
                    let at = |by: f32| {
                        let mut y = y;
                        y[i] += by;
                        loss.objective(&y, &t, &spans)
                    };
                    let expected = (at(h) - at(-h)) / f64::from(2.0 * h);
                    if !(loss == Loss::Tanh && spans[i] == 1.0 && i == 1) {
                        let off = (f64::from(out[i]) - expected).abs();
                        assert!(off < 2e-3, "{loss:?} {i}: {} and {expected}", out[i]);
                    }
                }
            }
        }
        let mut out = [0.0];
        Loss::Tanh.gradient(kernels, &[3.0], &[0.0], &[1.0], &mut out);
        assert_eq!(out, [17.0]);
        assert!(Loss::CrossEntropy.objective(&[1e30, -1e30], &[1.0, 0.0], &[1.0; 2]) == 0.0);
    }
}
