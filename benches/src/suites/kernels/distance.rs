//! Distances of two vectors, reductions of one, and one query against many rows.

use std::hint::black_box;

use edgekit_kernels_simd::{Isa, Kernels, Rows};

use super::{naive, values};
use crate::{Suite, Unit};

type Float = (&'static str, fn(&[f32], &[f32]) -> f32, fn(&Kernels, &[f32], &[f32]) -> f32);

const FLOATS: &[Float] = &[
    ("dot", naive::dot, Kernels::dot),
    ("l2", naive::l2_squared, Kernels::l2_squared),
    ("cosine", naive::cosine, Kernels::cosine),
];

pub(super) fn declare(suite: &mut Suite) {
    let best = Kernels::get();
    for &(name, plain, ours) in FLOATS {
        for n in [16, 31, 100, 128, 384, 768, 4096] {
            let id = format!("kernels/{name}/{n}");
            if !suite.wants(&id) {
                continue;
            }
            let (a, b) = (values(n, 1), values(n, 2));
            let (want, got) = (plain(&a, &b), ours(best, &a, &b));
            suite.check(&id, (want - got).abs() <= 1e-4 * n as f32, || {
                format!("{got} instead of {want}")
            });
            let (x, y) = (a.clone(), b.clone());
            suite.time(format!("{id}/naive"), move || plain(black_box(&x), black_box(&y)));
            let (x, y) = (a.clone(), b.clone());
            suite.time(format!("{id}/best"), move || ours(best, black_box(&x), black_box(&y)));
            // Short vectors, where a careless tail shows, and the two widths side by side.
            if n <= 100 {
                for isa in [Isa::Avx2, Isa::Avx512] {
                    let Some(kernels) = Kernels::for_isa(isa) else { continue };
                    let (x, y) = (a.clone(), b.clone());
                    suite.time(format!("{id}/{isa}"), move || {
                        ours(kernels, black_box(&x), black_box(&y))
                    });
                }
            }
        }
    }
    reductions(suite, best);
    many(suite, best);
}

fn reductions(suite: &mut Suite, best: &'static Kernels) {
    const N: usize = 4096;
    let a = values(N, 1);
    let near = |(want, got): (f32, f32)| (want - got).abs() <= 1e-3;
    let sums = (naive::sum(&a), best.sum(&a));
    suite.check("kernels/sum", near(sums), || format!("{sums:?}"));
    let ends = (Some(naive::min_max(&a)), best.min_max(&a));
    suite.check("kernels/min-max", ends.0 == ends.1, || format!("{ends:?}"));
    let (want, got) = (naive::mean_variance(&a), best.mean_variance(&a).unwrap_or_default());
    let both = near((want.0, got.0)) && near((want.1, got.1));
    suite.check("kernels/mean-variance", both, || format!("{got:?} instead of {want:?}"));

    let x = a.clone();
    suite.time("kernels/sum/4096/naive", move || naive::sum(black_box(&x)));
    let x = a.clone();
    suite.time("kernels/sum/4096/best", move || best.sum(black_box(&x)));
    let x = a.clone();
    suite.time("kernels/min-max/4096/naive", move || naive::min_max(black_box(&x)));
    let x = a.clone();
    suite.time("kernels/min-max/4096/best", move || best.min_max(black_box(&x)));
    let x = a.clone();
    suite.time("kernels/mean-variance/4096/naive", move || naive::mean_variance(black_box(&x)));
    suite.time("kernels/mean-variance/4096/best", move || best.mean_variance(black_box(&a)));
}

/// Two matrices: one that the second-level cache holds, one that no cache does.
fn many(suite: &mut Suite, best: &'static Kernels) {
    const DIM: usize = 384;
    for (label, len) in [("l2-cache", 512), ("memory", 350_000)] {
        let id = format!("kernels/dot-many/384/{label}");
        if !suite.wants(&id) {
            continue;
        }
        let (data, query) = (values(len * DIM, 3), values(DIM, 4));
        let mut out = vec![0.0; len];
        best.dot_many(&query, Rows::new(&data, DIM, DIM), &mut out);
        for (i, row) in data.chunks_exact(DIM).enumerate().step_by(97) {
            let want = naive::dot(&query, row);
            suite.check(&id, (out[i] - want).abs() < 1e-3, || {
                format!("row {i}: {} instead of {want}", out[i])
            });
        }
        let bytes = (size_of::<f32>() * data.len()) as f64;
        suite.measure(format!("{id}/best"), Unit::BytesPerSecond, move || {
            let rows = Rows::new(&data, DIM, DIM);
            // The shorter scan is repeated so that the clock's own cost does not count.
            let repeat = (4_000_000_f64 / bytes).ceil() as u32;
            let scan = |_| {
                let start = std::time::Instant::now();
                for _ in 0..repeat {
                    best.dot_many(black_box(&query), black_box(rows), &mut out);
                }
                black_box(&out);
                bytes * f64::from(repeat) / start.elapsed().as_secs_f64()
            };
            (0..3).map(scan).fold(0.0, f64::max)
        });
    }
}
