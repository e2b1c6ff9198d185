//! Many queries at once: the same answers as one by one, however hard rounding makes it.

use edgekit_vector_index::{
    ErrorKind, FlatIndex, Index, Metric, Originals, Scratch, SearchParams, Storage,
};

use crate::data::{SHAPES, below, gaussian, rng, vectors};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::InnerProduct, Metric::L2Squared];

/// What is answered through products.
const STORAGES: [Storage; 4] = [
    Storage::F32,
    Storage::Int8(Originals::None),
    Storage::Int8(Originals::F32),
    Storage::Int4(Originals::F32),
];

/// Checks that all of `queries` at once find to the bit what each finds alone.
fn check(index: &FlatIndex, queries: &[Vec<f32>], k: usize, what: &str) {
    let (params, mut scratch) = (SearchParams::default(), Scratch::new());
    let many = index.search_many(&queries.concat(), k, &params, &mut scratch).unwrap();
    assert_eq!(many.len(), queries.len());
    #[cfg(feature = "rayon")]
    {
        let batch = edgekit_vector_index::search_batch(index, &queries.concat(), k, &params);
        assert_eq!(batch.unwrap(), many, "{what}, on threads");
    }
    for (i, (query, many)) in queries.iter().zip(&many).enumerate() {
        let one = index.search(query, k, &params, &mut scratch).unwrap();
        let bits = |n: &edgekit_vector_index::Neighbor| (n.id, n.distance.to_bits());
        let (many, one): (Vec<_>, Vec<_>) =
            (many.iter().map(bits).collect(), one.iter().map(bits).collect());
        assert_eq!(many, one, "{what}, {:?}, query {i}, k {k}", index.metric());
    }
}

fn filled(metric: Metric, storage: Storage, data: &[Vec<f32>]) -> FlatIndex {
    let mut index = FlatIndex::trained(data[0].len(), metric, storage, &data.concat()).unwrap();
    for (id, vector) in data.iter().enumerate() {
        index.insert(id as u64 * 3, vector).unwrap();
    }
    index
}

fn check_all(data: &[Vec<f32>], queries: &[Vec<f32>], what: &str) {
    for metric in METRICS {
        for storage in STORAGES {
            let index = filled(metric, storage, data);
            for k in [1, 10] {
                check(&index, queries, k, &format!("{what}, {storage:?}"));
            }
        }
    }
}

#[test]
fn many_queries_find_what_each_finds_alone() {
    for shape in SHAPES {
        for dim in [1, 3, 16, 50, 300] {
            let all = vectors(shape, 1_200, dim, 1);
            let (queries, data) = all.split_at(100);
            check_all(data, queries, &format!("{shape:?} {dim}"));
            // Stored vectors as queries: distances near zero, where cancellation is worst.
            check_all(data, &data[..20], &format!("{shape:?} {dim}, stored"));
        }
    }
}

#[test]
fn any_number_of_queries_and_rows_is_answered() {
    let all = vectors(SHAPES[1], 1_800, 20, 2);
    for storage in STORAGES {
        for rows in [1, 2, 1_023, 1_024, 1_055, 1_056, 1_057, 1_585] {
            let index = filled(Metric::L2Squared, storage, &all[..rows]);
            let what = format!("{rows} rows, {storage:?}");
            for count in [0, 1, 7, 8, 9, 15, 16, 17, 47, 48, 49, 95, 96, 97, 200] {
                check(&index, &all[all.len() - count..], 5, &what);
            }
            // At 256 and 426 results a shortlist becomes too long for a sorted pool.
            for k in [0, 16, 17, 24, 25, 256, 257, 426, 427, 2_000] {
                check(&index, &all[..20], k, &what);
            }
        }
    }
    let empty = FlatIndex::new(20, Metric::Cosine).unwrap();
    check(&empty, &all[..20], 3, "no rows");
}

#[test]
fn near_ties_and_cancellation_do_not_change_an_answer() {
    let mut rng = rng(3);
    // About one point: distances, or differences between them, are far below the products' rounding.
    for (offset, spread) in [(1e3, 1e-3), (1e3, 1.0), (1.0, 1e-6), (1.0, 1e-4), (1e15, 1e9)] {
        for dim in [4, 100] {
            let mut near =
                || -> Vec<f32> { (0..dim).map(|_| offset + spread * gaussian(&mut rng)).collect() };
            let data: Vec<_> = (0..1_100).map(|_| near()).collect();
            let queries: Vec<_> = (0..30).map(|_| near()).collect();
            check_all(&data, &queries, &format!("{offset} ± {spread}, {dim}"));
        }
    }
}

#[test]
fn lengths_may_differ_by_all_that_f32_can_hold() {
    let mut rng = rng(4);
    let mut any = |exponents: [i32; 2]| -> Vec<f32> {
        let exponent =
            exponents[0] + below(&mut rng, (exponents[1] - exponents[0]) as usize) as i32;
        (0..40).map(|_| gaussian(&mut rng) * 10_f32.powi(exponent)).collect()
    };
    for exponents in [[-38, 17], [-38, -18], [-25, -15], [-3, 3], [10, 17]] {
        let mut data: Vec<_> = (0..1_100).map(|_| any(exponents)).collect();
        data[5].fill(0.0);
        let mut queries: Vec<_> = (0..40).map(|_| any(exponents)).collect();
        queries[7].fill(0.0);
        check_all(&data, &queries, &format!("lengths within {exponents:?}"));
    }
}

#[test]
fn rows_that_come_nearer_and_nearer_are_all_seen() {
    let data: Vec<_> = (0..1_100).rev().map(|i| vec![i as f32, 1.0, 0.5]).collect();
    check_all(&data, &data[1_000..], "a descent");
}

#[test]
fn removed_vectors_and_codes_are_treated_as_by_search() {
    let data = vectors(SHAPES[0], 1_700, 24, 5);
    for storage in [
        Storage::F32,
        Storage::F16,
        Storage::Int8(Originals::F16),
        Storage::Int4(Originals::None),
        Storage::Binary(Originals::F16),
    ] {
        let mut index = filled(Metric::Cosine, storage, &data);
        for id in (0..1_700).step_by(3) {
            index.remove(id * 3).unwrap();
        }
        check(&index, &data[..50], 10, &format!("{storage:?}"));
    }
}

#[test]
fn a_bad_query_among_many_is_refused() {
    let data = vectors(SHAPES[0], 1_100, 8, 6);
    let index = filled(Metric::L2Squared, Storage::F32, &data);
    let kind = |queries: &[f32]| {
        let params = SearchParams::default();
        index.search_many(queries, 3, &params, &mut Scratch::new()).unwrap_err().kind()
    };
    let mut queries = data.concat();
    assert_eq!(kind(&queries[..399]), ErrorKind::Dimension);
    queries[200] = f32::NAN;
    assert_eq!(kind(&queries), ErrorKind::NotFinite);
    queries[200] = 1e30;
    assert_eq!(kind(&queries), ErrorKind::NotFinite);
}
