//! Exact search: against what one writes first, and against the speed of memory.

use std::hint::black_box;
use std::time::Instant;

use edgekit_vector_index::{FlatIndex, Index, Metric, Scratch, SearchParams};

use super::K;
use super::data::Random;
use crate::{Suite, Unit};

pub(super) fn declare(suite: &mut Suite) {
    if suite.wants("index/scan-1k") {
        small(suite);
    }
    if suite.wants("index/scan-memory") {
        large(suite);
    }
}

fn rows(n: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut random = Random(2);
    (0..n).map(|_| (0..dim).map(|_| random.uniform() - 0.5).collect()).collect()
}

fn fill(metric: Metric, rows: &[Vec<f32>]) -> FlatIndex {
    let mut index = FlatIndex::new(rows[0].len(), metric).expect("the dimension is valid");
    index.reserve(rows.len());
    for (id, row) in rows.iter().enumerate() {
        index.insert(id as u64, row).expect("the data is finite");
    }
    index
}

/// 1,000 patterns of 128 values, the size of a small memory.
fn small(suite: &mut Suite) {
    let patterns = rows(1_000, 128);
    let query = patterns[17].iter().map(|x| x + 0.01).collect::<Vec<f32>>();
    let index = fill(Metric::Cosine, &patterns);
    let mut scratch = Scratch::new();
    let params = SearchParams::default();
    let expected: Vec<u64> =
        three_passes(&patterns, &query, K).into_iter().map(|(id, _)| id as u64).collect();
    let found = index.search(&query, K, &params, &mut scratch).expect("the query is finite");
    let found: Vec<u64> = found.iter().map(|neighbor| neighbor.id).collect();
    suite.check("index/scan-1k", found == expected, || format!("{found:?} is not {expected:?}"));
    {
        let query = query.clone();
        suite.time("index/scan-1k/three-pass-copy-sort", move || {
            three_passes(&patterns, black_box(&query), K)
        });
    }
    suite.time("index/scan-1k/flat", move || {
        index.search(black_box(&query), K, &params, &mut scratch).map(|found| found[0].id).ok()
    });
}

/// The scan that one writes first: a copy of every pattern, cosine in three passes, a sort of all.
fn three_passes(patterns: &[Vec<f32>], query: &[f32], k: usize) -> Vec<(usize, f32)> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let mut scored: Vec<(usize, Vec<f32>, f32)> = patterns
        .iter()
        .enumerate()
        .map(|(id, pattern)| {
            let pattern = pattern.clone();
            let lengths = dot(&pattern, &pattern).sqrt() * dot(query, query).sqrt();
            let similarity = dot(&pattern, query) / lengths;
            (id, pattern, similarity)
        })
        .collect();
    scored.sort_by(|a, b| b.2.total_cmp(&a.2));
    scored.into_iter().take(k).map(|(id, _, similarity)| (id, similarity)).collect()
}

/// 460 MB of vectors, more than any cache holds.
fn large(suite: &mut Suite) {
    const N: usize = 300_000;
    const DIM: usize = 384;
    let mut state: Option<(FlatIndex, Scratch)> = None;
    let query = rows(1, DIM).remove(0);
    suite.measure("index/scan-memory/flat", Unit::BytesPerSecond, move || {
        let (index, scratch) = state.get_or_insert_with(|| {
            let some = rows(1_000, DIM);
            let mut index = FlatIndex::new(DIM, Metric::InnerProduct).expect("a valid dimension");
            index.reserve(N);
            for id in 0..N {
                index.insert(id as u64, &some[id % some.len()]).expect("the data is finite");
            }
            (index, Scratch::new())
        });
        let scan = |_| {
            let start = Instant::now();
            let found = index.search(&query, K, &SearchParams::default(), scratch);
            black_box(found.map(<[_]>::len).ok());
            (N * DIM * size_of::<f32>()) as f64 / start.elapsed().as_secs_f64()
        };
        (0..3).map(scan).fold(0.0, f64::max)
    });
}
