//! Shorter types: bytes, halves, sets, and scans of quantised rows by one query and by blocks.

use std::hint::black_box;

use edgekit_kernels_simd::{Isa, Kernels, Rows};
use half::{bf16, f16};

use super::products::rate;
use super::{bytes, naive, unsigned, values};
use crate::{Suite, Unit};

pub(super) fn declare(suite: &mut Suite) {
    let best = Kernels::get();
    pairs(suite, best);
    loops(suite, best);
    if suite.wants("kernels/scan") {
        scans(suite, best);
    }
}

fn pairs(suite: &mut Suite, best: &'static Kernels) {
    for n in [128, 768, 4096] {
        let (a, b) = (bytes(n, 1), bytes(n, 2));
        let (want, got) = (naive::dot_i8(&a, &b), best.dot_i8(&a, &b));
        suite.check("kernels/dot-i8", want == got, || format!("{got} instead of {want}"));
        let norms = f64::from(naive::dot_i8(&a, &a)) * f64::from(naive::dot_i8(&b, &b));
        let (want, got) = (f64::from(want) / norms.sqrt(), f64::from(best.cosine_i8(&a, &b)));
        let near = (want - got).abs() < 1e-6;
        suite.check("kernels/cosine-i8", near, || format!("{got} instead of {want}"));
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/dot-i8/{n}/naive"), move || {
            naive::dot_i8(black_box(&x), black_box(&y))
        });
        // The set without VNNI beside the best.
        for (name, kernels) in [("best", Some(best)), ("avx512", Kernels::for_isa(Isa::Avx512))] {
            let Some(kernels) = kernels else { continue };
            let (x, y) = (a.clone(), b.clone());
            suite.time(format!("kernels/dot-i8/{n}/{name}"), move || {
                kernels.dot_i8(black_box(&x), black_box(&y))
            });
            let (x, y) = (a.clone(), b.clone());
            suite.time(format!("kernels/cosine-i8/{n}/{name}"), move || {
                kernels.cosine_i8(black_box(&x), black_box(&y))
            });
        }
    }

    let (a, b) = (values(768, 1), values(768, 2));
    let halves = |x: &[f32]| -> Vec<f16> { x.iter().map(|&x| f16::from_f32(x)).collect() };
    let brains = |x: &[f32]| -> Vec<bf16> { x.iter().map(|&x| bf16::from_f32(x)).collect() };
    let (x, y) = (halves(&a), halves(&b));
    let wide = |x: &[f16]| -> Vec<f32> { x.iter().map(|x| x.to_f32()).collect() };
    let (want, got) = (naive::dot(&wide(&x), &wide(&y)), best.dot_f16(&x, &y));
    let near = (want - got).abs() < 1e-3;
    suite.check("kernels/dot-f16", near, || format!("{got} instead of {want}"));
    suite.time("kernels/dot-f16/768/best", move || best.dot_f16(black_box(&x), black_box(&y)));
    let (x, y) = (brains(&a), brains(&b));
    let wide = |x: &[bf16]| -> Vec<f32> { x.iter().map(|x| x.to_f32()).collect() };
    let (want, got) = (naive::dot(&wide(&x), &wide(&y)), best.dot_bf16(&x, &y));
    let near = (want - got).abs() < 1e-3;
    suite.check("kernels/dot-bf16", near, || format!("{got} instead of {want}"));
    suite.time("kernels/dot-bf16/768/best", move || best.dot_bf16(black_box(&x), black_box(&y)));

    for bits in [4096, 16_384] {
        let (a, b) = (unsigned(bits / 8, 1), unsigned(bits / 8, 2));
        let (want, got) = (naive::hamming(&a, &b), best.hamming(&a, &b));
        suite.check("kernels/hamming", want == got, || format!("{got} instead of {want}"));
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/hamming/{bits}/naive"), move || {
            naive::hamming(black_box(&x), black_box(&y))
        });
        suite.time(format!("kernels/hamming/{bits}/best"), move || {
            best.hamming(black_box(&a), black_box(&b))
        });
    }
}

/// Packed codes and the product of bytes against loops as one would write them.
fn loops(suite: &mut Suite, best: &'static Kernels) {
    let (query, row) = (bytes(768, 1), unsigned(384, 2));
    let (want, got) = (naive::dot_i8_u4(&query, &row), best.dot_i8_u4(&query, &row));
    suite.check("kernels/dot-i8-u4", want == got, || format!("{got} instead of {want}"));
    let (x, y) = (query.clone(), row.clone());
    suite.time("kernels/dot-i8-u4/768/naive", move || {
        naive::dot_i8_u4(black_box(&x), black_box(&y))
    });
    suite.time("kernels/dot-i8-u4/768/best", move || {
        best.dot_i8_u4(black_box(&query), black_box(&row))
    });

    // Beside what `products` measures of the same size.
    const N: usize = 256;
    let (a, b, mut c) = (unsigned(N * N, 1), bytes(N * N, 2), vec![0; N * N]);
    rate(suite, "kernels/gemm-u8i8/256/loops".into(), 2.0 * (N * N * N) as f64, move || {
        naive::gemm_u8_i8(&a, &b, &mut c, N);
    });
}

/// 10,000 rows of 384 dimensions: nanoseconds for each query, alone and in blocks of four.
fn scans(suite: &mut Suite, best: &'static Kernels) {
    const ROWS: usize = 10_000;
    const DIM: usize = 384;
    let queries = bytes(4 * DIM, 4);
    let rows = bytes(ROWS * DIM, 3);
    let codes: aligned_vec::AVec<u8> =
        aligned_vec::AVec::from_iter(64, rows.iter().map(|&x| x as u8));

    let (q, r) = (queries.clone(), rows.clone());
    let mut out = vec![0; ROWS];
    suite.time("kernels/scan/i8/one", move || {
        best.dot_i8_many(black_box(&q[..DIM]), Rows::new(&r, DIM, DIM), &mut out);
        out[0]
    });
    let (q, mut out) = (queries.clone(), vec![0; 4 * ROWS]);
    per_query(suite, "kernels/scan/i8/block", move || {
        best.dot_i8_tile(Rows::new(&q, DIM, DIM), Rows::new(&rows, DIM, DIM), &mut out);
    });

    const NIBBLES: usize = DIM / 2;
    let (q, c) = (queries.clone(), codes.clone());
    let mut out = vec![0; ROWS];
    suite.time("kernels/scan/u4/one", move || {
        let rows = Rows::new(&c[..ROWS * NIBBLES], NIBBLES, NIBBLES);
        best.dot_i8_u4_many(black_box(&q[..DIM]), rows, &mut out);
        out[0]
    });
    let (q, c, mut out) = (queries.clone(), codes.clone(), vec![0; 4 * ROWS]);
    per_query(suite, "kernels/scan/u4/block", move || {
        let rows = Rows::new(&c[..ROWS * NIBBLES], NIBBLES, NIBBLES);
        best.dot_i8_u4_tile(Rows::new(&q, DIM, DIM), rows, &mut out);
    });

    const CRUMBS: usize = DIM / 4;
    let mut out = vec![0; 4 * ROWS];
    per_query(suite, "kernels/scan/u2/block", move || {
        let rows = Rows::new(&codes[..ROWS * CRUMBS], CRUMBS, CRUMBS);
        best.dot_i8_u2_tile(Rows::new(&queries, DIM, DIM), rows, &mut out);
    });
}

/// A quarter of what four queries together take.
fn per_query(suite: &mut Suite, id: &str, mut four: impl FnMut() + 'static) {
    suite.measure(id, Unit::Nanos, move || {
        let best = (0..20).map(|_| {
            let start = std::time::Instant::now();
            four();
            start.elapsed().as_nanos()
        });
        best.min().unwrap_or(0) as f64 / 4.0
    });
}
