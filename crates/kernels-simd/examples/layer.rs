//! A layer of a network in `f32` with bias and ReLU fused, and the same in bytes.

use edgekit_kernels_simd::{
    Activation, Epilogue, GemmScratch, Kernels, Matrix, MatrixMut, Requantize, Rows,
};

fn main() {
    let kernels = Kernels::get();
    let (batch, inputs, outputs) = (4, 64, 10);
    let x: Vec<f32> = (0..batch * inputs).map(|i| (i as f32 * 0.3).sin()).collect();
    let w: Vec<f32> = (0..outputs * inputs).map(|i| (i as f32 * 0.7).cos() / 8.0).collect();
    let (bias, mut y) = (vec![0.1; outputs], vec![0.0; batch * outputs]);
    let mut scratch = GemmScratch::default();

    // The weights have a row for each output: the product is with their transpose.
    let a = Matrix::new(&x, batch, inputs, inputs);
    let b = Matrix::new(&w, outputs, inputs, inputs).transposed();
    let epilogue =
        Epilogue { bias: Some(&bias), activation: Activation::Relu, ..Epilogue::default() };
    kernels.gemm(a, b, MatrixMut::new(&mut y, batch, outputs, outputs), epilogue, &mut scratch);
    let mut chances = vec![0.0; outputs];
    kernels.softmax(&y[..outputs], &mut chances);
    println!("{chances:.3?}");

    let bytes = |x: &[f32]| -> Vec<i8> { x.iter().map(|x| (x * 127.0) as i8).collect() };
    let (qx, qw) = (bytes(&x), bytes(&w));
    let (scales, zeros) = (vec![1.0 / 127.0; outputs], vec![0.0; outputs]);
    let requantize = Requantize {
        scales: &scales,
        bias: &zeros,
        activation: Activation::Identity,
        step: 1.0,
        zero_point: 0,
    };
    let mut qy = vec![0; batch * outputs];
    let (a, b) = (Rows::new(&qx, inputs, inputs), Rows::new(&qw, inputs, inputs));
    kernels.gemm_i8_requantized(a, b, requantize, &mut qy, &mut scratch);
    println!("{:?}", &qy[..outputs]);
}
