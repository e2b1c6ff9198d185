//! Exact search: against what one writes first, and against the speed of memory.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{FlatIndex, Index, Metric, Originals, Scratch, SearchParams, Storage};

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

fn fill(storage: Storage, rows: &[Vec<f32>]) -> FlatIndex {
    let mut index = FlatIndex::trained(rows[0].len(), Metric::Cosine, storage, &rows.concat())
        .expect("the data is finite");
    for (id, row) in rows.iter().enumerate() {
        index.insert(id as u64, row).expect("the data is finite");
    }
    index
}

/// 1,000 patterns of 128 values, the size of a small memory. Each side is asked one of a hundred
/// queries after the other, so that none is timed on a branch pattern that it has learnt.
fn small(suite: &mut Suite) {
    let mut patterns = rows(1_100, 128);
    let queries = Rc::new(patterns.split_off(1_000));
    let ids = |query: &Vec<f32>| three_passes(&patterns, query, K).into_iter().map(|(id, _)| id);
    let truth: Vec<Vec<u64>> = queries.iter().map(|query| ids(query).collect()).collect();
    for (name, storage) in [("f32", Storage::F32), ("int8", Storage::Int8(Originals::F32))] {
        let prefix = format!("index/scan-1k/{name}");
        let index = fill(storage, &patterns);
        let (mut scratch, params) = (Scratch::new(), SearchParams::default());
        let mut hits = 0;
        for (query, truth) in queries.iter().zip(&truth) {
            let found = index.search(query, K, &params, &mut scratch).expect("the query is finite");
            hits += found.iter().filter(|near| truth.contains(&near.id)).count();
        }
        let recall = hits as f64 / (K * queries.len()) as f64;
        suite.value(format!("{prefix}/recall@10"), Unit::Share, recall);
        let mut turn = (0..queries.len()).cycle();
        let queries = queries.clone();
        suite.time(prefix, move || {
            let query = black_box(&queries[turn.next()?]);
            index.search(query, K, &params, &mut scratch).map(|found| found[0].id).ok()
        });
    }
    let mut turn = (0..queries.len()).cycle();
    suite.time("index/scan-1k/three-pass-copy-sort", move || {
        Some(three_passes(&patterns, black_box(&queries[turn.next()?]), K))
    });
}

/// The scan that one writes first: a copy of every pattern, cosine in three passes, a sort of all.
fn three_passes(patterns: &[Vec<f32>], query: &[f32], k: usize) -> Vec<(u64, f32)> {
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
    scored.into_iter().take(k).map(|(id, _, similarity)| (id as u64, similarity)).collect()
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
