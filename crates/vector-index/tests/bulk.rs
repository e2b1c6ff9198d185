//! Bulk building finds what one-by-one building finds, and does not depend on the threads.

use crate::data::{SHAPES, fill, graph, recall_of, vectors};
use edgekit_vector_index::{
    ErrorKind, FlatIndex, HnswConfig, HnswIndex, Index, Metric, Neighbor, Originals, Scratch,
    Storage,
};

fn bulk(config: HnswConfig, data: &[Vec<f32>], threads: usize) -> HnswIndex {
    let mut index = HnswIndex::trained(data[0].len(), config, &data.concat()).unwrap();
    let (first, rest) = data.split_at(data.len() / 3);
    within(threads, || {
        for (start, rows) in [(0, first), (first.len() as u64, rest)] {
            let ids: Vec<u64> = (start..start + rows.len() as u64).collect();
            index.insert_many(&ids, &rows.concat()).unwrap();
        }
    });
    index
}

#[cfg(feature = "rayon")]
fn within(threads: usize, work: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work);
}

#[cfg(not(feature = "rayon"))]
fn within(_: usize, work: impl FnOnce()) {
    work();
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
fn signs_alone_are_linked_as_well_as_one_by_one() {
    let metric = Metric::Cosine;
    let storage = Storage::Binary(Originals::None);
    let config = HnswConfig { metric, storage, m: 8, ef_construction: 60, ..HnswConfig::default() };
    let mut data = vectors(SHAPES[0], 700, 32, 53);
    let queries = data.split_off(600);
    let mut one_by_one = HnswIndex::trained(32, config, &data.concat()).unwrap();
    fill(&mut one_by_one, &data);
    let built = bulk(config, &data, 2);
    built.validate().unwrap();
    // What a walk can find is what a scan of the signs finds.
    let mut flat = FlatIndex::trained(32, metric, storage, &data.concat()).unwrap();
    fill(&mut flat, &data);
    let found = |index: &HnswIndex| recall_of(index, &flat, &queries, 10, &graph(40));
    let [there, here] = [&one_by_one, &built].map(found);
    assert!(here >= there - 0.02 && here > 0.9, "{here} in bulk, {there} one by one");
}

#[test]
fn some_more_and_slots_of_removed_ones() {
    for storage in [Storage::F16, Storage::Binary(Originals::None), Storage::Int4(Originals::F32)] {
        let config = HnswConfig { storage, m: 6, ef_construction: 40, ..HnswConfig::default() };
        let data = vectors(SHAPES[0], 500, 16, 54);
        let mut index = bulk(config, &data[..400], 2);
        for id in (0..400).step_by(2) {
            index.remove(id).unwrap();
        }
        let ids: Vec<u64> = (1_000..1_100).collect();
        index.insert_many(&ids, &data[400..].concat()).unwrap();
        index.validate().unwrap();
        index.insert_many(&[5_000], &data[0]).unwrap();
        index.validate().unwrap();
        let stats = index.stats();
        assert_eq!((stats.vectors, stats.reachable, stats.free_slots), (301, 301, 99));
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
