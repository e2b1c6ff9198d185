//! Square layers on as many rows, and on one row: floats, integers, and other libraries' integers.

use std::hint::black_box;

use aligned_vec::AVec;
use edgekit_kernels_simd::{
    Activation, Dequantize, Epilogue, GemmScratch, Isa, Kernels, Matrix, MatrixMut, Rows,
};
use edgekit_quantize::{Affine, Fidelity, Input, LinearScratch, QuantizedLinear, Scheme};

use super::python::Python;
use super::{bell, values};
use crate::{Suite, Unit};

pub(super) fn declare(suite: &mut Suite, python: &Python) {
    for n in [256, 512, 1024] {
        layer(suite, &format!("quantize/linear/{n}"), n, n);
        python.time(suite, &format!("quantize/linear/{n}/torch"), &format!("torch/linear/{n}"));
        // The bare product; to values with bias; and of values, which become codes on the way.
        for kind in ["", "/values", "/dynamic"] {
            let id = format!("quantize/linear/{n}/onnxruntime{kind}");
            python.time(suite, &id, &format!("onnxruntime{kind}/{n}"));
        }
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
    let codes = AVec::<i8>::from_iter(64, (0..rows * n).map(|i| (i % 251) as u8 as i8));
    let map = Affine::new(0.01, 5).expect("a positive scale");
    let mut y = AVec::<f32>::from_iter(64, out);
    if rows == n {
        product(suite, &format!("{id}/product"), &codes, n);
        without_tiles(suite, &format!("{id}/codes-avx512vnni"), &codes, n);
    }
    let mut scratch = LinearScratch::default();
    suite.time(format!("{id}/codes"), move || {
        layer.run_codes(black_box(&codes), map, &mut y, &mut scratch).is_ok()
    });
}

/// What is in the middle of such a layer: sums, not values.
fn product(suite: &mut Suite, id: &str, codes: &AVec<i8>, n: usize) {
    let (kernels, codes) = (Kernels::get(), codes.clone());
    let weights = kernels.pack_weights(Rows::new(&codes, n, n));
    let mut out = AVec::<i32>::from_iter(64, std::iter::repeat_n(0, n * n));
    let mut scratch = GemmScratch::default();
    suite.time(id, move || {
        kernels.gemm_i8(Rows::new(black_box(&codes), n, n), &weights, &mut out, &mut scratch);
    });
}

/// What such a layer does, on the set of kernels that a machine without AMX has.
fn without_tiles(suite: &mut Suite, id: &str, codes: &AVec<i8>, n: usize) {
    let Some(kernels) = Kernels::for_isa(Isa::Avx512Vnni) else { return };
    if Kernels::get().isa() == Isa::Avx512Vnni || !suite.wants(id) {
        return;
    }
    let weights = kernels.pack_weights(Rows::new(codes, n, n));
    let (codes, ones, sums) = (codes.clone(), vec![1.0; n], vec![1; n]);
    let mut out = AVec::<f32>::from_iter(64, std::iter::repeat_n(0.0, n * n));
    let mut scratch = GemmScratch::default();
    suite.time(id, move || {
        let meaning = Dequantize {
            row_scales: &ones,
            zero_points: &sums,
            scales: &ones,
            code_sums: &sums,
            bias: &ones,
        };
        let (rows, relu) = (Rows::new(black_box(&codes), n, n), Activation::Relu);
        kernels.gemm_i8_dequantized(rows, &weights, meaning, relu, &mut out, &mut scratch);
    });
}
