//! `cargo xtask profile NAME`: where one benchmark spends its instructions, and what it allocates.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::Result;
use crate::bench;
use crate::flame::{self, Stacks};
use crate::gate::callgrind;
use crate::process::{has, need, output, tool};
use crate::workspace::target_dir;

/// The function of the benches program inside which the benchmark, and not its set-up, runs.
const REGION: &str = "counted_region";

/// Writes a flame graph and a heap profile of the one benchmark that has this name.
pub(crate) fn run(args: &[String]) -> Result {
    let [name] = args else {
        return Err("which benchmark? cargo xtask profile NAME".to_owned());
    };
    need("valgrind", "apt-get install valgrind")?;
    let program = bench::build(false)?;
    let dir = target_dir()?.join("edgekit-bench/profile");
    std::fs::create_dir_all(&dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
    let file = name.replace('/', "-");

    let (how, stacks) = if perf_counts() {
        ("perf", by_perf(&program, name, &dir)?)
    } else {
        println!("perf has no counters here (or is not installed: apt-get install linux-perf);");
        println!("callgrind counts instead, on the AVX2 table, since valgrind has no AVX-512");
        ("callgrind", by_callgrind(&program, name, &dir)?)
    };
    if stacks.is_empty() {
        return Err(format!("{how} saw nothing of {name}"));
    }
    let svg = dir.join(format!("{file}.svg"));
    std::fs::write(&svg, flame::svg(&format!("{name}, by {how}"), &stacks))
        .map_err(|e| format!("cannot write {}: {e}", svg.display()))?;
    print_top(&stacks);
    println!("flame graph: {}", svg.display());

    let heap = dir.join(format!("{file}.dhat.json"));
    heap_profile(&program, name, &heap)
}

fn perf_counts() -> bool {
    has("perf")
        && output(&mut tool(
            "perf",
            ["stat", "-x,", "-o", "/dev/stdout", "-e", "instructions", "true"],
        ))
        .is_ok_and(|stat| stat.lines().any(|line| line.starts_with(|c: char| c.is_ascii_digit())))
}

fn by_perf(program: &Path, name: &str, dir: &Path) -> Result<Stacks> {
    let data = dir.join("perf.data");
    let data = data.to_string_lossy();
    let record = ["record", "-q", "-F", "1999", "--call-graph", "dwarf,16384", "-o", &data, "--"];
    output(tool("perf", record).arg(program).args(["profile", name, "--millis", "3000"]))?;
    let script = output(&mut tool("perf", ["script", "-i", &data, "-F", "+ip,sym"]))?;
    Ok(flame::inside(flame::from_perf(&script), REGION))
}

fn by_callgrind(program: &Path, name: &str, dir: &Path) -> Result<Stacks> {
    let out = dir.join("callgrind.out");
    let mut command = callgrind(&out, &format!("*edgekit_benches*{REGION}*"));
    command.args(["--separate-callers=24", "--separate-recs=1"]).arg(program);
    command.args(["profile", name, "--millis", "1500"]).env("EDGEKIT_ISA", "avx2");
    output(&mut command)?;
    let profile = std::fs::read_to_string(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    Ok(flame::inside(flame::from_callgrind(&profile), REGION))
}

fn print_top(stacks: &Stacks) {
    let mut by_leaf = BTreeMap::<&str, u64>::new();
    for (frames, cost) in stacks {
        *by_leaf.entry(frames.last().map_or("", String::as_str)).or_default() += cost;
    }
    let total: u64 = by_leaf.values().sum();
    let mut leaves: Vec<_> = by_leaf.into_iter().collect();
    leaves.sort_by_key(|&(_, cost)| std::cmp::Reverse(cost));
    println!("\n  share  function (its own cost)");
    for (name, cost) in leaves.iter().take(12) {
        println!("{:>6.1} %  {name}", *cost as f64 / total.max(1) as f64 * 100.0);
    }
}

fn heap_profile(program: &Path, name: &str, out: &Path) -> Result {
    let file = format!("--dhat-out-file={}", out.display());
    let mut command = tool("valgrind", ["--tool=dhat", "-q", &file]);
    command.arg(program).args(["profile", name, "--millis", "0"]).env("EDGEKIT_ISA", "avx2");
    output(&mut command)?;
    let text = std::fs::read_to_string(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let profile: Value = serde_json::from_str(&text).map_err(|e| format!("dhat: {e}"))?;
    println!("\n     bytes   blocks  allocated at (set-up and one run)");
    for (bytes, blocks, place) in sites(&profile).into_iter().take(12) {
        println!("{bytes:>10} {blocks:>8}  {place}");
    }
    println!("heap profile: {} (open it in valgrind's dh_view.html)", out.display());
    Ok(())
}

/// Bytes, blocks and the innermost function of the workspace's own, the largest first.
fn sites(profile: &Value) -> Vec<(u64, u64, String)> {
    let frames = profile["ftbl"].as_array().map_or(&[][..], Vec::as_slice);
    let points = profile["pps"].as_array().map_or(&[][..], Vec::as_slice);
    let mut by_place = BTreeMap::<String, (u64, u64)>::new();
    for point in points {
        let stack = point["fs"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let mut stack = stack
            .filter_map(|index| frames.get(index.as_u64()? as usize)?.as_str())
            .map(|frame| frame.split_once(": ").map_or(frame, |(_, place)| place));
        let innermost = stack.clone().next().unwrap_or("?");
        let place = stack.find(|place| place.starts_with("edgekit")).unwrap_or(innermost);
        let (bytes, blocks) = by_place.entry(place.to_owned()).or_default();
        *bytes += point["tb"].as_u64().unwrap_or(0);
        *blocks += point["tbk"].as_u64().unwrap_or(0);
    }
    let mut sites: Vec<_> = by_place.into_iter().map(|(place, (a, b))| (a, b, place)).collect();
    sites.sort_by(|a, b| b.cmp(a));
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_sites_name_our_own_frame() {
        let profile = serde_json::json!({
            "ftbl": ["[root]", "0x1: malloc (x)", "0x2: edgekit_x::f (x.rs:3)"],
            "pps": [{"tb": 8, "tbk": 1, "fs": [1]}, {"tb": 64, "tbk": 2, "fs": [1, 2]}],
        });
        let sites = sites(&profile);
        assert_eq!(sites[0], (64, 2, "edgekit_x::f (x.rs:3)".to_owned()));
        assert_eq!(sites[1], (8, 1, "malloc (x)".to_owned()));
    }
}
