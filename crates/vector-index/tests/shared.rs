//! An index that is searched while it changes: as good as one that is not, and never in between.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use crate::data::{Shape, below, fill, graph, recall_of, rng, vectors};
use edgekit_vector_index::{
    ErrorKind, FlatIndex, HnswConfig, HnswIndex, Index, Method, Metric, Originals, Scratch,
    SearchParams, SharedHnsw, Storage,
};

const METRIC: Metric = Metric::L2Squared;

fn config(storage: Storage) -> HnswConfig {
    HnswConfig { metric: METRIC, m: 6, ef_construction: 40, storage, ..HnswConfig::default() }
}

#[test]
fn what_one_thread_sees_is_an_index() {
    // The long vectors do not fit what is still copied to grow.
    for (dim, storage) in [
        (12, Storage::F32),
        (12, Storage::Int8(Originals::F16)),
        (12, Storage::Int4(Originals::F32)),
        (12, Storage::Binary(Originals::F32)),
        (800, Storage::Int4(Originals::F16)),
    ] {
        let data = vectors(Shape::Clustered, 1_000, dim, 61);
        let mut index = HnswIndex::trained(dim, config(storage), &data.concat()).unwrap();
        fill(&mut index, &data[..50]);
        let shared = SharedHnsw::new(index).unwrap();
        let mut exact = FlatIndex::trained(dim, METRIC, storage, &data.concat()).unwrap();
        fill(&mut exact, &data[..50]);
        let mut rng = rng(62);
        let mut scratch = Scratch::new();
        // Room is made several times on the way.
        for step in 0..if dim < 100 { 2_500 } else { 900 } {
            let (id, vector) = (below(&mut rng, 400) as u64, &data[below(&mut rng, 1_000)]);
            match step % 4 {
                0 => assert_eq!(shared.remove(id).unwrap(), exact.remove(id).unwrap()),
                1 => assert_eq!(
                    shared.insert(id, vector).map_err(|error| error.kind()),
                    exact.insert(id, vector).map_err(|error| error.kind())
                ),
                _ => {
                    shared.upsert(id, vector).unwrap();
                    exact.upsert(id, vector).unwrap();
                }
            }
            assert_eq!(shared.len(), exact.len());
            if step % 25 == 0 {
                let all = shared.search(vector, 500, &graph(500), &mut scratch).unwrap().to_vec();
                let truth = exact.search(vector, 500, &graph(1), &mut scratch).unwrap();
                assert!(all.len() == truth.len() && !all.is_empty());
                for (near, truth) in all.iter().zip(truth) {
                    let error = (near.distance - truth.distance).abs();
                    assert!(error <= 1e-4 * truth.distance.max(1.0), "{storage:?} step {step}");
                }
                let passes = |id: u64| id.is_multiple_of(3);
                let some = shared.search_filtered(vector, 5, &graph(60), &passes, &mut scratch);
                assert!(some.unwrap().iter().all(|near| passes(near.id)));
            }
        }
        shared.with(HnswIndex::validate).unwrap();
        let (within, radius) = (graph(9), 3.0 * dim as f32);
        let here = shared.search_range(&data[3], radius, &within, &mut scratch).unwrap().len();
        let inner = shared.into_inner();
        inner.validate().unwrap();
        assert_eq!(inner.len(), exact.len());
        assert_eq!(inner.stats().free_slots, 0, "it was copied without what was removed");
        let there = inner.search_range(&data[3], radius, &within, &mut scratch).unwrap();
        assert!(here > 0 && here == there.len());
    }
}

#[test]
fn recall_holds_while_it_is_emptied_and_filled() {
    let all = vectors(Shape::Gaussian, 2_600, 16, 63);
    let (data, queries) = all.split_at(2_500);
    let shared = SharedHnsw::new(HnswIndex::new(16, config(Storage::F32)).unwrap()).unwrap();
    for (id, vector) in (0_u64..).zip(data) {
        shared.insert(id, vector).unwrap();
        if id >= 1_000 {
            assert!(shared.remove(id - 1_000).unwrap());
        }
    }
    let mut fresh = HnswIndex::new(16, config(Storage::F32)).unwrap();
    let mut exact = FlatIndex::new(16, METRIC).unwrap();
    for (id, vector) in (0_u64..).zip(data).skip(1_500) {
        fresh.insert(id, vector).unwrap();
        exact.insert(id, vector).unwrap();
    }
    let bytes = shared.memory_bytes() as f64 / fresh.memory_bytes() as f64;
    assert!(bytes < 3.0, "{bytes} times the memory, after many times the vectors");
    let before = recall_of(&fresh, &exact, queries, 10, &graph(40));
    let after = recall_of(&shared.into_inner(), &exact, queries, 10, &graph(40));
    assert!(after >= before - 0.02, "{after}, and {before} built afresh");
}

#[test]
fn a_refused_change_leaves_no_trace() {
    let shared = SharedHnsw::new(HnswIndex::new(2, HnswConfig::default()).unwrap()).unwrap();
    let mut scratch = Scratch::new();
    assert!(shared.search(&[1.0, 0.0], 3, &graph(5), &mut scratch).unwrap().is_empty());
    shared.insert(1, &[1.0, 0.0]).unwrap();
    let kind = |result: Result<(), edgekit_vector_index::Error>| result.unwrap_err().kind();
    assert_eq!(kind(shared.insert(1, &[0.0, 1.0])), ErrorKind::DuplicateId);
    assert_eq!(kind(shared.upsert(1, &[f32::NAN, 1.0])), ErrorKind::NotFinite);
    assert_eq!(kind(shared.insert(2, &[1.0])), ErrorKind::Dimension);
    let error = shared.search(&[f32::NAN; 2], 1, &graph(5), &mut scratch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFinite);
    let found = shared.search(&[1.0, 0.0], 3, &graph(5), &mut scratch).unwrap();
    assert_eq!(found.iter().map(|near| near.id).collect::<Vec<_>>(), [1]);
    assert!(shared.remove(1).unwrap() && !shared.remove(1).unwrap() && shared.is_empty());
    assert!(shared.search(&[1.0, 0.0], 3, &graph(5), &mut scratch).unwrap().is_empty());
}

#[test]
fn a_panic_of_a_reader_leaves_the_index_as_it_was() {
    let shared = SharedHnsw::new(HnswIndex::new(2, HnswConfig::default()).unwrap()).unwrap();
    shared.insert(1, &[1.0, 0.0]).unwrap();
    let panics = || shared.with(|index| assert!(index.is_empty(), "as it should"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    shared.insert(2, &[0.0, 1.0]).unwrap();
    assert!(shared.contains(2) && !shared.contains(3) && shared.len() == 2);
    let mut scratch = Scratch::new();
    let queries = [1.0, 0.0, 0.0, 1.0];
    let found = shared.search_many(&queries, 1, &graph(9), &mut scratch).unwrap();
    assert_eq!(found.iter().map(|found| found[0].id).collect::<Vec<_>>(), [1, 2]);
    let error = shared.search_many(&queries[..3], 1, &graph(9), &mut scratch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dimension);
}

/// One id's life: its version counts changes, and it is there while that is odd.
struct Life {
    /// A change to this version has begun.
    begun: AtomicU64,
    /// The change to this version has returned.
    done: AtomicU64,
}

const IDS: u64 = 160;
/// Which id and version it is can be told from its distance to the query of zeros: all sums are
/// exact.
fn vector(dim: usize, id: u64, version: u64) -> Vec<f32> {
    let mut values = vec![0.0; dim];
    values[..3].copy_from_slice(&[id as f32, (version % 50) as f32, 7.0]);
    values
}

fn distance(id: u64, version: u64) -> f32 {
    vector(3, id, version).iter().map(|x| x * x).sum()
}

fn changes(short: u64, full: u64) -> u64 {
    if std::env::var_os("EDGEKIT_STRESS").is_some() { full } else { short }
}

#[test]
fn every_answer_was_true_while_small() {
    every_answer_was_true_at_some_moment(3, changes(6_000, 30_000_000));
}

/// With rows so long that arrays grow where they are.
#[test]
fn every_answer_was_true_while_growing_in_place() {
    every_answer_was_true_at_some_moment(2_400, changes(2_000, 400_000));
}

/// Two threads change their halves of the ids, two search and check each answer against what was
/// true at some moment of the search.
fn every_answer_was_true_at_some_moment(dim: usize, changes: u64) {
    let shared = SharedHnsw::new(HnswIndex::new(dim, config(Storage::F32)).unwrap()).unwrap();
    let lives: Vec<Life> =
        (0..IDS).map(|_| Life { begun: AtomicU64::new(0), done: AtomicU64::new(0) }).collect();
    let (shared, lives) = (&shared, &lives);
    let running = AtomicU64::new(2);
    let (running, searched) = (&running, &AtomicU64::new(0));
    let both = &AtomicBool::new(false);
    let zeros = vec![0.0; dim];
    let zeros = &zeros;
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                let mut rng = rng(64 + half);
                for _ in 0..changes {
                    let id = below(&mut rng, IDS as usize / 2) as u64 * 2 + half;
                    let life = &lives[id as usize];
                    let version = life.done.load(SeqCst) + 1;
                    if version % 2 == 1 {
                        life.begun.store(version, SeqCst);
                        shared.insert(id, &vector(dim, id, version)).unwrap();
                        life.done.store(version, SeqCst);
                    } else if below(&mut rng, 2) == 0 {
                        life.begun.store(version, SeqCst);
                        assert!(shared.remove(id).unwrap());
                        life.done.store(version, SeqCst);
                    } else {
                        // To the next odd version: it is there all the time.
                        life.begun.store(version + 1, SeqCst);
                        shared.upsert(id, &vector(dim, id, version + 1)).unwrap();
                        life.done.store(version + 1, SeqCst);
                    }
                }
                running.fetch_sub(1, SeqCst);
            });
        }
        for reader in 0..2 {
            scope.spawn(move || {
                let mut scratch = Scratch::new();
                let mut overlapped = false;
                while running.load(SeqCst) > 0 {
                    let before: Vec<u64> = lives.iter().map(|l| l.done.load(SeqCst)).collect();
                    let scans = searched.fetch_add(1, SeqCst) % 2 == reader;
                    let method = if scans { Method::Scan } else { Method::Graph };
                    let params = SearchParams { ef: 400, method };
                    let found = shared.search(zeros, 400, &params, &mut scratch).unwrap();
                    let after: Vec<u64> = lives.iter().map(|l| l.begun.load(SeqCst)).collect();
                    assert!(found.is_sorted_by(|a, b| a.distance <= b.distance));
                    for id in 0..IDS {
                        let (lo, hi) = (before[id as usize], after[id as usize]);
                        let mut hits = found.iter().filter(|near| near.id == id);
                        let hit = hits.next();
                        assert!(hits.next().is_none(), "id {id} came twice");
                        overlapped |= lo != hi && hit.is_some();
                        match hit {
                            Some(near) => {
                                let mut versions = (lo..=hi).filter(|version| version % 2 == 1);
                                assert!(
                                    versions.any(|version| distance(id, version) == near.distance),
                                    "id {id} at {} was never there from {lo} to {hi}",
                                    near.distance
                                );
                            }
                            None if scans => assert!(
                                lo % 2 == 0 || lo != hi,
                                "id {id} in version {lo} is missing from a scan"
                            ),
                            None => {}
                        }
                    }
                }
                both.fetch_or(overlapped, SeqCst);
            });
        }
    });
    shared.with(HnswIndex::validate).unwrap();
    assert!(searched.load(SeqCst) > 20 && both.load(SeqCst), "nothing overlapped");
    // At rest, a wide walk finds exactly what is there.
    let mut scratch = Scratch::new();
    let found = shared.search(zeros, 400, &graph(400), &mut scratch).unwrap();
    let mut ids: Vec<u64> = found.iter().map(|near| near.id).collect();
    ids.sort_unstable();
    let there = |id: &u64| lives[*id as usize].done.load(SeqCst) % 2 == 1;
    assert_eq!(ids, (0..IDS).filter(there).collect::<Vec<_>>());
}
