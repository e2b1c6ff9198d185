//! Both indexes against brute force over random data of every kind of awkwardness.

use crate::data::{below, brute_force, fill, gaussian, graph, rng};
use edgekit_vector_index::{FlatIndex, HnswConfig, HnswIndex, Index, Metric, Scratch};
use proptest::prelude::*;

/// Small integer coordinates make duplicates, ties and zero vectors common.
fn lumpy(n: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = rng(seed);
    (0..n)
        .map(|_| {
            let spread = below(&mut rng, 3) as f32;
            (0..dim).map(|_| (gaussian(&mut rng) * spread).round()).collect()
        })
        .collect()
}

fn metric() -> impl Strategy<Value = Metric> {
    prop_oneof![Just(Metric::Cosine), Just(Metric::InnerProduct), Just(Metric::L2Squared)]
}

fn check(
    index: &dyn Index,
    data: &[Vec<f32>],
    query: &[f32],
    k: usize,
) -> Result<(), TestCaseError> {
    let mut scratch = Scratch::new();
    // With ef as large as the index, a graph whose every node is reachable is exact.
    let params = graph(data.len().max(1));
    let found = index.search(query, k, &params, &mut scratch).unwrap();
    let truth = brute_force(index.metric(), data, query, k);
    prop_assert_eq!(found.len(), k.min(data.len()));
    for (neighbor, &distance) in found.iter().zip(&truth) {
        let tolerance = 1e-4 * distance.abs().max(1.0);
        prop_assert!(
            (f64::from(neighbor.distance) - distance).abs() <= tolerance,
            "{neighbor:?} instead of {distance}"
        );
        let own = brute_force(index.metric(), &[data[neighbor.id as usize].clone()], query, 1)[0];
        prop_assert!((own - distance).abs() <= tolerance, "{neighbor:?} is at {own}");
    }
    let mut ids: Vec<_> = found.iter().map(|n| n.id).collect();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), found.len(), "an id came twice");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flat_and_complete_hnsw_equal_brute_force(
        metric in metric(),
        n in 0_usize..300,
        dim in 1_usize..40,
        k in 1_usize..40,
        m in 2_usize..10,
        seed in any::<u64>(),
    ) {
        let data = lumpy(n, dim, seed);
        let query = &lumpy(1, dim, !seed)[0];
        let mut flat = FlatIndex::new(dim, metric).unwrap();
        fill(&mut flat, &data);
        check(&flat, &data, query, k)?;
        check(&flat, &data, query, n + 1)?;
        let config = HnswConfig { metric, m, ef_construction: 3 * m, seed, ..HnswConfig::default() };
        let mut hnsw = HnswIndex::new(dim, config).unwrap();
        fill(&mut hnsw, &data);
        check(&hnsw, &data, query, k)?;
        check(&hnsw, &data, query, n + 1)?;
    }
}

#[test]
fn a_flat_search_for_many_is_exact_too() {
    let data = lumpy(3_000, 12, 5);
    let mut flat = FlatIndex::new(12, Metric::L2Squared).unwrap();
    fill(&mut flat, &data);
    for k in [511, 512, 513, 2_999, 3_000, 4_000] {
        check(&flat, &data, &data[9], k).unwrap();
    }
}
