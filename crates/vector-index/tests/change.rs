//! Removing, replacing, filtering and radius searches, against a model that does them plainly.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::{Shape, below, brute_force, fill, graph, recall_of, rng, vectors};
use crate::files::{map, place};
use edgekit_vector_index::{
    FlatIndex, HnswConfig, HnswIndex, Index, Method, Metric, Originals, Scratch, SearchParams,
    Storage,
};
use proptest::prelude::*;

const DIM: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u64),
    Remove(u64),
    Upsert(u64, u64),
    Search(u64),
    Filtered(u64, u64),
    Range(u64, f32),
    Reload,
    Optimize,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0_u64..40;
    prop_oneof![
        3 => (id.clone(), any::<u64>()).prop_map(|(id, seed)| Step::Insert(id, seed)),
        2 => id.clone().prop_map(Step::Remove),
        2 => (id, any::<u64>()).prop_map(|(id, seed)| Step::Upsert(id, seed)),
        1 => any::<u64>().prop_map(Step::Search),
        1 => (any::<u64>(), 1_u64..5).prop_map(|(seed, n)| Step::Filtered(seed, n)),
        1 => (any::<u64>(), 0.0_f32..30.0).prop_map(|(seed, radius)| Step::Range(seed, radius)),
        1 => Just(Step::Reload),
        1 => Just(Step::Optimize),
    ]
}

fn vector(seed: u64) -> Vec<f32> {
    let mut rng = rng(seed);
    (0..DIM).map(|_| below(&mut rng, 7) as f32 - 3.0).collect()
}

/// Nearest asked for: enough for what is scored again to be all there is, so that codes are exact.
const K: usize = 20;

fn metric() -> impl Strategy<Value = Metric> {
    prop_oneof![Just(Metric::Cosine), Just(Metric::InnerProduct), Just(Metric::L2Squared)]
}

fn storage() -> impl Strategy<Value = Storage> {
    prop_oneof![
        Just(Storage::F32),
        Just(Storage::F16),
        Just(Storage::Int8(Originals::F32)),
        Just(Storage::Int4(Originals::F32)),
        Just(Storage::Binary(Originals::F32)),
    ]
}

/// What the index must hold after the same steps.
type Model = BTreeMap<u64, Vec<f32>>;

fn check(
    index: &dyn Index,
    model: &Model,
    step: &Step,
    scratch: &mut Scratch,
) -> Result<(), TestCaseError> {
    let (params, metric) = (graph(64), index.metric());
    // Small whole numbers: only lengths are rounded.
    let slack = if metric == Metric::Cosine { 1e-3 } else { 0.0 };
    let (seed, nth) = match *step {
        Step::Search(seed) => (seed, 1),
        Step::Filtered(seed, nth) => (seed, nth),
        Step::Range(seed, radius) => {
            let query = vector(seed);
            let rows: Vec<_> = model.values().cloned().collect();
            let truth = brute_force(metric, &rows, &query, rows.len());
            let within = |radius| truth.iter().filter(|&&d| d <= radius).count();
            let radius = if metric == Metric::InnerProduct { radius - 15.0 } else { radius };
            let found = index.search_range(&query, radius, &params, scratch).unwrap().len();
            let radius = f64::from(radius);
            prop_assert!((within(radius - slack)..=within(radius + slack)).contains(&found));
            return Ok(());
        }
        _ => return Ok(()),
    };
    let query = vector(seed);
    let passes = |id: u64| id.is_multiple_of(nth);
    let rows: Vec<_> =
        model.iter().filter(|(id, _)| passes(**id)).map(|(_, v)| v.clone()).collect();
    let truth = brute_force(metric, &rows, &query, K);
    let found = match step {
        Step::Filtered(..) => index.search_filtered(&query, K, &params, &passes, scratch),
        _ => index.search(&query, K, &params, scratch),
    };
    let found = found.unwrap();
    prop_assert_eq!(found.len(), truth.len());
    for (neighbor, truth) in found.iter().zip(truth) {
        let distance = f64::from(neighbor.distance);
        prop_assert!((distance - truth).abs() <= slack, "{distance} instead of {truth}");
        prop_assert!(passes(neighbor.id));
        let own = brute_force(metric, &[model[&neighbor.id].clone()], &query, 1)[0];
        prop_assert!((own - distance).abs() <= slack, "a ghost at {}", neighbor.id);
    }
    let mut ids: Vec<_> = found.iter().map(|neighbor| neighbor.id).collect();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), found.len(), "an id came twice");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn steps_leave_what_the_model_holds(
        steps in prop::collection::vec(step(), 1..150),
        m in 2_usize..6,
        seed in any::<u64>(),
        metric in metric(),
        storage in storage(),
    ) {
        let sample: Vec<f32> = (0..50).flat_map(vector).collect();
        let config = HnswConfig { metric, m, ef_construction: 20, seed, storage, ..HnswConfig::default() };
        let (directory, path) = place();
        let mut flat = FlatIndex::trained(DIM, metric, storage, &sample).unwrap();
        let mut hnsw = HnswIndex::trained(DIM, config, &sample).unwrap();
        let mut model = Model::new();
        let mut scratch = Scratch::new();
        for step in &steps {
            for index in [&mut flat as &mut dyn Index, &mut hnsw] {
                match *step {
                    Step::Insert(id, seed) => {
                        let result = index.insert(id, &vector(seed));
                        prop_assert_eq!(result.is_err(), model.contains_key(&id));
                    }
                    Step::Remove(id) => prop_assert_eq!(index.remove(id).unwrap(), model.contains_key(&id)),
                    Step::Upsert(id, seed) => index.upsert(id, &vector(seed)).unwrap(),
                    _ => check(index, &model, step, &mut scratch)?,
                }
            }
            match *step {
                Step::Optimize => hnsw.optimize().unwrap(),
                Step::Reload => {
                    flat.save(&path).unwrap();
                    flat = FlatIndex::read(&path).unwrap();
                    hnsw.save(&path).unwrap();
                    let mut mapped = map(&path).unwrap();
                    check(&mapped, &model, &Step::Filtered(seed, 2), &mut scratch)?;
                    prop_assert!(mapped.insert(99, &[0.0; DIM]).is_err() && mapped.optimize().is_err());
                    hnsw = HnswIndex::read(&path).unwrap();
                }
                _ => {}
            }
            match *step {
                Step::Insert(id, seed) => {
                    model.entry(id).or_insert_with(|| vector(seed));
                }
                Step::Remove(id) => {
                    model.remove(&id);
                }
                Step::Upsert(id, seed) => {
                    model.insert(id, vector(seed));
                }
                _ => {}
            }
            prop_assert_eq!((flat.len(), hnsw.len()), (model.len(), model.len()));
        }
        drop(directory);
        hnsw.validate().unwrap();
        // Everything that is there can be reached.
        for index in [&flat as &dyn Index, &hnsw] {
            let all = index.search(&[0.0; DIM], model.len() + 1, &graph(1), &mut scratch).unwrap();
            let mut found: Vec<_> = all.iter().map(|n| n.id).collect();
            found.sort_unstable();
            prop_assert_eq!(&found, &model.keys().copied().collect::<Vec<_>>());
        }
        let listed = [flat.ids().collect::<BTreeSet<_>>(), hnsw.ids().collect()];
        prop_assert!(listed.iter().all(|ids| ids.iter().eq(model.keys())));
    }
}

#[test]
fn recall_holds_after_half_of_the_vectors_were_replaced() {
    for shape in [Shape::Gaussian, Shape::Clustered, Shape::Duplicated] {
        let all = vectors(shape, 2_500, 24, 21);
        let (first, rest) = all.split_at(1_600);
        let (second, queries) = rest.split_at(800);
        let metric = Metric::L2Squared;
        let config = HnswConfig { metric, m: 8, ef_construction: 60, ..HnswConfig::default() };
        let mut churned = HnswIndex::new(24, config).unwrap();
        fill(&mut churned, first);
        let bytes = churned.memory_bytes();
        let mut rng = rng(22);
        let mut live: Vec<u64> = (0..1_600).collect();
        for (i, vector) in second.iter().enumerate() {
            let gone = live.swap_remove(below(&mut rng, live.len()));
            assert!(
                churned.remove(gone).unwrap()
                    && !churned.remove(gone).unwrap()
                    && !churned.contains(gone)
            );
            churned.insert(10_000 + i as u64, vector).unwrap();
            live.push(10_000 + i as u64);
        }
        // The table of ids may grow once; 800 vectors would need 140 kB.
        let grown = churned.memory_bytes() - bytes;
        assert!(grown < 20_000, "{grown} bytes more, although what was removed left room");

        let mut exact = FlatIndex::new(24, metric).unwrap();
        let mut fresh = HnswIndex::new(24, config).unwrap();
        for &id in &live {
            let vector = churned.vector(id).unwrap();
            exact.insert(id, &vector).unwrap();
            fresh.insert(id, &vector).unwrap();
        }
        let recall = recall_of(&churned, &exact, queries, 10, &graph(60));
        let before = recall_of(&fresh, &exact, queries, 10, &graph(60));
        assert!(recall >= before - 0.02, "{shape:?}: {recall} after churn, {before} built afresh");
    }
}

#[test]
fn an_index_can_be_emptied_and_filled_again() {
    let data = vectors(Shape::Uniform, 200, 8, 23);
    let config = HnswConfig { m: 4, metric: Metric::L2Squared, ..HnswConfig::default() };
    let mut index = HnswIndex::new(8, config).unwrap();
    let mut scratch = Scratch::new();
    for _ in 0..3 {
        fill(&mut index, &data);
        for id in 0..200 {
            assert!(index.remove(id).unwrap());
        }
        assert!(index.is_empty() && index.layers() == 0);
        assert!(index.search(&data[0], 3, &graph(9), &mut scratch).unwrap().is_empty());
    }
    fill(&mut index, &data);
    assert_eq!(index.search(&data[7], 1, &graph(30), &mut scratch).unwrap()[0].id, 7);
}

#[test]
fn a_filter_returns_k_whenever_k_pass_and_finds_the_nearest() {
    let all = vectors(Shape::Gaussian, 4_060, 16, 24);
    let (data, queries) = all.split_at(4_000);
    let metric = Metric::L2Squared;
    let config = HnswConfig { metric, m: 12, ef_construction: 80, ..HnswConfig::default() };
    let mut index = HnswIndex::new(16, config).unwrap();
    fill(&mut index, data);
    let mut scratch = Scratch::new();
    // A narrow beam walks where a wide one would score all that pass.
    for (method, ef) in [(Method::Graph, 80), (Method::Auto, 80), (Method::Graph, 12)] {
        for one_in in [1, 2, 5, 10, 100, 1_000] {
            let rows: Vec<_> = data.iter().step_by(one_in).cloned().collect();
            let (mut found, mut wanted) = (0, 0);
            for query in queries {
                let params = SearchParams { ef, method };
                let passes = |id: u64| id.is_multiple_of(one_in as u64);
                let truth = brute_force(metric, &rows, query, 10);
                let results =
                    index.search_filtered(query, 10, &params, &passes, &mut scratch).unwrap();
                assert_eq!(results.len(), truth.len());
                assert!(results.iter().all(|n| passes(n.id)));
                assert_eq!(
                    results.iter().map(|n| n.id).collect::<BTreeSet<_>>().len(),
                    truth.len()
                );
                let bound = truth.last().unwrap() * 1.00001;
                found += results.iter().filter(|n| f64::from(n.distance) <= bound).count();
                wanted += truth.len();
            }
            let recall = found as f64 / wanted as f64;
            let floor = if ef == 80 { 0.95 } else { 0.7 };
            assert!(recall >= floor, "1 in {one_in}, {method:?}, ef {ef}: {recall}");
        }
    }
    let nothing = index.search_filtered(&data[0], 10, &graph(50), &|_| false, &mut scratch);
    assert!(nothing.unwrap().is_empty());
}

#[test]
fn a_radius_search_finds_nearly_all_within_it() {
    let data = vectors(Shape::Clustered, 2_000, 16, 25);
    let metric = Metric::L2Squared;
    let config = HnswConfig { metric, m: 12, ef_construction: 80, ..HnswConfig::default() };
    let mut index = HnswIndex::new(16, config).unwrap();
    fill(&mut index, &data);
    let mut scratch = Scratch::new();
    let (mut found, mut wanted) = (0, 0);
    for query in data.iter().step_by(20) {
        let within = index.search_range(query, 30.0, &graph(20), &mut scratch).unwrap();
        assert!(within.iter().all(|n| n.distance <= 30.0) && within[0].distance == 0.0);
        found += within.len();
        let truth = brute_force(metric, &data, query, data.len());
        wanted += truth.iter().filter(|&&d| d <= 30.0).count();
    }
    assert!(wanted > 1_000 && found as f64 >= 0.98 * wanted as f64, "{found} of {wanted}");
}
