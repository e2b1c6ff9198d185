//! The rivals in C: simsimd and numkong, on the same vectors.

use std::hint::black_box;

use super::{bytes, values};
use crate::Suite;

pub(super) fn declare(suite: &mut Suite) {
    for n in [16, 31, 100, 128, 384, 768, 4096] {
        if !suite.wants(&format!("kernels/dot/{n}")) {
            continue;
        }
        use simsimd::SpatialSimilarity;
        let (a, b) = (values(n, 1), values(n, 2));
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/dot/{n}/simsimd"), move || {
            f32::dot(black_box(&x), black_box(&y))
        });
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/l2/{n}/simsimd"), move || {
            f32::sqeuclidean(black_box(&x), black_box(&y))
        });
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/cosine/{n}/simsimd"), move || {
            f32::cosine(black_box(&x), black_box(&y))
        });
        let (x, y) = (bytes(n, 1), bytes(n, 2));
        suite.time(format!("kernels/dot-i8/{n}/simsimd"), move || {
            i8::dot(black_box(&x), black_box(&y))
        });
    }
}
