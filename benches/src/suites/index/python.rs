//! Libraries that come as Python packages, run by `benches/peers/graphs.py` on the same files.
//!
//! `EDGEKIT_PYTHON` names an interpreter that has hnswlib, faiss-cpu, scalable-vs and numpy;
//! `python3` is tried otherwise. What is not installed is left out, and said.

use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use edgekit_vector_index::Metric;

use super::Point;
use super::data::Dataset;
use crate::{Series, Suite, Unit};

pub(super) const LIBRARIES: [&str; 3] = ["hnswlib", "faiss", "svs"];

#[derive(serde::Deserialize)]
struct Report {
    build: f64,
    /// ef, recall, queries per second.
    points: Vec<(usize, f64, f64)>,
}

/// Draws a library's curve, beside `ours` over `f32`, and has it timed again where it is asked for
/// again.
pub(super) fn compete(
    suite: &mut Suite,
    data: &Rc<Dataset>,
    library: &'static str,
    ours: &[Point],
) {
    let prefix = format!("index/{}/{library}", data.dim);
    if !suite.wants(&prefix) {
        return;
    }
    let report = match run(data, library, &super::EFS) {
        Ok(report) => report,
        Err(why) => return println!("{prefix} is left out: {why}"),
    };
    suite.series(Series {
        plot: format!("recall and speed, {} × {}", data.len(), data.dim),
        x_label: "recall@10".into(),
        y_label: "queries per second".into(),
        name: library.into(),
        points: report.points.iter().map(|&(_, recall, qps)| (recall, qps)).collect(),
    });
    {
        // The first figure is that of the graph the curve is of; asked again, it is built again.
        let (data, mut measured) = (data.clone(), Some(report.build));
        suite.measure(format!("{prefix}/build"), Unit::Nanos, move || {
            let again = || run(&data, library, &[super::K]).map_or(f64::NAN, |report| report.build);
            1e9 * measured.take().unwrap_or_else(again)
        });
    }
    // What our graph finds more than this one at equal `ef`, where that is least.
    let leads = ours.iter().filter_map(|ours| {
        let theirs = report.points.iter().find(|theirs| theirs.0 == ours.ef)?;
        Some(ours.recall - theirs.1)
    });
    let lead = leads.fold(f64::INFINITY, f64::min);
    suite.value(format!("{prefix}/recall-lead"), Unit::Share, lead);
    for (target, at) in [(0.95, ""), (0.99, "at-0.99/")] {
        let Some(&(ef, recall, qps)) = report.points.iter().find(|point| point.1 >= target) else {
            println!("{prefix} does not reach recall {target}");
            continue;
        };
        suite.value(format!("{prefix}/{at}recall@10"), Unit::Share, recall);
        suite.value(format!("{prefix}/{at}ef"), Unit::Count, ef as f64);
        // The first figure is the one measured with the curve; asked again, it is measured again.
        let (data, mut measured) = (data.clone(), Some(qps));
        suite.measure(format!("{prefix}/{at}qps"), Unit::PerSecond, move || {
            let again = || run(&data, library, &[ef]).map_or(f64::NAN, |report| report.points[0].2);
            measured.take().unwrap_or_else(again)
        });
    }
}

/// Exact search by faiss, one query at a time and all of them at once. Among the first thousand,
/// where Python's cost of a call is a quarter of a search, 16 at a time: faiss scans for each of so
/// few alone, too.
pub(super) fn scans(suite: &mut Suite, data: &Rc<Dataset>) {
    let all = data.queries.len();
    scan(suite, data, "faiss-flat", &[(1, ""), (all, "batch/")]);
    scan(suite, &Rc::new(data.first(1_000)), "faiss-flat-1k", &[(16, "")]);
}

fn scan(suite: &mut Suite, data: &Rc<Dataset>, name: &str, batches: &[(usize, &str)]) {
    let prefix = format!("index/{}/{name}", data.dim);
    if !suite.wants(&prefix) {
        return;
    }
    for &(batch, at) in batches {
        let mut measured = match run(data, "faiss-flat", &[batch]) {
            Ok(report) => Some(report.points[0].2),
            Err(why) => return println!("{prefix} is left out: {why}"),
        };
        let data = data.clone();
        suite.measure(format!("{prefix}/{at}qps"), Unit::PerSecond, move || {
            let again =
                || run(&data, "faiss-flat", &[batch]).map_or(f64::NAN, |report| report.points[0].2);
            measured.take().unwrap_or_else(again)
        });
    }
}

fn run(data: &Dataset, library: &str, efs: &[usize]) -> Result<Report, String> {
    let (base, queries) = data.files.as_ref().ok_or("only the sample is at hand, not the files")?;
    let python = std::env::var_os("EDGEKIT_PYTHON").map_or("python3".into(), PathBuf::from);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/graphs.py");
    let metric = if data.metric == Metric::L2Squared { "l2" } else { "ip" };
    let output = Command::new(python)
        .args([script, library, metric, &data.len().to_string()])
        .args([base, queries])
        .args(efs.iter().map(usize::to_string))
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        errors.lines().last().unwrap_or("it printed nothing").to_string()
    })
}
