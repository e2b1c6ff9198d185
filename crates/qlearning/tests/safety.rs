//! Safe exploration: what is not known to be safe is refused, alone and in a batch alike.

use edgekit_qlearning::ErrorKind;
use edgekit_qlearning::safety::{Approval, Better, Guard, Limits, Proposal, Rule, Severity, Watch};
use proptest::prelude::*;
use std::time::Duration;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn guard() -> Guard {
    let mut guard = Guard::new();
    let limits = Limits {
        max_step: Some(4.0),
        max_step_percent: Some(50.0),
        cooldown: at(10),
        ..Limits::within(0.0..=20.0)
    };
    guard.declare("rate", 10.0, limits).unwrap();
    guard
}

fn rules(guard: &Guard, name: &str, value: f32, now: u64) -> Vec<Rule> {
    guard.check(&Proposal::new(name, value), at(now)).iter().map(|v| v.rule).collect()
}

#[test]
fn each_rule_is_found_with_its_severity() {
    let mut guard = guard();
    assert_eq!(rules(&guard, "rate", 13.0, 0), []);
    assert_eq!(rules(&guard, "rate", 15.0, 0), [Rule::Step]);
    assert_eq!(rules(&guard, "rate", 21.0, 0), [Rule::Range, Rule::Step]);
    assert_eq!(rules(&guard, "rate", f32::NAN, 0), [Rule::NotFinite]);
    assert_eq!(rules(&guard, "rate", f32::INFINITY, 0), [Rule::NotFinite]);
    assert_eq!(rules(&guard, "unknown", 1.0, 0), [Rule::Unknown]);
    guard.block(|p| (p.value == 11.0).then(|| "11 is blocked".into()));
    assert_eq!(rules(&guard, "rate", 11.0, 0), [Rule::Blocked]);
    guard.apply(&Proposal::new("rate", 12.0), at(5)).unwrap();
    assert_eq!(rules(&guard, "rate", 13.0, 14), [Rule::Cooldown]);
    assert_eq!(rules(&guard, "rate", 13.0, 15), []);
    assert_eq!(Rule::Cooldown.severity(), Severity::Warning);
    assert_eq!(Rule::Blocked.severity(), Severity::Critical);
    let refused = guard.apply(&Proposal::new("rate", 99.0), at(20)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Value);
    assert!(refused.to_string().contains("99") && refused.to_string().contains("Critical"));
}

#[test]
fn an_old_value_of_0_can_be_left() {
    let mut guard = Guard::new();
    let limits = Limits { max_step_percent: Some(10.0), ..Limits::within(0.0..=20.0) };
    guard.declare("rate", 0.0, limits).unwrap();
    assert_eq!(rules(&guard, "rate", 2.0, 0), [], "a tenth of the range");
    assert_eq!(rules(&guard, "rate", 2.1, 0), [Rule::Step]);
    guard.apply(&Proposal::new("rate", 2.0), at(0)).unwrap();
    assert_eq!(rules(&guard, "rate", 2.3, 0), [Rule::Step], "now a tenth of 2");
}

#[test]
fn warnings_need_approval_and_critical_ones_are_beyond_it() {
    let mut guard = guard();
    let far = Proposal::new("rate", 18.0);
    assert!(guard.apply(&far, at(0)).is_err(), "nobody approved");
    guard.approve_with(|p, _| if p.value == 18.0 { Approval::Granted } else { Approval::Denied });
    assert!(guard.apply(&Proposal::new("rate", 17.0), at(0)).is_err());
    assert_eq!(guard.apply(&far, at(0)).unwrap(), 10.0);
    assert_eq!(guard.value("rate"), Some(18.0));
    let mut eager = self::guard();
    eager.approve_with(|_, _| Approval::Granted);
    assert!(eager.apply(&Proposal::new("rate", 20.5), at(0)).is_err());
    assert!(eager.apply(&Proposal::new("rate", f32::NAN), at(0)).is_err());
    assert!(eager.apply(&Proposal::new("other", 1.0), at(0)).is_err());
    assert_eq!(eager.value("rate"), Some(10.0));
}

fn watched() -> Guard {
    let mut guard = Guard::new();
    guard.declare("a", 1.0, Limits::within(0.0..=10.0)).unwrap();
    guard.declare("b", 1.0, Limits::within(0.0..=10.0)).unwrap();
    let watch = Watch { better: Better::Higher, tolerance: 0.05, probation: at(60) };
    guard.watch("success", watch).unwrap();
    guard
}

#[test]
fn a_degraded_kpi_takes_changes_back_newest_first() {
    let mut guard = watched();
    assert_eq!(rules(&guard, "a", 2.0, 0), [Rule::NoBaseline], "a degradation would go unseen");
    guard.observe("success", 0.90, at(0)).unwrap();
    guard.apply(&Proposal::new("a", 2.0), at(1)).unwrap();
    assert_eq!(guard.observe("success", 0.86, at(2)).unwrap(), [], "within tolerance");
    guard.apply(&Proposal::new("b", 3.0), at(3)).unwrap();
    guard.apply(&Proposal::new("a", 4.0), at(4)).unwrap();
    let back = guard.observe("success", 0.84, at(5)).unwrap();
    let order: Vec<(&str, f32, f32)> =
        back.iter().map(|r| (r.parameter.as_str(), r.from, r.to)).collect();
    // 0.84 is within 0.05 of what b and the second a were measured against, but not the first a.
    assert_eq!(order, [("a", 4.0, 2.0), ("b", 3.0, 1.0), ("a", 2.0, 1.0)]);
    assert_eq!((guard.value("a"), guard.value("b")), (Some(1.0), Some(1.0)));
    assert_eq!(guard.observe("success", 0.1, at(6)).unwrap(), [], "taken back once only");
}

#[test]
fn after_its_probation_a_change_stays() {
    let mut guard = watched();
    guard.observe("success", 0.9, at(0)).unwrap();
    guard.apply(&Proposal::new("a", 2.0), at(1)).unwrap();
    assert_eq!(guard.observe("success", 0.1, at(62)).unwrap(), []);
    assert_eq!(guard.value("a"), Some(2.0));
}

#[test]
fn a_kpi_that_is_no_number_counts_as_degraded_and_is_no_baseline() {
    let mut guard = watched();
    guard.observe("success", 0.9, at(0)).unwrap();
    guard.apply(&Proposal::new("a", 2.0), at(1)).unwrap();
    assert_eq!(guard.observe("success", f32::NAN, at(2)).unwrap().len(), 1);
    guard.observe("success", f32::NAN, at(3)).unwrap();
    assert_eq!(rules(&guard, "a", 2.0, 4), [Rule::NoBaseline]);
    assert_eq!(guard.observe("other", 1.0, at(4)).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn what_was_approved_without_a_baseline_goes_only_with_a_kpi_that_is_no_number() {
    for (value, left) in [(0.1, 2.0), (f32::NAN, 1.0), (f32::INFINITY, 1.0)] {
        let mut guard = watched();
        guard.approve_with(|_, _| Approval::Granted);
        guard.apply(&Proposal::new("a", 2.0), at(1)).unwrap();
        guard.observe("success", value, at(2)).unwrap();
        assert_eq!(guard.value("a"), Some(left), "success {value}");
    }
}

#[test]
fn a_change_that_was_taken_back_must_cool_down_too() {
    let mut guard = guard();
    let watch = Watch { better: Better::Higher, tolerance: 0.1, probation: at(60) };
    guard.watch("success", watch).unwrap();
    guard.observe("success", 0.9, at(0)).unwrap();
    guard.apply(&Proposal::new("rate", 12.0), at(1)).unwrap();
    assert_eq!(guard.observe("success", 0.5, at(20)).unwrap().len(), 1);
    assert_eq!(rules(&guard, "rate", 11.0, 29), [Rule::Cooldown], "since 20, not since 1");
    assert_eq!(rules(&guard, "rate", 11.0, 30), []);
}

#[test]
fn changes_that_nothing_can_take_back_are_forgotten() {
    let remembered = |guard: &Guard| format!("{guard:?}").matches("Recent {").count();
    let mut unwatched = guard();
    let mut watched = watched();
    watched.observe("success", 0.9, at(0)).unwrap();
    for n in 0..50 {
        let value = if n % 2 == 0 { 12.0 } else { 10.0 };
        unwatched.apply(&Proposal::new("rate", value), at(20 * n)).unwrap();
        // Within its probation of a minute: this one and three before.
        watched.apply(&Proposal::new("a", value / 4.0), at(20 * n)).unwrap();
    }
    assert_eq!((remembered(&unwatched), remembered(&watched)), (1, 4));
    watched.observe("success", 0.9, at(5_000)).unwrap();
    assert_eq!(remembered(&watched), 0);
}

#[test]
fn lower_can_be_better() {
    let mut guard = Guard::new();
    guard.declare("a", 1.0, Limits::within(0.0..=10.0)).unwrap();
    let watch = Watch { better: Better::Lower, tolerance: 5.0, probation: at(60) };
    guard.watch("ms", watch).unwrap();
    guard.observe("ms", 20.0, at(0)).unwrap();
    guard.apply(&Proposal::new("a", 2.0), at(1)).unwrap();
    assert_eq!(guard.observe("ms", 2.0, at(2)).unwrap(), []);
    assert_eq!(guard.observe("ms", 25.5, at(3)).unwrap().len(), 1);
}

#[test]
fn contradictory_declarations_are_refused() {
    let mut guard = guard();
    let range = |low, high| Limits::within(low..=high);
    assert!(guard.declare("rate", 1.0, range(0.0, 1.0)).is_err(), "twice");
    assert!(guard.declare("x", 2.0, range(0.0, 1.0)).is_err());
    assert!(guard.declare("x", 0.5, range(1.0, 0.0)).is_err());
    assert!(guard.declare("x", 0.5, range(f32::NEG_INFINITY, 1.0)).is_err());
    assert!(guard.declare("x", f32::NAN, range(0.0, 1.0)).is_err());
    let backwards = Limits { max_step: Some(-1.0), ..range(0.0, 1.0) };
    assert!(guard.declare("x", 0.5, backwards).is_err());
    let watch = Watch { better: Better::Lower, tolerance: f32::NAN, probation: at(1) };
    assert!(guard.watch("kpi", watch).is_err());
}

fn awkward() -> impl Strategy<Value = f32> {
    prop_oneof![
        -5.0f32..25.0,
        prop::sample::select(vec![
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            20.0,
            14.0,
            6.0,
            11.0
        ]),
    ]
}

proptest! {
    #[test]
    fn a_batch_refuses_exactly_what_is_refused_alone(
        values in prop::collection::vec((awkward(), 0..3usize), 0..200),
        now in 0u64..30,
        blind: bool,
    ) {
        let mut guard = guard();
        guard.declare("zero", 0.0, Limits::within(-1.0..=1.0)).unwrap();
        guard.block(|p| (p.value == 11.0).then(|| "11 is blocked".into()));
        if blind {
            let watch = Watch { better: Better::Lower, tolerance: 1.0, probation: at(1) };
            guard.watch("kpi", watch).unwrap();
        } else {
            guard.apply(&Proposal::new("rate", 9.0), at(8)).unwrap();
        }
        let proposals: Vec<Proposal> = values
            .iter()
            .map(|&(value, name)| Proposal::new(["rate", "zero", "unknown"][name], value))
            .collect();
        let bits = guard.check_batch(&proposals, at(now));
        prop_assert_eq!(bits.len(), proposals.len().div_ceil(64));
        for (i, proposal) in proposals.iter().enumerate() {
            let refused = bits[i / 64] >> (i % 64) & 1 == 1;
            prop_assert_eq!(refused, !guard.check(proposal, at(now)).is_empty(), "{:?}", proposal);
        }
    }
}
