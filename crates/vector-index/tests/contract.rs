//! What holds for both indexes alike: edge cases, errors, determinism, many readers.

use crate::data::{Shape, fill, graph, vectors};
use edgekit_vector_index::{
    ErrorKind, FlatIndex, HnswConfig, HnswIndex, Index, Metric, Neighbor, Scratch,
};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::InnerProduct, Metric::L2Squared];

fn both(dim: usize, metric: Metric) -> [Box<dyn Index>; 2] {
    let config = HnswConfig { metric, m: 6, ef_construction: 40, ..HnswConfig::default() };
    [Box::new(FlatIndex::new(dim, metric).unwrap()), Box::new(HnswIndex::new(dim, config).unwrap())]
}

fn ids(found: &[Neighbor]) -> Vec<u64> {
    found.iter().map(|n| n.id).collect()
}

#[test]
fn empty_single_and_more_wanted_than_there_is() {
    let (params, mut scratch) = (graph(64), Scratch::new());
    for metric in METRICS {
        for mut index in both(3, metric) {
            assert!(index.search(&[1.0, 0.0, 0.0], 5, &params, &mut scratch).unwrap().is_empty());
            index.insert(42, &[1.0, 0.0, 0.0]).unwrap();
            assert_eq!(ids(index.search(&[0.0; 3], 5, &params, &mut scratch).unwrap()), [42]);
            index.insert(7, &[0.0, 1.0, 0.0]).unwrap();
            let found = index.search(&[0.1, 1.0, 0.0], 5, &params, &mut scratch).unwrap();
            assert_eq!(ids(found), [7, 42]);
            assert!(index.search(&[1.0; 3], 0, &params, &mut scratch).unwrap().is_empty());
            assert_eq!((index.len(), index.is_empty(), index.dim()), (2, false, 3));
            assert!(index.contains(42) && !index.contains(43));
            assert_eq!(index.vector(7), Some(vec![0.0, 1.0, 0.0]));
            assert_eq!(index.vector(8), None);
            assert!(index.memory_bytes() > 0);
        }
    }
}

#[test]
fn k_beyond_ef_is_honoured() {
    let data = vectors(Shape::Gaussian, 500, 8, 1);
    for mut index in both(8, Metric::L2Squared) {
        fill(&mut *index, &data);
        let mut scratch = Scratch::new();
        let found = index.search(&data[3], 100, &graph(1), &mut scratch).unwrap();
        assert_eq!(found.len(), 100);
        assert!(found.is_sorted_by(|a, b| a.distance <= b.distance));
        assert_eq!(found[0], Neighbor { id: 3, distance: 0.0 });
    }
}

#[test]
fn one_dimension_and_zero_vectors() {
    let mut scratch = Scratch::new();
    for metric in METRICS {
        for mut index in both(1, metric) {
            for id in 0..200_u64 {
                index.insert(id, &[(id % 20) as f32]).unwrap();
            }
            let params = graph(200);
            let all = index.search(&[3.0], 200, &params, &mut scratch).unwrap();
            assert_eq!(all.len(), 200, "{metric:?}");
            if metric == Metric::L2Squared {
                assert!(all[..10].iter().all(|n| n.id % 20 == 3 && n.distance == 0.0));
            }
            if metric == Metric::Cosine {
                assert!(all[190..].iter().all(|n| n.id % 20 == 0 && n.distance == 1.0));
            }
        }
    }
}

#[test]
fn what_cannot_be_ranked_is_a_typed_error() {
    let (params, mut scratch) = (graph(64), Scratch::new());
    for metric in METRICS {
        for mut index in both(2, metric) {
            index.insert(1, &[1.0, 2.0]).unwrap();
            for bad in [[f32::NAN, 0.0], [0.0, f32::INFINITY], [f32::NEG_INFINITY, 1.0]] {
                assert_eq!(index.insert(2, &bad).unwrap_err().kind(), ErrorKind::NotFinite);
                let error = index.search(&bad, 1, &params, &mut scratch).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotFinite);
            }
            for bad in [&[][..], &[1.0], &[1.0, 2.0, 3.0]] {
                assert_eq!(index.insert(2, bad).unwrap_err().kind(), ErrorKind::Dimension);
                let error = index.search(bad, 1, &params, &mut scratch).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Dimension);
                assert!(error.to_string().contains(&bad.len().to_string()), "{error}");
            }
            assert_eq!(index.insert(1, &[0.0, 1.0]).unwrap_err().kind(), ErrorKind::DuplicateId);
            assert_eq!(index.len(), 1);
            index.insert(2, &[2.0, 1.0]).unwrap();
            assert_eq!(index.search(&[1.0, 2.0], 9, &params, &mut scratch).unwrap().len(), 2);
        }
    }
}

#[test]
fn a_length_beyond_f32_is_refused_and_may_be_asked_with() {
    let (params, mut scratch) = (graph(64), Scratch::new());
    for mut index in both(4, Metric::Cosine) {
        let long = [f32::MAX; 4];
        assert_eq!(index.insert(1, &long).unwrap_err().kind(), ErrorKind::NotFinite);
        index.insert(2, &[1.0; 4]).unwrap();
        let found = index.search(&long, 1, &params, &mut scratch).unwrap();
        assert!(found[0].id == 2 && found[0].distance.abs() < 1e-6);
    }
}

#[test]
fn radii_of_any_kind() {
    let (params, mut scratch) = (graph(64), Scratch::new());
    for metric in METRICS {
        for mut index in both(2, metric) {
            (0..20).for_each(|id| index.insert(id, &[1.0 + id as f32, 1.0]).unwrap());
            let query = [1.0, 1.0];
            let mut within =
                |radius| index.search_range(&query, radius, &params, &mut scratch).map(<[_]>::len);
            assert_eq!(within(f32::NAN).unwrap_err().kind(), ErrorKind::NotFinite);
            assert_eq!(within(f32::INFINITY).unwrap(), 20);
            let negative = if metric == Metric::InnerProduct { 12 } else { 0 };
            assert_eq!(within(-10.0).unwrap(), negative, "{metric:?}");
        }
    }
}

#[test]
fn room_can_be_made_and_given_back() {
    let data = vectors(Shape::Uniform, 300, 16, 8);
    for mut index in both(16, Metric::L2Squared) {
        index.reserve(300);
        let reserved = index.memory_bytes();
        assert!(reserved >= 300 * (16 * 4 + 12));
        fill(&mut *index, &data[..100]);
        index.shrink_to_fit();
        assert!(index.memory_bytes() < reserved / 2, "{}", index.memory_bytes());
        let mut scratch = Scratch::new();
        let params = graph(100);
        let found = index.search(&data[50], 1, &params, &mut scratch).unwrap();
        assert_eq!(found[0].id, 50);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let good = HnswConfig::default();
    for config in [
        HnswConfig { m: 1, ..good },
        HnswConfig { m: 513, ..good },
        HnswConfig { ef_construction: 0, ..good },
        HnswConfig { alpha: 0.9, ..good },
        HnswConfig { alpha: f32::NAN, ..good },
    ] {
        assert_eq!(HnswIndex::new(4, config).unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(HnswIndex::new(0, good).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(FlatIndex::new(0, Metric::Cosine).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn an_endless_beam_is_as_wide_as_the_data() {
    let data = vectors(Shape::Uniform, 60, 4, 9);
    let config = HnswConfig { ef_construction: usize::MAX, ..HnswConfig::default() };
    let mut index = HnswIndex::new(4, config).unwrap();
    fill(&mut index, &data);
    let mut scratch = Scratch::new();
    let params = graph(usize::MAX);
    assert_eq!(index.search(&data[0], 60, &params, &mut scratch).unwrap().len(), 60);
}

#[test]
fn a_seed_decides_the_index() {
    let data = vectors(Shape::Gaussian, 800, 16, 3);
    let answers = |seed| {
        let config = HnswConfig { seed, m: 4, ef_construction: 10, ..HnswConfig::default() };
        let mut index = HnswIndex::new(16, config).unwrap();
        fill(&mut index, &data);
        let mut scratch = Scratch::new();
        let params = graph(5);
        let search = |query: &Vec<f32>| index.search(query, 5, &params, &mut scratch).map(ids);
        data.iter().map(search).collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert_eq!(answers(1), answers(1));
    assert_ne!(answers(1), answers(2), "another seed draws other levels");
}

#[test]
fn many_threads_read_the_same_answers() {
    let data = vectors(Shape::Clustered, 600, 16, 4);
    for mut index in both(16, Metric::L2Squared) {
        fill(&mut *index, &data);
        let index = &*index;
        let answers = || {
            let mut scratch = Scratch::new();
            let params = graph(30);
            let mut search = |q: &Vec<f32>| ids(index.search(q, 5, &params, &mut scratch).unwrap());
            data.iter().map(&mut search).collect::<Vec<_>>()
        };
        let expected = answers();
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..4).map(|_| scope.spawn(answers)).collect();
            readers.into_iter().for_each(|r| assert_eq!(r.join().unwrap(), expected));
        });
    }
}

#[cfg(feature = "rayon")]
#[test]
fn a_batch_answers_as_one_by_one() {
    use edgekit_vector_index::search_batch;

    let data = vectors(Shape::Uniform, 300, 8, 5);
    for mut index in both(8, Metric::Cosine) {
        fill(&mut *index, &data);
        let params = graph(20);
        let batch = search_batch(&*index, &data.concat(), 3, &params).unwrap();
        let mut scratch = Scratch::new();
        for (query, found) in data.iter().zip(&batch) {
            assert_eq!(found, index.search(query, 3, &params, &mut scratch).unwrap());
        }
        let error = search_batch(&*index, &[1.0; 9], 3, &params).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Dimension);
        let error = search_batch(&*index, &[f32::NAN; 8], 3, &params).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFinite);
    }
}
