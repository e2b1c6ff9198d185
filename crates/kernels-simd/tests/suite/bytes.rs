//! Distances of `i8`, which every instruction set must compute exactly.

use edgekit_kernels_simd::Kernels;

use super::inputs::each_pair_of_bytes;

fn dot(a: &[i8], b: &[i8]) -> i64 {
    a.iter().zip(b).map(|(&x, &y)| i64::from(x) * i64::from(y)).sum()
}

fn l2(a: &[i8], b: &[i8]) -> i64 {
    a.iter().zip(b).map(|(&x, &y)| (i64::from(x) - i64::from(y)).pow(2)).sum()
}

pub(crate) fn dot_i8_is_exact() {
    each_pair_of_bytes(|kernels, a, b| {
        let got = i64::from(kernels.dot_i8(a, b));
        assert_eq!(got, dot(a, b), "{} n = {}", kernels.isa(), a.len());
    });
}

pub(crate) fn l2_squared_i8_is_exact() {
    each_pair_of_bytes(|kernels, a, b| {
        let got = i64::from(kernels.l2_squared_i8(a, b));
        assert_eq!(got, l2(a, b), "{} n = {}", kernels.isa(), a.len());
    });
}

/// The longest vectors of the largest values that still fit, and what happens just above.
pub(crate) fn extremes_of_i8_are_exact() {
    let (low, high) = (vec![-128_i8; 131_072], vec![127_i8; 131_072]);
    for kernels in Kernels::available() {
        let n = 131_071;
        assert_eq!(i64::from(kernels.dot_i8(&low[..n], &low[..n])), dot(&low[..n], &low[..n]));
        assert_eq!(kernels.dot_i8(&low, &low), i32::MIN, "2³¹ wraps on {}", kernels.isa());
        let n = 33_025;
        let got = i64::from(kernels.l2_squared_i8(&low[..n], &high[..n]));
        assert_eq!(got, l2(&low[..n], &high[..n]), "{}", kernels.isa());
    }
}
