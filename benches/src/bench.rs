//! `bench`: measures the rooms, judges the targets, writes the report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::machine::Machine;
use crate::measure::Measured;
use crate::paired::paired;
use crate::report::{Report, text};
use crate::room::{Room, Wanted};
use crate::suites::SUITES;
use crate::targets::{Judged, Kind, Level, Sided, Target, Verdict, judge, parse};

/// What to measure, and how strict to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Targets and sweeps of level full too.
    pub full: bool,
    /// Targets of level peers too. The rivals are only there if the feature `peers` was on.
    pub peers: bool,
    /// A missed timing fails.
    pub strict: bool,
    /// Only cases, facts and targets whose id contains one of these.
    pub only: Vec<String>,
}

/// Runs everything, prints it, and returns whether it passed.
///
/// # Errors
///
/// If `targets.toml` is flawed or a file cannot be written.
pub fn bench(options: &Options) -> Result<bool, String> {
    let targets = parse(&read(&manifest_dir().join("targets.toml"))?)?;
    let out = out_dir()?;
    make(&out)?;
    let wanted = wanted(options, &targets);
    let mut report = Report::new(Machine::here(), options);
    print!("{}", text::machine(&report.machine));
    for (name, _) in SUITES {
        if wanted.suite().wants(name)
            && let Err(why) = room(name, &wanted, options, &targets, &out, &mut report)
        {
            report.failures.push(((*name).to_owned(), why));
        }
    }
    for target in &targets {
        let judged = report.targets.iter().any(|judged| judged.target.id == target.id);
        if judged {
            continue;
        }
        if let Some(judged) = across_rooms(target, options, &report, &out)? {
            report.targets.push(judged);
        } else if let Some(verdict) = not_found(target, options, &wanted, &report.machine) {
            report.targets.push(Judged::without(target, verdict));
        }
    }
    let place = |id: &str| targets.iter().position(|target| target.id == id);
    report.targets.sort_by_key(|judged| place(&judged.target.id));
    print!("{}", text::report(&report));
    report.write(&out)?;
    println!("report: {}", out.join("report.html").display());
    Ok(report.passed())
}

/// Where the report goes, beside where cargo put this program.
///
/// # Errors
///
/// If the program does not know where it is.
pub fn out_dir() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let target = program.ancestors().nth(2).ok_or("no target directory above this program")?;
    Ok(target.join("edgekit-bench"))
}

/// criterion's directory, where its own tools look for it.
///
/// # Errors
///
/// If the program does not know where it is.
pub fn criterion_dir() -> Result<PathBuf, String> {
    Ok(out_dir()?.with_file_name("criterion"))
}

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn make(dir: &Path) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))
}

/// A filter may name a target; then it stands for what the target speaks of, if targets of its level
/// were asked for.
fn wanted(options: &Options, targets: &[Target]) -> Wanted {
    let mut only = options.only.clone();
    for filter in &options.only {
        let named = targets.iter().filter(|target| {
            target.id.contains(filter.as_str()) && level_asked(target.level, options)
        });
        only.extend(named.flat_map(|target| target.ids()).map(str::to_owned));
    }
    Wanted { full: options.full, only }
}

fn level_asked(level: Level, options: &Options) -> bool {
    match level {
        Level::Quick => true,
        Level::Full => options.full,
        Level::Peers => options.peers,
    }
}

fn room(
    name: &str,
    wanted: &Wanted,
    options: &Options,
    targets: &[Target],
    out: &Path,
    report: &mut Report,
) -> Result<(), String> {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {prefix} {pos}/{len} {elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar.set_prefix(name.to_owned());
    bar.set_message("sets up");
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut room = Room::open(&program, name, wanted, &out.join(format!("{name}.log")))?;
    let declared = room.declared.clone();
    bar.set_length(declared.cases.len() as u64);
    bar.suspend(|| println!("\n{name}"));
    report.checked += declared.checked;
    report.failures.extend(declared.failures);
    report.facts.extend(declared.facts.iter().cloned());
    report.series.extend(declared.series);
    let mut cases: Vec<Measured> = Vec::new();
    for (index, (id, _)) in declared.cases.iter().enumerate() {
        bar.set_message(id.clone());
        let measured = room.measure(index).map_err(|why| format!("{id}: {why}"))?;
        bar.suspend(|| print!("{}", text::case(&measured)));
        bar.inc(1);
        cases.push(measured);
    }
    for fact in &declared.facts {
        bar.suspend(|| print!("{}", text::fact(fact)));
    }
    let isa = &report.machine.isa;
    let here = |target: &Target| target.isa.as_deref().is_none_or(|name| isa.contains(&name));
    let asked = |target: &&Target| level_asked(target.level, options) && here(target);
    for target in targets.iter().filter(asked) {
        let number = |id: &str| {
            let case = cases.iter().find(|case| case.id == id).map(|case| (case.value, case.unit));
            let fact = || declared.facts.iter().find(|fact| fact.id == id);
            let (value, unit) = case.or_else(|| fact().map(|fact| (fact.value, fact.unit)))?;
            Some(Sided { id: id.to_owned(), value, unit })
        };
        let Some(sides) = target.ids().into_iter().map(number).collect() else { continue };
        let mut judged = judge(target, sides);
        if judged.verdict == Verdict::Missed && target.kind == Kind::Timing {
            bar.set_message(format!("{} again, in turns", target.id));
            again(&mut judged, &mut room)?;
        }
        report.targets.push(judged);
    }
    report.cases.extend(cases);
    bar.finish_and_clear();
    Ok(())
}

/// Judges a target whose two sides are in different rooms, once all of them are measured. A miss is
/// measured again by asking both rooms in turns.
fn across_rooms(
    target: &Target,
    options: &Options,
    report: &Report,
    out: &Path,
) -> Result<Option<Judged>, String> {
    let isa = &report.machine.isa;
    if !level_asked(target.level, options)
        || target.isa.as_deref().is_some_and(|name| !isa.contains(&name))
    {
        return Ok(None);
    }
    let number = |id: &str| {
        let case = report.cases.iter().find(|case| case.id == id).map(|c| (c.value, c.unit));
        let fact = report.facts.iter().find(|fact| fact.id == id).map(|f| (f.value, f.unit));
        case.or(fact).map(|(value, unit)| Sided { id: id.to_owned(), value, unit })
    };
    let Some(sides) = target.ids().into_iter().map(number).collect() else { return Ok(None) };
    let mut judged = judge(target, sides);
    if let (Verdict::Missed, Kind::Timing, Some([first, second])) =
        (&judged.verdict, target.kind, &target.ratio)
    {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let open = |id: &str, log: &str| {
            let wanted = Wanted { full: options.full, only: vec![id.to_owned()] };
            let room = id.split('/').next().unwrap_or(id);
            let room = Room::open(&program, room, &wanted, &out.join(log))?;
            let case = room.case(id);
            Ok::<_, String>(case.map(|case| (room, case)))
        };
        if let (Some((mut a, a_case)), Some((mut b, b_case))) =
            (open(first, "again-first.log")?, open(second, "again-second.log")?)
        {
            let budget = Duration::from_secs(4);
            judged.again(paired(&mut |n| a.run(a_case, n), &mut |n| b.run(b_case, n), budget)?);
        }
    }
    Ok(Some(judged))
}

/// A missed timing is measured once more before it counts: both sides in turns, or a single case
/// several times over.
fn again(judged: &mut Judged, room: &mut Room) -> Result<(), String> {
    let cases: Option<Vec<usize>> = judged.target.ids().iter().map(|id| room.case(id)).collect();
    match cases.as_deref() {
        Some([first, second]) => judged.again(room.pair(*first, *second)?),
        Some([case]) => {
            let mut values = Vec::new();
            for _ in 0..5 {
                values.push(room.measure(*case)?.value);
            }
            let (low, value, high) = crate::paired::median_interval(values);
            judged.again_alone(value, (low, high));
        }
        // A fact does not change when it is measured again.
        _ => {}
    }
    Ok(())
}

/// Why no room had what the target speaks of: another level, not this machine, a filter that left
/// out one of its sides, or a wrong id. `None` if it was not asked for.
fn not_found(
    target: &Target,
    options: &Options,
    wanted: &Wanted,
    machine: &Machine,
) -> Option<Verdict> {
    let suite = wanted.suite().full();
    // A suite may ask for every part of an id before it declares what is below.
    let reached = |id: &&str| {
        let mut ends = id.match_indices('/').map(|(at, _)| at).chain([id.len()]);
        ends.all(|end| suite.wants(&id[..end]))
    };
    let (here, left_out): (Vec<&str>, Vec<&str>) = target.ids().into_iter().partition(reached);
    let asked = level_asked(target.level, options);
    let isa = target.isa.as_deref().filter(|isa| !machine.isa.contains(isa));
    if !left_out.is_empty() {
        let judgeable = !here.is_empty() && asked && isa.is_none();
        return judgeable
            .then(|| Verdict::Skipped(format!("not run: --only leaves out {}", left_out[0])));
    }
    Some(if !asked {
        Verdict::Skipped(format!("needs --{}", format!("{:?}", target.level).to_lowercase()))
    } else if let Some(isa) = isa {
        Verdict::Skipped(format!("this machine has no {isa}"))
    } else {
        Verdict::Broken(format!("no room has all of {:?} in this run", target.ids()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: &str, ids: [&str; 2], level: &str, isa: &str) -> Target {
        let text = format!(
            "[[target]]\nid = \"{id}\"\nwhat = \"x\"\nratio = [\"{}\", \"{}\"]\nat_least = 1.0\n\
             level = \"{level}\"\nkind = \"timing\"\n{isa}",
            ids[0], ids[1]
        );
        parse(&text).unwrap().remove(0)
    }

    fn verdict(target: &Target, options: &Options) -> Option<Verdict> {
        let wanted = wanted(options, std::slice::from_ref(target));
        not_found(target, options, &wanted, &Machine::here())
    }

    #[test]
    fn a_target_of_unknown_ids_is_broken_unless_it_is_not_asked_for() {
        let quick = Options::default();
        let unknown = target("t", ["a/b", "a/c"], "quick", "");
        assert!(matches!(verdict(&unknown, &quick), Some(Verdict::Broken(_))));
        let other = Options { only: vec!["zzz".to_owned()], ..Options::default() };
        assert_eq!(verdict(&unknown, &other), None);
        let named = Options { only: vec!["t".to_owned()], ..Options::default() };
        assert!(matches!(verdict(&unknown, &named), Some(Verdict::Broken(_))));
    }

    #[test]
    fn a_filter_that_leaves_out_a_side_excuses_and_breaks_nothing() {
        let judged = |ids, level, only: &str| {
            let options = Options { only: vec![only.to_owned()], ..Options::default() };
            verdict(&target("t", ids, level, ""), &options)
        };
        let not_run = Verdict::Skipped("not run: --only leaves out b/x".to_owned());
        assert_eq!(judged(["a/x", "b/x"], "quick", "a/x"), Some(not_run));
        assert_eq!(judged(["a/x", "b/x"], "peers", "a/x"), None);
        // It is in both ids, and no room of either is opened.
        assert_eq!(judged(["a/x/y", "b/x"], "quick", "x"), None);
        // It is in both, and in the room's name.
        assert!(matches!(judged(["a/x", "a/y"], "quick", "a"), Some(Verdict::Broken(_))));
    }

    #[test]
    fn levels_and_instruction_sets_excuse() {
        let full = target("t", ["a/full/b", "a/c"], "full", "");
        assert_eq!(
            verdict(&full, &Options::default()),
            Some(Verdict::Skipped("needs --full".to_owned()))
        );
        let asked = Options { full: true, ..Options::default() };
        assert!(matches!(verdict(&full, &asked), Some(Verdict::Broken(_))));
        let exotic = target("t", ["a/b", "a/c"], "quick", "isa = \"sve9\"");
        assert!(matches!(verdict(&exotic, &Options::default()), Some(Verdict::Skipped(_))));
    }

    #[test]
    fn a_filter_that_names_a_target_brings_its_cases() {
        let target = target("room/promise", ["a/b", "a/c"], "quick", "");
        let options = Options { only: vec!["promise".to_owned()], ..Options::default() };
        let wanted = wanted(&options, &[target]);
        assert!(wanted.suite().wants("a/b") && wanted.suite().wants("a"));
        assert!(!wanted.suite().wants("a/d"));
    }

    #[test]
    fn a_filter_brings_no_cases_of_a_level_that_was_not_asked_for() {
        let target = target("room/promise", ["a/full/b", "a/c"], "full", "");
        let options = Options { only: vec!["room".to_owned()], ..Options::default() };
        assert_eq!(wanted(&options, &[target]).only, ["room"]);
    }
}
