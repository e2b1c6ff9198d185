//! A layer of a network in `f32`, with bias and ReLU fused.

use edgekit_kernels_simd::{Activation, Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};

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
}
