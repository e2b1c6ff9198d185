//! `cargo xtask gate`: instruction counts, the same on a noisy machine as on a quiet one.
//!
//! The benches program offers small cases; callgrind counts what each runs inside one marked
//! function. Counts are compared with `benches/baseline/ROOM.csv`, which is committed and reviewed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use crate::bench;
use crate::process::{need, output, tool};
use crate::workspace::{root, target_dir};

/// How much a count may grow, in percent: a compiler's patch release moves them by a few.
const SLACK: u64 = 10;
/// The function whose instructions, with all that it calls, are counted (`benches/src/gate.rs`).
const COUNTED: &str = "*edgekit_benches*counted_region*";

/// Instructions by `id`, which ends in the instruction set: `kernels/dot/768@avx2`.
type Counts = BTreeMap<String, u64>;

/// Counts, and compares with the baseline or rewrites it.
pub(crate) fn run(args: &[String]) -> Result {
    let mut bless = false;
    let mut only = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bless" => bless = true,
            "--only" => only.push(args.next().ok_or("--only needs a name")?.clone()),
            other => return Err(format!("gate takes --bless and --only NAME, not {other}")),
        }
    }
    need("valgrind", "apt-get install valgrind")?;
    if !cfg!(target_arch = "x86_64") {
        return Err("the baseline is of x86-64 instructions; run the gate there".to_owned());
    }
    let program = bench::build(false)?;
    let cases = list(&program, &only)?;
    let counts = count_all(&program, &cases)?;
    let dir = root().join("benches/baseline");
    let whole = only.is_empty();
    if bless {
        let mut all = if whole { Counts::new() } else { read(&dir)? };
        all.extend(counts);
        write(&dir, &all)?;
        println!("gate: {} counts written to benches/baseline; review the diff", all.len());
        return Ok(());
    }
    let baseline = read(&dir)?;
    let (lines, failed) = compare(&counts, &baseline, whole);
    lines.iter().for_each(|line| println!("{line}"));
    if failed == 0 {
        println!("gate: {} counts, none more than {SLACK} % up", counts.len());
        Ok(())
    } else {
        Err(format!("{failed} of {} counts; if meant, `cargo xtask gate --bless`", counts.len()))
    }
}

/// One line for each case that changed, and how many of them fail.
fn compare(counts: &Counts, baseline: &Counts, whole: bool) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    let mut failed = 0;
    for (id, &now) in counts {
        let Some(&before) = baseline.get(id) else {
            lines.push(format!("UNKNOWN  {id}: {now} instructions, not in the baseline"));
            failed += 1;
            continue;
        };
        let change = (now as f64 / before.max(1) as f64 - 1.0) * 100.0;
        if now * 100 > before * (100 + SLACK) {
            failed += 1;
            lines.push(format!("MORE     {id}: {before} -> {now} ({change:+.1} %)"));
        } else if now * 100 < before * (100 - SLACK) {
            lines.push(format!("fewer    {id}: {before} -> {now} ({change:+.1} %), worth a bless"));
        } else if now != before {
            lines.push(format!("moved    {id}: {before} -> {now} ({change:+.2} %)"));
        }
    }
    for id in baseline.keys().filter(|id| whole && !counts.contains_key(*id)) {
        lines.push(format!("MISSING  {id}: in the baseline, and no longer counted"));
        failed += 1;
    }
    (lines, failed)
}

fn list(program: &Path, only: &[String]) -> Result<Vec<String>> {
    let listed = output(&mut tool(&program.to_string_lossy(), ["gate"]))?;
    let wanted = |id: &&str| only.is_empty() || only.iter().any(|o| id.contains(o.as_str()));
    let cases: Vec<String> = listed.lines().filter(wanted).map(str::to_owned).collect();
    if cases.is_empty() { Err("no case has such a name".to_owned()) } else { Ok(cases) }
}

/// Counts are not disturbed by what else runs, so as many cases run at once as there are cores.
fn count_all(program: &Path, cases: &[String]) -> Result<Counts> {
    let dir = target_dir()?.join("edgekit-bench/gate");
    std::fs::create_dir_all(&dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    let bar = ProgressBar::new(cases.len() as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, results, bar, dir) = (&next, &results, &bar, &dir);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    bar.set_message(case.clone());
                    let counted = count(program, case, &dir.join(format!("callgrind.{worker}")));
                    bar.inc(1);
                    let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                    results.push(counted.map(|n| (case.clone(), n)));
                }
            });
        }
    });
    bar.finish_and_clear();
    results.into_inner().unwrap_or_else(|e| e.into_inner()).into_iter().collect()
}

fn count(program: &Path, case: &str, out: &Path) -> Result<u64> {
    let (_, isa) = case.rsplit_once('@').ok_or(format!("{case} names no instruction set"))?;
    let mut command = callgrind(out, COUNTED);
    command.arg(program).args(["gate", case]).env("EDGEKIT_ISA", isa);
    output(&mut command)?;
    let profile = std::fs::read_to_string(out).map_err(|e| format!("{}: {e}", out.display()))?;
    match total(&profile) {
        Some(n) if n > 0 => Ok(n),
        _ => Err(format!("callgrind counted nothing for {case}: was the region inlined?")),
    }
}

/// callgrind, counting only inside the functions that `region` matches, at fixed addresses where
/// the system allows that.
pub(crate) fn callgrind(out: &Path, region: &str) -> Command {
    let fixed = output(&mut tool("setarch", ["-R", "true"])).is_ok();
    let mut command =
        if fixed { tool("setarch", ["-R", "valgrind"]) } else { tool("valgrind", ["-q"]) };
    command.args(["--tool=callgrind", "--collect-atstart=no", "--compress-pos=no"]);
    command.arg(format!("--toggle-collect={region}"));
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command
}

fn total(profile: &str) -> Option<u64> {
    let line = profile.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn read(dir: &Path) -> Result<Counts> {
    let mut counts = Counts::new();
    for path in files(dir) {
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        counts.extend(parse(&text).map_err(|line| format!("{}: {line}", path.display()))?);
    }
    Ok(counts)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|p| p.extension().is_some_and(|e| e == "csv"))
        .collect()
}

fn parse(text: &str) -> std::result::Result<Counts, String> {
    let rows = text.lines().skip(1).map(|line| {
        let (id, count) = line.split_once(',').ok_or(line)?;
        Ok((id.to_owned(), count.parse().map_err(|_| line)?))
    });
    rows.collect::<std::result::Result<_, &str>>().map_err(str::to_owned)
}

/// One file for each room, so that rooms do not meet in a merge.
fn write(dir: &Path, counts: &Counts) -> Result {
    let mut rooms: BTreeMap<&str, String> = BTreeMap::new();
    for (id, count) in counts {
        let room = id.split('/').next().unwrap_or_default();
        let text = rooms.entry(room).or_insert_with(|| "case,instructions\n".to_owned());
        text.push_str(&format!("{id},{count}\n"));
    }
    let told = |e: std::io::Error| format!("cannot write {}: {e}", dir.display());
    std::fs::create_dir_all(dir).map_err(told)?;
    for stale in files(dir) {
        std::fs::remove_file(stale).map_err(told)?;
    }
    for (room, text) in rooms {
        std::fs::write(dir.join(format!("{room}.csv")), text).map_err(told)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, u64)]) -> Counts {
        rows.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
    }

    #[test]
    fn more_unknown_and_missing_fail() {
        let baseline = counts(&[("a@avx2", 1000), ("b@avx2", 1000), ("gone@avx2", 5)]);
        let now = counts(&[("a@avx2", 1100), ("b@avx2", 1101), ("new@avx2", 1)]);
        let (lines, failed) = compare(&now, &baseline, true);
        assert_eq!(failed, 3, "{lines:?}");
        for what in ["moved    a@", "MORE     b@", "UNKNOWN  new@", "MISSING  gone@"] {
            assert!(lines.iter().any(|line| line.starts_with(what)), "no {what} in {lines:?}");
        }
        assert_eq!(compare(&counts(&[("a@avx2", 100)]), &baseline, false).1, 0);
    }

    #[test]
    fn reads_what_it_writes() {
        let dir = std::env::temp_dir().join(format!("xtask-gate-{}", std::process::id()));
        let all = counts(&[("x/a@scalar", 7), ("x/b@scalar", 8), ("y/a@avx2", 9)]);
        write(&dir, &all).unwrap();
        assert_eq!(files(&dir).len(), 2);
        assert_eq!(read(&dir).unwrap(), all);
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(parse("case,instructions\nno comma").is_err());
    }

    #[test]
    fn reads_the_total_of_a_profile() {
        assert_eq!(total("events: Ir\nfn=(1) x\n1 5\ntotals: 628183\n"), Some(628_183));
        assert_eq!(total("events: Ir\n"), None);
    }
}
