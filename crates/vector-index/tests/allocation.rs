//! Searches allocate nothing once their scratch has grown.

use crate::data::{Shape, fill, graph, vectors};
use edgekit_vector_index::{FlatIndex, HnswConfig, HnswIndex, Index, Metric, Scratch};

#[test]
fn a_warm_search_allocates_nothing() {
    let data = vectors(Shape::Gaussian, 1_000, 24, 6);
    let mut flat = FlatIndex::new(24, Metric::Cosine).unwrap();
    let mut hnsw = HnswIndex::new(24, HnswConfig { m: 8, ..HnswConfig::default() }).unwrap();
    fill(&mut flat, &data);
    fill(&mut hnsw, &data);
    for index in [&flat as &dyn Index, &hnsw] {
        for k in [10, 900] {
            let mut scratch = Scratch::new();
            let mut search_all = || {
                for query in &data {
                    index.search(query, k, &graph(64), &mut scratch).unwrap();
                }
            };
            let cold = allocation_counter::measure(&mut search_all);
            assert!(cold.count_total > 0, "the counter counts");
            let warm = allocation_counter::measure(&mut search_all);
            assert_eq!(warm.count_total, 0, "k {k}");
        }
    }
}
