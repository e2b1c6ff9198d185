//! A layer of a network in bytes: sums of products are exact, and become bytes of the next layer.

use edgekit_kernels_simd::{Activation, GemmScratch, Kernels, Requantize, Rows};

fn main() {
    let kernels = Kernels::get();
    let (batch, inputs, outputs) = (4, 64, 10);
    let wave = |n: usize| (0..n).map(|i| ((i as f32 * 0.3).sin() * 127.0) as i8).collect();
    let (x, w): (Vec<i8>, Vec<i8>) = (wave(batch * inputs), wave(outputs * inputs));

    // What a sum is worth, for each output; what a step of the result is worth.
    let (scales, bias) = (vec![1.0 / 127.0; outputs], vec![0.5; outputs]);
    let (activation, step, zero_point) = (Activation::Relu, 8.0, 0);
    let requantize = Requantize { scales: &scales, bias: &bias, activation, step, zero_point };

    // The weights have a row for each output.
    let (x, w) = (Rows::new(&x, inputs, inputs), Rows::new(&w, inputs, inputs));
    let mut y = vec![0; batch * outputs];
    kernels.gemm_i8_requantized(x, w, requantize, &mut y, &mut GemmScratch::default());
    println!("{:?}", &y[..outputs]);
}
