//! Whether `Method::Auto` takes the faster way: against always walking and always scanning, at the
//! least beam that finds 95 % and at the default one.

use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{
    HnswConfig, HnswIndex, Index, Method, Originals, Scratch, SearchParams, Storage,
};

use super::data::Dataset;
use super::{EFS, K, build};
use crate::{Suite, Unit};

/// How often each way is timed, in turns; the fastest counts.
const ROUNDS: usize = 7;

pub(super) fn declare(suite: &mut Suite) {
    if !suite.wants("index/auto") {
        return;
    }
    let all = Dataset::debian(128);
    for n in [1_000, 3_000, 10_000] {
        let data = Rc::new(all.first(n));
        for (name, storage) in [("int8", Storage::Int8(Originals::F16)), ("f32", Storage::F32)] {
            let prefix = format!("index/auto/{name}/{n}");
            if !suite.wants(&prefix) {
                continue;
            }
            let config = HnswConfig { metric: data.metric, storage, ..HnswConfig::default() };
            let index = Rc::new(build(config, &data));
            let (least, recall) = least(&index, &data);
            suite.value(format!("{prefix}/ef"), Unit::Count, least as f64);
            suite.value(format!("{prefix}/recall@10"), Unit::Share, recall);
            let default = SearchParams::default().ef;
            for (at, ef) in [("least-ef", least), ("default-ef", default)] {
                for (name, method) in [("graph", Method::Graph), ("scan", Method::Scan)] {
                    let (index, data) = (index.clone(), data.clone());
                    suite.measure(format!("{prefix}/{at}/{name}"), Unit::Nanos, move || {
                        let pass = |_| time(&index, &data, &SearchParams { ef, method });
                        (0..ROUNDS).map(pass).fold(f64::INFINITY, f64::min)
                    });
                }
            }
            let data = data.clone();
            suite.measure(format!("{prefix}/share"), Unit::Share, move || {
                let shares = [least, default].map(|ef| share(&index, &data, ef));
                shares[0].min(shares[1])
            });
        }
    }
}

/// The narrowest beam with which a walk finds enough, and what it finds.
fn least(index: &HnswIndex, data: &Dataset) -> (usize, f64) {
    let mut scratch = Scratch::new();
    let mut reached = (0, 0.0);
    for ef in EFS {
        let params = SearchParams { ef, method: Method::Graph };
        let recall = data.recall(|query, ids| {
            let found = index.search(query, K, &params, &mut scratch);
            ids.clear();
            ids.extend(found.expect("the query is finite").iter().map(|near| near.id));
        });
        reached = (ef, recall);
        if recall >= 0.95 {
            break;
        }
    }
    reached
}

/// Speed of what the index chooses, as a share of the better way's.
fn share(index: &HnswIndex, data: &Dataset, ef: usize) -> f64 {
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        for (best, method) in best.iter_mut().zip([Method::Auto, Method::Graph, Method::Scan]) {
            *best = best.min(time(index, data, &SearchParams { ef, method }));
        }
    }
    best[1].min(best[2]) / best[0]
}

/// Nanoseconds a query.
fn time(index: &HnswIndex, data: &Dataset, params: &SearchParams) -> f64 {
    let mut scratch = Scratch::new();
    let start = Instant::now();
    for query in &data.queries {
        let found = index.search(query, K, params, &mut scratch);
        std::hint::black_box(found.expect("the query is finite"));
    }
    start.elapsed().as_nanos() as f64 / data.queries.len() as f64
}
