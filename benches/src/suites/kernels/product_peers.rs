//! Products of `f32` matrices by faer, and by OpenBLAS, MKL and onnxruntime out of Python.

use super::products::{SHAPES, rate};
use super::{python, values};
use crate::{Suite, Unit};

/// What a library is called in ids, and in `benches/peers/products.py`.
const LIBRARIES: [(&str, &str); 3] =
    [("openblas", "numpy"), ("torch", "torch"), ("onnxruntime", "onnxruntime")];

pub(super) fn declare(suite: &mut Suite) {
    for (name, [m, k, n]) in SHAPES {
        let id = format!("kernels/sgemm/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let (a, b, mut c) = (values(m * k, 1), values(k * n, 2), vec![0.0_f32; m * n]);
        rate(suite, format!("{id}/faer"), 2.0 * (m * k * n) as f64, move || {
            let a = faer::MatRef::from_row_major_slice(&a, m, k);
            let b = faer::MatRef::from_row_major_slice(&b, k, n);
            let c = faer::MatMut::from_row_major_slice_mut(&mut c, m, n);
            faer::linalg::matmul::matmul(c, faer::Accum::Replace, a, b, 1.0, faer::Par::Seq);
        });
        for (library, module) in LIBRARIES {
            let args = [module.to_string()].into_iter();
            let args = args.chain([m, k, n].map(|size| size.to_string())).collect();
            let id = format!("{id}/{library}");
            python::figure(suite, &id, Unit::PerSecond, "products.py", args);
        }
    }
}
