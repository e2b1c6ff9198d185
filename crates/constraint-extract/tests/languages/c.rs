//! C, C++ and Zig.

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

use super::*;

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

/// Found by an audit: imports, assertions, holes, error types and receivers were not read.
#[cfg(feature = "zig")]
#[test]
fn more_of_zig() {
    let found = bodies(
        Language::Zig,
        "const std = @import(\"std\");\n\
         const P = struct { x: u8 = 1, y: bool, pub fn m(self: *Self, n: u16) !void {} fn at() Self {} };\n\
         pub fn f(n: u16) Err!bool { std.debug.assert(n > 1); return true; }\n\
         fn g() u8 { @panic(\"not implemented\"); }",
    );
    assert_eq!(imports(&found), ["std"]);
    let m = function(&found, "P.m");
    assert_eq!((m.receiver.is_some(), parameters(&m).len()), (true, 1));
    assert_eq!(function(&found, "P.at").returns, Type::named("P"));
    let presence: Vec<_> = record(&found, "P").fields.into_iter().map(|f| f.presence).collect();
    assert_eq!(presence, [OPTIONAL, REQUIRED]);
    let errors: Vec<_> = found
        .iter()
        .filter_map(|b| match b {
            Body::ErrorType(e) => Some((e.function.as_str(), e.error.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(errors, [("f", Type::named("Err"))]);
    let target = "f.n".to_owned();
    assert_eq!(ranges(&found), [(target, Bound::Exclusive(Number::Integer(1)), Bound::Open)]);
    assert_eq!(holes(&found), [("g".to_owned(), Type::integer(0, 255))]);
}
