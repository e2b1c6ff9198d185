//! Content ids: what changes them, what does not, and that they are the same everywhere.

use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::json;

use crate::values::constraint;

fn schema(document: serde_json::Value) -> Constraint {
    let body = Body::Schema(Schema { name: "s".into(), document });
    Constraint::new(Kind::Syntactic, Source::Schema, body)
}

fn forbid(texts: &[&str]) -> Constraint {
    let texts = texts.iter().map(|t| (*t).to_owned()).collect();
    Constraint::new(Kind::Security, Source::Policy, Body::Forbidden(Forbidden { texts }))
}

proptest! {
    /// Found elsewhere: keys over a hash map's order, six of them for one input.
    #[test]
    fn the_order_of_a_set_does_not_matter(
        mut constraints in prop::collection::vec(constraint(), 0..8), by in 0..8usize,
    ) {
        let one: ConstraintSet = constraints.iter().cloned().collect();
        let n = constraints.len().max(1);
        constraints.rotate_left(by % n);
        constraints.reverse();
        let other: ConstraintSet = constraints.into_iter().collect();
        // Constraints that differ in their line alone are one, and the first one's line stays.
        let ids = |s: &ConstraintSet| s.iter().map(|(id, _)| id).collect::<Vec<_>>();
        prop_assert_eq!(ids(&one), ids(&other));
    }

    #[test]
    fn different_constraints_have_different_ids(a in constraint(), b in constraint()) {
        let strip = |c: &Constraint| {
            let mut c = c.clone();
            (c.origin.line, c.origin.column) = (0, 0);
            c.encode()
        };
        prop_assert_eq!(strip(&a) == strip(&b), a.id() == b.id());
    }
}

/// Found elsewhere: schema keys sorted, although their order is the order of generation.
#[test]
fn the_order_of_properties_matters() {
    let ab = schema(json!({"properties": {"a": true, "b": true}}));
    let ba = schema(json!({"properties": {"b": true, "a": true}}));
    assert_ne!(ab.id(), ba.id());
}

/// Found elsewhere: keys without delimiters, so that moving a boundary changed nothing.
#[test]
fn boundaries_matter() {
    assert_ne!(forbid(&["ab", "c"]).id(), forbid(&["a", "bc"]).id());
    assert_ne!(forbid(&["ab"]).id(), forbid(&["a", "b"]).id());
    let named = |name: &str, regex: &str| {
        let body = Body::Pattern(Pattern { target: name.into(), regex: regex.into() });
        Constraint::new(Kind::Semantic, Source::User, body).id()
    };
    assert_ne!(named("ab", "c"), named("a", "bc"));
}

/// Found elsewhere: keys without the name that conflicts depend on.
#[test]
fn every_field_but_the_line_matters() {
    let base = forbid(&["x"]);
    let with = |change: &dyn Fn(&mut Constraint)| {
        let mut c = base.clone();
        change(&mut c);
        c.id()
    };
    assert_eq!(base.id(), with(&|c| c.origin.line = 9));
    assert_eq!(base.id(), with(&|c| c.origin.column = 9));
    let changed = [
        with(&|c| c.kind = Kind::Syntactic),
        with(&|c| c.source = Source::User),
        with(&|c| c.enforcement = Enforcement::Soft),
        with(&|c| c.priority = Priority::HIGH),
        with(&|c| c.severity = Severity::Critical),
        with(&|c| c.confidence = Confidence::new(0.5).unwrap()),
        with(&|c| c.origin.file = "a.rs".into()),
        with(&|c| c.body = forbid(&["y"]).body),
    ];
    for (i, id) in changed.iter().enumerate() {
        assert_ne!(*id, base.id(), "change {i}");
        assert!(!changed[..i].contains(id), "change {i}");
    }
}

/// Pinned: a new process, another machine and the next release of the same format agree.
#[test]
fn ids_are_the_same_everywhere() {
    assert_eq!(ContentId::of(b"").to_string(), "99aa06d3014798d86001c324468d497f");
    assert_eq!(forbid(&["unsafe"]).id().to_string(), PINNED);
}

const PINNED: &str = "fe85f521ff54a3cbbeb98c9a4fcde0fe";

#[test]
fn a_file_can_be_taken_out() {
    let mut a = forbid(&["x"]);
    a.origin.file = "a.rs".into();
    let mut set: ConstraintSet = [a, forbid(&["x"])].into_iter().collect();
    assert_eq!(set.len(), 2);
    assert_eq!(set.remove_file("a.rs"), 1);
    assert_eq!(set.len(), 1);
    assert_eq!(set.remove_file("a.rs"), 0);
}
