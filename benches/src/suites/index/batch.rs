//! Many queries of a graph with `search_batch`, on one thread and on all of them.

use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{
    HnswIndex, Index, Method, Originals, Scratch, SearchParams, Storage, search_batch,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::data::Dataset;
use super::{K, build, kinds};
use crate::{Suite, Unit};

const PARAMS: SearchParams = SearchParams { ef: 32, method: Method::Graph };

/// How often the queries are asked in one batch, so that threads have something to do.
const TIMES: usize = 20;

pub(super) fn declare(suite: &mut Suite) {
    if !suite.wants("index/batch") {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = |n| Rc::new(ThreadPoolBuilder::new().num_threads(n).build().expect("threads"));
    let (one, all) = (pool(1), pool(cores));
    suite.value("index/batch/cores", Unit::Count, cores as f64);
    for dim in [384, 128] {
        let prefix = format!("index/batch/{dim}");
        if !suite.wants(&prefix) {
            continue;
        }
        let data = Dataset::debian(dim);
        let config = kinds::quantised(data.metric, Storage::Int8(Originals::F16));
        let index = Rc::new(build(config, &data));
        let same = is_the_same(&index, &data, &all);
        suite.check(&prefix, same, || "not what search finds one by one".into());
        let queries: Rc<[f32]> = data.queries.concat().repeat(TIMES).into();
        for (name, pool) in [("one", one.clone()), ("all", all.clone())] {
            let (index, queries) = (index.clone(), queries.clone());
            suite.measure(format!("{prefix}/{name}/qps"), Unit::PerSecond, move || {
                let best =
                    (0..3).map(|_| seconds(&index, &queries, &pool)).fold(f64::MAX, f64::min);
                (queries.len() / dim) as f64 / best
            });
        }
        // In turns, so that whatever else the machine does meets both.
        let (one, all) = (one.clone(), all.clone());
        suite.measure(format!("{prefix}/efficiency"), Unit::Ratio, move || {
            let mut rounds: Vec<f64> = (0..5)
                .map(|_| {
                    let alone = seconds(&index, &queries, &one);
                    let together = seconds(&index, &queries, &all);
                    alone / (cores as f64 * together)
                })
                .collect();
            rounds.sort_by(f64::total_cmp);
            rounds[2]
        });
    }
}

fn is_the_same(index: &HnswIndex, data: &Dataset, pool: &ThreadPool) -> bool {
    let batch = pool.install(|| search_batch(index, &data.queries.concat(), K, &PARAMS));
    let mut scratch = Scratch::new();
    batch.expect("the queries are finite").iter().zip(&data.queries).all(|(list, query)| {
        index.search(query, K, &PARAMS, &mut scratch).expect("the query is finite") == list
    })
}

fn seconds(index: &HnswIndex, queries: &[f32], pool: &ThreadPool) -> f64 {
    let start = Instant::now();
    let found = pool.install(|| search_batch(index, queries, K, &PARAMS));
    std::hint::black_box(found.expect("the queries are finite"));
    start.elapsed().as_secs_f64()
}
