//! vector-index: recall and speed beside each other, against other libraries and plain scans.
//!
//! Every library gets the smallest `ef` at which it finds 95 % of the ten nearest, over all
//! queries, and is timed there.

mod batch;
mod bulk;
mod choice;
mod contenders;
mod data;
mod kinds;
mod large;
#[cfg(feature = "peers")]
mod python;
#[cfg(feature = "peers")]
mod rivals;
mod scan;
mod shared;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{HnswConfig, HnswIndex, Index};

use crate::{Series, Suite, Unit};
use contenders::{Contender, InstantDistance, Ours};
use data::Dataset;

/// Neighbours asked for.
const K: usize = 10;

/// The beam widths that are tried, finely: what recall needs between two of them costs its library the
/// step.
const EFS: [usize; 38] = [
    10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 52,
    56, 60, 64, 72, 80, 88, 96, 112, 128, 160, 200, 256, 320, 400,
];

/// Declares what this room measures.
pub fn declare(suite: &mut Suite) {
    for dim in [384, 128] {
        if suite.wants(&format!("index/{dim}")) {
            real(suite, dim);
        }
    }
    if suite.wants("index/filter") {
        kinds::filters(suite, &Rc::new(Dataset::debian(384)));
    }
    for shape in data::SHAPES {
        if suite.wants(&format!("index/{shape}")) {
            synthetic(suite, shape);
        }
    }
    scan::declare(suite);
    bulk::declare(suite);
    batch::declare(suite);
    choice::declare(suite);
    large::declare(suite);
    shared::declare(suite);
}

/// Embeddings of text: all libraries at equal recall.
fn real(suite: &mut Suite, dim: usize) {
    let data = Rc::new(Dataset::debian(dim));
    println!(
        "index/{dim}: {} base vectors and {} queries of {}",
        data.len(),
        data.queries.len(),
        data.source
    );
    suite.value(format!("index/{dim}/vectors"), Unit::Count, data.len() as f64);
    let sure = data.truth_is_right();
    suite.check(format!("index/{dim}/truth"), sure.is_ok(), || sure.unwrap_err());

    let config = HnswConfig { metric: data.metric, alpha: 1.1, ..HnswConfig::default() };
    let index = Rc::new(build(config, &data));
    let bytes = index.memory_bytes() as f64 / data.len() as f64;
    suite.value(format!("index/{dim}/hnsw/bytes-per-vector"), Unit::Bytes, bytes);
    #[cfg_attr(not(feature = "peers"), expect(unused_variables, reason = "rivals ask for it"))]
    let ours = compete(suite, &data, "hnsw", Box::new(Ours::new(index)));
    {
        let data = data.clone();
        suite.measure(format!("index/{dim}/hnsw/build"), Unit::Nanos, move || {
            let start = Instant::now();
            build(config, &data);
            start.elapsed().as_nanos() as f64
        });
    }
    kinds::graphs(suite, &data);
    kinds::scans(suite, &data);
    let rival = format!("index/{dim}/instant-distance");
    if suite.wants(&rival) {
        let contender: Box<dyn Contender> = match dim {
            384 => Box::new(InstantDistance::<384>::new(&data)),
            _ => Box::new(InstantDistance::<128>::new(&data)),
        };
        compete(suite, &data, "instant-distance", contender);
    }
    #[cfg(feature = "peers")]
    for (name, make) in rivals::RIVALS {
        if suite.wants(&format!("index/{dim}/{name}")) {
            compete(suite, &data, name, make(&data));
        }
    }
    #[cfg(feature = "peers")]
    for library in python::LIBRARIES {
        python::compete(suite, &data, library, &ours);
    }
    #[cfg(feature = "peers")]
    python::scans(suite, &data);
}

/// An index to be searched for long, on one thread, as the others build theirs.
fn build(config: HnswConfig, data: &Dataset) -> HnswIndex {
    let rows: Vec<f32> = data.base().flatten().copied().collect();
    let ids: Vec<u64> = (0..data.len() as u64).collect();
    let sample = &rows[..rows.len().min(2_000 * data.dim)];
    let mut index = HnswIndex::trained(data.dim, config, sample).expect("the settings are valid");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    one.install(|| {
        index.insert_many(&ids, &rows)?;
        index.refine()
    })
    .expect("the data is finite");
    index.shrink_to_fit();
    index
}

/// Draws a contender's curve and times it where it first reaches a recall.
fn compete(
    suite: &mut Suite,
    data: &Rc<Dataset>,
    name: &str,
    mut contender: Box<dyn Contender>,
) -> Vec<Point> {
    let prefix = format!("index/{}/{name}", data.dim);
    let curve = curve(data, &mut *contender, 0.99);
    suite.series(Series {
        plot: format!("recall and speed, {} × {}", data.len(), data.dim),
        x_label: "recall@10".into(),
        y_label: "queries per second".into(),
        name: name.into(),
        points: curve.iter().map(|point| (point.recall, point.qps)).collect(),
    });
    let contender = Rc::new(RefCell::new(contender));
    for (target, at) in [(0.95, ""), (0.99, "at-0.99/")] {
        let reached = curve.iter().find(|point| point.recall >= target);
        suite.check(format!("{prefix}/{at}recall@10"), reached.is_some(), || {
            format!("recall {target} is not reached at ef {}", EFS[EFS.len() - 1])
        });
        let Some(point) = reached else { continue };
        suite.value(format!("{prefix}/{at}recall@10"), Unit::Share, point.recall);
        suite.value(format!("{prefix}/{at}ef"), Unit::Count, point.ef as f64);
        let ef = point.ef;
        {
            let (data, contender) = (data.clone(), contender.clone());
            suite.measure(format!("{prefix}/{at}qps"), Unit::PerSecond, move || {
                let mut contender = contender.borrow_mut();
                contender.set_ef(ef);
                queries_per_second(&data, &mut **contender, 3)
            });
        }
        for percent in [50, 95, 99] {
            let (data, contender) = (data.clone(), contender.clone());
            suite.measure(format!("{prefix}/{at}p{percent}"), Unit::Nanos, move || {
                let mut contender = contender.borrow_mut();
                contender.set_ef(ef);
                latency(&data, &mut **contender, percent)
            });
        }
    }
    curve
}

/// One point of a curve.
struct Point {
    ef: usize,
    recall: f64,
    qps: f64,
}

/// Widens the beam until `enough` is found.
fn curve(data: &Dataset, contender: &mut dyn Contender, enough: f64) -> Vec<Point> {
    let mut points = Vec::new();
    for ef in EFS {
        contender.set_ef(ef);
        let recall = data.recall(|query, found| contender.search(query, K, found));
        let qps = queries_per_second(data, contender, 1);
        points.push(Point { ef, recall, qps });
        if recall >= enough {
            break;
        }
    }
    points
}

/// The fastest of some passes over all queries.
fn queries_per_second(data: &Dataset, contender: &mut dyn Contender, passes: usize) -> f64 {
    let mut found = Vec::new();
    let pass = |_| {
        let start = Instant::now();
        for query in &data.queries {
            contender.search(query, K, &mut found);
        }
        start.elapsed()
    };
    let best = (0..passes).map(pass).min().expect("at least one pass");
    data.queries.len() as f64 / best.as_secs_f64()
}

/// A percentile over the queries, each counted with the median of five runs, in nanoseconds.
fn latency(data: &Dataset, contender: &mut dyn Contender, percent: usize) -> f64 {
    let mut found = Vec::new();
    let mut times = vec![[0_u64; 5]; data.queries.len()];
    for run in 0..5 {
        for (query, times) in data.queries.iter().zip(&mut times) {
            let start = Instant::now();
            contender.search(query, K, &mut found);
            times[run] = start.elapsed().as_nanos() as u64;
        }
    }
    let mut medians: Vec<u64> = times
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[2]
        })
        .collect();
    medians.sort_unstable();
    medians[(medians.len() * percent).div_ceil(100) - 1] as f64
}

/// Data without the structure of text, in two orders: recall must be there to be had.
fn synthetic(suite: &mut Suite, shape: &'static str) {
    for order in ["drawn", "sorted"] {
        let prefix = format!("index/{shape}/{order}");
        if !suite.wants(&prefix) {
            continue;
        }
        let data = Dataset::synthetic(shape, order == "sorted");
        let config = HnswConfig { metric: data.metric, ..HnswConfig::default() };
        let mut contender = Ours::new(Rc::new(build(config, &data)));
        let points = curve(&data, &mut contender, 0.95);
        let last = points.last().expect("some ef was tried");
        suite.value(format!("{prefix}/recall@10"), Unit::Share, last.recall);
        suite.value(format!("{prefix}/ef"), Unit::Count, last.ef as f64);
        suite.series(Series {
            plot: "recall and speed, synthetic 10,000 × 128".into(),
            x_label: "recall@10".into(),
            y_label: "queries per second".into(),
            name: format!("{shape}, {order}"),
            points: points.iter().map(|point| (point.recall, point.qps)).collect(),
        });
    }
}
