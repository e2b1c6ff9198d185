//! What each goal accepts and refuses.

use edgekit_constraint_compile::{Dialect, ErrorKind, Goal};
use edgekit_constraint_ir::*;
use serde_json::json;

use crate::support::*;

const RUST: Dialect = Dialect::Rust;

#[test]
fn a_call_takes_arguments_of_its_types_in_order() {
    let set =
        set([function("resize", &[("width", u8_type()), ("smooth", Type::Bool)], Type::Unit)]);
    let call = |dialect| Goal::Call { function: "resize".into(), dialect };
    check(
        &compiled(&set, &call(RUST)),
        &["resize(0, true)", "resize(255, false)"],
        &["resize(256, true)", "resize(0)", "resize(true, 0)", "resize(0, true", "resiz(0, true)"],
    );
    check(&compiled(&set, &call(Dialect::Python)), &["resize(7, True)"], &["resize(7, true)"]);
}

#[test]
fn arguments_that_may_be_left_out_are_left_out_from_the_end() {
    let Body::Function(mut f) =
        function("f", &[("a", Type::Bool), ("b", Type::Bool), ("c", Type::Bool)], Type::Unit)
    else {
        unreachable!()
    };
    f.parameters[1].presence = Presence::Optional;
    f.parameters[2].presence = Presence::Optional;
    let set = set([Body::Function(f)]);
    check(
        &compiled(&set, &Goal::Call { function: "f".into(), dialect: Dialect::Python }),
        &["f(True)", "f(True, False)", "f(True, False, True)"],
        &["f()", "f(, True)", "f(True, False, True, True)", "f(True, )"],
    );
}

#[test]
fn a_struct_literal_nests() {
    let set = set([
        record("Point", &[("x", u8_type()), ("y", u8_type())]),
        record("Line", &[("from", Type::named("Point")), ("name", Type::Text)]),
        choice("Colour", &["Red", "Green"]),
    ]);
    check(
        &compiled(&set, &value(Type::named("Line"), RUST)),
        &[r#"Line { from: Point { x: 1, y: 2 }, name: String::from("a\"b") }"#],
        &[
            r#"Line { from: Point { x: 1, y: 256 }, name: String::from("") }"#,
            r#"Line { name: String::from(""), from: Point { x: 1, y: 2 } }"#,
            r#"Line { from: 1, name: String::from("") }"#,
        ],
    );
    check(
        &compiled(&set, &value(Type::named("Line"), Dialect::Python)),
        &[r#"Line(from=Point(x=1, y=2), name="a")"#],
        &[r#"Line(from=Point(x=1, y=2))"#],
    );
    check(
        &compiled(&set, &value(Type::named("Line"), Dialect::TypeScript)),
        &[r#"{ from: { x: 1, y: 2 }, name: "a" }"#],
        &[r#"{ name: "a" }"#],
    );
    // Found elsewhere: alternatives that became a sequence.
    check(
        &compiled(&set, &value(Type::named("Colour"), RUST)),
        &["Colour::Red", "Colour::Green"],
        &["Colour::RedColour::Green", "Colour::", "Red", "Colour::Blue"],
    );
}

#[test]
fn members_that_may_be_left_out_need_no_stray_comma() {
    let Body::Struct(mut s) = record("O", &[("a", Type::Bool), ("b", Type::Bool)]) else {
        unreachable!()
    };
    s.fields.iter_mut().for_each(|f| f.presence = Presence::Optional);
    let all =
        compiled(&set([Body::Struct(s.clone())]), &value(Type::named("O"), Dialect::TypeScript));
    check(
        &all,
        &["{  }", "{ a: true }", "{ b: true }", "{ a: true, b: false }"],
        &["{ , b: true }", "{ a: true, }", "{ a: true b: true }"],
    );
    s.fields[1].presence = Presence::Required;
    check(
        &compiled(&set([Body::Struct(s)]), &value(Type::named("O"), Dialect::Python)),
        &["O(b=True)", "O(b=True, a=False)"],
        &["O(a=True)", "O()"],
    );
}

#[test]
fn every_type_has_its_spelling() {
    let none = ConstraintSet::new();
    let boxed = |t| Box::new(t);
    let optional = Type::Optional(boxed(Type::Bool));
    let borrowed = Type::Reference(boxed(Type::Text));
    let list = Type::List(boxed(Type::Bool));
    let pair = Type::Tuple(vec![Type::Bool, Type::Unit]);
    let map = Type::Map(boxed2(Type::Text, Type::Bool));
    let result =
        Type::Named(NamedType { name: "Result".into(), arguments: vec![Type::Unit, Type::Text] });
    let union = Type::Union(vec![Type::Literal(Literal::Text("on".into())), Type::INTEGER]);
    for (ty, dialect, accepted, refused) in [
        (&optional, RUST, vec!["None", "Some(true)"], vec!["true", "Some()"]),
        (&optional, Dialect::TypeScript, vec!["undefined", "true"], vec!["None"]),
        (&borrowed, RUST, vec![r#""a""#, r#""""#, r#""\n""#], vec!["a", r#"""""#, "\"\n\""]),
        (&list, RUST, vec!["vec![]", "vec![true, false]"], vec!["vec![true,]", "[true]"]),
        (&list, Dialect::Python, vec!["[]", "[True]"], vec!["vec![]", "[True,"]),
        (&pair, RUST, vec!["(true, ())"], vec!["(true)", "((), true)"]),
        (&map, Dialect::Python, vec!["{}", r#"{"a": True}"#], vec![r#"{"a"}"#]),
        (&result, RUST, vec!["Ok(())", r#"Err(String::from("x"))"#], vec!["()", "Ok()"]),
        (&union, Dialect::Python, vec![r#""on""#, "-12"], vec![r#""off""#, "1.5"]),
        (&Type::Char, RUST, vec!["'a'", r"'\''"], vec!["''", "'ab'", "'''"]),
        (&Type::Float, RUST, vec!["1.5", "-0.25"], vec!["1", ".5", "1."]),
    ] {
        check(&compiled(&none, &value(ty.clone(), dialect)), &accepted, &refused);
    }
}

fn boxed2(key: Type, value: Type) -> Box<(Type, Type)> {
    Box::new((key, value))
}

#[test]
fn a_hole_may_use_parameters_and_functions() {
    let set = set([
        function("area", &[("width", u8_type()), ("height", u8_type())], u8_type()),
        function("half", &[("n", u8_type())], u8_type()),
        function("name", &[], Type::Text),
    ]);
    check(
        &compiled(&set, &Goal::Hole { function: "area".into(), dialect: RUST }),
        &["width", "height", "12", "half(width)", "half(3)"],
        &["name()", "depth", "256", "area(1, 2)", "half(half(1))", "width2"],
    );
}

#[test]
fn rust_moves_are_respected() {
    let set = set([
        record("User", &[("name", Type::Text), ("alias", Type::Text)]),
        function("user", &[("name", Type::Text)], Type::named("User")),
        function("same", &[("user", Type::named("User"))], Type::named("User")),
    ]);
    check(
        &compiled(&set, &Goal::Hole { function: "user".into(), dialect: RUST }),
        &["User { name: name.clone(), alias: name.clone() }"],
        &["User { name: name, alias: name }"],
    );
    check(
        &compiled(&set, &Goal::Hole { function: "same".into(), dialect: RUST }),
        &["user", r#"user(String::from(""))"#],
        &["same(user)"],
    );
}

/// A borrow of a parameter or of a temporary does not outlive the function.
#[test]
fn only_constants_are_borrowed() {
    let borrowed = |t| Type::Reference(Box::new(t));
    let list = borrowed(Type::List(Box::new(u8_type())));
    let set = set([function("f", &[("n", u8_type())], list)]);
    check(
        &compiled(&set, &Goal::Hole { function: "f".into(), dialect: RUST }),
        &["&[]", "&[1, 2]"],
        &["&[n]", "&n", "vec![]"],
    );
}

#[test]
fn imports_are_bounded_by_lists() {
    let rules = set([
        imports(Rule::Allow, &["std::collections", "serde"]),
        imports(Rule::Deny, &["std::collections::LinkedList"]),
    ]);
    let goal = Goal::Import { scope: "m".into(), dialect: RUST };
    check(
        &compiled(&rules, &goal),
        &["use serde;", "use std::collections::HashMap;", "use serde::de::Visitor;"],
        &[
            "use std::fs;",
            "use serdex;",
            "use std::collections::LinkedList;",
            "use std::collections::LinkedList::Iter;",
            "use serde",
        ],
    );
    let only_deny = set([imports(Rule::Deny, &["std::fs"])]);
    check(
        &compiled(&only_deny, &goal),
        &["use std::fmt;", "use std::fsx;"],
        &["use std::fs;", "use std::fs::File;"],
    );
}

#[test]
fn members_are_refined() {
    let set = set([
        record("Config", &[("port", Type::integer(0, 65_535)), ("mode", Type::Text)]),
        range("Config.port", 1024, 49_151),
        literals("Config.mode", &["fast", "safe"]),
    ]);
    let goal = value(Type::named("Config"), Dialect::Python);
    let result = compiled(&set, &goal);
    check(
        &result,
        &[r#"Config(port=1024, mode="safe")"#],
        &[r#"Config(port=80, mode="safe")"#, r#"Config(port=1024, mode="x")"#],
    );
    assert_eq!(result.enforced().len(), 3);
    assert!(result.not_enforced().is_empty());
}

#[test]
fn a_pattern_refines_text() {
    let set = set([record("T", &[("id", Type::Text)]), pattern("T.id", "^[a-z]{2}.$")]);
    check(
        &compiled(&set, &value(Type::named("T"), Dialect::Python)),
        &[r#"T(id="abc")"#, r#"T(id="ab-")"#],
        &[r#"T(id="ab"")"#, r#"T(id="ab")"#, r#"T(id="ab\")"#],
    );
}

#[test]
fn text_obeys_all_patterns_and_no_forbidden_text() {
    let set = set([pattern("", "[a-z.]*"), pattern("", ".{3,5}"), forbid("a.b")]);
    check(
        &compiled(&set, &Goal::Text),
        &["axb", "abcde"],
        &["ab", "abcdef", "ABC", "a.b", "xa.bx"],
    );
    check(&compiled(&ConstraintSet::new(), &Goal::Text), &["", "any\nthing"], &[]);
}

#[test]
fn schemas_of_one_name_hold_together() {
    let set = set([
        schema(
            "s",
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}},
            "required": ["a"], "$defs": {"n": {"type": "integer"}}}),
        ),
        schema(
            "s",
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"minimum": 5}}}),
        ),
        schema("other", json!({"type": "null"})),
        range("s.a", 0, 7),
    ]);
    let result = compiled(&set, &Goal::Json { schema: "s".into() });
    check(&result, &[r#"{"a":5}"#, r#"{"a":7}"#], &[r#"{"a":4}"#, r#"{"a":8}"#, "null", "{}"]);
    assert_eq!(result.enforced().len(), 3);
    assert_eq!(result.not_enforced().len(), 1);
}

#[test]
fn forbidden_text_is_forbidden_in_its_escaped_form_too() {
    let set = set([schema("s", json!({"type": "string"})), forbid("say \"no\"")]);
    check(
        &compiled(&set, &Goal::Json { schema: "s".into() }),
        &[r#""say no""#],
        &[r#""say \"no\"""#],
    );
}

#[test]
fn what_has_no_value_is_infeasible() {
    let endless = set([record("A", &[("a", Type::named("A"))])]);
    let goal = value(Type::named("A"), RUST);
    assert_eq!(refused(&endless, &goal).kind(), ErrorKind::Infeasible);
    assert_eq!(refused(&ConstraintSet::new(), &goal).kind(), ErrorKind::Infeasible);
    let missing = Goal::Call { function: "f".into(), dialect: RUST };
    assert_eq!(refused(&ConstraintSet::new(), &missing).kind(), ErrorKind::Infeasible);
    // A type that may end does end: the list can be empty.
    let tree = set([record("T", &[("children", Type::List(Box::new(Type::named("T"))))])]);
    check(
        &compiled(&tree, &value(Type::named("T"), RUST)),
        &["T { children: vec![] }", "T { children: vec![T { children: vec![] }] }"],
        &["T { }"],
    );
    let Body::Struct(mut node) = record("N", &[("next", Type::named("N"))]) else { unreachable!() };
    node.fields[0].presence = Presence::Optional;
    check(
        &compiled(&set([Body::Struct(node)]), &value(Type::named("N"), Dialect::TypeScript)),
        &["{  }", "{ next: undefined }", "{ next: { next: {  } } }"],
        &["{ next: }"],
    );
}
