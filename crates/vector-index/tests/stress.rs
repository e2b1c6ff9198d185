//! Two threads change a shared index, two search it in every way there is, and a checker compares
//! each answer with what was there meanwhile. A short form by default; with `EDGEKIT_STRESS` ten
//! minutes.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rand_pcg::Pcg64Mcg;

use crate::data::{Shape, below, brute_force, graph, rng, vectors};
use edgekit_vector_index::{
    HnswConfig, HnswIndex, Method, Metric, Neighbor, Originals, Scratch, SearchParams, SharedHnsw,
    Storage,
};

const DIM: usize = 12;
const IDS: usize = 400;
const K: usize = 10;
/// Vectors that an id has in turn.
const VECTORS: usize = 997;
const QUERIES: usize = 24;
/// Results within this distance of a query are asked for: about one in twenty.
const RADIUS: f32 = 1.1;

/// One id's life: its version counts changes, and it is there while that is odd.
#[derive(Default)]
struct Life {
    /// A change to this version has begun.
    begun: AtomicU64,
    /// The change to this version has returned.
    done: AtomicU64,
}

#[test]
fn answers_hold_under_stress_over_floats() {
    stress(Storage::F32);
}

#[test]
fn answers_hold_under_stress_over_codes() {
    stress(Storage::Int8(Originals::F32));
}

fn stress(storage: Storage) {
    let full = std::env::var_os("EDGEKIT_STRESS").is_some();
    let (changes, span) =
        if full { (u64::MAX, Duration::from_secs(300)) } else { (2_000, Duration::from_secs(60)) };
    let vectors = vectors(Shape::Uniform, VECTORS + QUERIES, DIM, 71);
    let (vectors, queries) = vectors.split_at(VECTORS);
    let config = HnswConfig {
        metric: Metric::L2Squared,
        m: 8,
        ef_construction: 60,
        storage,
        ..HnswConfig::default()
    };
    let index = HnswIndex::trained(DIM, config, &vectors.concat()).unwrap();
    let checker = Checker {
        exact: storage == Storage::F32,
        lives: (0..IDS).map(|_| Life::default()).collect(),
        distances: queries.iter().map(|query| distances(vectors, query)).collect(),
    };
    let shared = SharedHnsw::new(index).unwrap();
    let (shared, checker) = (&shared, &checker);
    let (running, start) = (&AtomicU64::new(2), Instant::now());
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                let mut rng = rng(72 + half as u64);
                let mut changed = 0;
                while changed < changes && start.elapsed() < span {
                    let id = below(&mut rng, IDS / 2) * 2 + half;
                    checker.change(shared, id, vectors, &mut rng);
                    changed += 1;
                }
                running.fetch_sub(1, SeqCst);
            });
        }
        let reader = |seed| {
            scope.spawn(move || {
                let (mut rng, mut scratch, mut tally) =
                    (rng(seed), Scratch::new(), Tally::default());
                while running.load(SeqCst) > 0 {
                    let query = below(&mut rng, QUERIES);
                    checker.read(
                        shared,
                        query,
                        &queries[query],
                        &mut rng,
                        &mut scratch,
                        &mut tally,
                    );
                }
                tally
            })
        };
        let readers = [reader(74), reader(75)];
        readers.map(|reader| reader.join().unwrap()).into()
    });
    shared.with(HnswIndex::validate).unwrap();
    let sum = |part: fn(&Tally) -> usize| tallies.iter().map(part).sum::<usize>();
    let (wanted, found) = (sum(|tally| tally.wanted), sum(|tally| tally.found));
    assert!(sum(|tally| tally.changed) > 0, "nothing changed while it was read");
    assert!(wanted > 1_000, "{wanted}");
    let recall = found as f64 / wanted as f64;
    assert!(recall >= 0.95, "{storage:?}: walks found {recall} of what was there all the time");
}

fn distances(vectors: &[Vec<f32>], query: &[f32]) -> Vec<f32> {
    let to = |vector: &Vec<f32>| {
        brute_force(Metric::L2Squared, std::slice::from_ref(vector), query, 1)[0] as f32
    };
    vectors.iter().map(to).collect()
}

fn vector_of(id: usize, version: u64) -> usize {
    (id * 31 + version as usize) % VECTORS
}

/// What a reader saw.
#[derive(Default)]
struct Tally {
    /// Of the nearest that were there all the time: how many a walk had to find…
    wanted: usize,
    /// … and how many it did.
    found: usize,
    /// Results whose id changed during the search.
    changed: usize,
}

struct Checker {
    /// Whether scans score all vectors as they are, not by codes.
    exact: bool,
    lives: Vec<Life>,
    /// From each query to each vector.
    distances: Vec<Vec<f32>>,
}

impl Checker {
    fn change(&self, shared: &SharedHnsw, id: usize, vectors: &[Vec<f32>], rng: &mut Pcg64Mcg) {
        let life = &self.lives[id];
        let version = life.done.load(SeqCst) + 1;
        // Half of those that are there go; the others get another vector, and stay all the time.
        let there = version.is_multiple_of(2);
        let next = if there && below(rng, 2) == 0 { version + 1 } else { version };
        life.begun.store(next, SeqCst);
        let vector = &vectors[vector_of(id, next)];
        match (there, next == version) {
            (true, true) => assert!(shared.remove(id as u64).unwrap()),
            (true, false) => shared.upsert(id as u64, vector).unwrap(),
            (false, _) => shared.insert(id as u64, vector).unwrap(),
        }
        life.done.store(next, SeqCst);
    }

    /// One search of a kind by chance.
    fn read(
        &self,
        shared: &SharedHnsw,
        query: usize,
        values: &[f32],
        rng: &mut Pcg64Mcg,
        scratch: &mut Scratch,
        tally: &mut Tally,
    ) {
        let method = if below(rng, 3) == 0 { Method::Scan } else { Method::Graph };
        let params = SearchParams { method, ..graph(48) };
        let one_in = [1, 3, 20][below(rng, 3)];
        let passes = |id: u64| id.is_multiple_of(one_in);
        let ranged = below(rng, 4) == 0;
        let before: Vec<u64> = self.lives.iter().map(|life| life.done.load(SeqCst)).collect();
        let found = match (ranged, one_in) {
            (true, _) => shared.search_range(values, RADIUS, &params, scratch),
            (false, 1) => shared.search(values, K, &params, scratch),
            (false, _) => shared.search_filtered(values, K, &params, &passes, scratch),
        };
        let found = found.unwrap();
        let after: Vec<u64> = self.lives.iter().map(|life| life.begun.load(SeqCst)).collect();
        let distances = &self.distances[query];
        tally.changed += self.each_was_true(found, distances, &before, &after);
        assert!(ranged || found.iter().all(|near| passes(near.id)));
        // Up to where everything that stayed must be found.
        let reach = match found.get(K - 1) {
            _ if ranged => RADIUS,
            Some(last) => last.distance,
            None => f32::INFINITY,
        };
        assert!(!ranged || found.iter().all(|near| near.distance <= RADIUS));
        let stayed = (0..IDS).filter(|&id| {
            let (lo, hi) = (before[id], after[id]);
            let asked = ranged || passes(id as u64);
            asked && lo == hi && lo % 2 == 1 && distances[vector_of(id, lo)] < reach * (1.0 - 1e-5)
        });
        for id in stayed {
            let hit = found.iter().any(|near| near.id == id as u64);
            // What a walk or codes miss is counted; of a range, walks promise no share.
            if method == Method::Scan && (ranged || self.exact) {
                assert!(hit, "id {id} is missing from a scan");
            } else if !ranged {
                tally.wanted += 1;
                tally.found += usize::from(hit);
            }
        }
    }

    /// Whether every result comes once, in order, at the distance of a vector that it had; how many
    /// changed meanwhile.
    fn each_was_true(
        &self,
        found: &[Neighbor],
        distances: &[f32],
        before: &[u64],
        after: &[u64],
    ) -> usize {
        assert!(found.is_sorted_by(|a, b| a.distance <= b.distance));
        let mut ids: Vec<u64> = found.iter().map(|near| near.id).collect();
        ids.sort_unstable();
        assert!(ids.is_sorted_by(|a, b| a < b), "an id came twice");
        let mut changed = 0;
        for near in found {
            let id = near.id as usize;
            let (lo, hi) = (before[id], after[id]);
            let fits = |version| {
                let distance = distances[vector_of(id, version)];
                (distance - near.distance).abs() <= 1e-4 * distance.max(1.0)
            };
            assert!(
                (lo..=hi).any(|version| version % 2 == 1 && fits(version)),
                "id {id} at {} was never there from {lo} to {hi}",
                near.distance
            );
            changed += usize::from(lo != hi);
        }
        changed
    }
}
