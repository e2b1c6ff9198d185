//! FANN's eighteen activation functions with their steepness, and their slopes.
//!
//! A function sees the *argument* `u = gain · sum`: the gain contains the steepness, so that a matrix
//! product can multiply by it on the way out.

use edgekit_kernels_simd::Kernels;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What a neuron does with the weighted sum `x` of its inputs; `s` is its steepness.
///
/// The definitions and their order are those of FANN 2.2. Like libfann, `s·x` is bounded by ±150/s
/// first, which shows only where a function does not saturate: [`Linear`](Activation::Linear), the
/// Elliot functions, sine and cosine. The slopes are exact for what `run` computes, the bound and the
/// kinks included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Activation {
    /// `s·x`
    Linear = 0,
    /// 0 below zero, else 1. It has no slope: it can be run, not trained.
    Threshold,
    /// −1 below zero, else 1. It can be run, not trained.
    ThresholdSymmetric,
    /// `1 / (1 + e^(−2·s·x))`: with steepness 0.5 the logistic function.
    Sigmoid,
    /// The sigmoid by six straight pieces.
    SigmoidStepwise,
    /// `tanh(s·x)`
    SigmoidSymmetric,
    /// The hyperbolic tangent by six straight pieces.
    SigmoidSymmetricStepwise,
    /// `e^(−(s·x)²)`
    Gaussian,
    /// `2·e^(−(s·x)²) − 1`
    GaussianSymmetric,
    /// Reserved by FANN and 0 there, hence here. It can be run, not trained.
    GaussianStepwise,
    /// `s·x / (2·(1 + |s·x|)) + 0.5`
    Elliot,
    /// `s·x / (1 + |s·x|)`
    ElliotSymmetric,
    /// `s·x` within 0 and 1
    LinearPiece,
    /// `s·x` within −1 and 1
    LinearPieceSymmetric,
    /// `sin(s·x)`
    SinSymmetric,
    /// `cos(s·x)`
    CosSymmetric,
    /// `sin(s·x)/2 + 0.5`
    Sin,
    /// `cos(s·x)/2 + 0.5`
    Cos,
}

impl Activation {
    /// All of them, in FANN's order: the index is the number in its files.
    pub const ALL: [Activation; 18] = [
        Activation::Linear,
        Activation::Threshold,
        Activation::ThresholdSymmetric,
        Activation::Sigmoid,
        Activation::SigmoidStepwise,
        Activation::SigmoidSymmetric,
        Activation::SigmoidSymmetricStepwise,
        Activation::Gaussian,
        Activation::GaussianSymmetric,
        Activation::GaussianStepwise,
        Activation::Elliot,
        Activation::ElliotSymmetric,
        Activation::LinearPiece,
        Activation::LinearPieceSymmetric,
        Activation::SinSymmetric,
        Activation::CosSymmetric,
        Activation::Sin,
        Activation::Cos,
    ];

    /// Whether there is a slope to train by.
    pub fn is_trainable(self) -> bool {
        use Activation::*;
        !matches!(self, Threshold | ThresholdSymmetric | GaussianStepwise)
    }

    /// Whether the values lie between −1 and 1 rather than 0 and 1. FANN halves their errors.
    pub fn is_symmetric(self) -> bool {
        use Activation::*;
        matches!(
            self,
            ThresholdSymmetric
                | SigmoidSymmetric
                | SigmoidSymmetricStepwise
                | GaussianSymmetric
                | ElliotSymmetric
                | LinearPieceSymmetric
                | SinSymmetric
                | CosSymmetric
        )
    }
}

/// An activation with its steepness.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Which function.
    pub activation: Activation,
    /// How steep; FANN's default is 0.5.
    pub steepness: f32,
}

impl From<Activation> for Function {
    fn from(activation: Activation) -> Self {
        Function { activation, steepness: 0.5 }
    }
}

/// Where the straight pieces meet, `(argument, value)`.
const STEPS: [(f32, f32); 6] = [
    (-2.646_652_5, 0.005),
    (-1.472_219_5, 0.05),
    (-0.549_306_15, 0.25),
    (0.549_306_15, 0.75),
    (1.472_219_3, 0.95),
    (2.646_653, 0.995),
];
const STEPS_SYMMETRIC: [(f32, f32); 6] = [
    (-2.646_653, -0.99),
    (-1.472_219_3, -0.9),
    (-0.549_306_15, -0.5),
    (0.549_306_15, 0.5),
    (1.472_219_3, 0.9),
    (2.646_653, 0.99),
];

impl Function {
    pub(crate) fn check(self) -> Result<(), Error> {
        let s = self.steepness;
        if s.is_finite() && s > 0.0 && (150.0 / s).is_finite() {
            return Ok(());
        }
        Err(Error::config(format!("steepness {s}: give a positive number such as 0.5")))
    }

    /// From the weighted sum to the argument.
    #[inline]
    pub(crate) fn gain(self) -> f32 {
        if self.activation == Activation::Sigmoid { 2.0 * self.steepness } else { self.steepness }
    }

    /// Whether the slope cannot be told from the value alone.
    pub(crate) fn needs_argument(self) -> bool {
        use Activation::*;
        matches!(
            self.activation,
            Gaussian | GaussianSymmetric | SinSymmetric | CosSymmetric | Sin | Cos
        )
    }

    fn bound(self) -> f32 {
        150.0 / self.steepness
    }

    fn bounded(self, u: f32) -> f32 {
        u.clamp(-self.bound(), self.bound())
    }

    /// The value of one argument.
    pub(crate) fn value(self, u: f32) -> f32 {
        use Activation::*;
        match self.activation {
            Linear => self.bounded(u),
            Threshold => f32::from(u8::from(u >= 0.0)),
            ThresholdSymmetric => {
                if u < 0.0 {
                    -1.0
                } else {
                    1.0
                }
            }
            Sigmoid => 1.0 / (1.0 + (-u).exp()),
            SigmoidStepwise => stepwise(&STEPS, 0.0, u).0,
            SigmoidSymmetric => u.tanh(),
            SigmoidSymmetricStepwise => stepwise(&STEPS_SYMMETRIC, -1.0, u).0,
            Gaussian => (-u * u).exp(),
            GaussianSymmetric => 2.0 * (-u * u).exp() - 1.0,
            GaussianStepwise => 0.0,
            Elliot => {
                let u = self.bounded(u);
                u / 2.0 / (1.0 + u.abs()) + 0.5
            }
            ElliotSymmetric => {
                let u = self.bounded(u);
                u / (1.0 + u.abs())
            }
            LinearPiece => u.clamp(0.0, 1.0),
            LinearPieceSymmetric => u.clamp(-1.0, 1.0),
            SinSymmetric => self.bounded(u).sin(),
            CosSymmetric => self.bounded(u).cos(),
            Sin => self.bounded(u).sin() / 2.0 + 0.5,
            Cos => self.bounded(u).cos() / 2.0 + 0.5,
        }
    }

    /// How the value changes with the *sum*, at argument `u` with value `y`. Only functions that
    /// [need it](Self::needs_argument) look at `u`.
    pub(crate) fn slope(self, y: f32, u: f32) -> f32 {
        use Activation::*;
        let s = self.steepness;
        let within = |inside: bool| if inside { s } else { 0.0 };
        match self.activation {
            Linear => within(y.abs() < self.bound()),
            Threshold | ThresholdSymmetric | GaussianStepwise => 0.0,
            Sigmoid => 2.0 * s * y * (1.0 - y),
            SigmoidStepwise => s * piece(&STEPS, y),
            SigmoidSymmetric => s * (1.0 - y * y),
            SigmoidSymmetricStepwise => s * piece(&STEPS_SYMMETRIC, y),
            Gaussian => -2.0 * u * y * s,
            GaussianSymmetric => -2.0 * u * (y + 1.0) * s,
            Elliot => {
                let room = 1.0 - (2.0 * y - 1.0).abs();
                within(room > 1.0 / (1.0 + self.bound())) * 0.5 * room * room
            }
            ElliotSymmetric => {
                let room = 1.0 - y.abs();
                within(room > 1.0 / (1.0 + self.bound())) * room * room
            }
            LinearPiece => within(y > 0.0 && y < 1.0),
            LinearPieceSymmetric => within(y > -1.0 && y < 1.0),
            SinSymmetric => within(u.abs() < self.bound()) * u.cos(),
            CosSymmetric => within(u.abs() < self.bound()) * -u.sin(),
            Sin => within(u.abs() < self.bound()) * u.cos() / 2.0,
            Cos => within(u.abs() < self.bound()) * -u.sin() / 2.0,
        }
    }

    /// Values in the place of arguments.
    pub(crate) fn apply(self, kernels: &Kernels, u: &mut [f32]) {
        match self.activation {
            Activation::Linear => kernels.clamp(u, -self.bound(), self.bound()),
            Activation::Sigmoid => kernels.sigmoid_in_place(u),
            Activation::SigmoidSymmetric => kernels.tanh_in_place(u),
            Activation::Gaussian => gaussian(kernels, u),
            Activation::GaussianSymmetric => {
                gaussian(kernels, u);
                u.iter_mut().for_each(|y| *y = 2.0 * *y - 1.0);
            }
            _ => u.iter_mut().for_each(|u| *u = self.value(*u)),
        }
    }

    /// Multiplies gradients by the slopes where the values are `y`; `u` is empty unless needed.
    pub(crate) fn backward(self, kernels: &Kernels, delta: &mut [f32], y: &[f32], u: &[f32]) {
        let s = self.steepness;
        match self.activation {
            Activation::Sigmoid => {
                kernels.sigmoid_backward(delta, y);
                rescale(kernels, delta, 2.0 * s);
            }
            Activation::SigmoidSymmetric => {
                kernels.tanh_backward(delta, y);
                rescale(kernels, delta, s);
            }
            _ if self.needs_argument() => {
                for ((d, y), u) in delta.iter_mut().zip(y).zip(u) {
                    *d *= self.slope(*y, *u);
                }
            }
            _ => {
                for (d, y) in delta.iter_mut().zip(y) {
                    *d *= self.slope(*y, 0.0);
                }
            }
        }
    }
}

fn rescale(kernels: &Kernels, x: &mut [f32], factor: f32) {
    if factor != 1.0 {
        kernels.scale(x, factor);
    }
}

fn gaussian(kernels: &Kernels, u: &mut [f32]) {
    u.iter_mut().for_each(|u| *u = -*u * *u);
    kernels.exp_in_place(u);
}

/// The value and the slope of the pieces at `u`, which begin at `least` and end at 1.
fn stepwise(steps: &[(f32, f32); 6], least: f32, u: f32) -> (f32, f32) {
    if u < steps[0].0 {
        return (least, 0.0);
    }
    for pair in steps.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if u < to {
            return ((high - low) * (u - from) / (to - from) + low, (high - low) / (to - from));
        }
    }
    (if u.is_nan() { u } else { 1.0 }, 0.0)
}

/// The slope of the piece that has the value `y`.
fn piece(steps: &[(f32, f32); 6], y: f32) -> f32 {
    for pair in steps.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if y >= low && y < high {
            return (high - low) / (to - from);
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_get_what_single_values_get() {
        let sums: Vec<f32> = (0..257).map(|i| (i - 128) as f32 * 0.07 + 0.003).collect();
        for kernels in Kernels::available() {
            for activation in Activation::ALL {
                for steepness in [0.25, 0.5, 1.0, 3.0] {
                    let f = Function { activation, steepness };
                    let u: Vec<f32> = sums.iter().map(|x| f.gain() * x).collect();
                    let mut y = u.clone();
                    f.apply(kernels, &mut y);
                    let mut delta = vec![1.5; y.len()];
                    f.backward(kernels, &mut delta, &y, &u);
                    for i in 0..y.len() {
                        assert!((y[i] - f.value(u[i])).abs() < 2e-6, "{f:?} at {}", sums[i]);
                        let slope = 1.5 * f.slope(y[i], u[i]);
                        assert!((delta[i] - slope).abs() < 1e-5, "{f:?} at {}", sums[i]);
                    }
                }
            }
        }
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        for activation in Activation::ALL {
            for steepness in [0.25_f32, 0.5, 1.0, 2.0] {
                let f = Function { activation, steepness };
                let y = |x: f64| f64::from(f.value((f64::from(f.gain()) * x) as f32));
                for i in 0..199 {
                    let x = f64::from(i - 99) * 0.0613 + 0.0107;
                    let h = 2e-3;
                    let u = (f64::from(f.gain()) * x) as f32;
                    let slope = f64::from(f.slope(f.value(u), u));
                    // At a kink the difference lies between the slopes of both sides: look closer.
                    let (left, right) = ((y(x) - y(x - h)) / h, (y(x + h) - y(x)) / h);
                    let (low, high) = (left.min(right), left.max(right));
                    let slack = 2e-3 * f64::from(steepness).max(1.0).powi(2) + 2e-4;
                    if activation.is_trainable() {
                        assert!(
                            slope > low - slack && slope < high + slack,
                            "{f:?} at {x}: {slope} is not within {low} and {high}"
                        );
                    } else {
                        assert_eq!(slope, 0.0);
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_saturate_is_bounded_like_libfann() {
        let f = Function { activation: Activation::Linear, steepness: 0.5 };
        assert_eq!((f.value(299.0), f.value(1e9), f.value(-1e9)), (299.0, 300.0, -300.0));
        assert_eq!((f.slope(299.0, 0.0), f.slope(300.0, 0.0)), (0.5, 0.0));
    }

    #[test]
    fn steepness_must_be_a_positive_number() {
        for steepness in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-38] {
            assert!(Function { activation: Activation::Sin, steepness }.check().is_err());
        }
    }
}
