//! Activation functions and what training needs of their derivatives.
//!
//! The polynomials were fitted to the relative error over their ranges (iteratively reweighted least
//! squares at Chebyshev nodes); range reduction of the exponential is that of Cody & Waite (1980).

use crate::simd::{self, Map, Simd};

/// `c[0] + x (c[1] + x (…))`.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::F32, coefficients: [f32; N]) -> S::F32 {
    let mut value = s.splat(coefficients[N - 1]);
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        value = s.mul_add(value, x, s.splat(coefficients[i]));
    }
    value
}

/// `x + low = n · ln 2 + r`: `n`, and `e^r - 1`.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F32, low: S::F32) -> (S::F32, S::F32) {
    // ln 2 in two parts, of which the first has so few bits that its product with n is exact.
    let n = s.round(s.mul(x, s.splat(core::f32::consts::LOG2_E)));
    let r = s.mul_add(n, s.splat(-0.693_359_4), x);
    let r = s.add(s.mul_add(n, s.splat(2.121_944_4e-4), r), low);
    let q = polynomial(
        s,
        r,
        [0.5, 0.166_666_67, 0.041_666_467, 0.008_333_361, 0.001_393_360_4, 0.000_198_578_03],
    );
    (n, s.mul_add(s.mul(r, r), q, r))
}

/// `e^x`, within 2 ulp, denormal results included.
#[inline(always)]
fn exp<S: Simd>(s: S, x: S::F32) -> S::F32 {
    exp_of_sum(s, x, s.splat(-0.0))
}

/// `e^(x + low)`, where `low` is what rounding took off `x`.
#[inline(always)]
fn exp_of_sum<S: Simd>(s: S, x: S::F32, low: S::F32) -> S::F32 {
    // Beyond these the result is 0 or infinite; a NaN in the second operand stays.
    let x = s.max(s.splat(-104.0), s.min(s.splat(89.0), x));
    let (n, e) = reduce(s, x, low);
    s.mul_pow2(s.add(e, s.splat(1.0)), n)
}

/// `e^x - 1` for `x <= 0`, relatively exact near zero.
#[inline(always)]
fn exp_m1<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (n, e) = reduce(s, s.max(s.splat(-80.0), x), s.splat(-0.0));
    let scale = s.pow2(n);
    s.mul_add(scale, e, s.sub(scale, s.splat(1.0)))
}

/// `ln(1 + t)` for `t` from 0 to 1, relatively exact near zero: `2 atanh(t / (2 + t))`.
#[inline(always)]
fn ln_1p<S: Simd>(s: S, t: S::F32) -> S::F32 {
    let z = s.div(t, s.add(t, s.splat(2.0)));
    let w = s.mul(z, z);
    let p = polynomial(
        s,
        w,
        [0.333_333_34, 0.200_000_06, 0.142_851_26, 0.111_331_18, 0.087_237_06, 0.104_278_05],
    );
    let twice = s.add(z, z);
    s.mul_add(s.mul(twice, w), p, twice)
}

#[inline(always)]
fn sigmoid<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Of e^-|x| alone, so that neither side overflows and the left tail keeps its precision.
    let one = s.splat(1.0);
    let e = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    let above = s.select(s.lt(x, s.splat(0.0)), e, one);
    s.div(above, s.add(one, e))
}

/// The logistic function and what it lacks to 1, which a subtraction would round to nothing.
#[inline(always)]
fn sigmoid_and_rest<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let one = s.splat(1.0);
    let e = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    let larger = s.div(one, s.add(one, e));
    let smaller = s.mul(e, larger);
    let negative = s.lt(x, s.splat(0.0));
    (s.select(negative, smaller, larger), s.select(negative, larger, smaller))
}

#[inline(always)]
fn tanh<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (one, size) = (s.splat(1.0), s.abs(x));
    let e = exp(s, s.add(size, size));
    let large = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    let w = s.mul(x, x);
    let p = polynomial(
        s,
        w,
        [-0.333_333_34, 0.133_333, -0.053_958_464, 0.021_762_535, -0.008_323_275, 0.002_269_59],
    );
    let small = s.mul_add(s.mul(size, w), p, size);
    s.copysign(s.select(s.lt(size, s.splat(0.625)), small, large), x)
}

/// The normal distribution at `-|x|`, for `|x| >= 1`.
#[inline(always)]
fn normal_tail<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let z = s.abs(x);
    // What rounding took off z² would be multiplied by the exponential: it is found with Dekker's
    // product (1971).
    let split = s.mul(z, s.splat(4097.0));
    let high = s.sub(split, s.sub(split, z));
    let low = s.sub(z, high);
    let square = s.mul(z, z);
    let error = s.sub(s.mul(high, high), square);
    let error = s.mul_add(s.add(high, high), low, error);
    let error = s.mul_add(low, low, error);
    let half = s.splat(-0.5);
    let e = exp_of_sum(s, s.mul(square, half), s.mul(error, half));
    // The Mills ratio over this is a polynomial of it, from 1 to where the tail is 0.
    let t = s.div(s.splat(1.0), s.mul_add(z, s.splat(0.5), s.splat(1.0)));
    let ratio = polynomial(
        s,
        t,
        [
            0.199_479_64,
            0.199_192_72,
            0.153_457_6,
            0.020_415_8,
            0.073_372_59,
            -0.494_584_11,
            0.582_911_07,
            -0.284_147_6,
            0.049_542_803,
        ],
    );
    let ratio = s.mul(ratio, t);
    s.mul(e, ratio)
}

/// The normal distribution at `x`.
#[inline(always)]
fn normal<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let x = clamp_tail(s, x);
    let tail = normal_tail(s, x);
    let far = s.select(s.lt(x, s.splat(0.0)), tail, s.sub(s.splat(1.0), tail));
    // Near zero the odd series of Φ - ½ rounds less.
    let q = polynomial(
        s,
        s.mul(x, x),
        [
            0.398_942_3,
            -0.066_490_36,
            0.009_973_315,
            -0.001_186_301_2,
            0.000_113_450_03,
            -7.638_247_6e-6,
        ],
    );
    let near = s.mul_add(x, q, s.splat(0.5));
    s.select(s.lt(s.abs(x), s.splat(1.0)), near, far)
}

/// Where the square does not overflow; the tail is 0 long before.
#[inline(always)]
fn clamp_tail<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.max(s.splat(-20.0), s.min(s.splat(20.0), x))
}

/// `√(2/π) (x + 0.044715 x³)` twice: what the tangent form of GELU is the sigmoid of.
#[inline(always)]
fn gelu_argument<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let cubic = s.mul_add(s.mul(x, x), s.splat(0.071_354_814), s.splat(1.595_769_1));
    s.mul(x, cubic)
}

/// Makes a [`Map`] of an expression over registers.
macro_rules! maps {
    ($($name:ident { $($field:ident),* } ($s:ident, $($x:ident),+) $body:block)*) => {$(
        #[derive(Clone, Copy)]
        pub(crate) struct $name { $(pub(crate) $field: f32),* }

        impl<S: Simd> Map<S, { [$(stringify!($x)),+].len() }> for $name {
            #[inline(always)]
            fn apply(self, $s: S, x: [S::F32; { [$(stringify!($x)),+].len() }]) -> S::F32 {
                let [$($x),+] = x;
                $(let $field = $s.splat(self.$field);)*
                $body
            }
        }
    )*};
}

maps! {
    Exp {} (s, x) { exp(s, x) }
    Tanh {} (s, x) { tanh(s, x) }
    Sigmoid {} (s, x) { sigmoid(s, x) }
    // A NaN stays: zero takes the place only of what is less.
    Relu {} (s, x) { s.select(s.lt(x, s.splat(0.0)), s.splat(0.0), x) }
    LeakyRelu { slope } (s, x) { s.select(s.lt(x, s.splat(0.0)), s.mul(slope, x), x) }
    Elu { alpha } (s, x) { s.select(s.lt(x, s.splat(0.0)), s.mul(alpha, exp_m1(s, x)), x) }
    Gelu {} (s, x) { gated(s, x, normal(s, x)) }
    GeluTanh {} (s, x) { gated(s, x, sigmoid(s, gelu_argument(s, x))) }
    Silu {} (s, x) { gated(s, x, sigmoid(s, x)) }
    Softplus {} (s, x) {
        let e = exp(s, s.sub(s.splat(0.0), s.abs(x)));
        let above = s.select(s.lt(x, s.splat(0.0)), s.splat(0.0), x);
        s.add(above, ln_1p(s, e))
    }
    // Derivatives: the gradient, then what the function was given, or gave.
    ReluBackward {} (s, g, x) { s.select(s.lt(s.splat(0.0), x), g, s.splat(0.0)) }
    LeakyReluBackward { slope } (s, g, x) { s.select(s.lt(s.splat(0.0), x), g, s.mul(slope, g)) }
    EluBackward { alpha } (s, g, x) {
        let below = s.mul(s.mul(alpha, exp(s, s.min(x, s.splat(0.0)))), g);
        s.select(s.lt(s.splat(0.0), x), g, below)
    }
    SigmoidBackward {} (s, g, y) { s.mul(g, s.mul(y, s.sub(s.splat(1.0), y))) }
    TanhBackward {} (s, g, y) {
        s.mul(g, s.sub(s.splat(1.0), s.mul(y, y)))
    }
    SiluBackward {} (s, g, x) {
        let (y, rest) = sigmoid_and_rest(s, x);
        s.mul(g, s.mul_add(gated(s, x, y), rest, y))
    }
    GeluBackward {} (s, g, x) {
        let x = clamp_tail(s, x);
        let density = s.mul(exp(s, s.mul(s.mul(x, x), s.splat(-0.5))), s.splat(0.398_942_3));
        s.mul(g, s.mul_add(x, density, normal(s, x)))
    }
    GeluTanhBackward {} (s, g, x) {
        let x = clamp_tail(s, x);
        let (y, rest) = sigmoid_and_rest(s, gelu_argument(s, x));
        let inner = s.mul_add(s.mul(x, x), s.splat(0.214_064_44), s.splat(1.595_769_1));
        let slope = s.mul(s.mul(y, rest), inner);
        s.mul(g, s.mul_add(x, slope, y))
    }
    SoftplusBackward {} (s, g, x) { s.mul(g, sigmoid(s, x)) }
    SoftmaxBackward { mean } (s, g, y) { s.mul(y, s.sub(g, mean)) }
    LogSoftmaxBackward { sum } (s, g, y) { s.sub(g, s.mul(exp(s, y), sum)) }
    Shift { by } (s, x) { s.sub(x, by) }
    ExpShift { by } (s, x) { exp(s, s.sub(x, by)) }
}

/// `x · gate`, and 0 where the gate is shut even on -∞.
#[inline(always)]
fn gated<S: Simd>(s: S, x: S::F32, gate: S::F32) -> S::F32 {
    let x = s.max(s.splat(f32::MIN), x);
    s.mul(x, gate)
}

/// A function of no parameters that makes a [`Map`].
macro_rules! functions {
    ($($name:ident, $in_place:ident, $map:ident { $($field:ident),* };)*) => {$(
        #[inline(always)]
        pub(crate) fn $name<S: Simd>(s: S, x: &[f32], $($field: f32,)* out: &mut [f32]) {
            simd::map(s, $map { $($field),* }, [x], out);
        }

        #[inline(always)]
        pub(crate) fn $in_place<S: Simd>(s: S, x: &mut [f32] $(, $field: f32)*) {
            simd::update(s, $map { $($field),* }, x);
        }
    )*};
}

functions! {
    exp_to, exp_in_place, Exp {};
    tanh_to, tanh_in_place, Tanh {};
    sigmoid_to, sigmoid_in_place, Sigmoid {};
    relu_to, relu_in_place, Relu {};
    leaky_relu_to, leaky_relu_in_place, LeakyRelu { slope };
    elu_to, elu_in_place, Elu { alpha };
    gelu_to, gelu_in_place, Gelu {};
    gelu_tanh_to, gelu_tanh_in_place, GeluTanh {};
    silu_to, silu_in_place, Silu {};
    softplus_to, softplus_in_place, Softplus {};
}

/// The gradient times a derivative.
macro_rules! backward {
    ($($name:ident, $map:ident { $($field:ident),* };)*) => {$(
        #[inline(always)]
        pub(crate) fn $name<S: Simd>(s: S, gradient: &mut [f32], at: &[f32] $(, $field: f32)*) {
            simd::update_2(s, $map { $($field),* }, gradient, at);
        }
    )*};
}

backward! {
    relu_backward, ReluBackward {};
    leaky_relu_backward, LeakyReluBackward { slope };
    elu_backward, EluBackward { alpha };
    sigmoid_backward, SigmoidBackward {};
    tanh_backward, TanhBackward {};
    silu_backward, SiluBackward {};
    gelu_backward, GeluBackward {};
    gelu_tanh_backward, GeluTanhBackward {};
    softplus_backward, SoftplusBackward {};
}

#[inline(always)]
pub(crate) fn softmax<S: Simd>(s: S, x: &[f32], out: &mut [f32]) {
    let Some((_, max)) = super::reduce::min_max(s, x) else {
        // Nothing, or nothing but NaN, which stays.
        simd::map(s, Shift { by: 0.0 }, [x], out);
        return;
    };
    simd::map(s, ExpShift { by: max }, [x], out);
    let sum = super::reduce::sum(s, out);
    super::elements::scale(s, out, 1.0 / sum);
}

/// The greatest value, and the sum of exponentials of what each is below it.
#[inline(always)]
pub(crate) fn exp_sum<S: Simd>(s: S, x: &[f32]) -> (f32, f32) {
    let Some((_, max)) = super::reduce::min_max(s, x) else { return (0.0, f32::NAN) };
    (max, simd::map_sum(s, ExpShift { by: max }, x))
}

#[inline(always)]
pub(crate) fn shift<S: Simd>(s: S, x: &[f32], by: f32, out: &mut [f32]) {
    simd::map(s, Shift { by }, [x], out);
}

#[inline(always)]
pub(crate) fn softmax_backward<S: Simd>(s: S, gradient: &mut [f32], y: &[f32]) {
    use super::distance::{Dot, pair};
    use crate::simd::F32;
    let mean = pair::<S, Dot, F32, F32>(s, gradient, y);
    simd::update_2(s, SoftmaxBackward { mean }, gradient, y);
}

#[inline(always)]
pub(crate) fn log_softmax_backward<S: Simd>(s: S, gradient: &mut [f32], y: &[f32]) {
    let sum = super::reduce::sum(s, gradient);
    simd::update_2(s, LogSoftmaxBackward { sum }, gradient, y);
}
