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
    /// A suite that keeps only ids which contain one of `filters` (all of them if there is none).
    pub fn new(filters: Vec<String>) -> Self {
        Suite { filters, ..Suite::default() }
    }

    /// Whether anything whose id starts with `prefix` can be asked for.
    pub fn wants(&self, prefix: &str) -> bool {
        self.filters.is_empty()
            || self.filters.iter().any(|f| prefix.contains(f.as_str()) || f.starts_with(prefix))
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
