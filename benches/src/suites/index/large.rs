//! 100,000 vectors: how long a graph of them takes to build, what it finds, and how soon its file
//! can be searched.
#![allow(unsafe_code, reason = "maps the file that it has just written")]

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use edgekit_vector_index::{HnswIndex, Index, Originals, Storage};

use super::contenders::Ours;
use super::data::Dataset;
use super::{build, curve, kinds};
use crate::{Series, Suite, Unit};

pub(super) fn declare(suite: &mut Suite) {
    const PREFIX: &str = "index/full/100k";
    if !suite.wants(PREFIX) {
        return;
    }
    let data = Dataset::large();
    let storage = Storage::Int8(Originals::F16);
    let config = kinds::quantised(data.metric, storage);
    let start = Instant::now();
    let index = Rc::new(build(config, &data));
    suite.value(format!("{PREFIX}/build"), Unit::Nanos, start.elapsed().as_nanos() as f64);
    let bytes = index.memory_bytes() as f64 / data.len() as f64;
    suite.value(format!("{PREFIX}/bytes-per-vector"), Unit::Bytes, bytes);

    let points = curve(&data, &mut Ours::new(index.clone()), 0.99);
    for point in &points {
        suite.value(format!("{PREFIX}/ef-{}/recall@10", point.ef), Unit::Share, point.recall);
    }
    let last = points.last().expect("some ef was tried");
    suite.value(format!("{PREFIX}/recall@10"), Unit::Share, last.recall);
    suite.value(format!("{PREFIX}/ef"), Unit::Count, last.ef as f64);
    suite.series(Series {
        plot: "recall and speed, clustered 100,000 × 128".into(),
        x_label: "recall@10".into(),
        y_label: "queries per second".into(),
        name: "int8".into(),
        points: points.iter().map(|point| (point.recall, point.qps)).collect(),
    });

    super::shared::longest(suite, PREFIX, &data);

    let path = std::env::temp_dir().join(format!("edgekit-bench-{}.ekv", std::process::id()));
    index.save(&path).expect("the temporary directory is writable");
    drop(index);
    {
        let path = path.clone();
        suite.measure(format!("{PREFIX}/read"), Unit::Nanos, move || {
            let start = Instant::now();
            let index = HnswIndex::read(&path).expect("it was just written");
            assert_eq!(index.len(), 100_000);
            start.elapsed().as_nanos() as f64
        });
    }
    if let Some(before) = resident() {
        let index = map(&path);
        let grown = resident().unwrap_or(before).saturating_sub(before);
        assert_eq!(index.len(), 100_000);
        suite.value(format!("{PREFIX}/mapped-bytes"), Unit::Bytes, grown as f64);
    }
    suite.measure(format!("{PREFIX}/map"), Unit::Nanos, move || {
        let start = Instant::now();
        let index = map(&path);
        assert_eq!(index.len(), 100_000);
        start.elapsed().as_nanos() as f64
    });
}

fn map(path: &Path) -> HnswIndex {
    // SAFETY: this process wrote the file, under a name of its own, and leaves it alone.
    unsafe { HnswIndex::map(path) }.expect("it was just written")
}

/// Bytes of this process that are in memory, where the system tells.
fn resident() -> Option<usize> {
    const PAGE: usize = 4096;
    let counts = std::fs::read_to_string("/proc/self/statm").ok()?;
    counts.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages * PAGE)
}
