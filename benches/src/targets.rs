//! `targets.toml`: what is promised, and whether what was measured keeps it.

use serde::{Deserialize, Serialize};

use crate::paired::Paired;
use crate::suite::Unit;

/// When a target is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// In every run.
    Quick,
    /// With `--full`.
    Full,
    /// With `--peers`.
    Peers,
}

/// What a miss means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Measured again in turns; then it warns, or fails with `--strict`.
    Timing,
    /// Fails.
    Quality,
    /// Fails.
    Count,
}

/// One `[[target]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Stable name, `room/what`.
    pub id: String,
    /// One line for the table.
    pub what: String,
    /// `[slower, faster]`.
    pub ratio: Option<[String; 2]>,
    /// One fact or case.
    pub value: Option<String>,
    /// Lower bound.
    pub at_least: Option<f64>,
    /// Upper bound.
    pub at_most: Option<f64>,
    /// When it is judged.
    pub level: Level,
    /// What a miss means.
    pub kind: Kind,
    /// Only where the machine has this instruction set.
    pub isa: Option<String>,
}

impl Target {
    /// The cases or facts that it speaks of.
    pub fn ids(&self) -> Vec<&str> {
        let both = self.ratio.iter().flatten();
        both.chain(&self.value).map(String::as_str).collect()
    }

    /// Whether a number is within the bounds.
    pub fn holds(&self, value: f64) -> bool {
        self.at_least.is_none_or(|bound| value >= bound)
            && self.at_most.is_none_or(|bound| value <= bound)
    }

    /// How many times better than the bound a number is: 1 is exactly on it.
    pub fn margin(&self, value: f64) -> f64 {
        let least = self.at_least.map(|bound| value / bound);
        let most = self.at_most.map(|bound| bound / value);
        least.into_iter().chain(most).fold(f64::INFINITY, f64::min)
    }

    fn flaw(&self) -> Option<&'static str> {
        if self.ratio.is_some() == self.value.is_some() {
            return Some("needs either `ratio` or `value`");
        }
        if self.at_least.is_none() && self.at_most.is_none() {
            return Some("needs `at_least` or `at_most`");
        }
        None
    }
}

/// Reads the file.
///
/// # Errors
///
/// If it is no TOML, has an unknown key, a name twice, or a target without a bound.
pub fn parse(text: &str) -> Result<Vec<Target>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        target: Vec<Target>,
    }
    let file: File = toml::from_str(text).map_err(|e| format!("targets.toml: {e}"))?;
    for (index, target) in file.target.iter().enumerate() {
        if let Some(flaw) = target.flaw() {
            return Err(format!("targets.toml: {}: {flaw}", target.id));
        }
        if file.target[..index].iter().any(|other| other.id == target.id) {
            return Err(format!("targets.toml: {} is there twice", target.id));
        }
    }
    Ok(file.target)
}

/// How it ended for a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Kept.
    Met,
    /// Not kept, also when measured again.
    Missed,
    /// Not judged, and why.
    Skipped(String),
    /// Cannot be judged, which is an error, and why.
    Broken(String),
}

/// A number that a target speaks of, as it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Sided {
    /// The case or fact.
    pub id: String,
    /// Its number.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// A target and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The target.
    pub target: Target,
    /// The outcome.
    pub verdict: Verdict,
    /// The number that was held against the bound.
    pub measured: Option<f64>,
    /// Its 95 % interval, if it was measured again.
    pub interval: Option<(f64, f64)>,
    /// The number of the first time, if it was measured again.
    pub at_first: Option<f64>,
    /// The absolute numbers behind it.
    pub sides: Vec<Sided>,
}

impl Judged {
    /// One that has no number.
    pub fn without(target: &Target, verdict: Verdict) -> Judged {
        Judged {
            target: target.clone(),
            verdict,
            measured: None,
            interval: None,
            at_first: None,
            sides: Vec::new(),
        }
    }

    /// Whether this outcome fails a run.
    pub fn fails(&self, strict: bool) -> bool {
        match self.verdict {
            Verdict::Met | Verdict::Skipped(_) => false,
            Verdict::Broken(_) => true,
            Verdict::Missed => strict || self.target.kind != Kind::Timing,
        }
    }

    /// Replaces the number by that of a second measurement in turns.
    pub fn again(&mut self, paired: Paired) {
        let paired = if smaller_wins(&self.sides) { paired } else { paired.inverted() };
        self.settle(paired.ratio, (paired.low, paired.high));
        for (side, value) in self.sides.iter_mut().zip([paired.first, paired.second]) {
            side.value = value;
        }
    }

    /// Replaces the number of a single case by that of a second measurement.
    pub fn again_alone(&mut self, value: f64, interval: (f64, f64)) {
        self.settle(value, interval);
        self.sides.iter_mut().for_each(|side| side.value = value);
    }

    fn settle(&mut self, value: f64, interval: (f64, f64)) {
        self.at_first = self.measured;
        self.measured = Some(value);
        self.interval = Some(interval);
        self.verdict = if self.target.holds(value) { Verdict::Met } else { Verdict::Missed };
    }
}

fn smaller_wins(sides: &[Sided]) -> bool {
    sides.iter().all(|side| side.unit.smaller_is_better())
}

/// Holds a target against the numbers of its cases or facts, in its own order.
pub fn judge(target: &Target, sides: Vec<Sided>) -> Judged {
    let measured = match sides.as_slice() {
        [one] => one.value,
        [first, second] if first.unit != second.unit => {
            let what = format!("{:?} against {:?}", first.unit, second.unit);
            return Judged { sides, ..Judged::without(target, Verdict::Broken(what)) };
        }
        [first, second] if smaller_wins(&sides) => first.value / second.value,
        [first, second] => second.value / first.value,
        _ => return Judged::without(target, Verdict::Broken("no number".to_owned())),
    };
    let verdict = if target.holds(measured) { Verdict::Met } else { Verdict::Missed };
    Judged { measured: Some(measured), sides, ..Judged::without(target, verdict) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "
        [[target]]
        id = \"r/t\"
        what = \"x\"
        ratio = [\"r/slow\", \"r/fast\"]
        at_least = 3.0
        level = \"quick\"
        kind = \"timing\"
    ";

    fn sides(unit: Unit, values: [f64; 2]) -> Vec<Sided> {
        values.map(|value| Sided { id: String::new(), value, unit }).into()
    }

    #[test]
    fn a_ratio_says_how_many_times_better_the_second_is() {
        let target = &parse(ONE).unwrap()[0];
        let verdict = |unit, values| {
            let judged = judge(target, sides(unit, values));
            (judged.measured.unwrap(), judged.verdict)
        };
        assert_eq!(verdict(Unit::Nanos, [30.0, 10.0]), (3.0, Verdict::Met));
        assert_eq!(verdict(Unit::Nanos, [29.0, 10.0]), (2.9, Verdict::Missed));
        assert_eq!(verdict(Unit::PerSecond, [10.0, 40.0]), (4.0, Verdict::Met));
        assert_eq!(verdict(Unit::PerSecond, [40.0, 10.0]), (0.25, Verdict::Missed));
    }

    #[test]
    fn units_must_agree_and_numbers_must_be_numbers() {
        let target = &parse(ONE).unwrap()[0];
        let mut mixed = sides(Unit::Nanos, [1.0, 1.0]);
        mixed[1].unit = Unit::Bytes;
        assert!(matches!(judge(target, mixed).verdict, Verdict::Broken(_)));
        assert_eq!(judge(target, sides(Unit::Nanos, [0.0, 0.0])).verdict, Verdict::Missed);
    }

    #[test]
    fn bounds_bind_on_both_sides() {
        let text = ONE.replace("at_least = 3.0", "at_least = 1.0\nat_most = 2.0");
        let target = &parse(&text).unwrap()[0];
        assert!(target.holds(1.0) && target.holds(2.0));
        assert!(!target.holds(0.99) && !target.holds(2.01) && !target.holds(f64::NAN));
        assert_eq!(target.margin(1.6), 1.25);
    }

    #[test]
    fn a_second_measurement_decides() {
        let target = &parse(ONE).unwrap()[0];
        let mut judged = judge(target, sides(Unit::PerSecond, [10.0, 20.0]));
        assert_eq!(judged.verdict, Verdict::Missed);
        judged.again(Paired::of(&[(10.0, 40.0); 9]));
        assert_eq!((judged.verdict.clone(), judged.measured), (Verdict::Met, Some(4.0)));
        assert_eq!((judged.at_first, judged.sides[1].value), (Some(2.0), 40.0));
        judged.again_alone(1.0, (1.0, 1.0));
        assert_eq!(judged.verdict, Verdict::Missed);
    }

    #[test]
    fn only_timing_is_forgiven() {
        let target = &parse(ONE).unwrap()[0];
        let missed = Judged::without(target, Verdict::Missed);
        assert!(!missed.fails(false) && missed.fails(true));
        let count = Target { kind: Kind::Count, ..target.clone() };
        assert!(Judged::without(&count, Verdict::Missed).fails(false));
        assert!(Judged::without(target, Verdict::Broken(String::new())).fails(false));
    }

    #[test]
    fn flaws_of_the_file_are_named() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error(&ONE.replace("at_least = 3.0", "")).contains("r/t: needs `at_least`"));
        assert!(error(&ONE.replace("ratio", "ratoi")).contains("ratoi"));
        assert!(error(&format!("{ONE}{ONE}")).contains("twice"));
        assert!(error(&format!("{ONE}value = \"r/x\"")).contains("either"));
    }

    #[test]
    fn the_committed_targets_are_sound() {
        parse(include_str!("../targets.toml")).unwrap();
    }
}
