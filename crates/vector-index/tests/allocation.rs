//! Searches allocate nothing once their scratch has grown.

use crate::data::{Shape, fill, graph, vectors};
use edgekit_vector_index::{
    FlatIndex, HnswConfig, HnswIndex, Index, Metric, Originals, Scratch, Storage,
};

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

#[test]
fn warm_searches_of_codes_with_filters_and_radii_allocate_nothing() {
    let data = vectors(Shape::Gaussian, 3_000, 24, 7);
    let storage = Storage::Int8(Originals::F16);
    let config = HnswConfig { m: 8, ef_construction: 40, storage, ..HnswConfig::default() };
    let mut index = HnswIndex::trained(24, config, &data[..200].concat()).unwrap();
    fill(&mut index, &data);
    let mut scratch = Scratch::new();
    let mut search_all = || {
        for query in data.iter().step_by(10) {
            for one_in in [2, 1_000] {
                let passes = |id: u64| id.is_multiple_of(one_in);
                index.search_filtered(query, 10, &graph(20), &passes, &mut scratch).unwrap();
            }
            index.search(query, 10, &graph(20), &mut scratch).unwrap();
            index.search_range(query, 0.4, &graph(20), &mut scratch).unwrap();
        }
    };
    search_all();
    assert_eq!(allocation_counter::measure(search_all).count_total, 0);
}
