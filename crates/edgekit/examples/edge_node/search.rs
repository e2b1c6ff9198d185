//! Vector search: build with int8 codes, save, map the file, check against exact search, answer
//! questions with their texts, time.
#![allow(unsafe_code, reason = "the index file that this program has just written is mapped")]

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use edgekit::kernels_simd::Kernels;
use edgekit::vector_index::{
    FlatIndex, HnswConfig, HnswIndex, Index, Method, Metric, Neighbor, Originals, Scratch,
    SearchParams, Storage,
};
use indicatif::{ProgressBar, ProgressStyle};

use super::map::Map;
use super::report::{Report, escape, tiles};
use super::sample::{Sample, Table};

const K: usize = 10;
/// Queries whose answers are printed; the latencies are over all of them.
const SHOWN: [usize; 3] = [0, 16, 40];
/// Rounds over all queries, so that p99 is more than the slowest single call.
const ROUNDS: usize = 20;
/// The packages that the filtered query may answer with.
const ONLY: &str = "python3-";
/// A query for which a filter changes the answer.
const FILTERED: usize = 1;

/// Runs the panel and adds it to the report.
pub(crate) fn run(
    sample: &Sample,
    folder: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let Sample { base, query } = sample;
    println!("\n── vector search ── {} vectors of {} values", base.len(), base.dim);
    let (built, built_in) = build(base)?;
    std::fs::create_dir_all(folder)?;
    let file = folder.join("packages.index");
    built.save(&file)?;
    drop(built);
    let start = Instant::now();
    // SAFETY: the file is this program's own; a later run replaces it by renaming, which leaves this
    // map on the old one.
    let index = unsafe { HnswIndex::map(&file)? };
    let opened_in = start.elapsed();
    let mut exact = FlatIndex::new(base.dim, Metric::Cosine)?;
    for (id, row) in base.rows().enumerate() {
        exact.insert(id as u64, row)?;
    }

    // So few vectors of codes are scanned faster than a graph of them is walked, and `Auto` would
    // scan; both are shown.
    let walk = SearchParams { method: Method::Graph, ..SearchParams::default() };
    let scan = SearchParams { method: Method::Scan, ..walk };
    let mut scratch = Scratch::new();
    let truth: Vec<Vec<u64>> = query
        .rows()
        .map(|row| Ok(ids(exact.search(row, K, &scan, &mut scratch)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let mut recalls = [0.0; 2];
    for (recall, params) in recalls.iter_mut().zip([walk, scan]) {
        let mut found = 0;
        for (row, truth) in query.rows().zip(&truth) {
            let answer = index.search(row, K, &params, &mut scratch)?;
            found += answer.iter().filter(|near| truth.contains(&near.id)).count();
        }
        *recall = found as f64 / (K * query.len()) as f64;
        if *recall < 0.95 {
            let method = params.method;
            return Err(format!("{method:?}: recall@{K} is {recall:.3}, below 0.95").into());
        }
    }
    let [walked, scanned] = recalls;

    let graph = latencies(&index, query, &walk, &mut scratch)?;
    let codes = latencies(&index, query, &scan, &mut scratch)?;
    let floats = latencies(&exact, query, &scan, &mut scratch)?;
    let bytes = std::fs::metadata(&file)?.len() as f64 / index.len() as f64;
    let rows = [
        ("build".to_string(), format!("{:.0} ms, one thread", built_in.as_secs_f64() * 1e3)),
        ("open the mapped file".into(), micros(opened_in)),
        (format!("recall@{K}"), format!("{walked:.3} by the graph, {scanned:.3} by its codes")),
        ("p50 / p95 / p99".into(), format!("{} walking the graph, ef {}", three(&graph), walk.ef)),
        ("".into(), format!("{} scanning its int8 codes", three(&codes))),
        ("".into(), format!("{} scanning f32 in an exact index", three(&floats))),
        ("file".into(), format!("{bytes:.0} bytes a vector: int8 codes, links, f16 originals")),
    ];
    for (name, value) in &rows {
        println!("  {name:<24}{value}");
    }

    let map = Map::new(Kernels::get(), base);
    let mut html = tiles(&[
        ("vectors", base.len().to_string()),
        ("build", format!("{:.0} ms", built_in.as_secs_f64() * 1e3)),
        ("open, mapped", micros(opened_in)),
        ("recall@10, graph", format!("{walked:.3}")),
        ("graph p50", micros(percentile(&graph, 50))),
        ("graph p95", micros(percentile(&graph, 95))),
        ("graph p99", micros(percentile(&graph, 99))),
        ("int8 scan p50", micros(percentile(&codes, 50))),
        ("f32 scan p50", micros(percentile(&floats, 50))),
        ("bytes a vector", format!("{bytes:.0}")),
    ]);
    let _ = write!(
        html,
        "<p class=\"soft\">Each dot is a Debian package, placed by the two first principal \
         components of its description's embedding, which show {:.0} % of the variance. Neighbours \
         are near in {} dimensions; on the map they may lie apart.</p>{}",
        map.shown * 100.0,
        base.dim,
        map.cloud(base)
    );
    for at in SHOWN {
        let answer = index.search(query.row(at), K, &walk, &mut scratch)?;
        show(sample, at, ", by the graph", answer, &map, &mut html);
    }
    let only = |id: u64| base.texts[id as usize].name.starts_with(ONLY);
    let passing = (0..base.len() as u64).filter(|&id| only(id)).count();
    let row = query.row(FILTERED);
    let answer = index.search_filtered(row, K, &scan, &only, &mut scratch)?;
    if answer.len() != K.min(passing) || answer.iter().any(|near| !only(near.id)) {
        return Err("the filter let through what it must not, or too little".into());
    }
    let note = format!(", only {ONLY}* ({passing} of {}), by a scan of the codes", base.len());
    show(sample, FILTERED, &note, answer, &map, &mut html);
    report.section("Vector search", &html);
    Ok(())
}

fn build(base: &Table) -> Result<(HnswIndex, Duration), Box<dyn Error>> {
    let style = ProgressStyle::with_template("  {msg} {wide_bar} {pos}/{len} {elapsed}")?;
    let bar = ProgressBar::new(base.len() as u64).with_style(style).with_message("building");
    let config = HnswConfig { storage: Storage::Int8(Originals::F16), ..HnswConfig::default() };
    let mut index = HnswIndex::trained(base.dim, config, &base.values)?;
    let start = Instant::now();
    for (id, row) in base.rows().enumerate() {
        index.insert(id as u64, row)?;
        bar.inc(1);
    }
    let took = start.elapsed();
    bar.finish_and_clear();
    Ok((index, took))
}

fn ids(found: &[Neighbor]) -> Vec<u64> {
    found.iter().map(|near| near.id).collect()
}

/// Time of each single search, sorted.
fn latencies(
    index: &dyn Index,
    query: &Table,
    params: &SearchParams,
    scratch: &mut Scratch,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(ROUNDS * query.len());
    for _ in 0..ROUNDS {
        for row in query.rows() {
            let start = Instant::now();
            std::hint::black_box(index.search(row, K, params, scratch)?);
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// Prints one query with its neighbours and adds it to the page. `note` says how it was asked.
fn show(sample: &Sample, at: usize, note: &str, answer: &[Neighbor], map: &Map, html: &mut String) {
    let asked = &sample.query.texts[at];
    println!("\n  “{}” ({}{note})", asked.synopsis, asked.name);
    let mut list = String::new();
    let mut marks = Vec::new();
    for near in answer {
        let text = &sample.base.texts[near.id as usize];
        let similarity = 1.0 - near.distance;
        marks.push((near.id as usize, text.name.as_str()));
        let _ = write!(
            list,
            "<li><b>{}</b> {} <span class=\"near\">{similarity:.3}</span></li>",
            escape(&text.name),
            escape(&text.synopsis)
        );
        if marks.len() <= 3 {
            println!("    {similarity:.3}  {}: {}", text.name, text.synopsis);
        }
    }
    let figure = map.figure(Kernels::get(), sample.query.row(at), &marks);
    let _ = write!(
        html,
        "<div class=\"answer\"><div>{figure}</div><div><h3>{}</h3>\
         <p class=\"soft\">query: {}{}</p><ol>{list}</ol></div></div>",
        escape(&asked.synopsis),
        escape(&asked.name),
        escape(note)
    );
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn three(sorted: &[Duration]) -> String {
    [50, 95, 99].map(|p| micros(percentile(sorted, p))).join(" / ")
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}
