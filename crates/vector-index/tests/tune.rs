//! Statistics, recall and the choice of parameters.

use std::time::Duration;

use crate::data::{Shape, fill, graph, vectors};
use edgekit_vector_index::{
    ErrorKind, HnswConfig, HnswIndex, Index, Method, Metric, Originals, Scratch, SearchParams,
    Storage,
};

fn index(storage: Storage) -> (HnswIndex, Vec<f32>) {
    let mut data = vectors(Shape::LowRank, 1_300, 24, 41);
    let queries = data.split_off(1_200).concat();
    let metric = Metric::L2Squared;
    let config = HnswConfig { metric, storage, m: 8, ef_construction: 60, ..HnswConfig::default() };
    let mut index = HnswIndex::trained(24, config, &data.concat()).unwrap();
    fill(&mut index, &data);
    (index, queries)
}

#[test]
fn an_optimized_index_finds_the_same() {
    for storage in [
        Storage::F32,
        Storage::Int8(Originals::F16),
        Storage::Int4(Originals::None),
        Storage::Binary(Originals::F16),
    ] {
        let (mut index, queries) = index(storage);
        for id in (0..1_200).step_by(3) {
            index.remove(id).unwrap();
        }
        let answers = |index: &HnswIndex| {
            let mut scratch = Scratch::new();
            let mut search =
                |query| index.search(query, 5, &graph(15), &mut scratch).unwrap().to_vec();
            queries.chunks_exact(24).map(&mut search).collect::<Vec<_>>()
        };
        let before = answers(&index);
        let bytes = index.memory_bytes();
        index.optimize().unwrap();
        index.validate().unwrap();
        assert!(answers(&index) == before, "{storage:?}");
        assert!(index.memory_bytes() < bytes && index.stats().free_slots == 0);
        // It changes on as before.
        index.upsert(1, &queries[..24]).unwrap();
        index.insert(3, &queries[24..48]).unwrap();
        index.remove(4).unwrap();
        index.insert(6, &queries[48..72]).unwrap();
        index.validate().unwrap();
    }
}

#[test]
fn a_refined_index_finds_more() {
    for storage in [Storage::F32, Storage::Int8(Originals::None), Storage::Int4(Originals::F16)] {
        let (mut index, queries) = index(storage);
        for id in (0..1_200).step_by(3) {
            index.remove(id).unwrap();
        }
        let recall = |index: &HnswIndex| index.recall(&queries, 10, &graph(12)).unwrap();
        let before = recall(&index);
        index.refine().unwrap();
        index.validate().unwrap();
        let after = recall(&index);
        assert!(after > before, "{storage:?}: {before} became {after}");
        // It changes on as before.
        index.upsert(1, &queries[..24]).unwrap();
        index.insert(3, &queries[24..48]).unwrap();
        index.remove(4).unwrap();
        index.insert(6, &queries[48..72]).unwrap();
        index.validate().unwrap();
    }
    for n in 0..3 {
        let mut small = HnswIndex::new(1, HnswConfig::default()).unwrap();
        (0..n).for_each(|id| small.insert(id, &[1.0]).unwrap());
        small.refine().unwrap();
        small.validate().unwrap();
    }
}

#[cfg(feature = "rayon")]
#[test]
fn refining_does_not_depend_on_threads() {
    let saved = [1, 3].map(|threads| {
        let (mut index, _) = index(Storage::Int8(Originals::F16));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| index.refine()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        index.save(file.path()).unwrap();
        std::fs::read(file.path()).unwrap()
    });
    assert!(saved[0] == saved[1]);
}

#[test]
fn stats_add_up() {
    let (mut index, _) = index(Storage::F32);
    for id in 0..100 {
        index.remove(id).unwrap();
    }
    let stats = index.stats();
    assert_eq!((stats.vectors, stats.reachable, stats.free_slots), (1_100, 1_100, 100));
    assert_eq!(stats.layers[0], 1_100);
    assert!(stats.layers.is_sorted_by(|a, b| a > b) && stats.layers.len() == index.layers());
    assert_eq!(stats.degrees.iter().sum::<usize>(), 1_100);
    assert!(stats.mean_degree() > 4.0 && stats.mean_degree() <= 16.0, "{}", stats.mean_degree());
    assert_eq!(stats.vector_bytes + stats.link_bytes, index.memory_bytes());
}

#[test]
fn recall_grows_with_ef_to_one() {
    let (index, queries) = index(Storage::Int4(Originals::F32));
    let recall = |params: &SearchParams| index.recall(&queries, 10, params).unwrap();
    let [few, some, all] = [10, 40, 1_200].map(|ef| recall(&graph(ef)));
    assert!(few <= some && some <= all, "{few} {some} {all}");
    assert!(some > 0.9, "{some}");
    assert_eq!(index.recall(&[], 10, &graph(9)).unwrap_err().kind(), ErrorKind::Dimension);
    assert_eq!(
        index.recall(&queries[1..], 10, &graph(9)).unwrap_err().kind(),
        ErrorKind::Dimension
    );
    assert_eq!(index.recall(&queries, 0, &graph(9)).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn autotune_takes_what_is_cheapest_and_enough() {
    let (index, queries) = index(Storage::F32);
    // A clock that makes every search, of whatever kind, take equally long: graph and scan tie.
    let mut ticks = 0;
    let tie = index.autotune(&queries, 10, 0.97, || {
        ticks += 1;
        Duration::from_micros(100 * ticks)
    });
    let tie = tie.unwrap();
    assert_eq!(tie.params.method, Method::Graph);
    assert!(tie.recall >= 0.97 && tie.latency == Duration::from_micros(1), "{tie:?}");
    assert!(index.recall(&queries, 10, &graph(tie.params.ef / 2)).unwrap() < tie.recall);
    // A clock by which the scan, which is measured first, is the fastest.
    let mut ticks = 0;
    let slow = index.autotune(&queries, 10, 0.97, || {
        ticks += 1;
        Duration::from_micros(100 * ticks * ticks)
    });
    assert_eq!(slow.unwrap().params.method, Method::Scan);
}

#[test]
fn what_auto_comes_to_can_be_asked() {
    let (index, queries) = index(Storage::F32);
    let auto = |ef| index.method_for(10, &SearchParams { ef, method: Method::Auto });
    assert_eq!((auto(10), auto(600)), (Method::Graph, Method::Scan));
    assert_eq!(index.method_for(10, &graph(600)), Method::Graph);
    let error = index.autotune(&queries, 10, f64::NAN, Duration::default).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn memory_is_told_by_part() {
    for storage in [Storage::F32, Storage::Int8(Originals::F16), Storage::Int4(Originals::None)] {
        let (mut index, _) = index(storage);
        index.shrink_to_fit();
        let stats = index.stats();
        let (code, original) = match storage {
            Storage::F32 => (128, 0),
            Storage::Int8(_) => (64 + 4, 64),
            _ => (64 + 4, 0),
        };
        assert_eq!(stats.code_bytes, 1_200 * code, "{storage:?}");
        assert_eq!(stats.original_bytes, 1_200 * original, "{storage:?}");
        assert!((1_200 * 18..1_200 * 30).contains(&stats.id_bytes), "{}", stats.id_bytes);
        let rest = stats.vector_bytes - stats.code_bytes - stats.original_bytes - stats.id_bytes;
        assert!(rest < 1_200, "{rest} bytes are left");
        assert_eq!(stats.vector_bytes + stats.link_bytes, index.memory_bytes());
    }
}
