//! Editing and compiling again equals compiling from the beginning.

use std::sync::Arc;

use edgekit_constraint_compile::{Compiler, Dialect, Goal, Options, compile};
use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

#[derive(Clone, Debug)]
enum Edit {
    Insert(Constraint),
    Remove(usize),
    Replace(usize, Constraint),
}

fn any_constraint() -> impl Strategy<Value = Constraint> {
    let name = prop_oneof![Just("A"), Just("B"), Just("C")];
    let ty = prop_oneof![
        Just(u8_type()),
        Just(Type::Bool),
        Just(Type::named("A")),
        Just(Type::named("B")),
        Just(Type::Optional(Box::new(Type::named("C")))),
    ];
    let body = prop_oneof![
        (name.clone(), ty.clone()).prop_map(|(n, ty)| record(n, &[("x", ty)])),
        name.clone().prop_map(|n| choice(n, &["V", "W"])),
        (ty.clone(), ty).prop_map(|(p, r)| function("f", &[("x", p)], r)),
        name.clone().prop_map(|n| method("f", Type::named(n), &[("x", u8_type())], Type::Bool)),
        (name, 0..4i64, 0..4i64).prop_map(|(n, a, b)| range(&format!("{n}.x"), a, a + b)),
        (0..3i64).prop_map(|n| schema("s", json!({"minimum": n, "type": "integer"}))),
        (0..3i64).prop_map(|n| range("s.x", n, n + 1)),
        Just(pattern("s.t", "[a-z]")),
        // Wrong, so that compilations fail in between.
        Just(pattern("s.t", "(")),
        Just(literals("s.", &["a"])),
        Just(pattern("", "[a-z]{2}")),
        Just(imports(Rule::Allow, &["std"])),
        Just(imports(Rule::Allow, &["std", "core"])),
        Just(imports(Rule::Deny, &["std::fs"])),
        Just(pattern("", "[a-z]+")),
        Just(forbid("x")),
        Just(Body::Limit(Limit { max_tokens: Some(3), max_bytes: None })),
    ];
    (body, 0..3u8, any::<bool>()).prop_map(|(body, priority, is_soft)| {
        let mut c = if is_soft { soft(body) } else { hard(body) };
        c.priority = Priority(priority);
        c
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => any_constraint().prop_map(Edit::Insert),
        1 => any::<usize>().prop_map(Edit::Remove),
        1 => (any::<usize>(), any_constraint()).prop_map(|(at, c)| Edit::Replace(at, c)),
    ]
}

fn goal() -> impl Strategy<Value = Goal> {
    let a = || Type::named("A");
    prop_oneof![
        Just(value(a(), Dialect::Rust)),
        Just(value(Type::List(Box::new(a())), Dialect::Python)),
        Just(Goal::Call { function: "f".into(), dialect: Dialect::TypeScript }),
        Just(Goal::Hole { function: "f".into(), dialect: Dialect::Rust }),
        Just(Goal::Json { schema: "s".into() }),
        Just(Goal::Import { scope: "m".into(), dialect: Dialect::Rust }),
        Just(Goal::Text),
    ]
}

/// What documents and texts consist of; little of it clashes, and one pattern is wrong.
fn piece() -> impl Strategy<Value = Constraint> {
    let body = prop_oneof![
        2 => (0..2i64).prop_map(|n| schema("s", json!({"type": "object", "minProperties": n}))),
        6 => (0..6i64).prop_map(|n| range(&format!("s.m{n}"), n, 9)),
        2 => (0..3i64).prop_map(|n| pattern("s.t", &format!("[a-z]{{{n},9}}"))),
        1 => Just(pattern("s.t", "(")),
        2 => (0..3i64).prop_map(|n| pattern("", &format!("[a-z]{{{n},9}}"))),
        1 => (0..3i64).prop_map(|n| forbid(&n.to_string())),
        1 => Just(record("A", &[("x", u8_type())])),
    ];
    body.prop_map(hard)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Each edit puts a piece in or takes it out.
    #[test]
    fn what_is_kept_of_documents_and_texts_is_never_stale(
        pieces in prop::collection::vec(piece(), 1..40), text in any::<bool>(),
    ) {
        let goal = if text { Goal::Text } else { Goal::Json { schema: "s".into() } };
        let options = Options::default();
        let mut compiler = Compiler::new(goal.clone(), options).unwrap();
        for piece in pieces {
            if !compiler.remove(piece.id()) {
                compiler.insert(piece);
            }
            let full = compile(compiler.constraints(), &goal, &options);
            match (compiler.compile(), full) {
                (Ok(one), Ok(other)) => prop_assert_eq!(one, other),
                (one, other) => prop_assert_eq!(
                    one.map_err(|e| e.to_string()).err(), other.map_err(|e| e.to_string()).err()
                ),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn edits_equal_the_full_compilation(
        goal in goal(), edits in prop::collection::vec(edit(), 1..24),
    ) {
        let options = Options::default();
        let mut compiler = Compiler::new(goal.clone(), options).unwrap();
        for edit in edits {
            let nth = |compiler: &Compiler, at: usize| {
                let n = compiler.constraints().len().max(1);
                compiler.constraints().iter().nth(at % n).map(|(id, _)| id)
            };
            match edit {
                Edit::Insert(c) => {
                    compiler.insert(c);
                }
                Edit::Remove(at) => {
                    if let Some(id) = nth(&compiler, at) {
                        prop_assert!(compiler.remove(id));
                    }
                }
                Edit::Replace(at, c) => {
                    if let Some(id) = nth(&compiler, at) {
                        compiler.replace(id, c);
                    }
                }
            }
            let full = compile(compiler.constraints(), &goal, &options);
            match (compiler.compile(), full) {
                (Ok(one), Ok(other)) => prop_assert_eq!(one, other),
                (Err(one), Err(other)) => {
                    prop_assert_eq!(one.to_string(), other.to_string());
                }
                (one, other) => prop_assert!(false, "{one:?} against {other:?}"),
            }
        }
    }
}

#[test]
fn unchanged_input_returns_the_same_allocation() {
    let mut compiler =
        Compiler::new(value(Type::named("A"), Dialect::Rust), Options::default()).unwrap();
    compiler.insert(hard(record("A", &[("x", u8_type())])));
    let first = compiler.compile().unwrap();
    assert!(Arc::ptr_eq(&first, &compiler.compile().unwrap()));
    let id = compiler.insert(hard(range("A.x", 1, 2)));
    let second = compiler.compile().unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    // A change that is taken back leads to an equal result, in the allocation of the last one.
    let constraint = compiler.constraints().get(id).unwrap().as_ref().clone();
    compiler.remove(id);
    compiler.insert(constraint);
    assert!(Arc::ptr_eq(&second, &compiler.compile().unwrap()));
}
