//! One batch of Q-learning, checked before it is kept.

use edgekit_kernels_simd::Kernels;

fn main() {
    let kernels = Kernels::get();
    let mut q = vec![0.5; 100];
    let rewards: Vec<f32> = (0..100).map(|i| (i % 7) as f32 / 7.0).collect();
    let next = vec![0.9; 100];
    kernels.q_update(&mut q, &rewards, &next, 0.1, 0.95);

    // NaN in a value or in a bound counts as a violation.
    let (low, high) = (vec![0.0; 100], vec![20.0; 100]);
    let mut mask = [0; 2];
    let bad = kernels.violations(&q, &low, &high, &mut mask);

    let mut average = vec![0.5; 100];
    kernels.ema(&mut average, &q, 0.01);
    let (mean, variance) = kernels.mean_variance(&q).expect("a hundred values");
    println!("{bad} out of range; mean {mean:.4}, variance {variance:.6}");
    println!("best action {:?}; average {:.5}", kernels.argmax(&q), average[6]);
}
