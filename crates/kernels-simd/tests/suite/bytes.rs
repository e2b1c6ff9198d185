//! Distances of bytes, which every instruction set must compute exactly.

use edgekit_kernels_simd::Kernels;

use super::inputs::{EPSILON, assert_close, each_pair, sums};

fn dot<T: Copy + Into<i64>>(a: &[T], b: &[T]) -> i64 {
    a.iter().zip(b).map(|(&x, &y)| x.into() * y.into()).sum()
}

fn l2<T: Copy + Into<i64>>(a: &[T], b: &[T]) -> i64 {
    a.iter().zip(b).map(|(&x, &y)| (x.into() - y.into()).pow(2)).sum()
}

pub(crate) fn distances_of_i8_are_exact() {
    each_pair(|kernels, a: &[i8], b: &[i8]| {
        let got = (i64::from(kernels.dot_i8(a, b)), i64::from(kernels.l2_squared_i8(a, b)));
        assert_eq!(got, (dot(a, b), l2(a, b)), "{} n = {}", kernels.isa(), a.len());
    });
}

pub(crate) fn distances_of_u8_are_exact() {
    each_pair(|kernels, a: &[u8], b: &[u8]| {
        let got = (i64::from(kernels.dot_u8(a, b)), i64::from(kernels.l2_squared_u8(a, b)));
        assert_eq!(got, (dot(a, b), l2(a, b)), "{} n = {}", kernels.isa(), a.len());
    });
}

pub(crate) fn cosines_of_bytes_are_within_their_bound() {
    fn want<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
        let norms = (sums(a, a)[0] * sums(b, b)[0]).sqrt();
        if norms == 0.0 { 0.0 } else { sums(a, b)[0] / norms }
    }
    each_pair(|kernels, a: &[i8], b: &[i8]| {
        let got = kernels.cosine_i8(a, b);
        assert_close(kernels, a.len(), got, want(a, b), 8.0 * EPSILON);
    });
    each_pair(|kernels, a: &[u8], b: &[u8]| {
        let got = kernels.cosine_u8(a, b);
        assert_close(kernels, a.len(), got, want(a, b), 8.0 * EPSILON);
    });
}

/// The longest vectors of the largest values that still fit, and what happens just above.
pub(crate) fn extremes_of_bytes_are_exact() {
    let (low, high) = (vec![-128_i8; 131_072], vec![127_i8; 131_072]);
    let (zero, most) = (vec![0_u8; 33_025], vec![255_u8; 33_025]);
    for kernels in Kernels::available() {
        let (low, high) = (&low[..131_071], &high[..33_025]);
        assert_eq!(i64::from(kernels.dot_i8(low, low)), dot(low, low), "{}", kernels.isa());
        let low = &low[..33_025];
        assert_eq!(i64::from(kernels.l2_squared_i8(low, high)), l2(low, high), "{}", kernels.isa());
        assert_eq!(i64::from(kernels.dot_i8(low, high)), dot(low, high), "{}", kernels.isa());
        assert_eq!(i64::from(kernels.dot_i8(high, low)), dot(low, high), "{}", kernels.isa());
        assert_eq!(i64::from(kernels.dot_u8(&most, &most)), dot(&most, &most));
        assert_eq!(i64::from(kernels.l2_squared_u8(&most, &zero)), l2(&most, &zero));
        assert_eq!(i64::from(kernels.l2_squared_u8(&zero, &most)), l2(&most, &zero));
    }
    for kernels in Kernels::available() {
        assert_eq!(kernels.dot_i8(&low, &low), i32::MIN, "2³¹ wraps on {}", kernels.isa());
    }
}
