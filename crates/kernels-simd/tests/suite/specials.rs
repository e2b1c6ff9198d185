//! NaN, infinities, zeros and denormals at every place, in whatever becomes one value: what comes out is
//! what the same expression is in `f64`.

use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};
use half::{bf16, f16};

use super::inputs::{EPSILON, Values, assert_close, sums};

/// What a kernel makes of two vectors, what it should, and the size of the terms of that.
type Case = fn(&Kernels, &[f32], &[f32]) -> (f32, f64, f64);

const CASES: [Case; 17] = [
    |k, a, _| {
        let exact = || a.iter().map(|&x| f64::from(x));
        (k.sum(a), exact().sum(), exact().map(f64::abs).sum())
    },
    // Squared, since where squares vanish it may be off by as much as their root.
    |k, a, _| (k.norm(a).powi(2), norm(a).powi(2), 3.0 * norm(a).powi(2)),
    |k, a, _| (k.normalize(&mut a.to_vec()), norm(a), norm(a)),
    |k, a, b| dot(k.dot(a, b), a, b),
    |k, a, b| l2(k.l2_squared(a, b), a, b),
    |k, a, b| {
        let (a, b) = (shorts(a), shorts(b));
        dot(k.dot_f16(&a, &b), &a, &b)
    },
    |k, a, b| {
        let (a, b) = (shorts(a), shorts(b));
        l2(k.l2_squared_f16(&a, &b), &a, &b)
    },
    |k, a, b| {
        let (a, b) = (brains(a), brains(b));
        dot(k.dot_bf16(&a, &b), &a, &b)
    },
    |k, a, b| {
        let (a, b) = (brains(a), brains(b));
        l2(k.l2_squared_bf16(&a, &b), &a, &b)
    },
    |k, a, b| dot(k.dot_f32_f16(b, &shorts(a)), b, &shorts(a)),
    |k, a, b| l2(k.l2_squared_f32_f16(b, &shorts(a)), b, &shorts(a)),
    |k, a, b| dot(k.dot_f32_bf16(b, &brains(a)), b, &brains(a)),
    |k, a, b| l2(k.l2_squared_f32_bf16(b, &brains(a)), b, &brains(a)),
    |k, a, b| {
        let b: Vec<i8> = b.iter().map(|x| (x * 127.0) as i8).collect();
        dot(k.dot_f32_i8(a, &b), a, &b)
    },
    |k, a, b| {
        let b: Vec<i8> = b.iter().map(|x| (x * 127.0) as i8).collect();
        l2(k.l2_squared_f32_i8(a, &b), a, &b)
    },
    |k, a, b| {
        let mut got = [0.0];
        k.gemv(1.0, Matrix::new(a, 1, a.len(), a.len()), b, 0.0, &mut got);
        dot(got[0], a, b)
    },
    |k, a, b| {
        let mut got = [0.0];
        let (row, column) = (Matrix::new(a, 1, a.len(), a.len()), Matrix::new(b, b.len(), 1, 1));
        let to = MatrixMut::new(&mut got, 1, 1, 1);
        k.gemm(row, column, to, Epilogue::default(), &mut GemmScratch::default());
        dot(got[0], a, b)
    },
];

fn shorts(x: &[f32]) -> Vec<f16> {
    x.iter().map(|&x| f16::from_f32(x)).collect()
}

fn brains(x: &[f32]) -> Vec<bf16> {
    x.iter().map(|&x| bf16::from_f32(x)).collect()
}

fn norm(a: &[f32]) -> f64 {
    sums(a, a)[0].sqrt()
}

fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(got: f32, a: &[A], b: &[B]) -> (f32, f64, f64) {
    let [dot, size, _] = sums(a, b);
    (got, dot, size)
}

fn l2<A: Copy + Into<f64>, B: Copy + Into<f64>>(got: f32, a: &[A], b: &[B]) -> (f32, f64, f64) {
    let [_, _, l2] = sums(a, b);
    (got, l2, l2)
}

pub(crate) fn specials_spread_as_in_f64() {
    let mut values = Values::new(35);
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-41, 1e-38, 1e15] {
        for n in [1, 2, 5, 8, 16, 31, 33, 70] {
            for at in 0..n {
                let (mut a, b) = (values.f32s(n), values.f32s(n));
                a[at] = special;
                for case in CASES {
                    for k in Kernels::available() {
                        let (got, want, size) = case(k, &a, &b);
                        let denormal = n as f64 * 2_f64.powi(-150);
                        let bound = (n + 3) as f64 * EPSILON * size.min(1e38) + denormal;
                        assert_close(k, n, got, want, bound);
                    }
                }
            }
        }
    }
}
