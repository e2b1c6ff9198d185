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

/// ln 2 in two parts, negative; of the first the product with an integer is exact.
const LN_2: [f32; 2] = [-0.693_359_4, 2.121_944_4e-4];

/// How many times ln 2 is in `x`.
#[inline(always)]
fn whole<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.round(s.mul(x, s.splat(core::f32::consts::LOG2_E)))
}

/// `e^r - 1` for `r` of at most half of ln 2.
#[inline(always)]
fn exp_m1_reduced<S: Simd>(s: S, r: S::F32) -> S::F32 {
    let q =
        polynomial(s, r, [0.499_999_97, 0.166_665_43, 0.041_667_2, 0.008_366_558, 0.001_388_251_4]);
    s.mul_add(s.mul(r, r), q, r)
}

/// `x = n · ln 2 + r`: `n`, and `e^r - 1`.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let n = whole(s, x);
    let r = s.mul_add(n, s.splat(LN_2[0]), x);
    (n, exp_m1_reduced(s, s.mul_add(n, s.splat(LN_2[1]), r)))
}

/// `-a`; written so that it becomes part of the operation that it is for.
#[inline(always)]
fn neg<S: Simd>(s: S, a: S::F32) -> S::F32 {
    s.sub(s.splat(-0.0), a)
}

/// `e^x`, within 2 ulp, denormal results included.
#[inline(always)]
fn exp<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Beyond this the result is infinite; a NaN in the second operand stays.
    exp_below(s, s.min(s.splat(89.0), x))
}

/// `e^x` for `x` below 89.
#[inline(always)]
fn exp_below<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Beyond this the result is 0.
    let (n, e) = reduce(s, s.max(s.splat(-104.0), x));
    s.mul_pow2(s.add(e, s.splat(1.0)), n)
}

/// `e^x - 1` for `x <= 0`, relatively exact near zero.
#[inline(always)]
fn exp_m1<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let (n, e) = reduce(s, s.max(s.splat(-80.0), x));
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
    let e = exp_below(s, neg(s, s.abs(x)));
    let above = s.select(s.lt(x, s.splat(0.0)), e, one);
    s.div(above, s.add(one, e))
}

/// The logistic function and what it lacks to 1, which a subtraction would round to nothing.
#[inline(always)]
fn sigmoid_and_rest<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let one = s.splat(1.0);
    let e = exp_below(s, neg(s, s.abs(x)));
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

/// What the normal distribution at `-z` is made of, for `z = |x|` or where it is 0 if that is less:
/// `u = z / (1 + AZ · z)` and the distribution times `1 + AZ · z`, as a factor and a power of two.
#[inline(always)]
fn normal_tail<S: Simd>(s: S, x: S::F32) -> [S::F32; 3] {
    // A NaN in the second operand stays.
    let z = s.min(s.splat(14.5), s.abs(x));
    let half = s.mul(z, s.splat(-0.5));
    let power = s.mul(half, z);
    let n = whole(s, power);
    // What rounding took off z²/2 would be multiplied by the exponential.
    let r = if S::FUSED {
        s.mul_add(half, z, s.mul(n, s.splat(LN_2[0])))
    } else {
        // The product of Dekker (1971).
        let split = s.mul(z, s.splat(4097.0));
        let high = s.sub(split, s.sub(split, z));
        let low = s.sub(z, high);
        let (half_high, half_low) = (s.mul(high, s.splat(-0.5)), s.mul(low, s.splat(-0.5)));
        let error = s.sub(s.mul(half_high, high), power);
        let error = s.add(error, s.mul(half_low, s.add(high, high)));
        s.add(s.mul_add(n, s.splat(LN_2[0]), power), s.mul_add(half_low, low, error))
    };
    let e = exp_m1_reduced(s, s.mul_add(n, s.splat(LN_2[1]), r));
    // The tail over its exponential, times this, is a polynomial of u around 1, from 0 to where the
    // tail is.
    let u = s.div(z, s.mul_add(z, s.splat(AZ), s.splat(1.0)));
    let p = polynomial(
        s,
        s.sub(u, s.splat(1.0)),
        [
            0.311_323_14,
            -0.151_414_53,
            0.037_813_034,
            -0.001_009_190_8,
            -0.001_601_712_7,
            4.704_492_3e-5,
            1.003_03e-4,
            4.883_443e-6,
            -6.566_024e-6,
        ],
    );
    [u, s.mul_add(e, p, p), n]
}

const AZ: f32 = 0.35;

/// The exact GELU: `max(x, 0) - |x| · Φ(-|x|)`, in which errors of `u` all but cancel out.
#[inline(always)]
fn gelu<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let [u, p, n] = normal_tail(s, x);
    s.mul_add(neg(s, u), s.mul_pow2(p, n), s.max(s.splat(0.0), x))
}

/// The normal distribution at `x`.
#[inline(always)]
fn normal<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let [u, p, n] = normal_tail(s, x);
    let t = s.mul_add(u, s.splat(-AZ), s.splat(1.0));
    let tail = s.mul_pow2(s.mul(t, p), n);
    s.select(s.lt(x, s.splat(0.0)), tail, s.sub(s.splat(1.0), tail))
}

/// Where the square does not overflow; the tail is 0 long before.
#[inline(always)]
fn clamp_tail<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.max(s.splat(-20.0), s.min(s.splat(20.0), x))
}

/// `√(2/π) (x + 0.044715 x³)` twice: what the tangent form of GELU is the sigmoid of.
#[inline(always)]
fn gelu_argument<S: Simd>(s: S, x: S::F32) -> S::F32 {
    let cubic = s.mul_add(s.mul(x, x), s.splat(0.071_354_814), s.splat(1.595_769));
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
    Gelu {} (s, x) { gelu(s, x) }
    GeluTanh {} (s, x) { gated(s, x, sigmoid(s, gelu_argument(s, x))) }
    Silu {} (s, x) { gated(s, x, sigmoid(s, x)) }
    Softplus {} (s, x) {
        let e = exp_below(s, neg(s, s.abs(x)));
        let above = s.select(s.lt(x, s.splat(0.0)), s.splat(0.0), x);
        s.add(above, ln_1p(s, e))
    }
    // Derivatives: the gradient, then what the function was given, or gave.
    ReluBackward {} (s, g, x) { s.select(s.lt(s.splat(0.0), x), g, s.splat(0.0)) }
    LeakyReluBackward { slope } (s, g, x) { s.select(s.lt(s.splat(0.0), x), g, s.mul(slope, g)) }
    EluBackward { alpha } (s, g, x) {
        let below = s.mul(s.mul(alpha, exp_below(s, s.min(x, s.splat(0.0)))), g);
        s.select(s.lt(s.splat(0.0), x), g, below)
    }
    SigmoidBackward {} (s, g, y) { s.mul(g, s.mul(y, s.sub(s.splat(1.0), y))) }
    TanhBackward {} (s, g, y) {
        s.mul(g, s.sub(s.splat(1.0), s.mul(y, y)))
    }
    SiluBackward {} (s, g, x) {
        // Infinite, it would meet a rest of zero. A NaN in the second operand stays.
        let x = s.min(s.splat(f32::MAX), x);
        let (y, rest) = sigmoid_and_rest(s, x);
        s.mul(g, s.mul_add(gated(s, x, y), rest, y))
    }
    GeluBackward {} (s, g, x) {
        let x = clamp_tail(s, x);
        let density = s.mul(exp_below(s, s.mul(s.mul(x, x), s.splat(-0.5))), s.splat(0.398_942_3));
        s.mul(g, s.mul_add(x, density, normal(s, x)))
    }
    GeluTanhBackward {} (s, g, x) {
        let x = clamp_tail(s, x);
        let (y, rest) = sigmoid_and_rest(s, gelu_argument(s, x));
        let inner = s.mul_add(s.mul(x, x), s.splat(0.214_064_44), s.splat(1.595_769));
        let slope = s.mul(s.mul(y, rest), inner);
        s.mul(g, s.mul_add(x, slope, y))
    }
    SoftplusBackward {} (s, g, x) { s.mul(g, sigmoid(s, x)) }
    SoftmaxBackward { mean } (s, g, y) { s.mul(y, s.sub(g, mean)) }
    LogSoftmaxBackward { sum } (s, g, y) { s.sub(g, s.mul(exp(s, y), sum)) }
    Shift { by } (s, x) { s.sub(x, by) }
    ExpShift { by } (s, x) { exp_below(s, s.sub(x, by)) }
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
    let sum = simd::map_and_sum(s, ExpShift { by: max }, x, out);
    super::elements::scale(s, out, 1.0 / sum);
}

#[inline(always)]
pub(crate) fn softmax_in_place<S: Simd>(s: S, x: &mut [f32]) {
    // Nothing, or nothing but NaN, stays.
    let Some((_, max)) = super::reduce::min_max(s, x) else { return };
    let sum = simd::update_and_sum(s, ExpShift { by: max }, x);
    super::elements::scale(s, x, 1.0 / sum);
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
pub(crate) fn shift_in_place<S: Simd>(s: S, x: &mut [f32], by: f32) {
    simd::update(s, Shift { by }, x);
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
