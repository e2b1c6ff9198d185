//! The demo: what edgekit does on this machine, on real data, in a few seconds.
//!
//! `cargo xtask demo` runs it. It prints what it finds and writes a page beside it.
#![deny(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;

use edgekit::kernels_simd::Kernels;

#[path = "edge_node/constraints.rs"]
mod constraints;
#[path = "edge_node/digits.rs"]
mod digits;
#[path = "edge_node/images.rs"]
mod images;
#[path = "edge_node/kernels.rs"]
mod kernels;
#[path = "edge_node/map.rs"]
mod map;
#[path = "edge_node/plot.rs"]
mod plot;
#[path = "edge_node/record.rs"]
mod record;
#[path = "edge_node/report.rs"]
mod report;
#[path = "edge_node/routing.rs"]
mod routing;
#[path = "edge_node/sample.rs"]
mod sample;
#[path = "edge_node/search.rs"]
mod search;
#[path = "edge_node/train.rs"]
mod train;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let folder = folder.join("edgekit-demo");
    let sample = sample::load()?;
    let mut report = report::Report::default();

    let kernels = Kernels::try_get()?;
    let sets: Vec<String> = Kernels::available().map(|k| k.isa().to_string()).collect();
    println!("edgekit on this machine: {} (of {})", kernels.isa(), sets.join(", "));
    report.section(
        "This machine",
        &report::tiles(&[
            ("instruction set in use", kernels.isa().to_string()),
            ("instruction sets available", sets.join(", ")),
        ]),
    );

    kernels::run(&mut report);
    search::run(&sample, &folder, &mut report)?;
    let digits = digits::load()?;
    let network = train::run(&digits, &mut report)?;
    images::run(&digits.asked, network, &mut report)?;
    let decisions = routing::run(&sample, &mut report)?;
    constraints::run(&mut report)?;
    record::run(&decisions[..decisions.len().min(1000)], &folder, &mut report)?;

    let page = report.write(&folder)?;
    println!("\nreport: {}", page.canonicalize()?.display());
    Ok(())
}
