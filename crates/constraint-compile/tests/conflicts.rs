//! Conflicts: the fast way finds what the slow one finds, and rank decides.

use edgekit_constraint_compile::{
    Clash, Dialect, ErrorKind, Goal, NotEnforced, compile, conflicts, conflicts_by_pairs, resolve,
};
use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

fn any_constraint() -> impl Strategy<Value = Constraint> {
    let target = prop_oneof![Just("a"), Just("b.c")];
    let small = 0..4i64;
    let bound = prop_oneof![
        Just(Bound::Open),
        small.clone().prop_map(|n| Bound::Inclusive(Number::Integer(n))),
        small.clone().prop_map(|n| Bound::Exclusive(Number::Integer(n))),
        small.clone().prop_map(|n| Bound::Exclusive(Number::Real(Real::new(n as f64).unwrap()))),
    ];
    let rule = prop_oneof![Just(Rule::Allow), Just(Rule::Deny)];
    let path = prop_oneof![Just("x"), Just("x::y"), Just("x::y::z"), Just("x::z"), Just("y")];
    let paths = prop::collection::btree_set(path, 0..3);
    let ty = prop_oneof![Just(Type::Bool), Just(Type::Unit)];
    let body = prop_oneof![
        (target.clone(), bound.clone(), bound).prop_map(|(t, lower, upper)| {
            Body::Range(Range { target: t.into(), lower, upper })
        }),
        (target.clone(), prop::collection::btree_set((small, any::<bool>()), 0..3)).prop_map(
            |(t, v)| {
                let literal = |(n, is_real)| match is_real {
                    true => Literal::Real(Real::new(n as f64).unwrap()),
                    false if n == 3 => Literal::Text("three".into()),
                    false => Literal::Integer(n),
                };
                let values = v.into_iter().map(literal).collect();
                Body::Literals(Literals { target: t.into(), values })
            }
        ),
        (rule.clone(), paths)
            .prop_map(|(rule, paths)| imports(rule, &paths.into_iter().collect::<Vec<_>>())),
        (rule, prop::collection::btree_set(0..3u32, 0..3))
            .prop_map(|(rule, ids)| Body::Tokens(Tokens { rule, ids })),
        (target.clone(), ty.clone()).prop_map(|(t, ty)| function(t, &[], ty)),
        (target.clone(), ty.clone()).prop_map(|(t, ty)| record(t, &[("f", ty)])),
        target.clone().prop_map(|t| choice(t, &["V"])),
        (target.clone(), ty)
            .prop_map(|(t, error)| { Body::ErrorType(ErrorType { function: t.into(), error }) }),
        (target.clone(), any::<bool>()).prop_map(|(t, public)| {
            let visibility = if public { Visibility::Public } else { Visibility::Private };
            Body::Visibility(VisibilityOf { item: t.into(), visibility })
        }),
        (target, prop_oneof![Just("null"), Just("integer"), Just("number")])
            .prop_map(|(t, ty)| schema(t, json!({ "type": ty }))),
    ];
    let file = prop_oneof![Just(""), Just("x.rs"), Just("y.rs")];
    (body, file, 0..2u8, any::<bool>(), any::<bool>()).prop_map(
        |(body, file, priority, is_soft, is_fact)| {
            let mut c = if is_soft { soft(body) } else { hard(body) };
            c.source = if is_fact { Source::Ast } else { Source::User };
            c.origin.file = file.into();
            c.priority = Priority(priority);
            c
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_finds_what_all_pairs_find(
        constraints in prop::collection::vec(any_constraint(), 0..128),
    ) {
        let set: ConstraintSet = constraints.into_iter().collect();
        prop_assert_eq!(conflicts(&set), conflicts_by_pairs(&set));
    }

    #[test]
    fn what_stays_is_free_of_conflicts_and_never_weaker(
        constraints in prop::collection::vec(any_constraint(), 0..24),
    ) {
        let set: ConstraintSet = constraints.into_iter().collect();
        let found = conflicts(&set);
        let Ok(dropped) = resolve(&set, found.iter().copied()) else { return Ok(()) };
        let gone = |id| dropped.iter().any(|d| d.constraint == id);
        for c in &found {
            prop_assert!(gone(c.first) || gone(c.second));
        }
        for d in &dropped {
            prop_assert!(!gone(d.because_of));
            let (loser, winner) = (set.get(d.constraint).unwrap(), set.get(d.because_of).unwrap());
            prop_assert!(loser.rank() <= winner.rank());
        }
    }
}

/// The quadratic specification: a constraint gives way if a rival of higher rank stays; of equals,
/// a hard one to none and a soft one to the smaller id.
fn resolved_slowly(set: &ConstraintSet) -> Result<Vec<(ContentId, ContentId)>, Vec<ContentId>> {
    let found = conflicts_by_pairs(set);
    let clash =
        |a, b| found.iter().any(|c| (c.first, c.second) == (Ord::min(a, b), Ord::max(a, b)));
    let mut all: Vec<(Rank, ContentId)> = set.iter().map(|(id, c)| (c.rank(), id)).collect();
    all.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let (mut kept, mut dropped) = (Vec::<(Rank, ContentId)>::new(), Vec::new());
    for (rank, id) in &all {
        let hard = rank.enforcement == Enforcement::Hard;
        let beats = |k: &&(Rank, ContentId)| clash(k.1, *id) && (k.0 > *rank || !hard);
        match kept.iter().find(beats) {
            Some(winner) => dropped.push((*id, winner.1)),
            None => kept.push((*rank, *id)),
        }
    }
    for (i, a) in kept.iter().enumerate() {
        if let Some(b) = kept[i + 1..].iter().find(|b| clash(a.1, b.1)) {
            return Err(vec![a.1, b.1]);
        }
    }
    dropped.sort();
    Ok(dropped)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn resolution_equals_its_specification(
        constraints in prop::collection::vec(any_constraint(), 0..24),
    ) {
        let set: ConstraintSet = constraints.into_iter().collect();
        let fast = resolve(&set, conflicts(&set));
        match (fast, resolved_slowly(&set)) {
            (Ok(fast), slow) => {
                let fast: Vec<_> = fast.iter().map(|d| (d.constraint, d.because_of)).collect();
                prop_assert_eq!(Ok(fast), slow);
            }
            (Err(error), slow) => {
                prop_assert!(slow.is_err(), "{error:?} against {slow:?}");
                let [a, b] = *error.constraints() else { panic!("{error:?}") };
                prop_assert_eq!(set.get(a).unwrap().rank(), set.get(b).unwrap().rank());
            }
        }
    }
}

/// Found by an audit: whoever lost to a higher rank could still be an equal's rival, by its id.
#[test]
fn what_loses_to_a_higher_rank_is_no_rival_among_equals() {
    let high = Constraint { priority: Priority::HIGH, ..hard(range("x", 0, 5)) };
    for low in 6..40 {
        let (stays, loses) = (hard(range("x", 3, 4)), hard(range("x", low, 50)));
        let set: ConstraintSet = [high.clone(), stays, loses.clone()].into_iter().collect();
        let dropped = resolve(&set, conflicts(&set)).unwrap();
        assert_eq!(dropped.len(), 1);
        assert_eq!((dropped[0].constraint, dropped[0].because_of), (loses.id(), high.id()));
    }
}

fn clash_of(a: Body, b: Body) -> Option<Clash> {
    let set: ConstraintSet = [hard(a), hard(b)].into_iter().collect();
    conflicts(&set).first().map(|c| c.clash)
}

/// Found elsewhere: conflicts told by two English verbs.
#[test]
fn clashes_are_about_values_and_not_about_words() {
    assert_eq!(clash_of(range("x", 0, 5), range("x", 6, 9)), Some(Clash::Values));
    assert_eq!(clash_of(range("x", 0, 5), range("x", 5, 9)), None);
    assert_eq!(clash_of(range("x", 0, 5), range("y", 6, 9)), None);
    assert_eq!(clash_of(literals("x", &["a"]), literals("x", &["b"])), Some(Clash::Values));
    assert_eq!(clash_of(literals("x", &["a", "b"]), literals("x", &["b"])), None);
    assert_eq!(clash_of(literals("x", &["a"]), range("x", 0, 1)), Some(Clash::Values));
    let (allow, deny) = (Rule::Allow, Rule::Deny);
    let import = |rule, paths: &[&str]| imports(rule, paths);
    assert_eq!(clash_of(import(allow, &["a"]), import(deny, &["a", "b"])), Some(Clash::Imports));
    assert_eq!(clash_of(import(allow, &["a", "c"]), import(deny, &["a"])), None);
    assert_eq!(clash_of(import(deny, &["a"]), import(deny, &["b"])), None);
    // A path stands for everything below it.
    for (above, below) in [("std", "std::fs"), ("os", "os.path"), ("@a", "@a/b"), (".", "./a.js")] {
        assert_eq!(clash_of(import(allow, &[above]), import(allow, &[below])), None);
        assert_eq!(clash_of(import(allow, &[above]), import(deny, &[below])), None);
        let denied = clash_of(import(allow, &[below]), import(deny, &[above]));
        assert_eq!(denied, Some(Clash::Imports), "{above} {below}");
    }
    for (a, b) in [("std", "stdx::fs"), ("./a", "./a.js"), ("a::b", "a::bc")] {
        assert_eq!(clash_of(import(allow, &[a]), import(allow, &[b])), Some(Clash::Imports));
        assert_eq!(clash_of(import(allow, &[b]), import(deny, &[a])), None, "{a} {b}");
    }
    let number = |value| Body::Literals(Literals { target: "x".into(), values: [value].into() });
    let real = |x| Literal::Real(Real::new(x).unwrap());
    assert_eq!(clash_of(number(Literal::Integer(2)), number(real(2.0))), None);
    assert_eq!(clash_of(number(Literal::Integer(2)), number(real(2.5))), Some(Clash::Values));
    let unit = |ty| record("R", &[("a", ty)]);
    assert_eq!(clash_of(unit(Type::Bool), unit(Type::Unit)), Some(Clash::Definition));
    assert_eq!(clash_of(unit(Type::Bool), choice("R", &["V"])), Some(Clash::Definition));
    let typed = |ty: &str| schema("s", json!({ "type": ty }));
    assert_eq!(clash_of(typed("null"), typed("object")), Some(Clash::SchemaType));
    assert_eq!(clash_of(typed("integer"), typed("number")), None);
}

#[test]
fn overloads_of_one_file_are_no_conflict() {
    let at = |file: &str, ty| {
        let mut c = hard(function("f", &[("x", ty)], Type::Unit));
        c.origin.file = file.into();
        c
    };
    let overloads: ConstraintSet =
        [at("a.ts", Type::Bool), at("a.ts", Type::Text), at("b.ts", Type::Float)]
            .into_iter()
            .collect();
    assert!(conflicts(&overloads).is_empty());
    let rule: ConstraintSet = [at("a.ts", Type::Bool), at("", Type::Text)].into_iter().collect();
    assert_eq!(conflicts(&rule).len(), 1);
}

/// Found elsewhere: resolution that disables the more severe.
#[test]
fn rank_decides_in_its_order() {
    let low = || hard(range("x", 0, 5));
    let high = || hard(range("x", 6, 9));
    let wins = |winner: Constraint, loser: Constraint| {
        let set: ConstraintSet = [winner.clone(), loser.clone()].into_iter().collect();
        let dropped = resolve(&set, conflicts(&set)).unwrap();
        assert_eq!(dropped.len(), 1);
        assert_eq!(dropped[0].constraint, loser.id());
        assert_eq!(dropped[0].because_of, winner.id());
    };
    let severe = |c: Constraint| Constraint { severity: Severity::Critical, ..c };
    let unsure = |c: Constraint| Constraint { confidence: Confidence::new(0.5).unwrap(), ..c };
    let urgent = |c: Constraint| Constraint { priority: Priority::HIGH, ..c };
    let soft = |c: Constraint| Constraint { enforcement: Enforcement::Soft, ..c };
    wins(severe(low()), high());
    wins(severe(high()), low());
    wins(low(), unsure(high()));
    wins(urgent(low()), severe(high()));
    wins(low(), urgent(soft(severe(high()))));
    wins(severe(unsure(low())), high());
}

#[test]
fn equals_that_must_hold_are_an_error_that_names_both() {
    let (a, b) = (hard(range("x", 0, 5)), hard(range("x", 6, 9)));
    let set: ConstraintSet = [a.clone(), b.clone()].into_iter().collect();
    let error = resolve(&set, conflicts(&set)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let mut both = [a.id(), b.id()];
    both.sort();
    assert_eq!(error.constraints(), both);
    assert!(both.iter().all(|id| error.to_string().contains(&id.to_string())));
    // A third that outranks both settles it.
    let third = Constraint { priority: Priority::HIGH, ..hard(range("x", 20, 30)) };
    let set: ConstraintSet = [a, b, third].into_iter().collect();
    assert_eq!(resolve(&set, conflicts(&set)).unwrap().len(), 2);
}

#[test]
fn what_gave_way_is_reported_and_does_not_shape_the_grammar() {
    let strong = Constraint { priority: Priority::HIGH, ..hard(range("A.x", 0, 5)) };
    let weak = hard(range("A.x", 6, 9));
    let set: ConstraintSet =
        [strong, weak.clone(), hard(record("A", &[("x", u8_type())]))].into_iter().collect();
    let result = compiled(&set, &value(Type::named("A"), Dialect::Rust));
    check(&result, &["A { x: 3 }"], &["A { x: 7 }"]);
    let reason = &result.not_enforced()[&weak.id()];
    assert!(matches!(reason, NotEnforced::Dropped(d) if d.clash == Clash::Values));
}

#[test]
fn order_does_not_matter() {
    let all = [hard(range("x", 0, 5)), soft(range("x", 6, 9)), soft(range("x", 20, 30))];
    let goal = Goal::Text;
    let forward: ConstraintSet = all.iter().cloned().collect();
    let backward: ConstraintSet = all.iter().rev().cloned().collect();
    let options = Default::default();
    assert_eq!(
        compile(&forward, &goal, &options).unwrap(),
        compile(&backward, &goal, &options).unwrap()
    );
}

fn fact(file: &str, body: Body) -> Constraint {
    let mut c = Constraint::new(Kind::TypeSafety, Source::Ast, body);
    c.origin.file = file.into();
    c
}

/// Found by an audit: two files that say different things of one name could not be compiled at all.
#[test]
fn facts_that_clash_matter_only_to_goals_that_depend_on_them() {
    let visible = |visibility| Body::Visibility(VisibilityOf { item: "open".into(), visibility });
    let clashing = [
        fact("a.rs", visible(Visibility::Public)),
        fact("a.rs", visible(Visibility::Private)),
        fact("a.rs", record("Twin", &[("x", Type::Bool)])),
        fact("a.rs", record("Twin", &[("y", Type::Bool)])),
        fact("a.rs", function("f", &[("n", u8_type())], Type::Unit)),
        fact("a.rs", range("f.n", 0, 5)),
        fact("a.rs", range("f.n", 6, 9)),
    ];
    let set: ConstraintSet = clashing.iter().cloned().collect();
    let result = compiled(&set, &value(Type::Bool, Dialect::Rust));
    assert_eq!(result.undecided().len(), 3);
    let reason = |c: &Constraint| &result.not_enforced()[&c.id()];
    assert_eq!(*reason(&clashing[0]), NotEnforced::DescribesOnly);
    assert_eq!(*reason(&clashing[2]), NotEnforced::NotConcerned);
    let call = Goal::Call { function: "f".into(), dialect: Dialect::Rust };
    for (goal, between) in [(value(Type::named("Twin"), Dialect::Rust), 2..4), (call, 5..7)] {
        let error = refused(&set, &goal);
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        let mut both: Vec<ContentId> = clashing[between].iter().map(Constraint::id).collect();
        both.sort();
        assert_eq!(error.constraints(), both);
    }
    // What somebody demands is not left undecided, whatever the goal.
    let mut demanded = clashing[5].clone();
    demanded.source = Source::Policy;
    let set: ConstraintSet = [demanded, clashing[6].clone()].into_iter().collect();
    assert_eq!(refused(&set, &Goal::Text).kind(), ErrorKind::Conflict);
}

/// `Mode` of one file is not `Mode` of another.
#[test]
fn values_of_one_name_in_two_files_are_alternatives() {
    let all = [
        hard(function("f", &[("mode", Type::Text)], Type::Unit)),
        fact("a.py", literals("f.mode", &["fast", "safe"])),
        fact("b.py", literals("f.mode", &["red", "green"])),
        hard(literals("f.mode", &["fast", "green"])),
    ];
    let set: ConstraintSet = all.into_iter().collect();
    assert!(conflicts(&set).is_empty());
    let goal = Goal::Call { function: "f".into(), dialect: Dialect::Python };
    let result = compiled(&set, &goal);
    check(&result, &[r#"f("fast")"#, r#"f("green")"#], &[r#"f("safe")"#, r#"f("red")"#]);
}
