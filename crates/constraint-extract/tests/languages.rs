//! What each language yields.

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

use crate::support::*;

const REQUIRED: Presence = Presence::Required;
const OPTIONAL: Presence = Presence::Optional;

fn at_least(n: i64) -> Bound {
    Bound::Inclusive(Number::Integer(n))
}

#[cfg(feature = "rust")]
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

#[cfg(feature = "rust")]
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

#[cfg(feature = "rust")]
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
#[cfg(feature = "rust")]
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

/// `Self` is what it stands for; in a trait that is not known.
#[cfg(feature = "rust")]
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
#[cfg(feature = "rust")]
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

#[cfg(feature = "rust")]
fn load_result() -> Type {
    let bytes = Type::List(Box::new(Type::integer(0, 255)));
    Type::Named(NamedType {
        name: "Result".into(),
        arguments: vec![bytes, Type::named("LoadError")],
    })
}

#[cfg(feature = "rust")]
#[test]
fn origins_are_exact() {
    let found = extract(Language::Rust, RUST);
    let pair = found.constraints.iter().find(|c| c.body.subject() == Some("Pair")).unwrap();
    let line = RUST.lines().nth(pair.origin.line as usize - 1).unwrap();
    assert!(line.starts_with("struct Pair"), "{line}");
    assert_eq!((pair.origin.file.as_str(), pair.origin.column), ("src/a.x", 1));
    assert_eq!(pair.source, Source::Ast);
}

#[cfg(feature = "python")]
#[test]
fn python() {
    let found = bodies(
        Language::Python,
        r#"
import os.path
from typing import Literal
Mode = Literal["fast", "safe"]

# def commented_out(): pass
"""def in_a_string(): pass"""

class Colour(Enum):
    RED = 1
    GREEN = 2

class Config:
    port: int
    host: str = "localhost"

    def url(self, path: str) -> str:
        ...

def connect(config: Config, retries: int = 3, verbose=False) -> str | None:
    """Connects."""
    # Not too often.
    assert 1 <= retries < 10
    if verbose:
        assert retries < 3
    raise ValueError("no")

def empty():
    pass
"#,
    );
    let connect = function(&found, "connect");
    assert_eq!(
        parameters(&connect),
        [
            ("config", Type::named("Config"), REQUIRED),
            ("retries", Type::INTEGER, OPTIONAL),
            ("verbose", Type::Unknown, OPTIONAL),
        ]
    );
    assert_eq!(connect.returns, Type::Optional(Box::new(Type::Text)));
    let url = function(&found, "Config.url");
    assert_eq!((url.receiver.is_some(), url.parameters.len()), (true, 1));
    let fields: Vec<_> =
        record(&found, "Config").fields.into_iter().map(|f| (f.name, f.presence)).collect();
    assert_eq!(fields, [("port".to_owned(), REQUIRED), ("host".to_owned(), OPTIONAL)]);
    let values: Vec<_> = choice(&found, "Colour").variants.into_iter().map(|v| v.value).collect();
    assert_eq!(values, [Some(Literal::Integer(1)), Some(Literal::Integer(2))]);
    assert!(
        found
            .iter()
            .any(|b| matches!(b, Body::Literals(l) if l.target == "Mode" && l.values.len() == 2))
    );
    assert_eq!(imports(&found), ["os.path", "typing"]);
    assert_eq!(holes(&found), [("Config.url".into(), Type::Text), ("empty".into(), Type::Unknown)]);
    let retries = "connect.retries".to_owned();
    assert_eq!(
        ranges(&found),
        [
            (retries.clone(), at_least(1), Bound::Open),
            (retries, Bound::Open, Bound::Exclusive(Number::Integer(10))),
        ]
    );
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e)
        if e.function == "connect" && e.error == Type::named("ValueError"))));
    let names: Vec<&str> = found.iter().filter_map(Body::defines).collect();
    assert!(!names.contains(&"commented_out") && !names.contains(&"in_a_string"));
}

#[cfg(feature = "typescript")]
#[test]
fn typescript() {
    let found = bodies(
        Language::TypeScript,
        r#"
import { x } from "./x";
// function commentedOut() {}
type Mode = "fast" | "safe";
enum Colour { Red, Green = "g" }
export interface Options { mode: Mode; retries?: number; tags: string[] }
export class Client { url: string; private hide() {} send(body: string): Promise<void> { throw new SendError("x"); } }
export function connect(url: string, options?: Options, on: (n: number) => void = f): boolean {
    console.assert(url > 3);
    if (url) { console.assert(url > 5); }
    throw new Error("not implemented");
}
"#,
    );
    let connect = function(&found, "connect");
    assert_eq!(connect.parameters.len(), 3, "a callback's parameters are not the function's");
    assert_eq!(
        parameters(&connect)[..2],
        [("url", Type::Text, REQUIRED), ("options", Type::named("Options"), OPTIONAL)]
    );
    assert_eq!(connect.returns, Type::Bool);
    assert!(function(&found, "Client.send").receiver.is_some());
    let options = record(&found, "Options");
    let presence: Vec<Presence> = options.fields.iter().map(|f| f.presence).collect();
    assert_eq!(presence, [REQUIRED, OPTIONAL, REQUIRED]);
    assert_eq!(options.fields[2].ty, Type::List(Box::new(Type::Text)));
    let variants: Vec<_> =
        choice(&found, "Colour").variants.into_iter().map(|v| (v.name, v.value)).collect();
    let green = Some(Literal::Text("g".into()));
    assert_eq!(variants, [("Red".to_owned(), None), ("Green".to_owned(), green)]);
    assert!(
        found
            .iter()
            .any(|b| matches!(b, Body::Literals(l) if l.target == "Mode" && l.values.len() == 2))
    );
    let (public, private) = (Visibility::Public, Visibility::Private);
    let expected = [
        ("Colour", private),
        ("Options", public),
        ("Client", public),
        ("Client.hide", private),
        ("Client.send", public),
        ("connect", public),
    ];
    assert_eq!(visibilities(&found), expected);
    assert_eq!(imports(&found), ["./x"]);
    assert_eq!(holes(&found).len(), 1);
    assert_eq!(ranges(&found).len(), 1);
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e) if e.function == "Client.send")));
}

/// Found by an audit: parameters of callbacks in a body were the function's own, `...rest` had to be
/// given, methods of abstract classes and namespaces had no owner.
#[cfg(feature = "typescript")]
#[test]
fn scopes_of_typescript() {
    let text = r#"
export function f(this: Window, x: number, ...rest: string[]): (z: number) => void {
    xs.map((y: number): string => y);
}
export const arrow = (x: number): boolean => [x].some((y: number) => y > 1);
const one = x => (y: number) => y;
abstract class A { abstract go(n: number): void; static make(): A { return null; } #p: number; static s: number; }
namespace N { export function k(x: number) {} }
interface I { a: string; draw(x: number): void; hide?(): void }
export { q } from "./q";
const r = require("r");
"#;
    for language in [Language::TypeScript, Language::Tsx] {
        let found = bodies(language, text);
        let f = function(&found, "f");
        assert_eq!(parameters(&f), [("x", Type::Float, REQUIRED)]);
        assert_eq!(f.returns, Type::named("(z: number) => void"));
        let arrow = function(&found, "arrow");
        assert_eq!(parameters(&arrow), [("x", Type::Float, REQUIRED)]);
        assert_eq!(arrow.returns, Type::Bool);
        assert_eq!(parameters(&function(&found, "one")), [("x", Type::Unknown, REQUIRED)]);
        assert_eq!(function(&found, "A.go").receiver, Some(Type::named("A")));
        assert_eq!(function(&found, "A.make").receiver, None);
        let members = |name| {
            record(&found, name)
                .fields
                .into_iter()
                .map(|f| (f.name, f.presence))
                .collect::<Vec<_>>()
        };
        // An object without the method is none of the class.
        assert_eq!(members("A"), [("go".to_owned(), REQUIRED), ("#p".to_owned(), REQUIRED)]);
        let expected = [("a", REQUIRED), ("draw", REQUIRED), ("hide", OPTIONAL)];
        assert_eq!(members("I"), expected.map(|(name, presence)| (name.to_owned(), presence)));
        assert_eq!(record(&found, "I").fields[1].ty, Type::named("draw(x: number): void"));
        let (public, private) = (Visibility::Public, Visibility::Private);
        let seen = visibilities(&found);
        for item in [("f", public), ("arrow", public), ("one", private), ("N.k", public)] {
            assert!(seen.contains(&item), "{item:?} in {seen:?}");
        }
        assert_eq!(imports(&found), ["./q", "r"]);
    }
}

/// What stands between tags is text.
#[cfg(feature = "typescript")]
#[test]
fn jsx_yields_nothing() {
    let found = extract(
        Language::Tsx,
        r#"
export const Button = ({ title }: Props): JSX.Element => <b class="type M = 'x'">
    function fake(x: number) class Fake import a from "fake"; // MARK {title}
</b>;
function App(n: number) { return <>{[1].map((m: string) => <i>assert</i>)}</>; }
"#
        .replace("MARK", concat!("TO", "DO"))
        .as_str(),
    );
    assert_eq!(found.diagnostics, []);
    let bodies: Vec<Body> = found.constraints.into_iter().map(|c| c.body).collect();
    let names: Vec<&str> = bodies.iter().filter_map(Body::defines).collect();
    assert_eq!(names, ["Button", "App"]);
    assert_eq!(parameters(&function(&bodies, "App")), [("n", Type::Float, REQUIRED)]);
    assert_eq!((imports(&bodies), holes(&bodies)), (vec![], vec![]));
    assert!(!bodies.iter().any(|b| matches!(b, Body::Literals(_))));
}

/// Found by an audit: see `scopes_of_typescript`; patterns were no parameters at all.
#[cfg(feature = "javascript")]
#[test]
fn scopes_of_javascript() {
    let found = bodies(
        Language::JavaScript,
        "export default function f({ a, b }, c = (z) => z, [d], ...rest) { g(function (y) {}); h((w) => w); }\n\
         const one = x => [1].map((y) => y);\nclass C { #p() {} static s() { throw new Error(\"MARK\"); } }\n\
         const r = require(\"r\"); const t = <b>function no() {}</b>;"
            .replace("MARK", "not implemented")
            .as_str(),
    );
    let expected = [("", REQUIRED), ("c", OPTIONAL), ("", REQUIRED)];
    let f = function(&found, "f");
    assert!(parameters(&f).into_iter().map(|(name, _, presence)| (name, presence)).eq(expected));
    assert_eq!(parameters(&function(&found, "one")), [("x", Type::Unknown, REQUIRED)]);
    assert_eq!(function(&found, "C.s").receiver, None);
    assert!(visibilities(&found).contains(&("C.#p", Visibility::Private)));
    assert_eq!(holes(&found), [("C.s".to_owned(), Type::Unknown)]);
    assert_eq!(imports(&found), ["r"]);
    assert!(!found.iter().any(|b| b.defines() == Some("no")));
}

#[cfg(feature = "javascript")]
#[test]
fn javascript() {
    let found = bodies(
        Language::JavaScript,
        "import a from \"./a\";\nfunction f(x, y = 2) { console.assert(x >= 1); }\nclass C { m() {} }",
    );
    assert_eq!(
        parameters(&function(&found, "f")),
        [("x", Type::Unknown, REQUIRED), ("y", Type::Unknown, OPTIONAL)]
    );
    assert!(function(&found, "C.m").receiver.is_some());
    assert_eq!((imports(&found), ranges(&found).len()), (vec!["./a".to_owned()], 1));
}

#[cfg(feature = "go")]
#[test]
fn go() {
    let found = bodies(
        Language::Go,
        "package a\nimport \"fmt\"\ntype P struct { X uint8; Name string }\nfunc (p P) M(n int) bool { return true }\nfunc F(s string) { panic(\"bad input\") }\nfunc g() { panic(\"Not implemented: g\") }",
    );
    assert_eq!(holes(&found), [("g".to_owned(), Type::Unit)]);
    let (public, package) = (Visibility::Public, Visibility::Package);
    assert_eq!(visibilities(&found), [("P", public), ("M", public), ("F", public), ("g", package)]);
    assert_eq!(record(&found, "P").fields[0].ty, Type::integer(0, 255));
    let m = function(&found, "M");
    assert_eq!((m.receiver.is_some(), m.returns.clone()), (true, Type::Bool));
    assert_eq!(
        parameters(&m),
        [("n", Type::integer(i128::from(i64::MIN), i128::from(i64::MAX)), REQUIRED)]
    );
    assert_eq!(function(&found, "F").returns, Type::Unit);
    assert_eq!(imports(&found), ["fmt"]);
}

#[cfg(feature = "java")]
#[test]
fn java() {
    let found = bodies(
        Language::Java,
        "import java.util.List;\nenum E { A, B }\npublic class C { int n; private boolean f(String s, long t) throws IOException { assert t > 0; return true; } void h() { throw new UnsupportedOperationException(\"not implemented\"); } }",
    );
    assert_eq!(holes(&found), [("C.h".to_owned(), Type::Unit)]);
    let (public, package, private) = (Visibility::Public, Visibility::Package, Visibility::Private);
    assert_eq!(
        visibilities(&found),
        [("E", package), ("C", public), ("C.f", private), ("C.h", package)]
    );
    let f = function(&found, "C.f");
    assert_eq!((f.parameters.len(), f.returns.clone()), (2, Type::Bool));
    assert_eq!(record(&found, "C").fields.len(), 1);
    assert_eq!(choice(&found, "E").variants.len(), 2);
    assert_eq!(imports(&found), ["java.util.List"]);
    assert_eq!(ranges(&found)[0].0, "C.f.t");
    assert!(
        found
            .iter()
            .any(|b| matches!(b, Body::ErrorType(e) if e.error == Type::named("IOException")))
    );
}

#[cfg(feature = "c")]
#[test]
fn c() {
    let found = bodies(
        Language::C,
        "#include <stdio.h>\nstruct P { int x; };\nenum E { A, B = 4 };\nint f(int n) { assert(n >= 2); return n; }\n/* int g(void) {} */",
    );
    let int = Type::integer(i128::from(i32::MIN), i128::from(i32::MAX));
    let f = function(&found, "f");
    assert_eq!((parameters(&f), f.returns.clone()), (vec![("n", int.clone(), REQUIRED)], int));
    assert_eq!(record(&found, "P").fields.len(), 1);
    assert_eq!(choice(&found, "E").variants[1].value, Some(Literal::Integer(4)));
    assert_eq!(imports(&found), ["stdio.h"]);
    assert_eq!(ranges(&found), [("f.n".to_owned(), at_least(2), Bound::Open)]);
}

#[cfg(feature = "cpp")]
#[test]
fn cpp() {
    let found = bodies(
        Language::Cpp,
        "namespace n { class K { int x; }; bool f(double d) { throw Bad(); } }",
    );
    let f = function(&found, "n::f");
    assert_eq!(
        (parameters(&f), f.returns.clone()),
        (vec![("d", Type::Float, REQUIRED)], Type::Bool)
    );
    assert_eq!(record(&found, "n::K").fields.len(), 1);
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e) if e.error == Type::named("Bad"))));
}

/// Found by an audit: a function that returns a pointer was called like its first parameter, a
/// pointer was a value, and of `int a, b` there was `a`.
#[cfg(feature = "c")]
#[test]
fn declarators_of_c() {
    let found = bodies(
        Language::C,
        "typedef struct { int a, *b; } P;\nstruct R { struct Q q; int many[4]; int (*fn)(int n); };\n\
         static int *f(int n, char *s, int (*cb)(int x)) { return 0; }\n\
         struct R *g(void) { int local(int y); return 0; }\n\
         int (*h(long first))(int second) { return 0; }",
    );
    let int = Type::integer(i128::from(i32::MIN), i128::from(i32::MAX));
    let pointer = |ty| Type::Reference(Box::new(ty));
    let fields = |name| record(&found, name).fields.into_iter().map(|f| (f.name, f.ty));
    let expected = [("a".to_owned(), int.clone()), ("b".to_owned(), pointer(int.clone()))];
    assert!(fields("P").eq(expected));
    let expected = [("q", "Q"), ("many", "int [4]"), ("fn", "int (*)(int n)")];
    assert!(fields("R").eq(expected.map(|(name, ty)| (name.to_owned(), Type::named(ty)))));
    let (f, g, h) = (function(&found, "f"), function(&found, "g"), function(&found, "h"));
    let callback = Type::named("int (*)(int x)");
    let expected = [("n", int.clone()), ("s", pointer(Type::named("char"))), ("cb", callback)];
    assert_eq!(parameters(&f), expected.map(|(name, ty)| (name, ty, REQUIRED)));
    assert_eq!(f.returns, pointer(int));
    assert_eq!((parameters(&g), g.returns.clone()), (vec![], pointer(Type::named("R"))));
    assert_eq!((parameters(&h).len(), parameters(&h)[0].0), (1, "first"));
    let public = ["P", "R", "g", "h"].map(|item| (item, Visibility::Public));
    assert_eq!(visibilities(&found).len(), 5);
    assert!(public.iter().all(|item| visibilities(&found).contains(item)));
    assert!(visibilities(&found).contains(&("f", Visibility::Private)));
}

#[cfg(feature = "cpp")]
#[test]
fn members_of_cpp_are_visible_by_section() {
    let found = bodies(
        Language::Cpp,
        "class K {\n  int x; void hidden();\n  struct { int y; } z;\n\
         public:\n  K(int n) {}\n  const char *open(const int &a, int b = 3) { return 0; }\n  static int count();\n  class Inner { void deep() {} };\n  int after_inner();\n\
         protected:\n  void shielded() {}\nprivate:\n  void last() {}\n  enum E { A };\n};\n\
         struct S { void open(); private: void hidden(); };\n\
         static void here() {}\nvoid everywhere() { [](int x) { return x; }; }\nvoid K::hidden() {}",
    );
    let (public, private) = (Visibility::Public, Visibility::Private);
    let expected = [
        ("K", public),
        ("K::hidden", private),
        ("K::open", public),
        ("K::count", public),
        ("K::Inner", public),
        ("K::Inner::deep", private),
        ("K::after_inner", public),
        ("K::shielded", private),
        ("K::last", private),
        ("K::E", private),
        ("S", public),
        ("S::open", public),
        ("S::hidden", private),
        ("here", private),
        ("everywhere", public),
    ];
    assert_eq!(visibilities(&found), expected);
    let open = function(&found, "K::open");
    let int = Type::integer(i128::from(i32::MIN), i128::from(i32::MAX));
    let reference = Type::Reference(Box::new(int.clone()));
    assert_eq!(parameters(&open), [("a", reference, REQUIRED), ("b", int, OPTIONAL)]);
    assert_eq!(open.receiver, Some(Type::named("K")));
    assert_eq!(function(&found, "K::count").receiver, None);
    assert_eq!(function(&found, "everywhere").parameters, []);
    let members: Vec<String> = record(&found, "K").fields.into_iter().map(|f| f.name).collect();
    assert_eq!(members, ["x", "z"]);
}

#[cfg(feature = "zig")]
#[test]
fn zig() {
    let found = bodies(
        Language::Zig,
        "const P = struct { x: u8, y: bool };\npub fn f(n: u16) bool { return true; }\n// fn g() void {}",
    );
    assert_eq!(visibilities(&found), [("P", Visibility::Private), ("f", Visibility::Public)]);
    let f = function(&found, "f");
    assert_eq!(
        (parameters(&f), f.returns.clone()),
        (vec![("n", Type::integer(0, 65_535), REQUIRED)], Type::Bool)
    );
    assert_eq!(record(&found, "P").fields[0].ty, Type::integer(0, 255));
}

#[test]
fn paths_have_languages() {
    #[cfg(feature = "rust")]
    assert_eq!(Language::of_path("a/b.rs"), Some(Language::Rust));
    #[cfg(feature = "typescript")]
    assert_eq!(
        ["a.ts", "a.tsx"].map(Language::of_path),
        [Some(Language::TypeScript), Some(Language::Tsx)]
    );
    assert_eq!(Language::of_path("a/b.unknown"), None);
    assert_eq!(Language::of_path("rs"), None);
}
