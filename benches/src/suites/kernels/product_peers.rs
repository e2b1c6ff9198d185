//! Products of `f32` matrices by faer, and by OpenBLAS, MKL and onnxruntime out of Python.

use std::process::Command;

use super::products::{SHAPES, rate};
use super::values;
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
            let id = format!("{id}/{library}");
            if !suite.wants(&id) {
                continue;
            }
            match python(module, [m, k, n]) {
                Ok(first) => {
                    // The first figure is the one measured above; asked again, it is measured again.
                    let mut measured = Some(first);
                    suite.measure(id, Unit::PerSecond, move || {
                        let again = || python(module, [m, k, n]).unwrap_or(f64::NAN);
                        measured.take().unwrap_or_else(again)
                    });
                }
                Err(why) => println!("{id} is left out: {why}"),
            }
        }
    }
}

/// Asks `benches/peers/products.py`, which `EDGEKIT_PYTHON` runs if it has numpy, torch, onnxruntime
/// and onnx; `python3` is tried otherwise.
fn python(module: &str, shape: [usize; 3]) -> Result<f64, String> {
    let interpreter = std::env::var_os("EDGEKIT_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(interpreter);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/products.py")).arg(module);
    command.args(shape.map(|size| size.to_string()));
    let output = command.output().map_err(|error| error.to_string())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        errors.lines().last().unwrap_or("it printed nothing").to_string()
    })
}
