//! Kernels that write a value for each they read: wherever slices begin and end, the same values come
//! out, and nothing else is written.

use std::fmt::Debug;

use edgekit_kernels_simd::Kernels;

use super::inputs::{Placed, Poison, Values};

const LONGEST: usize = 257;

/// Compares `run` of the first values, at every offset and length, with what it made of all of them;
/// `per` values become one.
fn everywhere<A: Poison, B: Poison + PartialEq + Debug>(
    name: &str,
    per: usize,
    values: &[A],
    run: impl Fn(&Kernels, &[A], &mut [B]),
) {
    // A NaN is the same as another.
    #[allow(clippy::eq_op, reason = "a NaN differs from itself")]
    let same = |a: &B, b: &B| a == b || (a != a && b != b);
    for k in Kernels::available() {
        let mut all = vec![B::POISON; LONGEST];
        run(k, &values[..per * LONGEST], &mut all);
        for n in 0..=LONGEST {
            for offset in 0..=15 {
                let from = Placed::new(&values[..per * n], offset);
                let mut to = Placed::new(&vec![B::POISON; n], 15 - offset);
                run(k, from.get(), to.get_mut());
                let right = to.get().iter().zip(&all).all(|(a, b)| same(a, b));
                assert!(right, "{name} {}: other values of {n} at {offset}", k.isa());
                let around = to.around().all(|x| same(x, &B::POISON));
                assert!(around, "{name} {}: {n} at {offset} wrote around them", k.isa());
            }
        }
    }
}

/// Values over many magnitudes, with specials among them.
fn floats() -> Vec<f32> {
    const SPECIAL: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-41, 1e30];
    let mut values = Values::new(31);
    let mut value = |i: usize| match i % 11 {
        7 => SPECIAL[i / 11 % SPECIAL.len()],
        _ => values.f32() * 10_f32.powi(i as i32 % 5 - 2),
    };
    (0..LONGEST).map(&mut value).collect()
}

pub(crate) fn activations_are_the_same_everywhere() {
    type To = fn(&Kernels, &[f32], &mut [f32]);
    let all: [(&str, To); 21] = [
        ("exp", Kernels::exp),
        ("tanh", Kernels::tanh),
        ("sigmoid", Kernels::sigmoid),
        ("relu", Kernels::relu),
        ("leaky_relu", |k, x, out| k.leaky_relu(x, 0.1, out)),
        ("elu", |k, x, out| k.elu(x, 0.7, out)),
        ("gelu", Kernels::gelu),
        ("gelu_tanh", Kernels::gelu_tanh),
        ("silu", Kernels::silu),
        ("softplus", Kernels::softplus),
        ("relu_backward", |k, x, out| backward(out, |g| k.relu_backward(g, x))),
        ("leaky_relu_backward", |k, x, out| backward(out, |g| k.leaky_relu_backward(g, x, 0.1))),
        ("elu_backward", |k, x, out| backward(out, |g| k.elu_backward(g, x, 0.7))),
        ("sigmoid_backward", |k, x, out| backward(out, |g| k.sigmoid_backward(g, x))),
        ("tanh_backward", |k, x, out| backward(out, |g| k.tanh_backward(g, x))),
        ("silu_backward", |k, x, out| backward(out, |g| k.silu_backward(g, x))),
        ("gelu_backward", |k, x, out| backward(out, |g| k.gelu_backward(g, x))),
        ("gelu_tanh_backward", |k, x, out| backward(out, |g| k.gelu_tanh_backward(g, x))),
        ("softplus_backward", |k, x, out| backward(out, |g| k.softplus_backward(g, x))),
        ("clamp", |k, x, out| {
            out.copy_from_slice(x);
            k.clamp(out, -0.5, 2.0);
        }),
        ("scale", |k, x, out| {
            out.copy_from_slice(x);
            k.scale(out, 1.7);
        }),
    ];
    let values = floats();
    for (name, to) in all {
        everywhere::<f32, f32>(name, 1, &values, to);
    }
}

fn backward(gradient: &mut [f32], f: impl FnOnce(&mut [f32])) {
    gradient.fill(3.0);
    f(gradient);
}

pub(crate) fn codes_are_the_same_everywhere() {
    let values = floats();
    everywhere::<f32, i8>("quantize_i8", 1, &values, |k, x, out| k.quantize_i8(x, 3.0, -5, out));
    everywhere::<f32, u8>("quantize_u8", 1, &values, |k, x, out| k.quantize_u8(x, 3.0, 9, out));
    let codes: Vec<u8> = Values::new(32).of(LONGEST);
    everywhere::<u8, f32>("dequantize_u8", 1, &codes, |k, x, out| {
        k.dequantize_u8(x, 0.1, 9, out);
    });
    let codes: Vec<i8> = Values::new(33).of(LONGEST);
    everywhere::<i8, f32>("dequantize_i8", 1, &codes, |k, x, out| {
        k.dequantize_i8(x, 0.1, 9, out);
    });
}

pub(crate) fn pixels_are_the_same_everywhere() {
    let pixels: Vec<u8> = Values::new(34).of(4 * LONGEST);
    everywhere::<u8, u8>("rgba_to_gray", 4, &pixels, Kernels::rgba_to_gray);
    everywhere::<u8, u8>("rgb_to_gray", 3, &pixels, Kernels::rgb_to_gray);
    everywhere::<u8, u8>("threshold", 1, &pixels, |k, x, out| k.threshold(x, 127, out));
    everywhere::<u8, f32>("normalize_u8", 1, &pixels, |k, x, out| {
        k.normalize_u8(x, 0.485, 0.229, out);
    });
}
