//! Seeded data of the shapes that graphs find hard, and brute force to judge answers by.

use std::collections::HashSet;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use edgekit_vector_index::{FlatIndex, Index, Method, Metric, Scratch, SearchParams};

pub(crate) fn rng(seed: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed)
}

/// Searches that walk the graph however small it is.
pub(crate) fn graph(ef: usize) -> SearchParams {
    SearchParams { ef, method: Method::Graph }
}

/// Uniform in [0, 1).
pub(crate) fn uniform(rng: &mut Pcg64Mcg) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Standard normal, by the central limit of twelve uniforms.
pub(crate) fn gaussian(rng: &mut Pcg64Mcg) -> f32 {
    (0..12).map(|_| uniform(rng)).sum::<f32>() - 6.0
}

pub(crate) fn below(rng: &mut Pcg64Mcg, n: usize) -> usize {
    ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Uniform,
    Gaussian,
    /// Tight balls around well separated centres.
    Clustered,
    /// Each vector about ten times, exactly.
    Duplicated,
    /// Eight dimensions, embedded linearly in all.
    LowRank,
}

pub(crate) const SHAPES: [Shape; 5] =
    [Shape::Uniform, Shape::Gaussian, Shape::Clustered, Shape::Duplicated, Shape::LowRank];

/// `n` vectors of a shape. The same seed gives the same clusters, whatever `n`.
pub(crate) fn vectors(shape: Shape, n: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = rng(seed);
    let row = |rng: &mut Pcg64Mcg, value: fn(&mut Pcg64Mcg) -> f32, dim: usize| {
        (0..dim).map(|_| value(rng)).collect::<Vec<f32>>()
    };
    match shape {
        Shape::Uniform => (0..n).map(|_| row(&mut rng, uniform, dim)).collect(),
        Shape::Gaussian => (0..n).map(|_| row(&mut rng, gaussian, dim)).collect(),
        Shape::Clustered => {
            let centres: Vec<_> = (0..40).map(|_| row(&mut rng, gaussian, dim)).collect();
            (0..n)
                .map(|_| {
                    let centre = &centres[below(&mut rng, centres.len())];
                    centre.iter().map(|c| c * 10.0 + gaussian(&mut rng)).collect()
                })
                .collect()
        }
        Shape::Duplicated => {
            let distinct: Vec<_> =
                (0..n.div_ceil(10)).map(|_| row(&mut rng, gaussian, dim)).collect();
            (0..n).map(|_| distinct[below(&mut rng, distinct.len())].clone()).collect()
        }
        Shape::LowRank => {
            let basis: Vec<_> = (0..8).map(|_| row(&mut rng, gaussian, dim)).collect();
            (0..n)
                .map(|_| {
                    let weights = row(&mut rng, gaussian, 8);
                    (0..dim).map(|d| (0..8).map(|b| weights[b] * basis[b][d]).sum()).collect()
                })
                .collect()
        }
    }
}

/// Distances of the `k` nearest, by the definition of the metric in f64.
pub(crate) fn brute_force(
    metric: Metric,
    vectors: &[Vec<f32>],
    query: &[f32],
    k: usize,
) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>()
    };
    let mut all: Vec<f64> = vectors
        .iter()
        .map(|v| match metric {
            Metric::InnerProduct => -dot(query, v),
            Metric::L2Squared => {
                v.iter().zip(query).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
            }
            Metric::Cosine => {
                let lengths = (dot(query, query) * dot(v, v)).sqrt();
                1.0 - if lengths > 0.0 { dot(query, v) / lengths } else { 0.0 }
            }
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all.truncate(k);
    all
}

pub(crate) fn fill(index: &mut dyn Index, vectors: &[Vec<f32>]) {
    for (id, vector) in vectors.iter().enumerate() {
        index.insert(id as u64, vector).unwrap();
    }
}

/// Mean share of the `k` nearest that the graph finds, by distance, so that duplicates count.
pub(crate) fn recall(
    index: &dyn Index,
    exact: &FlatIndex,
    queries: &[Vec<f32>],
    k: usize,
    ef: usize,
) -> f64 {
    recall_of(index, exact, queries, k, &graph(ef))
}

/// Likewise with any parameters. Which vectors are within the true distance is judged by `exact`,
/// whatever distance the index reports.
pub(crate) fn recall_of(
    index: &dyn Index,
    exact: &FlatIndex,
    queries: &[Vec<f32>],
    k: usize,
    params: &SearchParams,
) -> f64 {
    let (mut one, mut other) = (Scratch::new(), Scratch::new());
    let mut found = 0;
    for query in queries {
        let truth = exact.search(query, exact.len(), params, &mut one).unwrap();
        let bound = truth.get(k - 1).map_or(0.0, |n| n.distance);
        let bound = bound + bound.abs() * 1e-5;
        let near: HashSet<_> =
            truth.iter().take_while(|n| n.distance <= bound).map(|n| n.id).collect();
        let results = index.search(query, k, params, &mut other).unwrap();
        found += results.iter().filter(|n| near.contains(&n.id)).count();
    }
    found as f64 / (queries.len() * k) as f64
}
