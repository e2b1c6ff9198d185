//! Safe exploration: what a learner may change, by how much, how often, and when it is taken back.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use edgekit_kernels_simd::Kernels;

use crate::{Error, ErrorKind};

/// The limits of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The values that it may have at all.
    pub range: RangeInclusive<f32>,
    /// The largest change at once, in the parameter's unit.
    pub max_step: Option<f32>,
    /// The largest change at once, in percent of the old value. When that is 0, in percent of the
    /// range's width: a percentage of nothing would forbid every change for ever.
    pub max_step_percent: Option<f32>,
    /// How long a change must stand before the next.
    pub cooldown: Duration,
}

impl Limits {
    /// Only a range.
    pub fn within(range: RangeInclusive<f32>) -> Self {
        Limits { range, max_step: None, max_step_percent: None, cooldown: Duration::ZERO }
    }
}

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Refused unless the approval hook consents.
    Warning,
    /// Refused, whatever anybody says.
    Critical,
}

/// What a proposal violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The parameter is not declared. Critical.
    Unknown,
    /// The value is NaN or infinite. Critical.
    NotFinite,
    /// The value lies outside the range. Critical.
    Range,
    /// A blocking condition holds. Critical.
    Blocked,
    /// The change is larger than one step may be. Warning.
    Step,
    /// The last change is too recent. Warning.
    Cooldown,
    /// No KPI that is watched was observed yet, so a degradation would go unseen. Warning.
    NoBaseline,
}

impl Rule {
    /// How bad it is to break this rule.
    pub fn severity(self) -> Severity {
        match self {
            Rule::Unknown | Rule::NotFinite | Rule::Range | Rule::Blocked => Severity::Critical,
            Rule::Step | Rule::Cooldown | Rule::NoBaseline => Severity::Warning,
        }
    }
}

/// One reason against a proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// What is violated.
    pub rule: Rule,
    /// Why, with the values.
    pub reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule.severity(), self.reason)
    }
}

/// A change that somebody would like to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The parameter's name.
    pub parameter: String,
    /// Its new value.
    pub value: f32,
}

impl Proposal {
    /// A proposal to set `parameter` to `value`.
    pub fn new(parameter: impl Into<String>, value: f32) -> Self {
        Proposal { parameter: parameter.into(), value }
    }
}

/// Which direction of a KPI is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Throughput, reward.
    Higher,
    /// Latency, errors.
    Lower,
}

/// A key performance indicator whose degradation takes changes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Which direction is good.
    pub better: Better,
    /// How much worse than before a change it may get, in its own unit.
    pub tolerance: f32,
    /// For how long a change is under suspicion.
    pub probation: Duration,
}

/// A change that was taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The parameter.
    pub parameter: String,
    /// What it was changed to.
    pub from: f32,
    /// What it is again.
    pub to: f32,
    /// What went wrong.
    pub reason: String,
}

type Block = Box<dyn Fn(&Proposal) -> Option<String> + Send + Sync>;
type Approve = Box<dyn FnMut(&Proposal, &[Violation]) -> Approval + Send>;

/// What the approval hook says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Do it all the same.
    Granted,
    /// Leave it.
    Denied,
}

/// Stands between a learner and the parameters it may turn.
///
/// Whatever is not known to be safe is refused: an undeclared parameter, NaN, a warning that nobody
/// approves, a KPI that turns NaN. Times are durations since any epoch of the caller's and must not
/// run backwards.
///
/// ```
/// use edgekit_qlearning::safety::{Better, Guard, Limits, Proposal, Watch};
/// use std::time::Duration;
///
/// let second = Duration::from_secs;
/// let mut guard = Guard::new();
/// let limits = Limits { max_step: Some(8.0), ..Limits::within(1.0..=64.0) };
/// guard.declare("batch", 16.0, limits)?;
/// let slower = Watch { better: Better::Lower, tolerance: 5.0, probation: second(60) };
/// guard.watch("p95 in ms", slower)?;
/// guard.observe("p95 in ms", 20.0, second(0))?;
///
/// assert!(guard.apply(&Proposal::new("batch", 48.0), second(1)).is_err()); // too far at once
/// guard.apply(&Proposal::new("batch", 24.0), second(2))?;
/// let back = guard.observe("p95 in ms", 31.0, second(3))?;
/// assert_eq!((back[0].from, guard.value("batch")), (24.0, Some(16.0)));
/// # Ok::<(), edgekit_qlearning::Error>(())
/// ```
#[derive(Default)]
pub struct Guard {
    parameters: BTreeMap<String, Parameter>,
    watches: BTreeMap<String, Watched>,
    blocks: Vec<Block>,
    approve: Option<Approve>,
    /// Changes that a KPI can still take back, oldest first.
    recent: Vec<Recent>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("parameters", &self.parameters)
            .field("watches", &self.watches)
            .field("blocks", &self.blocks.len())
            .field("recent", &self.recent)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Parameter {
    limits: Limits,
    value: f32,
    changed: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Watched {
    watch: Watch,
    latest: Option<f32>,
}

#[derive(Clone, Debug)]
struct Recent {
    parameter: String,
    old: f32,
    new: f32,
    at: Duration,
    /// Each watched KPI as it was before.
    baselines: BTreeMap<String, f32>,
}

impl Guard {
    /// A guard that knows no parameter and so refuses everything.
    pub fn new() -> Self {
        Guard::default()
    }

    /// Declares a parameter and its present value.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it is declared already, the range is empty or not finite, a step is
    /// negative or not finite, or the value lies outside the range.
    pub fn declare(&mut self, name: &str, value: f32, limits: Limits) -> Result<(), Error> {
        let bad = |what: String| Err(Error::new(ErrorKind::Config, format!("{name}: {what}")));
        if self.parameters.contains_key(name) {
            return bad("it is declared already".into());
        }
        let (low, high) = (*limits.range.start(), *limits.range.end());
        if !low.is_finite() || !high.is_finite() || !limits.range.contains(&value) {
            return bad(format!(
                "value {value}: it must lie in a finite range, not {low} to {high}"
            ));
        }
        for step in [limits.max_step, limits.max_step_percent].into_iter().flatten() {
            if !(step >= 0.0 && step.is_finite()) {
                return bad(format!("step {step}: it must be finite and not negative"));
            }
        }
        self.parameters.insert(name.into(), Parameter { limits, value, changed: None });
        Ok(())
    }

    /// Watches a KPI: from now on every change is on probation for that long.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it is watched already or the tolerance is negative or not finite.
    pub fn watch(&mut self, kpi: &str, watch: Watch) -> Result<(), Error> {
        let tolerable = watch.tolerance >= 0.0 && watch.tolerance.is_finite();
        if !tolerable || self.watches.contains_key(kpi) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{kpi} with tolerance {}: watch it once, with a finite tolerance",
                    watch.tolerance
                ),
            ));
        }
        self.watches.insert(kpi.into(), Watched { watch, latest: None });
        Ok(())
    }

    /// Adds a blocking condition: while it returns a reason, the proposal is refused.
    pub fn block(
        &mut self,
        condition: impl Fn(&Proposal) -> Option<String> + Send + Sync + 'static,
    ) {
        self.blocks.push(Box::new(condition));
    }

    /// Sets who is asked about proposals that break rules of [`Severity::Warning`] only. Without a
    /// hook they are refused.
    pub fn approve_with(
        &mut self,
        hook: impl FnMut(&Proposal, &[Violation]) -> Approval + Send + 'static,
    ) {
        self.approve = Some(Box::new(hook));
    }

    /// The present value of a parameter.
    pub fn value(&self, name: &str) -> Option<f32> {
        self.parameters.get(name).map(|p| p.value)
    }

    /// All that speaks against a proposal, worst first; nothing is changed.
    pub fn check(&self, proposal: &Proposal, now: Duration) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut add = |rule, reason| found.push(Violation { rule, reason });
        let Proposal { parameter: name, value } = proposal;
        if !value.is_finite() {
            add(Rule::NotFinite, format!("{name} = {value} is not finite"));
        }
        match self.parameters.get(name) {
            None => add(Rule::Unknown, format!("{name} is not declared")),
            Some(parameter) if value.is_finite() => {
                let range = &parameter.limits.range;
                if !range.contains(value) {
                    let (low, high) = (range.start(), range.end());
                    add(Rule::Range, format!("{name} = {value} lies outside {low} to {high}"));
                }
                let (low, high) = parameter.reach();
                if !(low..=high).contains(value) {
                    let old = parameter.value;
                    add(
                        Rule::Step,
                        format!("{name} = {value} is too far from {old}: {low} to {high} at once"),
                    );
                }
            }
            Some(_) => {}
        }
        for block in &self.blocks {
            if let Some(reason) = block(proposal) {
                add(Rule::Blocked, reason);
            }
        }
        if let Some(left) = self.parameters.get(name).and_then(|p| p.cooling(now)) {
            add(Rule::Cooldown, format!("{name} must stand for another {left:?}"));
        }
        for (kpi, watched) in &self.watches {
            if watched.latest.is_none() {
                add(Rule::NoBaseline, format!("{kpi} was not observed yet"));
            }
        }
        found.sort_by_key(|v| std::cmp::Reverse(v.rule.severity()));
        found
    }

    /// Checks many proposals, each against the present values: bit i % 64 of word i / 64 is set if
    /// proposal i violates anything, exactly when [`Guard::check`] has something to say about it.
    pub fn check_batch(&self, proposals: &[Proposal], now: Duration) -> Vec<u64> {
        let mut low = Vec::with_capacity(proposals.len());
        let mut high = Vec::with_capacity(proposals.len());
        let mut values = Vec::with_capacity(proposals.len());
        for proposal in proposals {
            // An empty interval for what is unknown: nothing lies in it.
            let parameter = self.parameters.get(&proposal.parameter);
            let (from, to) = parameter.map_or((f32::INFINITY, f32::NEG_INFINITY), |p| p.allowed());
            low.push(from);
            high.push(to);
            values.push(proposal.value);
        }
        let mut refused = vec![0; proposals.len().div_ceil(64)];
        Kernels::get().violations(&values, &low, &high, &mut refused);
        let blind = self.watches.values().any(|w| w.latest.is_none());
        for (at, proposal) in proposals.iter().enumerate() {
            let parameter = self.parameters.get(&proposal.parameter);
            if blind
                || parameter.is_some_and(|p| p.cooling(now).is_some())
                || self.blocks.iter().any(|block| block(proposal).is_some())
            {
                refused[at / 64] |= 1 << (at % 64);
            }
        }
        refused
    }

    /// Makes a change if nothing speaks against it, or only warnings that the hook approves.
    /// Returns the old value.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] with all reasons; nothing is changed.
    pub fn apply(&mut self, proposal: &Proposal, now: Duration) -> Result<f32, Error> {
        let found = self.check(proposal, now);
        let critical = found.iter().any(|v| v.rule.severity() == Severity::Critical);
        let granted = found.is_empty()
            || !critical
                && self
                    .approve
                    .as_mut()
                    .is_some_and(|hook| hook(proposal, &found) == Approval::Granted);
        let parameter = self.parameters.get_mut(&proposal.parameter);
        let (true, Some(parameter)) = (granted, parameter) else {
            let reasons: Vec<String> = found.iter().map(Violation::to_string).collect();
            return Err(Error::new(ErrorKind::Value, reasons.join("; ")));
        };
        let old = std::mem::replace(&mut parameter.value, proposal.value);
        parameter.changed = Some(now);
        let baselines = self
            .watches
            .iter()
            .filter_map(|(kpi, watched)| Some((kpi.clone(), watched.latest?)))
            .collect();
        self.forget(now);
        self.recent.push(Recent {
            parameter: proposal.parameter.clone(),
            old,
            new: proposal.value,
            at: now,
            baselines,
        });
        Ok(old)
    }

    /// Takes note of a KPI. If it is worse than before a change that is still on probation, by more
    /// than tolerated or by not being a number, that change and every later one is taken back,
    /// newest first. A change that was approved before there was anything to compare with is taken
    /// back by what is not a number only.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the KPI is not watched.
    pub fn observe(
        &mut self,
        kpi: &str,
        value: f32,
        now: Duration,
    ) -> Result<Vec<Rollback>, Error> {
        let Some(watched) = self.watches.get_mut(kpi) else {
            return Err(Error::new(ErrorKind::Config, format!("{kpi} is not watched")));
        };
        let watch = watched.watch.clone();
        let worse = |baseline: f32| {
            let loss = match watch.better {
                Better::Higher => baseline - value,
                Better::Lower => value - baseline,
            };
            loss.is_nan() || loss > watch.tolerance
        };
        let first_bad = self.recent.iter().position(|change| {
            now.saturating_sub(change.at) <= watch.probation
                && change.baselines.get(kpi).map_or(!value.is_finite(), |&before| worse(before))
        });
        let mut rollbacks = Vec::new();
        match first_bad {
            Some(from) => {
                for change in self.recent.drain(from..).rev() {
                    if let Some(parameter) = self.parameters.get_mut(&change.parameter) {
                        parameter.value = change.old;
                        parameter.changed = Some(now);
                    }
                    rollbacks.push(Rollback {
                        parameter: change.parameter,
                        from: change.new,
                        to: change.old,
                        reason: format!(
                            "{kpi} = {value} where it was {:?} before",
                            change.baselines.get(kpi)
                        ),
                    });
                }
            }
            // A bad value is no baseline for what comes next.
            None if value.is_finite() => watched.latest = Some(value),
            None => watched.latest = None,
        }
        self.forget(now);
        Ok(rollbacks)
    }

    /// Drops the changes that no KPI can take back any more.
    fn forget(&mut self, now: Duration) {
        let longest = self.watches.values().map(|w| w.watch.probation).max();
        let suspect = |change: &Recent| longest.is_some_and(|l| now.saturating_sub(change.at) <= l);
        self.recent.retain(suspect);
    }
}

impl Parameter {
    /// The values that one step can reach.
    fn reach(&self) -> (f32, f32) {
        let mut step = f32::INFINITY;
        if let Some(max) = self.limits.max_step {
            step = step.min(max);
        }
        if let Some(percent) = self.limits.max_step_percent {
            let of = match self.value.abs() {
                0.0 => self.limits.range.end() - self.limits.range.start(),
                old => old,
            };
            step = step.min(of * (percent / 100.0));
        }
        (self.value - step, self.value + step)
    }

    /// Range and reach in one interval.
    fn allowed(&self) -> (f32, f32) {
        let (low, high) = self.reach();
        (low.max(*self.limits.range.start()), high.min(*self.limits.range.end()))
    }

    fn cooling(&self, now: Duration) -> Option<Duration> {
        let stood = now.saturating_sub(self.changed?);
        self.limits.cooldown.checked_sub(stood).filter(|left| !left.is_zero())
    }
}
