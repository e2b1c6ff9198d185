//! A million values to codes and back.

use std::hint::black_box;

use aligned_vec::AVec;
use edgekit_kernels_simd::Kernels;
use edgekit_quantize::{Affine, CodeBits, PerChannel, ScalarCodec};
use half::{bf16, f16};

use super::python::Python;
use super::{CHANNELS, N, SCALE, values};
use crate::Suite;

pub(super) fn declare(suite: &mut Suite, python: &Python) {
    if suite.wants("quantize/values") {
        python.check_codes(suite);
    }
    per_tensor(suite, python);
    per_channel(suite, python);
    back(suite, python);
    narrow(suite, python);
    search_codes(suite, python);
}

fn room<T: Clone>(value: T, n: usize) -> AVec<T> {
    AVec::from_iter(64, std::iter::repeat_n(value, n))
}

fn map() -> Affine {
    Affine::new(SCALE, 0).expect("a positive scale")
}

fn per_tensor(suite: &mut Suite, python: &Python) {
    for (name, n) in [("1M", N), ("4096", 4096), ("100", 100)] {
        let id = format!("quantize/per-tensor/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let x = values(n);
        let (mut ours, mut plain) = (room(0_i8, n), room(0_i8, n));
        map().quantize(&x, &mut ours);
        naive(&x, &mut plain);
        // The plain loop rounds halves away from zero and divides; nearly all codes are the same.
        let off = ours.iter().zip(&*plain).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        suite.check(&id, off == 0, || format!("{off} codes are off by more than one"));
        let y = x.clone();
        suite.time(format!("{id}/naive"), move || naive(black_box(&y), &mut plain));
        suite.time(format!("{id}/ours"), move || map().quantize(black_box(&x), &mut ours));
    }
    python.time(suite, "quantize/per-tensor/1M/torch", "torch/per-tensor");
    python.time(suite, "quantize/per-tensor/1M/numpy", "numpy/per-tensor");
}

/// What one writes first.
fn naive(x: &[f32], codes: &mut [i8]) {
    let scale = black_box(SCALE);
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (x / scale).round() as i8;
    }
}

fn per_channel(suite: &mut Suite, python: &Python) {
    let maps = vec![map(); CHANNELS];
    for (name, run) in [("axis-0", N / CHANNELS), ("axis-1", 1)] {
        let id = format!("quantize/per-channel/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let (x, mut codes) = (values(N), room(0_i8, N));
        let channels = PerChannel::new(&maps, run).expect("channels and runs");
        suite.time(format!("{id}/ours"), move || channels.quantize(black_box(&x), &mut codes));
        let (x, mut codes, scales) = (values(N), room(0_i8, N), vec![SCALE; CHANNELS]);
        suite.time(format!("{id}/naive"), move || {
            for (i, (code, x)) in codes.iter_mut().zip(black_box(&*x)).enumerate() {
                *code = (x / scales[i / run % CHANNELS]).round() as i8;
            }
        });
        python.time(suite, &format!("{id}/torch"), &format!("torch/{name}"));
    }
}

/// Back to floats, beside copying as many of them: both write the same bytes.
fn back(suite: &mut Suite, python: &Python) {
    let id = "quantize/dequantize/1M";
    if !suite.wants(id) {
        return;
    }
    let (x, mut codes, mut out) = (values(N), room(0_i8, N), room(0.0_f32, N));
    map().quantize(&x, &mut codes);
    let packed = AVec::<u8>::from_iter(64, (0..N / 2).map(|i| i as u8));
    let (half, mut y) = (codes.clone(), out.clone());
    suite.time(format!("{id}/naive"), move || {
        for (y, code) in y.iter_mut().zip(black_box(&*half)) {
            *y = SCALE * f32::from(*code);
        }
    });
    let mut y = out.clone();
    suite.time(format!("{id}/copy"), move || y.copy_from_slice(black_box(&x)));
    let mut y = out.clone();
    suite.time(format!("{id}/ours"), move || map().dequantize(black_box(&codes), &mut y));
    suite.time(format!("{id}/int4"), move || {
        Kernels::get().dequantize_u4(black_box(&packed), SCALE, 8, &mut out);
    });
    python.time(suite, &format!("{id}/torch"), "torch/dequantize");
}

fn narrow(suite: &mut Suite, python: &Python) {
    let kernels = Kernels::get();
    if suite.wants("quantize/int4") {
        let (x, mut packed) = (values(N), room(0_u8, N / 2));
        suite.time("quantize/int4/1M/ours", move || {
            kernels.quantize_u4(black_box(&x), 1.0 / SCALE, 8, &mut packed);
        });
        let (x, mut packed) = (values(N), room(0_u8, N / 2));
        suite.time("quantize/int4/1M/naive", move || {
            let code = |x: f32| ((x / SCALE).round() + 8.0).clamp(0.0, 15.0) as u8;
            for (byte, pair) in packed.iter_mut().zip(black_box(&*x).as_chunks::<2>().0) {
                *byte = code(pair[0]) | code(pair[1]) << 4;
            }
        });
    }
    if suite.wants("quantize/f16") {
        let (x, mut out) = (values(N), room(f16::ZERO, N));
        suite.time("quantize/f16/1M/ours", move || kernels.narrow_f16(black_box(&x), &mut out));
        let (x, mut out) = (values(N), room(f16::ZERO, N));
        suite.time("quantize/f16/1M/half", move || {
            half::slice::HalfFloatSliceExt::convert_from_f32_slice(&mut *out, black_box(&x));
        });
        python.time(suite, "quantize/f16/1M/torch", "torch/f16");
    }
    if suite.wants("quantize/bf16") {
        let (x, mut out) = (values(N), room(bf16::ZERO, N));
        suite.time("quantize/bf16/1M/ours", move || kernels.narrow_bf16(black_box(&x), &mut out));
        let (x, mut out) = (values(N), room(bf16::ZERO, N));
        suite.time("quantize/bf16/1M/half", move || {
            half::slice::HalfFloatSliceExt::convert_from_f32_slice(&mut *out, black_box(&x));
        });
        python.time(suite, "quantize/bf16/1M/torch", "torch/bf16");
    }
}

/// 8,192 vectors of 128 dimensions as 8-bit codes for search.
fn search_codes(suite: &mut Suite, python: &Python) {
    const DIM: usize = 128;
    if !suite.wants("quantize/sq8") {
        return;
    }
    let (x, mut codes) = (values(N), room(0_u8, N));
    match ScalarCodec::learn(CodeBits::Eight, DIM, x.chunks_exact(DIM)) {
        Ok(codec) => suite.time("quantize/sq8/1M/ours", move || {
            for (row, codes) in black_box(&*x).chunks_exact(DIM).zip(codes.chunks_exact_mut(DIM)) {
                codec.encode(row, codes);
            }
        }),
        Err(why) => suite.check("quantize/sq8", false, || why.to_string()),
    }
    python.time(suite, "quantize/sq8/1M/faiss", "faiss/sq8");
}
