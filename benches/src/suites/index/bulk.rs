//! Building with `insert_many` on one thread and on all of them.

use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{HnswConfig, HnswIndex, Index};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::K;
use super::contenders::{Contender, Ours};
use super::data::Dataset;
use crate::suites::constraint_threads::cores_to_be_had;
use crate::{Suite, Unit};

/// Where the recall of the graphs is compared.
const EF: usize = 64;

pub(super) fn declare(suite: &mut Suite) {
    if !suite.wants("index/bulk") {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = |n| Rc::new(ThreadPoolBuilder::new().num_threads(n).build().expect("threads"));
    let (one, all) = (pool(1), pool(cores));
    suite.value("index/bulk/cores", Unit::Count, cores as f64);
    for dim in [384, 128] {
        let prefix = format!("index/bulk/{dim}");
        if !suite.wants(&prefix) {
            continue;
        }
        let data = Rc::new(Dataset::debian(dim));
        let rows: Rc<[f32]> = data.base().flatten().copied().collect();
        let recall = |index| {
            let mut found = Ours::new(Rc::new(index));
            found.set_ef(EF);
            data.recall(|query, ids| found.search(query, K, ids))
        };
        let (serial, bulk) = (recall(singly(&data)), recall(build(&data, &rows, &all)));
        suite.value(format!("{prefix}/one-by-one/recall@10"), Unit::Share, serial);
        suite.value(format!("{prefix}/recall@10"), Unit::Share, bulk);
        suite.check(&prefix, bulk >= serial - 0.005, || {
            format!("recall {bulk} at ef {EF}, and {serial} inserted one by one")
        });
        for (name, pool) in [("one", one.clone()), ("all", all.clone())] {
            let (data, rows) = (data.clone(), rows.clone());
            suite.measure(format!("{prefix}/{name}"), Unit::Nanos, move || {
                1e9 * seconds(&data, &rows, &pool)
            });
        }
        // In turns, so that whatever else the machine does meets both.
        let (one, all) = (one.clone(), all.clone());
        suite.measure(format!("{prefix}/efficiency"), Unit::Ratio, move || {
            let mut rounds: Vec<f64> = (0..3)
                .map(|_| {
                    let alone = seconds(&data, &rows, &one);
                    let together = seconds(&data, &rows, &all);
                    alone / (to_be_had(&all) * together)
                })
                .collect();
            rounds.sort_by(f64::total_cmp);
            rounds[1]
        });
    }
}

/// The middle of several looks, together about as long as a build.
fn to_be_had(pool: &ThreadPool) -> f64 {
    let mut looks: Vec<f64> = (0..5).map(|_| cores_to_be_had(pool, 0.2)).collect();
    looks.sort_by(f64::total_cmp);
    looks[2]
}

fn config(data: &Dataset) -> HnswConfig {
    HnswConfig { metric: data.metric, ..HnswConfig::default() }
}

fn singly(data: &Dataset) -> HnswIndex {
    let mut index = HnswIndex::new(data.dim, config(data)).expect("the settings are valid");
    for (id, row) in data.base().enumerate() {
        index.insert(id as u64, row).expect("the data is finite");
    }
    index
}

fn build(data: &Dataset, rows: &[f32], pool: &ThreadPool) -> HnswIndex {
    let ids: Vec<u64> = (0..data.len() as u64).collect();
    let mut index = HnswIndex::new(data.dim, config(data)).expect("the settings are valid");
    pool.install(|| index.insert_many(&ids, rows)).expect("the data is finite");
    index
}

fn seconds(data: &Dataset, rows: &[f32], pool: &ThreadPool) -> f64 {
    let start = Instant::now();
    std::hint::black_box(build(data, rows, pool));
    start.elapsed().as_secs_f64()
}
