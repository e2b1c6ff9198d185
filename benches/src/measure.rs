//! One case measured: criterion for what is timed, a few repetitions for what counts itself.

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;

use crate::paired::median_interval;
use crate::suite::{Case, Measurement, Unit};

/// A timed run longer than this is too slow for criterion's ten samples and more.
const SLOW: Duration = Duration::from_millis(40);
/// criterion cuts directory names to this length.
const LONGEST_NAME: usize = 64;

/// How much time one case gets.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Before measuring.
    pub warm_up: Duration,
    /// While measuring.
    pub measure: Duration,
    /// How many samples criterion takes.
    pub samples: usize,
}

impl Effort {
    /// For hundreds of cases in a few minutes.
    pub const QUICK: Effort = Effort {
        warm_up: Duration::from_millis(60),
        measure: Duration::from_millis(240),
        samples: 24,
    };
    /// For `--full`.
    pub const FULL: Effort = Effort {
        warm_up: Duration::from_millis(300),
        measure: Duration::from_millis(1500),
        samples: 60,
    };
}

/// A case's number with its 95 % interval.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Measured {
    /// The case.
    pub id: String,
    /// What the number is; nanoseconds for a timed case.
    pub unit: Unit,
    /// The median.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How many samples there were.
    pub samples: usize,
}

/// The unit of a case.
pub fn unit(case: &Case) -> Unit {
    match case.measurement {
        Measurement::Time(_) => Unit::Nanos,
        Measurement::Number(unit, _) => unit,
    }
}

/// Runs a case `n` times (one that counts itself: once) and returns its value for one run.
pub fn run(case: &mut Case, n: u64) -> f64 {
    match &mut case.measurement {
        Measurement::Time(time) => time(n).as_nanos() as f64 / n as f64,
        Measurement::Number(_, number) => number(),
    }
}

/// Measures one case; criterion's files go to `dir`.
///
/// # Errors
///
/// If criterion's estimates cannot be read back.
pub fn measure(case: &mut Case, effort: Effort, dir: &Path) -> Result<Measured, String> {
    let (id, unit) = (case.id.clone(), unit(case));
    if let Measurement::Time(time) = &mut case.measurement
        // The first run may be cold, or meet a busy machine.
        && (0..3).any(|_| time(1) < SLOW)
    {
        return by_criterion(&id, time, effort, dir);
    }
    let mut values = Vec::new();
    let start = Instant::now();
    while values.is_empty() || values.len() < effort.samples && start.elapsed() < effort.measure {
        values.push(run(case, 1));
    }
    let samples = values.len();
    let (low, value, high) = median_interval(values);
    Ok(Measured { id, unit, value, low, high, samples })
}

fn by_criterion(
    id: &str,
    time: &mut dyn FnMut(u64) -> Duration,
    effort: Effort,
    dir: &Path,
) -> Result<Measured, String> {
    Criterion::default()
        .output_directory(dir)
        .without_plots()
        .warm_up_time(effort.warm_up)
        .measurement_time(effort.measure)
        .sample_size(effort.samples)
        .nresamples(2000)
        .bench_function(id, |bencher| bencher.iter_custom(&mut *time));
    let path = dir.join(directory(id)).join("new/estimates.json");
    let complain = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|e| complain(&e))?;
    let estimates: serde_json::Value = serde_json::from_str(&text).map_err(|e| complain(&e))?;
    let median = &estimates["median"];
    let number = |value: &serde_json::Value| value.as_f64().ok_or_else(|| complain(&"no median"));
    let interval = &median["confidence_interval"];
    Ok(Measured {
        id: id.to_owned(),
        unit: Unit::Nanos,
        value: number(&median["point_estimate"])?,
        low: number(&interval["lower_bound"])?,
        high: number(&interval["upper_bound"])?,
        samples: effort.samples,
    })
}

/// Where criterion keeps what it knows of a benchmark.
fn directory(id: &str) -> String {
    let safe: String =
        id.chars().map(|c| if "?\"/\\*<>:|^".contains(c) { '_' } else { c }).collect();
    let end = (0..=LONGEST_NAME.min(safe.len())).rev().find(|&at| safe.is_char_boundary(at));
    safe[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Suite;

    fn dir() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("edgekit-benches-{}", std::process::id()))
    }

    const SHORT: Effort = Effort {
        warm_up: Duration::from_millis(5),
        measure: Duration::from_millis(20),
        samples: 10,
    };

    #[test]
    fn reads_criterions_estimates_back() {
        let long = format!("x/{}/\"odd\"", "long".repeat(30));
        for id in ["a/b/c", &long] {
            let mut suite = Suite::new(Vec::new());
            suite.time(id, || std::hint::black_box((0..100u64).sum::<u64>()));
            let got = measure(&mut suite.cases[0], SHORT, &dir()).unwrap();
            assert_eq!((got.id.as_str(), got.unit), (id, Unit::Nanos));
            assert!(0.0 < got.low && got.low <= got.value && got.value <= got.high, "{got:?}");
        }
        std::fs::remove_dir_all(dir()).unwrap();
    }

    #[test]
    fn numbers_are_medians_of_repetitions() {
        let mut suite = Suite::new(Vec::new());
        let mut n = 0.0;
        suite.measure("a", Unit::Count, move || {
            n += 1.0;
            n
        });
        let got = measure(&mut suite.cases[0], SHORT, &dir()).unwrap();
        // Ten, or fewer if the machine was held up.
        assert_eq!(got.value, (got.samples + 1) as f64 / 2.0);
        assert!((1..=10).contains(&got.samples));
    }

    #[test]
    fn slow_cases_are_run_at_least_once() {
        let mut suite = Suite::new(Vec::new());
        suite.time("slow", || std::thread::sleep(Duration::from_millis(50)));
        let got = measure(&mut suite.cases[0], SHORT, &dir()).unwrap();
        assert!(got.samples == 1 && got.value > 5e7, "{got:?}");
    }
}
