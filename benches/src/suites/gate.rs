//! The gate's cases, one function a room: what must not need more instructions unnoticed.

use std::hint::black_box;

use edgekit_kernels_simd::{Kernels, Rows};
use edgekit_vector_index::{HnswConfig, HnswIndex, Index, Metric, Scratch, SearchParams};

use crate::gate::Gate;

/// All rooms of the gate.
pub const ROOMS: &[fn(&mut Gate)] = &[kernels, index];

/// Valgrind knows no wider ones.
const ISAS: &[&str] = &["scalar", "sse42", "avx2"];
/// A single call of a short kernel would be lost in the calls around it.
const REPEAT: usize = 30;

/// A name in the report and the kernel of two vectors behind it.
type Pairwise = (&'static str, fn(&Kernels, &[f32], &[f32]) -> f32);

fn kernels(gate: &mut Gate) {
    let pairwise: [Pairwise; 3] =
        [("dot", Kernels::dot), ("l2-squared", Kernels::l2_squared), ("cosine", Kernels::cosine)];
    for (name, kernel) in pairwise {
        // Below one register, tails of every length, and lengths that are used.
        for n in [5, 16, 100, 384, 768] {
            gate.case(&format!("kernels/{name}/{n}"), ISAS, move || {
                let (kernels, a, b) = (Kernels::get(), values(n, 1), values(n, 2));
                move || repeat(|| kernel(kernels, black_box(&a), black_box(&b)))
            });
        }
    }
    gate.case("kernels/dot-i8/384", ISAS, || {
        let (kernels, a, b) = (Kernels::get(), bytes(384, 1), bytes(384, 2));
        move || repeat(|| kernels.dot_i8(black_box(&a), black_box(&b)))
    });
    gate.case("kernels/mean-variance/1000", ISAS, || {
        let (kernels, a) = (Kernels::get(), values(1000, 1));
        move || repeat(|| kernels.mean_variance(black_box(&a)))
    });
    gate.case("kernels/dot-gather/64x128", ISAS, || {
        let (kernels, query, rows) = (Kernels::get(), values(128, 1), values(128 * 100, 2));
        let ids: Vec<u32> = (0..64).map(|i| i * 37 % 100).collect();
        let mut out = vec![0.0; ids.len()];
        move || {
            kernels.dot_gather(&query, Rows::new(&rows, 128, 128), black_box(&ids), &mut out);
            out[0]
        }
    });
}

fn index(gate: &mut Gate) {
    const DIM: usize = 32;
    const VECTORS: usize = 500;
    let build = || {
        let config = HnswConfig { metric: Metric::L2Squared, ..HnswConfig::default() };
        let mut index = HnswIndex::new(DIM, config).expect("a dimension above 0");
        for id in 0..VECTORS {
            index.insert(id as u64, &values(DIM, id as u32 * 31)).expect("finite, new id");
        }
        index
    };
    gate.case("index/build/500x32", &["avx2"], move || build);
    gate.case("index/search/500x32", &["avx2"], move || {
        let (index, mut scratch) = (build(), Scratch::new());
        move || {
            for seed in 0..REPEAT {
                let query = values(DIM, seed as u32 * 37 + 5);
                let params = SearchParams::default();
                black_box(index.search(&query, 10, &params, &mut scratch).expect("finite"));
            }
        }
    });
}

fn repeat<T>(mut f: impl FnMut() -> T) {
    for _ in 0..REPEAT {
        black_box(f());
    }
}

/// The same on every machine; spread over [-1, 1).
fn values(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(7919) ^ seed) as f32 % 1009.0 / 504.5 - 1.0).collect()
}

fn bytes(n: usize, seed: u32) -> Vec<i8> {
    values(n, seed).iter().map(|value| (value * 127.0) as i8).collect()
}
