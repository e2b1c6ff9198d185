//! Storage kinds, filters and files: what each saves and what it costs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{
    FlatIndex, HnswConfig, HnswIndex, Index, Method, Metric, Originals, Scratch, SearchParams,
    Storage,
};

use super::contenders::{Contender, Ours};
use super::data::Dataset;
use super::{K, build, compete, latency, queries_per_second};
use crate::{Suite, Unit};

/// The settings that are fastest at equal recall: more links, which the codes' smaller rows pay
/// for.
pub(super) fn quantised(metric: Metric, storage: Storage) -> HnswConfig {
    HnswConfig { metric, storage, m: 24, alpha: 1.15, ..HnswConfig::default() }
}

/// Graphs over codes, with half-precision originals for the last word.
pub(super) fn graphs(suite: &mut Suite, data: &Rc<Dataset>) {
    let dim = data.dim;
    type Kind = fn(Originals) -> Storage;
    let kinds: [(&str, Kind); 3] =
        [("int8", Storage::Int8), ("int4", Storage::Int4), ("binary", Storage::Binary)];
    for (name, storage) in kinds {
        let prefix = format!("index/{dim}/{name}");
        if !suite.wants(&prefix) {
            continue;
        }
        let index = build(quantised(data.metric, storage(Originals::F16)), data);
        let bytes = |index: &HnswIndex| index.memory_bytes() as f64 / data.len() as f64;
        suite.value(format!("{prefix}/bytes-per-vector"), Unit::Bytes, bytes(&index));
        compete(suite, data, name, Box::new(Ours::new(Rc::new(index))));
        let config =
            HnswConfig { ef_construction: 20, ..quantised(data.metric, storage(Originals::None)) };
        let bare = build(config, data);
        suite.value(format!("{prefix}/bytes-per-vector-bare"), Unit::Bytes, bytes(&bare));
    }
}

/// An exact index as a contender; it needs no `ef`.
struct Scan {
    index: FlatIndex,
    scratch: Scratch,
}

impl Contender for Scan {
    fn set_ef(&mut self, _: usize) {}

    fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<u64>) {
        let params = SearchParams::default();
        let results = self.index.search(query, k, &params, &mut self.scratch);
        found.clear();
        found.extend(results.expect("the query is finite").iter().map(|neighbor| neighbor.id));
    }
}

/// Scans of codes, of all vectors and of the first thousand.
pub(super) fn scans(suite: &mut Suite, data: &Rc<Dataset>) {
    for (size, data) in [("all", data.clone()), ("1k", Rc::new(data.first(1_000)))] {
        for (name, storage) in [
            ("f32", Storage::F32),
            ("int8", Storage::Int8(Originals::F32)),
            ("int4", Storage::Int4(Originals::F32)),
        ] {
            let prefix = format!("index/{}/scan-{size}/{name}", data.dim);
            if !suite.wants(&prefix) {
                continue;
            }
            let rows: Vec<f32> = data.base().flatten().copied().collect();
            let mut index = FlatIndex::trained(data.dim, data.metric, storage, &rows)
                .expect("the data is finite");
            for (id, vector) in data.base().enumerate() {
                index.insert(id as u64, vector).expect("the data is finite");
            }
            let mut scan = Scan { index, scratch: Scratch::new() };
            let recall = data.recall(|query, found| scan.search(query, K, found));
            suite.value(format!("{prefix}/recall@10"), Unit::Share, recall);
            let scan = Rc::new(RefCell::new(scan));
            {
                let (data, scan) = (data.clone(), scan.clone());
                suite.measure(format!("{prefix}/qps"), Unit::PerSecond, move || {
                    queries_per_second(&data, &mut *scan.borrow_mut(), 3)
                });
            }
            let same = batch_is_the_same(&data, &mut scan.borrow_mut());
            suite.check(format!("{prefix}/batch"), same, || "not what search finds".into());
            {
                let (data, scan) = (data.clone(), scan.clone());
                suite.measure(format!("{prefix}/batch/qps"), Unit::PerSecond, move || {
                    batch_per_second(&data, &mut scan.borrow_mut(), 5)
                });
            }
            let data = data.clone();
            suite.measure(format!("{prefix}/p95"), Unit::Nanos, move || {
                latency(&data, &mut *scan.borrow_mut(), 95)
            });
        }
    }
}

/// Whether all queries at once find what each finds alone.
fn batch_is_the_same(data: &Dataset, scan: &mut Scan) -> bool {
    let Scan { index, scratch } = scan;
    let params = SearchParams::default();
    let many = index.search_many(&data.queries.concat(), K, &params, scratch);
    let many = many.expect("the queries are finite");
    data.queries
        .iter()
        .zip(&many)
        .all(|(query, many)| index.search(query, K, &params, scratch).is_ok_and(|one| one == many))
}

/// The fastest of some passes over all queries at once, on one thread.
fn batch_per_second(data: &Dataset, scan: &mut Scan, passes: usize) -> f64 {
    let queries = data.queries.concat();
    let params = SearchParams::default();
    let pass = |_| {
        let start = Instant::now();
        let found = scan.index.search_many(&queries, K, &params, &mut scan.scratch);
        std::hint::black_box(found.expect("the queries are finite"));
        start.elapsed()
    };
    let best = (0..passes).map(pass).min().expect("at least one pass");
    data.queries.len() as f64 / best.as_secs_f64()
}

/// Filters that let a share of the ids pass, against searching more and dropping what does not
/// pass, and against scanning.
pub(super) fn filters(suite: &mut Suite, data: &Rc<Dataset>) {
    if !suite.wants("index/filter") {
        return;
    }
    let index = Rc::new(build(quantised(data.metric, Storage::Int8(Originals::F16)), data));
    let rows: Vec<f32> = data.base().flatten().copied().collect();
    let storage = Storage::Int8(Originals::F16);
    let mut flat =
        FlatIndex::trained(data.dim, data.metric, storage, &rows).expect("the data is finite");
    let mut exact = FlatIndex::new(data.dim, data.metric).expect("a valid dimension");
    for (id, vector) in data.base().enumerate() {
        flat.insert(id as u64, vector).expect("the data is finite");
        exact.insert(id as u64, vector).expect("the data is finite");
    }
    let flat = Rc::new(flat);
    for one_in in [2_u64, 10, 100, 1_000] {
        let passes =
            move |id: u64| id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < (1 << 32) / one_in;
        let prefix = format!("index/filter/1-in-{one_in}");
        let mut scratch = Scratch::new();
        let mut found = |index: &dyn Index, query: &[f32], params: &SearchParams| -> Vec<u64> {
            let found = index.search_filtered(query, K, params, &passes, &mut scratch);
            found.expect("the query is finite").iter().map(|neighbor| neighbor.id).collect()
        };
        let truth: Vec<_> = data
            .queries
            .iter()
            .map(|query| found(&exact, query, &SearchParams::default()))
            .collect();
        let recall = |found: &mut dyn FnMut(&[f32]) -> Vec<u64>| {
            let (mut hits, mut wanted) = (0, 0);
            for (query, truth) in data.queries.iter().zip(&truth) {
                hits += found(query).iter().filter(|id| truth.contains(id)).count();
                wanted += truth.len();
            }
            hits as f64 / wanted as f64
        };
        // The smallest beam that is enough, as for everybody else.
        let mut best = (0.0, SearchParams::default());
        for ef in super::EFS {
            let params = SearchParams { ef, method: Method::Auto };
            best = (recall(&mut |query| found(&*index, query, &params)), params);
            if best.0 >= 0.95 {
                break;
            }
        }
        suite.value(format!("{prefix}/recall@10"), Unit::Share, best.0);
        suite.value(format!("{prefix}/ef"), Unit::Count, best.1.ef as f64);
        for (name, index) in [("ours", index.clone() as Rc<dyn Index>), ("scan", flat.clone())] {
            let (data, params, mut scratch) = (data.clone(), best.1, Scratch::new());
            suite.measure(format!("{prefix}/{name}/qps"), Unit::PerSecond, move || {
                fastest(&data, |query| {
                    let found = index.search_filtered(query, K, &params, &passes, &mut scratch);
                    found.expect("the query is finite").len()
                })
            });
        }
        // The fewest neighbours that are enough when the filter comes after. Too few are tried
        // first: as many as would hold `K` that pass if every query met its average.
        let (index, mut scratch) = (index.clone(), Scratch::new());
        let mut post = move |query: &[f32], width| -> Vec<u64> {
            let params = SearchParams { ef: width, method: Method::Graph };
            let found = index.search(query, width, &params, &mut scratch);
            let found = found.expect("the query is finite").iter().map(|near| near.id);
            found.filter(|&id| passes(id)).take(K).collect()
        };
        let mut width = data.len().min(K * one_in as usize);
        let reached = loop {
            let reached = recall(&mut |query| post(query, width));
            if reached >= 0.95 || width == data.len() {
                break reached;
            }
            width = data.len().min(width + width.div_ceil(16));
        };
        suite.value(format!("{prefix}/post-filter/recall@10"), Unit::Share, reached);
        suite.value(format!("{prefix}/post-filter/width"), Unit::Count, width as f64);
        let data = data.clone();
        suite.measure(format!("{prefix}/post-filter/qps"), Unit::PerSecond, move || {
            fastest(&data, |query| post(query, width).len())
        });
    }
}

fn fastest(data: &Dataset, mut search: impl FnMut(&[f32]) -> usize) -> f64 {
    let mut pass = || {
        let start = Instant::now();
        for query in &data.queries {
            std::hint::black_box(search(query));
        }
        start.elapsed()
    };
    let best = (0..3).map(|_| pass()).min().expect("three passes");
    data.queries.len() as f64 / best.as_secs_f64()
}
