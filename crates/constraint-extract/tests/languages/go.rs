//! Go and Java.

use edgekit_constraint_extract::Language;
use edgekit_constraint_ir::*;

use super::*;

#[cfg(feature = "go")]
#[test]
fn go() {
    let found = bodies(
        Language::Go,
        "package a\nimport \"fmt\"\ntype P struct { X uint8; Name string }\nfunc (p P) M(n int) bool { return true }\nfunc F(s string) { panic(\"bad input\") }\nfunc g() { panic(\"Not implemented: g\") }",
    );
    assert_eq!(holes(&found), [("g".to_owned(), Type::Unit)]);
    let (public, package) = (Visibility::Public, Visibility::Package);
    assert_eq!(
        visibilities(&found),
        [("P", public), ("P.M", public), ("F", public), ("g", package)]
    );
    assert_eq!(record(&found, "P").fields[0].ty, Type::integer(0, 255));
    let m = function(&found, "P.M");
    assert_eq!((&m.receiver, &m.returns), (&Some(Type::named("P")), &Type::Bool));
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

/// Found by an audit: `a, b int` was one parameter, and methods of one name were one function.
#[cfg(feature = "go")]
#[test]
fn lists_of_go() {
    let found = bodies(
        Language::Go,
        "package a\ntype (\n\tP struct { X, Y uint8; *Q }\n\tR[T any] struct { Z bool }\n)\n\
         func (p *P) M(a, b uint8, xs ...string) (bool, error) { func(z bool) {}(true); return true, nil }\n\
         func (r R[T]) M(cb func(x uint8) bool) {}",
    );
    let byte = || Type::integer(0, 255);
    let m = function(&found, "P.M");
    assert_eq!(parameters(&m), [("a", byte(), REQUIRED), ("b", byte(), REQUIRED)]);
    assert!(found.iter().any(|b| matches!(b, Body::ErrorType(e)
        if e.function == "P.M" && e.error == Type::named("error"))));
    let callback = Type::named("func(x uint8) bool");
    assert_eq!(parameters(&function(&found, "R.M")), [("cb", callback, REQUIRED)]);
    let names = |name| record(&found, name).fields.into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!((names("P"), names("R")), (vec!["X".to_owned(), "Y".into()], vec!["Z".to_owned()]));
}

/// Found by an audit: methods of an interface had no owner, `*` was an import, `static` members
/// were called on an object.
#[cfg(feature = "java")]
#[test]
fn members_of_java() {
    let found = bodies(
        Language::Java,
        "import static java.lang.Math.*;\npublic interface I { int f(int x); }\n\
         class C { static final int S = 1; int a, b; static void s(boolean b) {}\n\
         Runnable r = new Runnable() { public void run() {} }; }\nrecord R(int x) {}\n/* int no() {} */",
    );
    assert_eq!(imports(&found), ["java.lang.Math.*"]);
    assert!(function(&found, "I.f").receiver.is_some());
    assert_eq!(function(&found, "C.s").receiver, None);
    let names = |name| record(&found, name).fields.into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!(names("C"), ["a", "b", "r"]);
    assert_eq!(names("R"), ["x"]);
    let defined: Vec<&str> = found.iter().filter_map(Body::defines).collect();
    assert_eq!(defined, ["I.f", "C", "C.s", "R"]);
    // What an interface demands is as visible as the interface.
    assert!(!visibilities(&found).iter().any(|(item, _)| *item == "I.f"));
}
