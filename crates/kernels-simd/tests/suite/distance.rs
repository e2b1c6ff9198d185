//! Distances of `f32` against sums in `f64`.

use edgekit_kernels_simd::Kernels;

use super::inputs::{EPSILON, Values, assert_close, each_pair};

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
}

fn magnitude(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) * f64::from(y)).abs()).sum()
}

fn l2(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
    if norms == 0.0 { 0.0 } else { dot(a, b) / norms }
}

pub(crate) fn dot_is_within_its_bound() {
    each_pair(|kernels, a: &[f32], b: &[f32]| {
        let bound = a.len() as f64 * EPSILON * magnitude(a, b);
        assert_close(kernels, a.len(), kernels.dot(a, b), dot(a, b), bound);
    });
}

pub(crate) fn l2_squared_is_within_its_bound() {
    each_pair(|kernels, a: &[f32], b: &[f32]| {
        let want = l2(a, b);
        let bound = (a.len() + 2) as f64 * EPSILON * want;
        assert_close(kernels, a.len(), kernels.l2_squared(a, b), want, bound);
    });
}

pub(crate) fn cosine_is_within_its_bound() {
    each_pair(|kernels, a: &[f32], b: &[f32]| {
        let n = a.len();
        let bound = 2.0 * (n + 3) as f64 * EPSILON;
        assert_close(kernels, n, kernels.cosine(a, b), cosine(a, b), bound);
        let (norm_a, norm_b) = (kernels.norm(a), kernels.norm(b));
        let cached = kernels.cosine_with_norms(a, b, norm_a, norm_b);
        // What is given for norms is a part of the definition.
        let norms = f64::from(norm_a) * f64::from(norm_b);
        let of_norms = |x: f64| if norms == 0.0 { 0.0 } else { x / norms };
        let bound = (n + 2) as f64 * EPSILON * of_norms(magnitude(a, b));
        let want = of_norms(dot(a, b)).clamp(-1.0, 1.0);
        assert_close(kernels, n, cached, want, bound);
        // Rounding must not take a vector's similarity with itself above 1.
        assert!(kernels.cosine(a, a) <= 1.0);
    });
}

pub(crate) fn norm_is_within_its_bound() {
    each_pair(|kernels, a: &[f32], _: &[f32]| {
        let want = dot(a, a).sqrt();
        let bound = (a.len() as f64 / 2.0 + 2.0) * EPSILON * want;
        assert_close(kernels, a.len(), kernels.norm(a), want, bound);
    });
}

pub(crate) fn special_values_spread_as_in_the_sum() {
    let specials =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-41, f32::MIN_POSITIVE];
    let mut values = Values::new(3);
    for n in (1..70).chain([127, 256, 257]) {
        for special in specials {
            // Every position, so that blocks, single registers and tails all meet it.
            for at in 0..n {
                let (mut a, b) = (values.f32s(n), values.f32s(n));
                a[at] = special;
                for kernels in Kernels::available() {
                    // A product that is denormal is rounded to a multiple of the least of them.
                    let denormal = n as f64 * 2_f64.powi(-150);
                    let bound = n as f64 * EPSILON * magnitude(&a, &b).min(1e30) + denormal;
                    assert_close(kernels, n, kernels.dot(&a, &b), dot(&a, &b), bound);
                    let want = l2(&a, &b);
                    let bound = (n + 2) as f64 * EPSILON * want.min(1e30) + denormal;
                    assert_close(kernels, n, kernels.l2_squared(&a, &b), want, bound);
                    let cosine = kernels.cosine(&a, &b);
                    assert_eq!(cosine.is_nan(), !special.is_finite(), "{cosine} for {special}");
                }
            }
        }
    }
}

pub(crate) fn zero_norms_give_zero() {
    for kernels in Kernels::available() {
        for n in 0..40 {
            let (zero, one) = (vec![0.0; n], vec![1.0; n]);
            assert_eq!(kernels.cosine(&zero, &one), 0.0);
            assert_eq!(kernels.cosine(&one, &zero), 0.0);
            assert_eq!(kernels.cosine(&zero, &zero), 0.0);
            assert_eq!(kernels.cosine_with_norms(&zero, &one, 0.0, 1.0), 0.0);
            assert_eq!(kernels.norm(&zero), 0.0);
        }
        // The product of these norms is no f32, each of them is.
        let (small, large) = ([1e-15_f32; 8], [1e15_f32; 8]);
        assert!((kernels.cosine(&small, &small) - 1.0).abs() < 1e-6);
        assert!((kernels.cosine(&large, &large) - 1.0).abs() < 1e-6);
    }
}
