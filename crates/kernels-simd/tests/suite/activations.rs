//! Activations over all of the range of `f32`, tails, denormals and NaN included, against `f64`.

use edgekit_kernels_simd::Kernels;

use super::inputs::{EPSILON, Values};

/// Evenly over all bit patterns, densely over where the functions bend, and the specials.
fn inputs() -> Vec<f32> {
    let mut x: Vec<f32> = (0..=u32::MAX).step_by(65_521).map(f32::from_bits).collect();
    x.extend((-4000..4000).map(|i| i as f32 / 40.0));
    x.extend((-20_000..20_000).map(|i| i as f32 / 10_007.0));
    x.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN]);
    x.extend([
        1e-41,
        -1e-41,
        f32::MIN_POSITIVE,
        88.72,
        88.73,
        -87.4,
        -103.9,
        -104.1,
        0.625,
        -0.625,
    ]);
    x
}

/// How many units in the last place `got` is from `want`.
fn ulps(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got == rounded || (got.is_nan() && want.is_nan()) {
        return 0.0;
    }
    if got.is_infinite() || rounded.is_infinite() {
        // The largest finite value is one step from infinity.
        return if got.abs() == f32::MAX || rounded.abs() == f32::MAX {
            1.0
        } else {
            f64::INFINITY
        };
    }
    let exponent = (want.abs().max(f64::from(f32::MIN_POSITIVE))).log2().floor() as i32;
    (f64::from(got) - want).abs() / 2_f64.powi(exponent - 23)
}

type To = fn(&Kernels, &[f32], &mut [f32]);
type InPlace = fn(&Kernels, &mut [f32]);

/// The error of `f` in units in the last place of the exact result, or of what `unit` says.
fn check(name: &str, bound: f64, to: To, in_place: InPlace, exact: fn(f64) -> f64) {
    check_in(name, bound, to, in_place, exact, |_, want| want);
}

fn check_in(
    name: &str,
    bound: f64,
    to: To,
    in_place: InPlace,
    exact: fn(f64) -> f64,
    unit: fn(f64, f64) -> f64,
) {
    let x = inputs();
    for kernels in Kernels::available() {
        let mut out = vec![7.0; x.len()];
        to(kernels, &x, &mut out);
        let mut worst = (0.0, 0.0, 0.0);
        for (&x, &got) in x.iter().zip(&out) {
            let want = exact(f64::from(x));
            let mut error = ulps(got, want);
            let unit = unit(f64::from(x), want).abs().max(f64::from(f32::MIN_POSITIVE));
            if error > 0.0 && error.is_finite() && unit.is_finite() && unit > want.abs() {
                error = (f64::from(got) - want).abs() / 2_f64.powi(unit.log2().floor() as i32 - 23);
            }
            if error > worst.0 || error.is_nan() {
                worst = (error, x, got);
            }
        }
        let (error, at, got) = worst;
        println!("{name} {}: {error:.2} ulp at {at:e}", kernels.isa());
        assert!(error <= bound, "{name} {}: {error} ulp at {at:e}: {got:e}", kernels.isa());

        // In place, and at every length, it is the same function.
        for n in (0..70).chain([257]) {
            let mut copy = x[x.len() - n..].to_vec();
            in_place(kernels, &mut copy);
            let want = &out[out.len() - n..];
            let same = copy.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan());
            assert!(same, "{name} {} in place, {n}", kernels.isa());
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

fn gelu_tanh(x: f64) -> f64 {
    gated(x, sigmoid((8.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)))
}

/// A shut gate lets nothing through, not even an infinity.
fn gated(x: f64, gate: f64) -> f64 {
    if gate == 0.0 { 0.0 } else { x * gate }
}

pub(crate) fn exponentials_are_within_their_ulps() {
    type K = Kernels;
    check("exp", 2.0, K::exp, K::exp_in_place, f64::exp);
    check("tanh", 4.0, K::tanh, K::tanh_in_place, f64::tanh);
    check("sigmoid", 4.0, K::sigmoid, K::sigmoid_in_place, sigmoid);
    // Where the gate is denormal, its last place counts as many times as x is large.
    let gate = |x: f64, want: f64| want.abs().max(x.abs() * f64::from(f32::MIN_POSITIVE));
    check_in("silu", 4.0, K::silu, K::silu_in_place, |x| gated(x, sigmoid(x)), gate);
    check_in("gelu", 4.0, K::gelu, K::gelu_in_place, |x| gated(x, normal(x)), gate);
    check_in("gelu_tanh", 4.0, K::gelu_tanh, K::gelu_tanh_in_place, gelu_tanh, |x, _| x);
    check("softplus", 4.0, K::softplus, K::softplus_in_place, |x| {
        if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
    });
    check(
        "elu",
        4.0,
        |k, x, out| k.elu(x, 1.0, out),
        |k, x| k.elu_in_place(x, 1.0),
        |x| if x < 0.0 { x.exp_m1() } else { x },
    );
}

pub(crate) fn relus_are_exact() {
    let relu = |x: f64| if x < 0.0 { 0.0 } else { x };
    check("relu", 0.0, Kernels::relu, Kernels::relu_in_place, relu);
    check(
        "leaky_relu",
        0.0,
        |k, x, out| k.leaky_relu(x, 0.25, out),
        |k, x| k.leaky_relu_in_place(x, 0.25),
        |x| if x < 0.0 { 0.25 * x } else { x },
    );
}

pub(crate) fn softmax_is_within_its_bound() {
    let mut values = Values::new(13);
    let mut inputs = vec![vec![64.0, -19.86], vec![0.0, -100.0], vec![-19.86; 3]];
    for n in (0..100).chain([1000]) {
        for scale in [1.0_f32, 40.0, 100.0, 1e30] {
            inputs.push(values.f32s(n).iter().map(|x| x * scale).collect());
        }
    }
    for x in inputs {
        let n = x.len();
        let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = x.iter().map(|&x| (f64::from(x) - f64::from(max)).exp()).sum();
        for k in Kernels::available() {
            let (mut soft, mut log) = (vec![7.0; n], vec![7.0; n]);
            k.softmax(&x, &mut soft);
            k.log_softmax(&x, &mut log);
            let (mut soft_in_place, mut log_in_place) = (x.clone(), x.clone());
            k.softmax_in_place(&mut soft_in_place);
            k.log_softmax_in_place(&mut log_in_place);
            assert!(soft_in_place == soft && log_in_place == log, "{} {n} in place", k.isa());
            for i in 0..n {
                let below = f64::from(x[i]) - f64::from(max);
                let want = below.exp() / sum;
                let bound = (n as f64 + 16.0 - below) * EPSILON * want + 2_f64.powi(-147);
                let near = (f64::from(soft[i]) - want).abs() <= bound;
                assert!(near, "{}: {} instead of {want}", k.isa(), soft[i]);
                let want = below - sum.ln();
                let bound = (n as f64 + 16.0 - 2.0 * below) * EPSILON;
                let near = (f64::from(log[i]) - want).abs() <= bound;
                assert!(near, "{}: {} instead of {want}", k.isa(), log[i]);
            }
        }
    }
    for k in Kernels::available() {
        let mut out = [7.0; 3];
        k.softmax(&[f32::NEG_INFINITY, 0.0, 0.0], &mut out);
        assert_eq!(out, [0.0, 0.5, 0.5]);
        k.softmax(&[f32::NAN, 0.0, 0.0], &mut out);
        assert!(out.iter().all(|x| x.is_nan()), "{}: {out:?}", k.isa());
    }
}

/// Each derivative against a difference quotient of the function itself.
pub(crate) fn derivatives_are_slopes() {
    let x: Vec<f32> = (-400..400).map(|i| (i as f32 + 0.5) / 40.0).collect();
    type Exact = fn(f64) -> f64;
    type Backward = fn(&Kernels, &mut [f32], &[f32], &[f32]);
    let all: [(&str, Exact, Backward); 9] = [
        ("relu", |x| x.max(0.0), |k, g, x, _| k.relu_backward(g, x)),
        (
            "leaky_relu",
            |x| if x < 0.0 { 0.25 * x } else { x },
            |k, g, x, _| k.leaky_relu_backward(g, x, 0.25),
        ),
        (
            "elu",
            |x| if x < 0.0 { 0.5 * x.exp_m1() } else { x },
            |k, g, x, _| k.elu_backward(g, x, 0.5),
        ),
        ("sigmoid", sigmoid, |k, g, _, y| k.sigmoid_backward(g, y)),
        ("tanh", f64::tanh, |k, g, _, y| k.tanh_backward(g, y)),
        ("silu", |x| x * sigmoid(x), |k, g, x, _| k.silu_backward(g, x)),
        ("gelu", |x| x * normal(x), |k, g, x, _| k.gelu_backward(g, x)),
        ("gelu_tanh", gelu_tanh, |k, g, x, _| k.gelu_tanh_backward(g, x)),
        ("softplus", |x| x.exp().ln_1p(), |k, g, x, _| k.softplus_backward(g, x)),
    ];
    for (name, f, backward) in all {
        let y: Vec<f32> = x.iter().map(|&x| f(f64::from(x)) as f32).collect();
        for k in Kernels::available() {
            let mut gradient = vec![3.0; x.len()];
            backward(k, &mut gradient, &x, &y);
            for (&x, &got) in x.iter().zip(&gradient) {
                let (x, h) = (f64::from(x), 1e-6);
                let want = 3.0 * (f(x + h) - f(x - h)) / (2.0 * h);
                let near = (f64::from(got) - want).abs() < 3.0 * 1.5e-6;
                assert!(near, "{name} {} at {x}: {got} instead of {want}", k.isa());
            }
        }
    }
}

pub(crate) fn softmax_derivatives_are_slopes() {
    let mut values = Values::new(14);
    for n in [1, 2, 5, 16, 33] {
        let (x, g) = (values.f32s(n), values.f32s(n));
        // The loss Σ g · softmax(x), in f64, and its slopes.
        let loss = |x: &[f64], log: bool| -> f64 {
            let sum: f64 = x.iter().map(|x| x.exp()).sum();
            let y = x.iter().map(|x| if log { x - sum.ln() } else { x.exp() / sum });
            y.zip(&g).map(|(y, &g)| y * f64::from(g)).sum()
        };
        for k in Kernels::available() {
            for log in [false, true] {
                let (mut y, mut gradient) = (vec![0.0; n], g.clone());
                if log {
                    k.log_softmax(&x, &mut y);
                    k.log_softmax_backward(&mut gradient, &y);
                } else {
                    k.softmax(&x, &mut y);
                    k.softmax_backward(&mut gradient, &y);
                }
                for i in 0..n {
                    let at = |h: f64| {
                        let mut x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                        x[i] += h;
                        loss(&x, log)
                    };
                    let want = (at(1e-6) - at(-1e-6)) / 2e-6;
                    let near = (f64::from(gradient[i]) - want).abs() < 1e-5;
                    assert!(near, "{}: {} instead of {want}", k.isa(), gradient[i]);

                    // And of what it was given, within its bound.
                    let exact = |i: usize| (f64::from(g[i]), f64::from(y[i]));
                    let (gi, yi) = exact(i);
                    let terms = || (0..n).map(exact).map(|(g, y)| if log { g } else { g * y });
                    let (sum, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                    let (want, bound) = if log {
                        (gi - yi.exp() * sum, (n + 6) as f64 * (gi.abs() + yi.exp() * size))
                    } else {
                        (yi * (gi - sum), (n + 2) as f64 * yi * (gi.abs() + size))
                    };
                    let near = (f64::from(gradient[i]) - want).abs() <= bound * EPSILON;
                    assert!(near, "{}: {} instead of {want}", k.isa(), gradient[i]);
                }
            }
        }
    }
}

/// `x` times what is 0 long before `x` overflows.
fn vanishing(x: f64, factor: f64) -> f64 {
    if factor == 0.0 { 0.0 } else { x * factor }
}

/// Over all of the range, against the derivatives themselves, and at every length.
pub(crate) fn derivatives_are_within_their_bound() {
    const GRADIENT: f32 = 3.0;
    // So many ulp, or so many ε of the gradient.
    fn ulps<const N: usize>(want: f64) -> f64 {
        let exponent = want.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32;
        N as f64 * 2_f64.powi(exponent - 23)
    }
    fn absolute<const N: usize>(_: f64) -> f64 {
        N as f64 * EPSILON * f64::from(GRADIENT)
    }
    type Forward = fn(f64) -> f64;
    type Backward = fn(&Kernels, &mut [f32], &[f32]);
    type Case = (&'static str, Forward, Forward, fn(f64) -> f64, Backward, f32);
    // What it is given of x, its exact result for that, the bound, and what becomes of a NaN.
    let all: [Case; 9] = [
        ("relu", |x| x, |x| f64::from(x > 0.0), ulps::<0>, |k, g, x| k.relu_backward(g, x), 0.0),
        (
            "leaky_relu",
            |x| x,
            |x| if x > 0.0 { 1.0 } else { 0.25 },
            ulps::<0>,
            |k, g, x| k.leaky_relu_backward(g, x, 0.25),
            0.25,
        ),
        (
            "elu",
            |x| x,
            |x| if x > 0.0 { 1.0 } else { 0.5 * x.exp() },
            ulps::<4>,
            |k, g, x| k.elu_backward(g, x, 0.5),
            0.5,
        ),
        (
            "sigmoid",
            sigmoid,
            |y| y * (1.0 - y),
            ulps::<3>,
            |k, g, y| k.sigmoid_backward(g, y),
            f32::NAN,
        ),
        (
            "tanh",
            f64::tanh,
            |y| 1.0 - y * y,
            absolute::<3>,
            |k, g, y| k.tanh_backward(g, y),
            f32::NAN,
        ),
        (
            "silu",
            |x| x,
            |x| sigmoid(x) + vanishing(x, sigmoid(x) * sigmoid(-x)),
            absolute::<6>,
            |k, g, x| k.silu_backward(g, x),
            f32::NAN,
        ),
        (
            "gelu",
            |x| x,
            |x| {
                normal(x) + vanishing(x, (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt())
            },
            absolute::<6>,
            |k, g, x| k.gelu_backward(g, x),
            f32::NAN,
        ),
        (
            "gelu_tanh",
            |x| x,
            |x| {
                let scale = (8.0 / std::f64::consts::PI).sqrt();
                let y = sigmoid(scale * (x + 0.044715 * x * x * x));
                let inner = scale * (1.0 + 3.0 * 0.044715 * x * x);
                y + vanishing(x * inner, y * (1.0 - y))
            },
            absolute::<8>,
            |k, g, x| k.gelu_tanh_backward(g, x),
            f32::NAN,
        ),
        ("softplus", |x| x, sigmoid, ulps::<4>, |k, g, x| k.softplus_backward(g, x), f32::NAN),
    ];
    let x = inputs();
    for (name, given, exact, allowed, backward, of_nan) in all {
        let at: Vec<f32> = x.iter().map(|&x| given(f64::from(x)) as f32).collect();
        for k in Kernels::available() {
            let mut gradient = vec![GRADIENT; at.len()];
            backward(k, &mut gradient, &at);
            let mut worst = (0.0, 0.0, 0.0);
            for (&at, &got) in at.iter().zip(&gradient) {
                if at.is_nan() {
                    let want = GRADIENT * of_nan;
                    let same = got == want || got.is_nan() && want.is_nan();
                    assert!(same, "{name} {}: {got} of NaN", k.isa());
                    continue;
                }
                let want = f64::from(GRADIENT) * exact(f64::from(at));
                let off = (f64::from(got) - want).abs() / allowed(want).max(1e-300);
                if off > worst.0 || off.is_nan() {
                    worst = (off, at, got);
                }
            }
            let (off, place, got) = worst;
            println!("{name} {}: {off:.2} of the bound at {place:e}", k.isa());
            assert!(off <= 1.0, "{name} {}: {off} of the bound at {place:e}: {got:e}", k.isa());

            for n in 0..=70 {
                let mut some = vec![GRADIENT; n];
                backward(k, &mut some, &at[at.len() - n..]);
                let want = &gradient[at.len() - n..];
                let same =
                    some.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan());
                assert!(same, "{name} {}: another result of {n} values", k.isa());
            }
        }
    }
}
