//! Searches allocate nothing once their scratch has grown.

use crate::data::{Shape, fill, graph, vectors};
use edgekit_vector_index::{
    FlatIndex, HnswConfig, HnswIndex, Index, Metric, Originals, Scratch, SharedHnsw, Storage,
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
fn warm_searches_of_any_storage_with_filters_and_radii_allocate_nothing() {
    let data = vectors(Shape::Gaussian, 2_000, 24, 7);
    for storage in [
        Storage::F16,
        Storage::Bf16,
        Storage::Int8(Originals::F16),
        Storage::Int4(Originals::F32),
        Storage::Binary(Originals::F16),
        Storage::Binary(Originals::None),
    ] {
        let config = HnswConfig { m: 8, ef_construction: 40, storage, ..HnswConfig::default() };
        let mut index = HnswIndex::trained(24, config, &data[..200].concat()).unwrap();
        let ids: Vec<u64> = (0..2_000).collect();
        index.insert_many(&ids, &data.concat()).unwrap();
        let mut flat =
            FlatIndex::trained(24, Metric::Cosine, storage, &data[..200].concat()).unwrap();
        fill(&mut flat, &data);
        let mut scratch = Scratch::new();
        let mut search_all = |index: &dyn Index| {
            for query in data.iter().step_by(10) {
                for one_in in [2, 1_000] {
                    let passes = |id: u64| id.is_multiple_of(one_in);
                    index.search_filtered(query, 10, &graph(20), &passes, &mut scratch).unwrap();
                }
                index.search(query, 10, &graph(20), &mut scratch).unwrap();
                index.search_range(query, 0.4, &graph(20), &mut scratch).unwrap();
            }
        };
        for (name, index) in [("graph", &index as &dyn Index), ("flat", &flat)] {
            search_all(index);
            let warm = allocation_counter::measure(|| search_all(index));
            assert_eq!(warm.count_total, 0, "{name} {storage:?}");
        }
        let shared = SharedHnsw::new(index).unwrap();
        let mut search_shared = || {
            for query in data.iter().step_by(10) {
                shared.search(query, 10, &graph(20), &mut scratch).unwrap();
                let passes = |id: u64| id.is_multiple_of(2);
                shared.search_filtered(query, 10, &graph(20), &passes, &mut scratch).unwrap();
                shared.search_range(query, 0.4, &graph(20), &mut scratch).unwrap();
            }
        };
        search_shared();
        let warm = allocation_counter::measure(search_shared);
        assert_eq!(warm.count_total, 0, "shared {storage:?}");
    }
}
