//! quantize: codes against plain loops and other libraries, the integer layer against floats, what
//! stays of memory and of accuracy.

mod convert;
mod linear;
pub(super) mod python;

use edgekit_quantize::{Calibration, Format, Group, Histogram, Observer, QuantizedTensor, Scheme};

use crate::{Suite, Unit};

/// Values that are converted: 4 MiB of them.
const N: usize = 1 << 20;
/// Channels they have in the cases by channel.
const CHANNELS: usize = 256;
/// The step of codes that cover [-1.1, 1.1].
const SCALE: f32 = 0.007_812_5 * 1.1;

/// Declares what this room measures.
pub fn declare(suite: &mut Suite) {
    let python = python::Python::find(suite);
    convert::declare(suite, &python);
    linear::declare(suite, &python);
    if suite.wants("quantize/memory") || suite.wants("quantize/sqnr") {
        formats(suite);
    }
    observers(suite);
}

/// Values on a 64-byte boundary, always the same.
fn values(n: usize) -> aligned_vec::AVec<f32> {
    aligned_vec::AVec::from_iter(64, (0..n).map(|i| (i as f32 * 0.37).sin()))
}

/// Sums of uniforms are bell-shaped, as trained weights are.
fn bell(n: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| (0..6).map(|_| uniform()).sum()).collect()
}

/// A layer of 512 × 512 in each format: how many times smaller, and what signal is left.
fn formats(suite: &mut Suite) {
    let (scheme, weights) = (Scheme::Symmetric, bell(512 * 512));
    for (name, format) in [
        ("f16", Format::F16),
        ("bf16", Format::Bf16),
        ("int8", Format::Int8(scheme)),
        ("int8-per-channel", Format::Int8PerChannel { scheme, axis: 0 }),
        ("int4-32", Format::Int4 { scheme, group: Group::G32 }),
        ("int4-128", Format::Int4 { scheme, group: Group::G128 }),
    ] {
        let tensor = match QuantizedTensor::quantize(&weights, &[512, 512], format) {
            Ok(tensor) => tensor,
            Err(why) => {
                suite.check("quantize/memory", false, || why.to_string());
                continue;
            }
        };
        suite.value(format!("quantize/memory/{name}"), Unit::Ratio, tensor.compression_ratio());
        if let Ok(kept) = tensor.fidelity(&weights) {
            suite.value(format!("quantize/sqnr-db/{name}"), Unit::Ratio, kept.sqnr_db);
        }
    }
}

fn observers(suite: &mut Suite) {
    let x = values(N);
    let mut range = Observer::new(Calibration::MinMax).expect("has no settings");
    let y = x.clone();
    suite.time("quantize/observe/min-max/1M", move || range.observe(&y).is_ok());
    let mut histogram = Histogram::new();
    suite.time("quantize/observe/histogram/1M", move || histogram.observe(&x).is_ok());
}
