//! Square layers on as many rows, and on one row: floats, integers, and other libraries' integers.

use std::hint::black_box;

use edgekit_kernels_simd::{Activation, Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};
use edgekit_quantize::{Affine, Fidelity, Input, LinearScratch, QuantizedLinear, Scheme};

use super::python::Python;
use super::{bell, values};
use crate::{Suite, Unit};

pub(super) fn declare(suite: &mut Suite, python: &Python) {
    for n in [256, 512, 1024] {
        layer(suite, &format!("quantize/linear/{n}"), n, n);
        python.time(suite, &format!("quantize/linear/{n}/torch"), &format!("torch/linear/{n}"));
        let rival = format!("onnxruntime/{n}");
        python.time(suite, &format!("quantize/linear/{n}/onnxruntime"), &rival);
    }
    layer(suite, "quantize/linear/one-row-1024", 1, 1024);
    layer(suite, "quantize/linear/full/32-rows-1024", 32, 1024);
}

fn layer(suite: &mut Suite, id: &str, rows: usize, n: usize) {
    if !suite.wants(id) {
        return;
    }
    let (weights, bias) = (bell(n * n), vec![0.1; n]);
    let x = values(rows * n);
    let layer = match QuantizedLinear::new(&weights, n, &bias, Activation::Relu) {
        Ok(layer) => layer,
        Err(why) => return suite.check(id, false, || why.to_string()),
    };
    // In floats the better way round of each: a row against rows, or a product of matrices.
    let mut floats = {
        let (weights, bias, x) = (weights, bias, x.clone());
        let mut scratch = GemmScratch::default();
        move |out: &mut [f32]| {
            let weights = Matrix::new(&weights, n, n, n);
            if rows == 1 {
                out.copy_from_slice(&bias);
                Kernels::get().gemv(1.0, weights, black_box(&x), 1.0, out);
                return Kernels::get().relu_in_place(out);
            }
            let (bias, activation) = (Some(&bias[..]), Activation::Relu);
            let epilogue = Epilogue { bias, activation, ..Epilogue::default() };
            let x = Matrix::new(black_box(&x), rows, n, n);
            let out = MatrixMut::new(out, rows, n, n);
            Kernels::get().gemm(x, weights.transposed(), out, epilogue, &mut scratch);
        }
    };
    let (mut exact, mut out) = (vec![0.0; rows * n], vec![0.0; rows * n]);
    floats(&mut exact);
    let (input, mut scratch) = (Input::Dynamic(Scheme::Asymmetric), LinearScratch::default());
    let ran = layer.run(&x, input, &mut out, &mut scratch);
    match ran.and_then(|()| Fidelity::between(&exact, &out)) {
        Ok(kept) => {
            let near = kept.sqnr_db > 35.0;
            suite.check(id, near, || format!("{kept:?} against the layer in floats"));
            suite.value(format!("{id}/sqnr-db"), Unit::Ratio, kept.sqnr_db);
        }
        Err(why) => suite.check(id, false, || why.to_string()),
    }
    let mut y = out.clone();
    suite.time(format!("{id}/f32"), move || floats(&mut y));
    let (again, mut y) = (layer.clone(), out.clone());
    suite.time(format!("{id}/dynamic"), move || {
        again.run(black_box(&x), input, &mut y, &mut scratch).is_ok()
    });
    let codes = vec![3_i8; rows * n];
    let map = Affine::new(0.01, 5).expect("a positive scale");
    let (mut y, mut scratch) = (out, LinearScratch::default());
    suite.time(format!("{id}/codes"), move || {
        layer.run_codes(black_box(&codes), map, &mut y, &mut scratch).is_ok()
    });
}
