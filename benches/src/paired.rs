//! Two measurements in turns, so that what disturbs the machine disturbs both.
//!
//! Many short alternations in the order a b, b a, a b, …; each pair gives one quotient, and the
//! median of the quotients is the answer. A slow minute on a shared machine hits both halves of a
//! pair, where it would have ruined one of two long measurements.

use std::time::{Duration, Instant};

/// How long one half of a pair should run.
const HALF: Duration = Duration::from_millis(4);
/// Enough for a narrow interval.
const MOST_PAIRS: usize = 75;
/// The fewest whose order statistics still give a 95 % interval.
const FEWEST_PAIRS: usize = 6;

/// What two sides gave in turns.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Paired {
    /// Median of first / second.
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Median of the first side alone.
    pub first: f64,
    /// Median of the second side alone.
    pub second: f64,
    /// How many pairs.
    pub pairs: usize,
}

impl Paired {
    /// Summarises pairs.
    pub fn of(samples: &[(f64, f64)]) -> Paired {
        let ratios: Vec<f64> = samples.iter().map(|(a, b)| a / b).collect();
        let (low, ratio, high) = median_interval(ratios);
        let side = |values: Vec<f64>| median_interval(values).1;
        Paired {
            ratio,
            low,
            high,
            first: side(samples.iter().map(|s| s.0).collect()),
            second: side(samples.iter().map(|s| s.1).collect()),
            pairs: samples.len(),
        }
    }

    /// The same pairs as second / first.
    pub fn inverted(self) -> Paired {
        let Paired { ratio, low, high, first, second, pairs } = self;
        let (ratio, low, high) = (1.0 / ratio, 1.0 / high, 1.0 / low);
        Paired { ratio, low, high, first, second, pairs }
    }
}

/// The median with its 95 % interval from order statistics, which assumes nothing about the
/// distribution: the ranks n/2 ± 0.98 √n.
pub fn median_interval(mut values: Vec<f64>) -> (f64, f64, f64) {
    if values.is_empty() {
        return (f64::NAN, f64::NAN, f64::NAN);
    }
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let median = (values[(n - 1) / 2] + values[n / 2]) / 2.0;
    let reach = 0.98 * (n as f64).sqrt();
    let low = (n as f64 / 2.0 - reach).floor().max(0.0) as usize;
    let high = ((n as f64 / 2.0 + reach).ceil() as usize).min(n - 1);
    (values[low], median, values[high])
}

/// One side: runs that many times, returns its value for one run (nanoseconds, or its own number).
pub type Side<'a> = &'a mut dyn FnMut(u64) -> Result<f64, String>;

/// Measures both sides in turns, for about `budget`.
///
/// # Errors
///
/// The first that a side returns.
pub fn paired(first: Side, second: Side, budget: Duration) -> Result<Paired, String> {
    let (n, took_first) = calibrate(first)?;
    let (m, took_second) = calibrate(second)?;
    let pair = (took_first + took_second).as_secs_f64().max(1e-9);
    let pairs = (budget.as_secs_f64() / pair) as usize;
    let mut samples = Vec::new();
    for turn in 0..pairs.clamp(FEWEST_PAIRS, MOST_PAIRS) {
        samples.push(if turn % 2 == 0 {
            let a = first(n)?;
            (a, second(m)?)
        } else {
            let b = second(m)?;
            (first(n)?, b)
        });
    }
    Ok(Paired::of(&samples))
}

/// How often a side must run to fill half a pair, and how long that takes.
fn calibrate(side: &mut dyn FnMut(u64) -> Result<f64, String>) -> Result<(u64, Duration), String> {
    let mut n = 1;
    loop {
        let start = Instant::now();
        side(n)?;
        let took = start.elapsed();
        if took >= HALF || n >= 1 << 40 {
            return Ok((n, took));
        }
        let grow = HALF.as_secs_f64() / took.as_secs_f64().max(1e-9);
        n = (n as f64 * grow.clamp(2.0, 100.0)) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_disturbance_cancels() {
        // The machine gets slower and slower; the second side always costs half of the first.
        let samples: Vec<(f64, f64)> = (1..40).map(|i| (2.0 * i as f64, i as f64)).collect();
        let paired = Paired::of(&samples);
        assert_eq!((paired.low, paired.ratio, paired.high), (2.0, 2.0, 2.0));
        assert_eq!(paired.inverted().ratio, 0.5);
    }

    #[test]
    fn the_interval_holds_the_median() {
        let (low, median, high) = median_interval((1..=100).map(f64::from).collect());
        assert_eq!(median, 50.5);
        assert!((35.0..=45.0).contains(&low) && (56.0..=66.0).contains(&high), "{low} {high}");
        assert_eq!(median_interval(vec![3.0]), (3.0, 3.0, 3.0));
        assert!(median_interval(Vec::new()).1.is_nan());
    }

    #[test]
    fn both_sides_take_turns() {
        let order = std::cell::RefCell::new(String::new());
        let side = |name: char, value: f64| {
            let order = &order;
            move |n: u64| {
                order.borrow_mut().push(name);
                std::thread::sleep(Duration::from_micros(50).saturating_mul(n as u32));
                Ok(value)
            }
        };
        let mut a = side('a', 3.0);
        let mut b = side('b', 1.0);
        let got = paired(&mut a, &mut b, Duration::from_millis(1)).unwrap();
        assert_eq!((got.ratio, got.pairs), (3.0, FEWEST_PAIRS));
        assert!(order.borrow().ends_with("abbaabba"), "{}", order.borrow());
        let mut broken = |_| Err("gone".to_owned());
        assert!(paired(&mut a, &mut broken, Duration::ZERO).is_err());
    }
}
