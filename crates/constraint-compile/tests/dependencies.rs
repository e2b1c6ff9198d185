//! Dependencies: order and circles.

use edgekit_constraint_compile::{Dependencies, Goal};
use edgekit_constraint_ir::*;
use serde_json::json;

use crate::support::*;

#[test]
fn what_is_needed_comes_first() {
    let point = hard(record("Point", &[("x", Type::Float)]));
    let line = hard(record("Line", &[("from", Type::named("Point"))]));
    let limit = hard(range("Line.width", 0, 9));
    let draw = hard(function("draw", &[("l", Type::named("Line"))], Type::Unit));
    let all = [&draw, &limit, &line, &point];
    let set: ConstraintSet = all.into_iter().cloned().collect();
    let graph = Dependencies::of(&set);
    assert_eq!(graph.needs(line.id()).collect::<Vec<_>>(), [point.id()]);
    assert_eq!(graph.needs(limit.id()).collect::<Vec<_>>(), [line.id()]);
    let order = graph.topological().unwrap();
    let at = |c: &Constraint| order.iter().position(|id| *id == c.id()).unwrap();
    assert!(at(&point) < at(&line) && at(&line) < at(&draw) && at(&line) < at(&limit));
    assert_eq!(order.len(), 4);
}

#[test]
fn a_circle_is_shown() {
    let needs = |name: &str, other: &str| hard(record(name, &[("x", Type::named(other))]));
    let (a, b, c) = (needs("A", "B"), needs("B", "C"), needs("C", "A"));
    let outside = needs("D", "A");
    let set: ConstraintSet = [&a, &b, &c, &outside].into_iter().cloned().collect();
    let mut example = Dependencies::of(&set).topological().unwrap_err().example;
    let graph = Dependencies::of(&set);
    for (i, id) in example.iter().enumerate() {
        let next = example[(i + 1) % example.len()];
        assert!(graph.needs(*id).any(|n| n == next));
    }
    example.sort();
    let mut circle = [a.id(), b.id(), c.id()];
    circle.sort();
    assert_eq!(example, circle);
}

/// Names have dots too: a schema `api.Pet`, a method `Config.load` with a parameter.
#[test]
fn owners_are_found_before_every_dot() {
    let load = hard(function("Config.load", &[("timeout", u8_type())], Type::Unit));
    let timeout = hard(range("Config.load.timeout", 0, 9));
    let pet = hard(schema("api.Pet", json!({"properties": {"tag": {"type": "integer"}}})));
    let tag = hard(range("api.Pet.tag", 0, 9));
    let set: ConstraintSet = [&load, &timeout, &pet, &tag].into_iter().cloned().collect();
    let graph = Dependencies::of(&set);
    assert_eq!(graph.needs(timeout.id()).collect::<Vec<_>>(), [load.id()]);
    assert_eq!(graph.needs(tag.id()).collect::<Vec<_>>(), [pet.id()]);
    let result = compiled(&set, &Goal::Json { schema: "api.Pet".into() });
    check(&result, &[r#"{"tag":9}"#], &[r#"{"tag":10}"#]);
}

/// Found by an audit: a long circle was walked in a time that grows with its square.
#[test]
fn a_long_circle_is_shown() {
    const ALL: usize = 100_000;
    let one =
        |i: usize| record(&format!("R{i}"), &[("x", Type::named(format!("R{}", (i + 1) % ALL)))]);
    let set: ConstraintSet = (0..ALL).map(one).map(hard).collect();
    assert_eq!(Dependencies::of(&set).topological().unwrap_err().example.len(), ALL);
}
