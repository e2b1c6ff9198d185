//! Bulk building finds what one-by-one building finds, and does not depend on the threads.

use crate::data::{SHAPES, fill, graph, recall_of, vectors};
use edgekit_vector_index::{
    ErrorKind, FlatIndex, HnswConfig, HnswIndex, Index, Metric, Neighbor, Scratch,
};

fn bulk(config: HnswConfig, data: &[Vec<f32>], threads: usize) -> HnswIndex {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut index = HnswIndex::new(data[0].len(), config).unwrap();
    let (first, rest) = data.split_at(data.len() / 3);
    pool.install(|| {
        for (start, rows) in [(0, first), (first.len() as u64, rest)] {
            let ids: Vec<u64> = (start..start + rows.len() as u64).collect();
            index.insert_many(&ids, &rows.concat()).unwrap();
        }
    });
    index
}

#[test]
fn recall_and_reachability_are_those_of_building_one_by_one() {
    let metric = Metric::L2Squared;
    let config = HnswConfig { metric, m: 8, ef_construction: 60, ..HnswConfig::default() };
    for shape in SHAPES {
        let mut data = vectors(shape, 1_600, 24, 51);
        let queries = data.split_off(1_500);
        let mut one_by_one = HnswIndex::new(24, config).unwrap();
        let mut exact = FlatIndex::new(24, metric).unwrap();
        fill(&mut one_by_one, &data);
        fill(&mut exact, &data);
        let built = bulk(config, &data, 3);
        built.validate().unwrap();
        assert_eq!(built.stats().reachable, 1_500);
        let [there, here] =
            [&one_by_one, &built].map(|i| recall_of(i, &exact, &queries, 10, &graph(40)));
        assert!(here >= there - 0.02, "{shape:?}: {here} in bulk, {there} one by one");
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let data = vectors(SHAPES[1], 700, 16, 52);
    let config = HnswConfig { m: 5, ef_construction: 20, ..HnswConfig::default() };
    let answers = |threads| -> Vec<Vec<Neighbor>> {
        let index = bulk(config, &data, threads);
        let mut scratch = Scratch::new();
        let mut search =
            |q: &Vec<f32>| index.search(q, 5, &graph(8), &mut scratch).unwrap().to_vec();
        data.iter().map(&mut search).collect()
    };
    assert_eq!(answers(1), answers(4));
}

#[test]
fn a_bad_vector_or_id_leaves_the_index_as_it_was() {
    let mut index = HnswIndex::new(2, HnswConfig::default()).unwrap();
    index.insert_many(&[], &[]).unwrap();
    index.insert_many(&[7, 8], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    for (ids, vectors, kind) in [
        (&[9, 10][..], &[1.0, 2.0, f32::NAN, 0.0][..], ErrorKind::NotFinite),
        (&[9, 10], &[1.0, 2.0, 3.0], ErrorKind::Dimension),
        (&[9, 7], &[1.0, 2.0, 3.0, 4.0], ErrorKind::DuplicateId),
        (&[9, 9], &[1.0, 2.0, 3.0, 4.0], ErrorKind::DuplicateId),
    ] {
        assert_eq!(index.insert_many(ids, vectors).unwrap_err().kind(), kind);
        assert_eq!(index.len(), 2);
    }
    index.validate().unwrap();
}
