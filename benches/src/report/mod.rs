//! What a run found, and its three files: JSON for programs, markdown for notes, a page to look at.

mod html;
mod markdown;
mod svg;
pub mod text;

use std::path::Path;

use serde::Serialize;

use crate::bench::Options;
use crate::machine::Machine;
use crate::measure::Measured;
use crate::suite::{Fact, Series, Unit};
use crate::targets::{Judged, Target, Verdict};

/// Everything that one run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// Whether the long sweeps were in it.
    pub full: bool,
    /// Whether a missed timing fails it.
    pub strict: bool,
    /// What the cases and targets were narrowed to.
    pub only: Vec<String>,
    /// What was promised and what became of it.
    pub targets: Vec<Judged>,
    /// What was measured.
    pub cases: Vec<Measured>,
    /// What is the same each time.
    pub facts: Vec<Fact>,
    /// The curves.
    pub series: Vec<Series>,
    /// How many answers were checked.
    pub checked: usize,
    /// Wrong answers, and rooms that ended early: `(id, why)`.
    pub failures: Vec<(String, String)>,
}

impl Report {
    /// An empty one.
    pub fn new(machine: Machine, options: &Options) -> Report {
        Report {
            machine,
            full: options.full,
            strict: options.strict,
            only: options.only.clone(),
            targets: Vec::new(),
            cases: Vec::new(),
            facts: Vec::new(),
            series: Vec::new(),
            checked: 0,
            failures: Vec::new(),
        }
    }

    /// Whether all answers were right and no target fails the run.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && !self.targets.iter().any(|judged| judged.fails(self.strict))
    }

    /// One line: how many targets were met, missed, not judged.
    pub fn summary(&self) -> String {
        let count = |what: &dyn Fn(&Judged) -> bool| {
            self.targets.iter().filter(|judged| what(judged)).count()
        };
        let met = count(&|judged| judged.verdict == Verdict::Met);
        let failing = count(&|judged| judged.fails(self.strict));
        let warned =
            count(&|judged| judged.verdict == Verdict::Missed && !judged.fails(self.strict));
        let skipped = count(&|judged| matches!(judged.verdict, Verdict::Skipped(_)));
        format!(
            "targets: {met} met, {failing} failing, {warned} missed with a warning, {skipped} not \
             judged; answers: {} checked, {} wrong",
            self.checked,
            self.failures.len()
        )
    }

    /// Writes `report.json`, `report.md` and `report.html` into `dir`.
    ///
    /// # Errors
    ///
    /// If one of them cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), String> {
        let json = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        let files = [("json", json), ("md", markdown::page(self)), ("html", html::page(self))];
        for (extension, text) in files {
            let path = dir.join("report").with_extension(extension);
            std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(())
    }
}

/// A number with its unit, in about three digits.
pub fn number(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Nanos => scaled(value, 1e3, &[" ns", " µs", " ms", " s"]),
        Unit::PerSecond => scaled(value, 1e3, &["/s", "k/s", "M/s", "G/s"]),
        Unit::Bytes => scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB"]),
        Unit::BytesPerSecond => scaled(value, 1e3, &[" B/s", " kB/s", " MB/s", " GB/s"]),
        Unit::Share => format!("{value:.4}"),
        Unit::Count if value.fract() == 0.0 && value.abs() < 1e9 => format!("{value}"),
        Unit::Count => digits(value),
        Unit::Ratio => format!("{}×", digits(value)),
    }
}

fn scaled(mut value: f64, step: f64, suffixes: &[&str]) -> String {
    let mut at = 0;
    while value.abs() >= step && at + 1 < suffixes.len() {
        value /= step;
        at += 1;
    }
    format!("{}{}", digits(value), suffixes[at])
}

fn digits(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 || v == 0.0 => format!("{value:.2}"),
        v if v >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

/// The unit of a target's number: that of its value, or a ratio.
fn target_unit(judged: &Judged) -> Unit {
    match judged.sides.as_slice() {
        [one] => one.unit,
        _ => Unit::Ratio,
    }
}

/// The bound in words, `≥ 3.00×`.
fn bound(target: &Target, unit: Unit) -> String {
    let least = target.at_least.map(|bound| format!("≥ {}", number(unit, bound)));
    let most = target.at_most.map(|bound| format!("≤ {}", number(unit, bound)));
    least.into_iter().chain(most).collect::<Vec<_>>().join(", ")
}

/// The measured number of a target with its interval; a dash if there is none.
fn outcome(judged: &Judged) -> String {
    let unit = target_unit(judged);
    match (judged.measured, judged.interval) {
        (Some(value), Some((low, high))) => {
            format!("{} [{}, {}]", number(unit, value), number(unit, low), number(unit, high))
        }
        (Some(value), None) => number(unit, value),
        (None, _) => "—".to_owned(),
    }
}

/// The absolute numbers of a target's sides, `a 3.1 ns, b 1.0 ns`.
fn sides(judged: &Judged) -> String {
    let sides = judged.sides.iter().map(|s| format!("{} {}", s.id, number(s.unit, s.value)));
    sides.collect::<Vec<_>>().join(" · ")
}

/// The verdict in a word or a few.
fn verdict(judged: &Judged, strict: bool) -> String {
    let again = if judged.at_first.is_some() { " (2nd, in turns)" } else { "" };
    match &judged.verdict {
        Verdict::Met => format!("met{again}"),
        Verdict::Missed if judged.fails(strict) => format!("MISSED{again}"),
        Verdict::Missed => format!("missed, warns{again}"),
        Verdict::Skipped(why) => format!("not judged: {why}"),
        Verdict::Broken(why) => format!("BROKEN: {why}"),
    }
}

/// The room of an id.
fn room(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::targets::{Sided, judge, parse};

    /// A report with one of everything.
    pub(crate) fn example() -> Report {
        let targets = parse(
            "[[target]]\nid = \"r/fast\"\nwhat = \"b is 3x a\"\nratio = [\"r/a\", \"r/b\"]\n\
             at_least = 3.0\nlevel = \"quick\"\nkind = \"timing\"\n\
             [[target]]\nid = \"r/recall\"\nwhat = \"recall <high>\"\nvalue = \"r/c\"\n\
             at_least = 0.95\nlevel = \"quick\"\nkind = \"quality\"\n\
             [[target]]\nid = \"r/rival\"\nwhat = \"rival\"\nratio = [\"r/a\", \"r/z\"]\n\
             at_least = 1.5\nlevel = \"peers\"\nkind = \"timing\"\n",
        )
        .unwrap();
        let side = |id: &str, unit, value| Sided { id: id.to_owned(), value, unit };
        let options = Options::default();
        let mut report = Report::new(Machine::here(), &options);
        let fast = vec![side("r/a", Unit::Nanos, 20.0), side("r/b", Unit::Nanos, 10.0)];
        let mut missed = judge(&targets[0], fast);
        missed.again(crate::paired::Paired::of(&[(21.0, 10.0); 7]));
        report.targets.push(missed);
        report.targets.push(judge(&targets[1], vec![side("r/c", Unit::Share, 0.97)]));
        let skipped = Verdict::Skipped("needs --peers".to_owned());
        report.targets.push(Judged::without(&targets[2], skipped));
        let (low, value, high) = (19.0, 20.0, 22.0);
        let id = "r/a".to_owned();
        report.cases.push(Measured { id, unit: Unit::Nanos, value, low, high, samples: 9 });
        report.facts.push(Fact { id: "r/c".to_owned(), value: 0.97, unit: Unit::Share });
        for (name, factor) in [("ours", 2.0), ("theirs & co", 1.0)] {
            report.series.push(Series {
                plot: "recall and QPS".to_owned(),
                x_label: "recall@10".to_owned(),
                y_label: "queries per second".to_owned(),
                name: name.to_owned(),
                points: vec![
                    (0.8, factor * 9000.0),
                    (0.95, factor * 3000.0),
                    (0.99, factor * 700.0),
                ],
            });
        }
        report.checked = 5;
        report
    }

    #[test]
    fn numbers_are_short_and_have_units() {
        for (unit, value, said) in [
            (Unit::Nanos, 3.216, "3.22 ns"),
            (Unit::Nanos, 45_678.0, "45.7 µs"),
            (Unit::Nanos, 5e12, "5000 s"),
            (Unit::PerSecond, 17_100.0, "17.1k/s"),
            (Unit::Bytes, 1536.0, "1.50 KiB"),
            (Unit::BytesPerSecond, 2.5e10, "25.0 GB/s"),
            (Unit::Share, 0.95, "0.9500"),
            (Unit::Count, 12.0, "12"),
            (Unit::Count, 0.000_02, "2.00e-5"),
            (Unit::Ratio, 25.04, "25.0×"),
        ] {
            assert_eq!(number(unit, value), said);
        }
    }

    #[test]
    fn a_missed_timing_is_said_and_fails_only_a_strict_run() {
        let mut report = example();
        assert!(report.passed());
        assert!(report.summary().contains("1 met, 0 failing, 1 missed with a warning"));
        report.strict = true;
        assert!(!report.passed());
        report.strict = false;
        report.failures.push(("r/x".to_owned(), "wrong".to_owned()));
        assert!(!report.passed());
    }

    #[test]
    fn a_losing_ratio_is_printed_like_a_winning_one() {
        let report = example();
        for page in [text::report(&report), markdown::page(&report), html::page(&report)] {
            assert!(page.contains("2.10× [2.10×, 2.10×]"), "{page}");
            assert!(page.contains("r/a 21.0 ns · r/b 10.0 ns"), "{page}");
            assert!(page.contains("0.9700") && page.contains("needs --peers"), "{page}");
        }
    }
}
