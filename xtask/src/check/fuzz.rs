//! `check fuzz`: every fuzz target for a short while, starting from the inputs in `fuzz/corpus`.

use crate::Result;
use crate::process::{cargo, output, run as start, tool};
use crate::workspace::{root, target_dir};

/// Seconds for each target, unless `EDGEKIT_FUZZ_SECONDS` says otherwise.
const SECONDS: &str = "20";

/// Runs them all; stops at the first crash, whose input stays in `fuzz/artifacts`.
pub(super) fn run() -> Result {
    if !root().join("fuzz/Cargo.toml").exists() {
        println!("fuzz: there is no fuzz/Cargo.toml, so no target");
        return Ok(());
    }
    output(&mut cargo(["+nightly", "--version"]))
        .map_err(|_| "the nightly toolchain is missing: rustup toolchain install nightly")?;
    let listed = output(&mut cargo(["+nightly", "fuzz", "list"]))
        .map_err(|why| format!("is cargo-fuzz missing? cargo install cargo-fuzz\n{why}"))?;
    let seconds = std::env::var("EDGEKIT_FUZZ_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let limit = format!("-max_total_time={seconds}");
    let targets: Vec<&str> = listed.split_whitespace().collect();
    for target in &targets {
        // What it finds by the way goes to the first directory, not among the committed inputs.
        let found = target_dir()?.join("fuzz").join(target);
        std::fs::create_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
        let committed = root().join("fuzz/corpus").join(target);
        let mut fuzz = tool("cargo", ["+nightly", "fuzz", "run", target]);
        fuzz.arg(found).args(committed.exists().then_some(committed));
        start(fuzz.args(["--", &limit, "-rss_limit_mb=2048"]).env_remove("CARGO_TARGET_DIR"))?;
    }
    println!("fuzz: {} targets, {seconds} s each, no crash", targets.len());
    Ok(())
}
