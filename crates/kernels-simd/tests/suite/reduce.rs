//! Sums, extremes and moments against `f64`.

use edgekit_kernels_simd::Kernels;

use super::inputs::{EPSILON, Values, assert_close, each_pair};

pub(crate) fn sum_is_within_its_bound() {
    each_pair(|kernels, a: &[f32], _: &[f32]| {
        let want: f64 = a.iter().map(|&x| f64::from(x)).sum();
        let magnitude: f64 = a.iter().map(|&x| f64::from(x).abs()).sum();
        let bound = a.len() as f64 * EPSILON * magnitude;
        assert_close(kernels, a.len(), kernels.sum(a), want, bound);
    });
}

pub(crate) fn min_max_is_exact_and_passes_over_nan() {
    let want = |a: &[f32]| {
        let real = || a.iter().copied().filter(|x| !x.is_nan());
        Some((real().reduce(f32::min)?, real().reduce(f32::max)?))
    };
    each_pair(|kernels, a: &[f32], _: &[f32]| {
        assert_eq!(kernels.min_max(a), want(a), "{}", kernels.isa())
    });

    let mut values = Values::new(4);
    for n in 1..140 {
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-41, f32::MAX, f32::MIN] {
            for at in 0..n {
                let mut a = values.f32s(n);
                a[at] = special;
                for kernels in Kernels::available() {
                    assert_eq!(
                        kernels.min_max(&a),
                        want(&a),
                        "{} {special} at {at}",
                        kernels.isa()
                    );
                }
            }
            // All alike: for NaN there is neither.
            for kernels in Kernels::available() {
                let a = vec![special; n];
                assert_eq!(kernels.min_max(&a), want(&a), "{} {special}", kernels.isa());
            }
        }
    }
}

pub(crate) fn mean_variance_is_stable() {
    for kernels in Kernels::available() {
        assert_eq!(kernels.mean_variance(&[]), None);
        assert_eq!(kernels.mean_variance(&[3.0]), Some((3.0, 0.0)));
        let (mean, variance) = kernels.mean_variance(&[1.0, f32::NAN]).unwrap();
        assert!(mean.is_nan() && variance.is_nan());
    }
    each_pair(|kernels, a: &[f32], _: &[f32]| {
        if a.is_empty() {
            return;
        }
        let n = a.len() as f64;
        // A large mean must not cancel the variance.
        for shift in [0.0_f32, 1000.0] {
            let a: Vec<f32> = a.iter().map(|x| x + shift).collect();
            let mean = a.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let want = a.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
            let (got_mean, got) = kernels.mean_variance(&a).unwrap();
            let magnitude = mean.abs() + want.sqrt();
            let bound = (n + 2.0) * EPSILON * want.sqrt() + 2.0 * EPSILON * magnitude;
            assert_close(kernels, a.len(), got_mean, mean, bound);
            let rounding = EPSILON * EPSILON * magnitude * magnitude * n * n;
            assert_close(kernels, a.len(), got, want, (n + 4.0) * EPSILON * want + rounding);
        }
    });
}
