//! What a suite hands to the driver: cases to time, facts, checks and curves.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The unit of a measured number, which also says how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds.
    Nanos,
    /// Events (queries, items, samples, steps) per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// A share between 0 and 1: recall, hit ratio, accuracy.
    Share,
    /// A plain count: hashes, allocations, evictions.
    Count,
    /// A quotient of two like quantities.
    Ratio,
}

impl Unit {
    /// Whether a smaller number is the better one.
    pub fn smaller_is_better(self) -> bool {
        matches!(self, Unit::Nanos | Unit::Bytes | Unit::Count)
    }
}

/// How a [`Case`] gets its number.
pub enum Measurement {
    /// Runs the closure that many times and says how long all of them took.
    Time(Box<dyn FnMut(u64) -> Duration>),
    /// Works the number out itself, in the unit given.
    Number(Unit, Box<dyn FnMut() -> f64>),
}

/// Something that can be measured again and again, under a stable id such as
/// `kernels/dot/768/best`.
pub struct Case {
    /// `room/what/…/variant`.
    pub id: String,
    /// How it is measured.
    pub measurement: Measurement,
}

/// A number that does not change when it is measured again: recall, bytes, a count.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Fact {
    /// `room/what/…`.
    pub id: String,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
}

/// One named curve of one plot of the report.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Series {
    /// The plot it belongs to; curves of one plot share their axes.
    pub plot: String,
    /// Label of the x axis with its unit.
    pub x_label: String,
    /// Label of the y axis with its unit.
    pub y_label: String,
    /// Name in the legend.
    pub name: String,
    /// The points, in drawing order.
    pub points: Vec<(f64, f64)>,
}

/// Collects what a suite declares.
///
/// Expensive set-up belongs behind [`Suite::wants`], so that `--only` stays quick.
#[derive(Default)]
pub struct Suite {
    filters: Vec<String>,
    full: bool,
    /// What can be measured.
    pub cases: Vec<Case>,
    /// What is known already.
    pub facts: Vec<Fact>,
    /// What the report plots.
    pub series: Vec<Series>,
    /// Answers that were wrong: `(id, what was expected and seen)`.
    pub failures: Vec<(String, String)>,
    /// How many answers were checked.
    pub checked: usize,
}

impl Suite {
    /// A suite that keeps only ids which contain one of `filters` (all of them if there is none),
    /// and none with a part `full`, unless a filter names that part.
    pub fn new(filters: Vec<String>) -> Self {
        Suite { filters, ..Suite::default() }
    }

    /// The same suite with the long sweeps, whose ids have a part `full`.
    pub fn full(self) -> Self {
        Suite { full: true, ..self }
    }

    /// Whether anything whose id starts with `prefix` can be asked for.
    pub fn wants(&self, prefix: &str) -> bool {
        let long = |id: &str| id.split('/').any(|part| part == "full");
        let matches = |f: &String| prefix.contains(f.as_str()) || f.starts_with(prefix);
        (self.full || !long(prefix) || self.filters.iter().any(|f| long(f)))
            && (self.filters.is_empty() || self.filters.iter().any(matches))
    }

    /// Declares a closure to time. What it returns is kept from the optimiser; its inputs are the
    /// closure's own business (`std::hint::black_box`).
    pub fn time<T>(&mut self, id: impl Into<String>, mut f: impl FnMut() -> T + 'static) {
        self.case(
            id.into(),
            Measurement::Time(Box::new(move |n| {
                let start = Instant::now();
                for _ in 0..n {
                    black_box(f());
                }
                start.elapsed()
            })),
        );
    }

    /// Declares a number that a closure works out: a percentile, a throughput over threads.
    pub fn measure(&mut self, id: impl Into<String>, unit: Unit, f: impl FnMut() -> f64 + 'static) {
        self.case(id.into(), Measurement::Number(unit, Box::new(f)));
    }

    /// Records a number that is the same each time: recall, bytes, a count.
    pub fn value(&mut self, id: impl Into<String>, unit: Unit, value: f64) {
        let id = id.into();
        if self.wants(&id) {
            self.facts.push(Fact { id, value, unit });
        }
    }

    /// Records whether an answer is right. A wrong one fails the run, whatever the timings say.
    pub fn check(&mut self, id: impl Into<String>, right: bool, what: impl FnOnce() -> String) {
        self.checked += 1;
        if !right {
            self.failures.push((id.into(), what()));
        }
    }

    /// Adds a curve to the report.
    pub fn series(&mut self, series: Series) {
        self.series.push(series);
    }

    fn case(&mut self, id: String, measurement: Measurement) {
        if self.wants(&id) {
            self.cases.push(Case { id, measurement });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_keep_what_contains_them_and_their_prefixes() {
        let suite = Suite::new(vec!["index/qps".to_owned()]);
        assert!(suite.wants("index") && suite.wants("index/qps/hnsw"));
        assert!(!suite.wants("kernels") && !suite.wants("index/build"));
    }

    #[test]
    fn long_sweeps_are_asked_for() {
        let quick = Suite::new(Vec::new());
        assert!(!quick.wants("index/full/sweep") && !quick.wants("index/full"));
        assert!(quick.wants("index/fuller"));
        assert!(Suite::new(Vec::new()).full().wants("index/full/sweep"));
        assert!(Suite::new(vec!["index/full/x".to_owned()]).wants("index/full/x"));
    }

    #[test]
    fn a_wrong_answer_is_kept_with_its_reason() {
        let mut suite = Suite::new(Vec::new());
        suite.check("a", true, || unreachable!());
        suite.check("b", false, || "2, not 3".to_owned());
        assert_eq!(suite.checked, 2);
        assert_eq!(suite.failures, [("b".to_owned(), "2, not 3".to_owned())]);
    }
}
