//! Rust.

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

use super::*;

const RUST: &str = r#"
use std::collections::{BTreeMap, HashMap};
use std::fmt;

// fn commented_out(x: u8) {}
const TEXT: &str = "fn in_a_string(x: u8) {}";

/// A point.
#[derive(Clone)]
pub struct Point { pub x: u8, y: Option<String> }
struct Pair(u8, bool);
struct Marker;
enum Shape { Dot, Line { from: Point, to: Point }, Pair(u8, u8), Seven = 7 }

impl Point {
    pub fn new(x: u8) -> Self { todo!() }
    fn length(&self, scale: f64) -> f64 { assert!(scale > 0 && scale <= 10); scale }
}

mod inner {
    pub fn helper() {
        fn local() {}
        let n: u16 = todo!();
        let m = todo!();
    }
    unsafe fn danger() {}
}

async fn load(name: &str) -> Result<Vec<u8>, LoadError> { unimplemented!() }

#[cfg(test)]
mod tests {
    fn only_for_tests() {}
}
"#;

#[test]
fn rust() {
    let found = bodies(Language::Rust, RUST);
    let new = function(&found, "Point::new");
    assert_eq!(
        (parameters(&new), &new.receiver),
        (vec![("x", Type::integer(0, 255), REQUIRED)], &None)
    );
    assert_eq!(new.returns, Type::named("Point"));
    assert!(function(&found, "Point::length").receiver.is_some());
    assert_eq!(function(&found, "inner::helper").returns, Type::Unit);
    let load = function(&found, "load");
    assert!(matches!(&load.returns, Type::Named(n) if n.name == "Future"));
    assert_eq!(load.parameters[0].ty, Type::Reference(Box::new(Type::Text)));

    let names: Vec<&str> = found.iter().filter_map(Body::defines).collect();
    for absent in
        ["commented_out", "in_a_string", "local", "inner::danger", "tests::only_for_tests"]
    {
        assert!(!names.contains(&absent), "{absent}");
    }

    let point = record(&found, "Point");
    assert_eq!(point.shape, Shape::Named);
    assert_eq!(point.fields[1].ty, Type::Optional(Box::new(Type::Text)));
    assert_eq!(record(&found, "Pair").shape, Shape::Positional);
    assert_eq!(record(&found, "Marker").shape, Shape::Unit);
    let shapes: Vec<(String, Shape, usize)> = choice(&found, "Shape")
        .variants
        .into_iter()
        .map(|v| (v.name, v.shape, v.fields.len()))
        .collect();
    let expected = [
        ("Dot", Shape::Unit, 0),
        ("Line", Shape::Named, 2),
        ("Pair", Shape::Positional, 2),
        ("Seven", Shape::Unit, 0),
    ];
    assert_eq!(shapes, expected.map(|(n, s, f)| (n.to_owned(), s, f)));

    assert_eq!(imports(&found), ["std::collections::{BTreeMap,HashMap}", "std::fmt"]);
    let unsigned = Type::integer(0, 65_535);
    let result = load_result();
    assert_eq!(
        holes(&found),
        [
            ("Point::new".into(), Type::named("Point")),
            ("inner::helper".into(), unsigned),
            ("inner::helper".into(), Type::named("_")),
            ("load".into(), result),
        ]
    );
    let scale = "Point::length.scale".to_owned();
    let exclusive = Bound::Exclusive(Number::Integer(0));
    assert_eq!(
        ranges(&found),
        [(scale.clone(), exclusive, Bound::Open), (scale, Bound::Open, at_least(10))]
    );
    let public: Vec<(&str, Visibility)> = visibilities(&found)
        .into_iter()
        .filter(|(_, visibility)| *visibility != Visibility::Private)
        .collect();
    let expected = ["Point", "Point::new", "inner::helper"];
    assert_eq!(public, expected.map(|item| (item, Visibility::Public)));
}

#[test]
fn visibility_has_steps() {
    let found = bodies(
        Language::Rust,
        "pub fn a() {}\npub(crate) fn b() {}\npub(super) fn c() {}\npub(in crate::x) fn d() {}\n\
         pub(self) fn e() {}\nfn f() {}\ntrait T { fn g(); }\nimpl T for S { fn g() {} }",
    );
    let (public, package, private) = (Visibility::Public, Visibility::Package, Visibility::Private);
    let expected = [("a", public), ("b", package), ("c", package), ("d", package), ("e", private)];
    // An item of a trait is as visible as the trait.
    assert_eq!(visibilities(&found), [&expected[..], &[("f", private)]].concat());
}

/// Found by an audit: `open` of a type and `open` of its trait were one item.
#[test]
fn items_of_traits_say_of_which() {
    let found = bodies(
        Language::Rust,
        "impl Dir { pub fn open() -> Dir {} }\nimpl Files for Dir { fn open() -> File {} }\n\
         impl TryFrom<A> for X { fn try_from(a: A) -> Result<X, E1> {} }\n\
         impl TryFrom<Vec< u8 >> for X { fn try_from(a: Vec<u8>) -> Result<X, E2> {} }\n\
         impl<'a> fmt::Display for Y<'a> { fn fmt() {} }",
    );
    let names: Vec<&str> = found.iter().filter_map(Body::defines).collect();
    let expected = [
        "Dir::open",
        "<Dir as Files>::open",
        "<X as TryFrom<A>>::try_from",
        "<X as TryFrom<Vec< u8 >>>::try_from",
        "<Y as fmt::Display>::fmt",
    ];
    assert_eq!(names, expected);
}

/// Found by an audit: `a as b` became one word, functions of other languages were called as if they
/// were safe, and any type called `List` was a list.
#[test]
fn more_of_rust() {
    let found = bodies(
        Language::Rust,
        "use a::{b as c, d};\nextern \"C\" { fn foreign(x: u8); }\n\
         trait T { unsafe fn danger(); async fn later() -> u8; }\n\
         fn f(a: List<u8>, b: m::Record<u8, u8>) {}",
    );
    assert_eq!(imports(&found), ["a::{b as c,d}"]);
    let defined: Vec<&str> = found.iter().filter_map(Body::defines).collect();
    assert_eq!(defined, ["T::later", "f"]);
    assert!(matches!(function(&found, "T::later").returns, Type::Named(n) if n.name == "Future"));
    let types = function(&found, "f").parameters.into_iter().map(|p| p.ty);
    assert!(types.into_iter().all(|ty| matches!(ty, Type::Named(_))));
}

/// `Self` is what it stands for; in a trait that is not known.
#[test]
fn self_is_the_type_around() {
    let found = bodies(
        Language::Rust,
        "struct Node { next: Option<Box<Self>> }\nenum Tree { Leaf, Fork(Vec<Self>) }\n\
         impl<T> Chain<T> { fn new() -> Self { todo!() } fn push(&mut self, to: &Self) -> Result<Self, Self::E> {} }\n\
         impl Clone for m::Node { fn clone(&self) -> Self { let copy: (Self, u8) = todo!(); copy } fn into(self) {} }\n\
         trait Make { fn make(&self) -> Self; }",
    );
    let list = Type::Named(NamedType { name: "Chain".into(), arguments: vec![Type::named("T")] });
    let reference = |ty| Type::Reference(Box::new(ty));
    assert_eq!(function(&found, "Chain::new").returns, list);
    let push = function(&found, "Chain::push");
    assert_eq!(push.receiver, Some(reference(list.clone())));
    assert_eq!(push.parameters[0].ty, reference(list.clone()));
    let result =
        NamedType { name: "Result".into(), arguments: vec![list.clone(), Type::named("Self::E")] };
    assert_eq!(push.returns, Type::Named(result));
    let node = Type::named("m::Node");
    let clone = function(&found, "<m::Node as Clone>::clone");
    assert_eq!((&clone.returns, &clone.receiver), (&node, &Some(reference(node.clone()))));
    assert_eq!(function(&found, "<m::Node as Clone>::into").receiver, Some(node.clone()));
    let both = Type::Tuple(vec![node, Type::integer(0, 255)]);
    let holes = holes(&found).into_iter().map(|(_, ty)| ty);
    assert!(holes.eq([list, both]));
    let Type::Optional(next) = &record(&found, "Node").fields[0].ty else { panic!("{found:?}") };
    let Type::Named(boxed) = &**next else { panic!("{next:?}") };
    assert_eq!(boxed.arguments, [Type::named("Node")]);
    let forks = &choice(&found, "Tree").variants[1].fields[0].ty;
    assert_eq!(*forks, Type::List(Box::new(Type::named("Tree"))));
    let make = function(&found, "Make::make");
    assert_eq!(
        (make.returns, make.receiver),
        (Type::named("Self"), Some(reference(Type::Unknown)))
    );
}

/// Found by an audit: `assert!(n < 5)` of a local, of a test or under an `if` bound everything
/// called `n`.
#[test]
fn only_what_is_asserted_of_parameters_at_once_is_read() {
    let found = bodies(
        Language::Rust,
        "fn a(n: u8) { /* first */ assert!(n > 1); debug_assert!(n < 9); let m = 3; assert!(n < 5); }\n\
         fn b(n: u8) { if n > 3 { assert!(n < 5); } }\n\
         fn c(n: u8) { if n == 0 { return; } assert!(n > 1); }\n\
         fn d() { let n = 3; assert!(n > 1); }\n\
         fn e(n: u8) { let check = |n: u8| { assert!(n > 1); }; }\n\
         mod tests { fn f(n: u8) { assert!(n > 1); } }",
    );
    let exclusive = |n| Bound::Exclusive(Number::Integer(n));
    let target = || "a.n".to_owned();
    let expected = [(target(), exclusive(1), Bound::Open), (target(), Bound::Open, exclusive(9))];
    assert_eq!(ranges(&found), expected);
}

fn load_result() -> Type {
    let bytes = Type::List(Box::new(Type::integer(0, 255)));
    Type::Named(NamedType {
        name: "Result".into(),
        arguments: vec![bytes, Type::named("LoadError")],
    })
}

#[test]
fn origins_are_exact() {
    let found = extract(Language::Rust, RUST);
    let pair = found.constraints.iter().find(|c| c.body.subject() == Some("Pair")).unwrap();
    let line = RUST.lines().nth(pair.origin.line as usize - 1).unwrap();
    assert!(line.starts_with("struct Pair"), "{line}");
    assert_eq!((pair.origin.file.as_str(), pair.origin.column), ("src/a.x", 1));
    assert_eq!(pair.source, Source::Ast);
}
