//! `cargo xtask ci`: everything that must hold before a merge, with the time each step took.

use std::time::{Duration, Instant};

use crate::process::{cargo, has, run as start};
use crate::workspace::{PEERS, all_features};
use crate::{Result, bench, check, gate, test, tidy};

type Step = (&'static str, Box<dyn Fn() -> Result>);

/// Runs all steps, also after a failure, and fails at the end if one of them did.
pub(crate) fn run(args: &[String]) -> Result {
    let (mut strict, mut peers) = (false, false);
    for arg in args {
        match arg.as_str() {
            "--strict" => strict = true,
            "--peers" => peers = true,
            other => return Err(format!("ci takes --strict and --peers, not {other}")),
        }
    }
    let features = all_features()?;
    let done: Vec<(&str, Duration, Result)> = steps(features, strict, peers)
        .into_iter()
        .map(|(name, step)| {
            println!("\n======== {name} ========");
            let began = Instant::now();
            let result = step();
            if let Err(why) = &result {
                eprintln!("FAILED {name}: {why}");
            }
            (name, began.elapsed(), result)
        })
        .collect();

    println!("\n======== summary ========");
    for (name, took, result) in &done {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<20} {:>7.1} s  {verdict}", took.as_secs_f64());
    }
    let total: Duration = done.iter().map(|(_, took, _)| *took).sum();
    println!("{:<20} {:>7.1} s", "all", total.as_secs_f64());
    let failed: Vec<&str> = done.iter().filter(|d| d.2.is_err()).map(|d| d.0).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn steps(features: String, strict: bool, peers: bool) -> Vec<Step> {
    let docs = features.clone();
    let mut steps: Vec<Step> = vec![
        ("fmt", Box::new(|| start(&mut cargo(["fmt", "--all", "--check"])))),
        ("tidy", Box::new(tidy::run)),
        ("clippy", Box::new(move || clippy(&features))),
        ("test", Box::new(|| test::run(&[]))),
        ("docs", Box::new(move || document(&docs))),
        ("check targets", Box::new(check::targets::run)),
        ("check asm", Box::new(check::asm::run)),
        ("gate", Box::new(|| gate::run(&[]))),
        (
            "bench --quick",
            Box::new(move || {
                let flags = if strict { ["--quick", "--strict"].as_slice() } else { &["--quick"] };
                bench::run(&flags.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>())
            }),
        ),
    ];
    if peers {
        steps.push(("clippy peers", Box::new(clippy_peers)));
    }
    steps
}

fn clippy(features: &str) -> Result {
    let workspace = ["clippy", "--workspace", "--all-targets", "--features", features];
    start(cargo(workspace).args(["--", "-D", "warnings"]))
}

/// The rivals' suites are code too. Some of the rivals are C and C++ that takes minutes to build, so
/// this has to be asked for.
fn clippy_peers() -> Result {
    if !has("c++") {
        return Err("`c++` is missing, which the rivals need: apt-get install g++".to_owned());
    }
    let peers = ["clippy", "-p", "edgekit-benches", "--all-targets", "--features", PEERS];
    start(cargo(peers).args(["--", "-D", "warnings"]))
}

fn document(features: &str) -> Result {
    let doc = ["doc", "--workspace", "--no-deps", "--features", features];
    start(cargo(doc).env("RUSTDOCFLAGS", "-D warnings"))
}
