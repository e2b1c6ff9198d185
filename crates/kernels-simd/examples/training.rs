//! One step of training: a layer's activation and its derivative, the softmax of the outputs and the
//! gradient that goes back.

use edgekit_kernels_simd::Kernels;

fn main() {
    let kernels = Kernels::get();
    let input: Vec<f32> = (0..10).map(|i| i as f32 * 0.6 - 2.7).collect();
    let mut hidden = vec![0.0; input.len()];
    kernels.gelu(&input, &mut hidden);

    let mut chances = hidden.clone();
    kernels.softmax_in_place(&mut chances);

    // Of the cross entropy with class 3: what the softmax gives, less 1 there.
    let mut gradient = chances.clone();
    gradient[3] -= 1.0;
    kernels.gelu_backward(&mut gradient, &input);

    println!("chances  {chances:.3?}\ngradient {gradient:.3?}");
}
