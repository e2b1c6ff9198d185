//! Every storage kind finds what `f32` finds, in both indexes and under every metric.

use crate::data::{Shape, fill, graph, recall_of, vectors};
use edgekit_vector_index::{
    ErrorKind, FlatIndex, HnswConfig, HnswIndex, Index, Metric, Originals, Scratch, Storage,
};

const KINDS: [(Storage, f64); 12] = [
    (Storage::F32, 0.999),
    (Storage::F16, 0.99),
    (Storage::Bf16, 0.97),
    (Storage::Int8(Originals::None), 0.95),
    (Storage::Int8(Originals::F16), 0.97),
    (Storage::Int8(Originals::F32), 0.97),
    (Storage::Int4(Originals::None), 0.60),
    (Storage::Int4(Originals::F16), 0.96),
    (Storage::Int4(Originals::F32), 0.96),
    (Storage::Binary(Originals::None), 0.20),
    (Storage::Binary(Originals::F16), 0.90),
    (Storage::Binary(Originals::F32), 0.90),
];

#[test]
fn every_kind_finds_most_of_what_f32_finds() {
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2Squared] {
        let mut data = vectors(Shape::LowRank, 1_000, 40, 11);
        for (i, row) in data.iter_mut().enumerate() {
            // Off centre and uneven, so that ranges and middles matter.
            row.iter_mut().enumerate().for_each(|(d, x)| *x += d as f32 * 0.2 + (i % 3) as f32);
        }
        let queries = data.split_off(900);
        let mut exact = FlatIndex::new(40, metric).unwrap();
        fill(&mut exact, &data);
        for (storage, floor) in KINDS {
            let sample = data[..300].concat();
            let mut flat = FlatIndex::trained(40, metric, storage, &sample).unwrap();
            fill(&mut flat, &data);
            let config =
                HnswConfig { metric, storage, m: 12, ef_construction: 80, ..HnswConfig::default() };
            let mut hnsw = HnswIndex::trained(40, config, &sample).unwrap();
            fill(&mut hnsw, &data);
            for (name, index) in [("flat", &flat as &dyn Index), ("hnsw", &hnsw)] {
                let recall = recall_of(index, &exact, &queries, 10, &graph(150));
                let floor = if name == "flat" { floor } else { floor - 0.01 };
                assert!(recall >= floor, "{name} {metric:?} {storage:?}: {recall} < {floor}");
            }
        }
    }
}

#[test]
fn fewer_bits_take_less_memory() {
    let data = vectors(Shape::Gaussian, 300, 128, 12);
    let bytes = |storage| {
        let config = HnswConfig { storage, m: 8, ..HnswConfig::default() };
        let mut index = HnswIndex::trained(128, config, &data.concat()).unwrap();
        fill(&mut index, &data);
        index.shrink_to_fit();
        index.memory_bytes() / data.len()
    };
    let f32 = bytes(Storage::F32);
    assert_eq!(f32 - bytes(Storage::F16), 256);
    assert_eq!(f32 - bytes(Storage::Int8(Originals::None)), 384);
    assert_eq!(f32 - bytes(Storage::Int4(Originals::None)), 448);
    assert_eq!(f32 - bytes(Storage::Int4(Originals::F16)), 192);
    assert_eq!(f32 - bytes(Storage::Binary(Originals::None)), 448, "16 bytes of 64 and 8 more");
}

#[test]
fn exact_distances_come_from_the_originals() {
    let data = vectors(Shape::Gaussian, 200, 24, 13);
    let storage = Storage::Int4(Originals::F32);
    let mut flat = FlatIndex::trained(24, Metric::L2Squared, storage, &data.concat()).unwrap();
    fill(&mut flat, &data);
    let mut scratch = Scratch::new();
    for (id, vector) in data.iter().enumerate() {
        let found = flat.search(vector, 1, &graph(1), &mut scratch).unwrap();
        assert_eq!((found[0].id, found[0].distance), (id as u64, 0.0));
        assert_eq!(flat.vector(id as u64).as_ref(), Some(vector));
    }
}

/// At the ends of the codes' ranges, where sums are largest.
#[test]
fn rows_of_any_length_are_summed_or_refused() {
    let (int8, int4) = (Storage::Int8(Originals::None), Storage::Int4(Originals::None));
    for (storage, dim) in [(int8, 131_071), (int4, 1 << 20)] {
        let (low, high) = (vec![-1.0; dim], vec![1.0; dim]);
        let sample = [&low[..], &high].concat();
        let mut flat = FlatIndex::trained(dim, Metric::L2Squared, storage, &sample).unwrap();
        flat.insert(0, &low).unwrap();
        flat.insert(1, &high).unwrap();
        let mut scratch = Scratch::new();
        for (query, far) in [(&low, 1), (&high, 0)] {
            let found = flat.search(query, 2, &graph(2), &mut scratch).unwrap();
            let (near, distant) = (found[0].distance, found[1].distance / (4.0 * dim as f32));
            assert!(found[1].id == far && near.abs() < 0.01 * dim as f32, "{storage:?}: {found:?}");
            assert!((distant - 1.0).abs() < 0.01, "{storage:?}: {found:?}");
        }
    }
    let row = vec![1.0; 131_072];
    let error = FlatIndex::trained(row.len(), Metric::Cosine, int8, &row).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    // Nor are such rows built by codes of a byte.
    let metric = Metric::InnerProduct;
    let mut index =
        HnswIndex::new(row.len(), HnswConfig { metric, ..HnswConfig::default() }).unwrap();
    index.insert_many(&[1, 2], &[&row[..], &row].concat()).unwrap();
    let found =
        index.search_filtered(&row, 2, &graph(2), &|_| true, &mut Scratch::new()).map(<[_]>::len);
    assert_eq!(found.unwrap(), 2);
}

#[test]
fn what_would_be_stored_as_zero_is_refused() {
    let sample = [1.0, 1.0, -1.0, -1.0];
    let metric = Metric::InnerProduct;
    for (storage, least) in [
        (Storage::F16, 2.0_f32.powi(-24)),
        (Storage::Int8(Originals::F16), 2.0_f32.powi(-24)),
        (Storage::Bf16, 2.0_f32.powi(-133)),
    ] {
        let mut flat = FlatIndex::trained(2, metric, storage, &sample).unwrap();
        let error = flat.insert(1, &[least / 2.0, 0.0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Underflow, "{storage:?}: {error}");
        assert!(!flat.contains(1));
        flat.insert(1, &[0.0, 0.0]).unwrap();
        flat.insert(2, &[least, least / 2.0]).unwrap();
        assert_eq!(flat.vector(2), Some(vec![least, 0.0]), "{storage:?}");
        // Of unit length, nothing is too small.
        let mut flat = FlatIndex::trained(2, Metric::Cosine, storage, &sample).unwrap();
        flat.insert(1, &[1e-30, 0.0]).unwrap();
    }
}

#[test]
fn codes_need_a_sample() {
    let codes = Storage::Int8(Originals::None);
    let config = HnswConfig { storage: codes, ..HnswConfig::default() };
    assert_eq!(HnswIndex::new(4, config).unwrap_err().kind(), ErrorKind::Config);
    for sample in [&[][..], &[1.0; 5]] {
        let error = FlatIndex::trained(4, Metric::Cosine, codes, sample).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let error = FlatIndex::trained(2, Metric::Cosine, codes, &[1.0, f32::NAN]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFinite);
    // A sample of one vector leaves no range: everything is stored as that vector.
    let mut index = FlatIndex::trained(2, Metric::L2Squared, codes, &[1.0, 2.0]).unwrap();
    index.insert(1, &[5.0, 5.0]).unwrap();
    assert_eq!(index.vector(1), Some(vec![1.0, 2.0]));
}
