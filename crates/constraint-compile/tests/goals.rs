//! What each goal accepts and refuses.

use edgekit_constraint_compile::{Dialect, ErrorKind, Goal, Options, Relax, compile};
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
    // Of a path and one above it the narrower stays.
    let narrowed =
        set([imports(Rule::Allow, &["std", "serde"]), imports(Rule::Allow, &["std::fs", "rand"])]);
    check(
        &compiled(&narrowed, &goal),
        &["use std::fs;", "use std::fs::File;"],
        &["use std;", "use std::io;", "use serde;", "use rand;"],
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

/// Found by an audit: `mode: "fast"` for a `String`, and 300 for a `u8`.
#[test]
fn literals_are_written_as_their_type_wants_them() {
    let boxed = |t| Box::new(t);
    let text = || Literal::Text("fast".into());
    let number = Literal::Integer;
    let optional = |t| Type::Optional(boxed(t));
    let (fast, some_fast) = (r#"String::from("fast")"#, r#"Some(String::from("fast"))"#);
    for (ty, dialect, value, accepted, refused) in [
        (Type::Text, RUST, text(), vec![fast], vec![r#""fast""#, r#""x""#]),
        (Type::Text, Dialect::Python, text(), vec![r#""fast""#], vec![fast]),
        (Type::Reference(boxed(Type::Text)), RUST, text(), vec![r#""fast""#], vec![fast]),
        (optional(Type::Text), RUST, text(), vec![some_fast], vec![fast, "None"]),
        (optional(Type::Text), RUST, Literal::Null, vec!["None"], vec![some_fast]),
        (optional(u8_type()), Dialect::TypeScript, number(7), vec!["7"], vec!["undefined"]),
        (Type::Float, RUST, number(7), vec!["7.0"], vec!["7"]),
        (Type::Char, RUST, Literal::Text("'".into()), vec![r"'\''"], vec![r#""'""#]),
        (u8_type(), RUST, Literal::Real(Real::new(7.0).unwrap()), vec!["7"], vec!["7.0"]),
        (
            Type::named("Speed"),
            RUST,
            Literal::Text("Fast".into()),
            vec!["Speed::Fast"],
            vec!["Speed::Slow"],
        ),
    ] {
        let set = set([
            record("C", &[("m", ty.clone())]),
            choice("Speed", &["Fast", "Slow"]),
            Body::Literals(Literals { target: "C.m".into(), values: [value, number(300)].into() }),
        ]);
        let wrapped = |text: &&str| match dialect {
            RUST => format!("C {{ m: {text} }}"),
            Dialect::Python => format!("C(m={text})"),
            _ => format!("{{ m: {text} }}"),
        };
        // Where 300 is no value of the type it is none of the values.
        let result = compiled(&set, &value_of("C", dialect));
        let accepted: Vec<String> = accepted.iter().map(wrapped).collect();
        let mut refused: Vec<String> = refused.iter().map(wrapped).collect();
        if ty != Type::Float {
            refused.push(wrapped(&"300"));
        }
        let accepted: Vec<&str> = accepted.iter().map(String::as_str).collect();
        let refused: Vec<&str> = refused.iter().map(String::as_str).collect();
        check(&result, &accepted, &refused);
    }
    let none = set([
        record("C", &[("m", u8_type())]),
        Body::Literals(Literals { target: "C.m".into(), values: [number(300)].into() }),
    ]);
    assert_eq!(refused(&none, &value_of("C", RUST)).kind(), ErrorKind::Infeasible);
}

fn value_of(name: &str, dialect: Dialect) -> Goal {
    value(Type::named(name), dialect)
}

#[test]
fn what_is_optional_can_be_refined() {
    let set = set([
        record(
            "C",
            &[
                ("n", Type::Optional(Box::new(u8_type()))),
                ("t", Type::Optional(Box::new(Type::Text))),
                ("s", Type::Reference(Box::new(Type::Text))),
            ],
        ),
        range("C.n", 3, 5),
        pattern("C.t", "[ab]+"),
        pattern("C.s", "[cd]+"),
    ]);
    let result = compiled(&set, &value_of("C", RUST));
    check(
        &result,
        &[
            r#"C { n: Some(3), t: None, s: "c" }"#,
            r#"C { n: None, t: Some(String::from("ab")), s: "d" }"#,
        ],
        &[
            r#"C { n: Some(6), t: None, s: "c" }"#,
            r#"C { n: 3, t: None, s: "c" }"#,
            r#"C { n: None, t: None, s: "a" }"#,
        ],
    );
    assert!(result.not_enforced().is_empty());
}

#[test]
fn the_name_of_a_choice_stands_for_its_literals() {
    let set = set([
        literals("Mode", &["fast", "safe"]),
        function("f", &[("m", Type::named("Mode"))], Type::Unit),
    ]);
    for dialect in [Dialect::TypeScript, Dialect::Python] {
        let call = Goal::Call { function: "f".into(), dialect };
        let result = compiled(&set, &call);
        check(&result, &[r#"f("fast")"#, r#"f("safe")"#], &[r#"f("x")"#, "f()", "f(fast)"]);
        assert_eq!(result.enforced().len(), 2);
    }
}

/// Found by an audit: of several functions of one name the one with the smallest id was taken.
#[test]
fn functions_of_one_name_are_overloads_or_ambiguous() {
    let at = |file: &str, ty| {
        let mut c = hard(function("f", &[("x", ty)], Type::Bool));
        c.origin.file = file.into();
        c
    };
    let call = Goal::Call { function: "f".into(), dialect: Dialect::Python };
    let hole = Goal::Hole { function: "f".into(), dialect: Dialect::Python };
    let all = |constraints: &[&Constraint]| -> ConstraintSet {
        constraints.iter().map(|c| (*c).clone()).collect()
    };
    let (a, overload, b) = (at("a", u8_type()), at("a", Type::Bool), at("b", Type::Bool));
    let overloads = all(&[&a, &overload]);
    check(&compiled(&overloads, &call), &["f(7)", "f(True)"], &["f()", "f(256)"]);
    let same = all(&[&overload, &b]);
    check(&compiled(&same, &call), &["f(True)"], &["f(7)"]);
    check(&compiled(&same, &hole), &["x", "True"], &["7"]);
    for (set, goal) in [(all(&[&a, &b]), &call), (all(&[&a, &b]), &hole), (overloads, &hole)] {
        let error = refused(&set, goal);
        assert_eq!((error.kind(), error.constraints().len()), (ErrorKind::Ambiguous, 2));
    }
}

/// `fn f(Point { x, y }: Point) -> Point`: the parameter has no name to write.
#[test]
fn what_has_no_name_is_not_written() {
    let set = set([
        record("P", &[("x", Type::Bool)]),
        function("f", &[("", Type::named("P"))], Type::named("P")),
        function("g", &[("", Type::named("Mystery"))], Type::named("Mystery")),
    ]);
    let hole = |function: &str| Goal::Hole { function: function.into(), dialect: RUST };
    check(&compiled(&set, &hole("f")), &["P { x: true }"], &[""]);
    let options = Options { relax: Relax::Types, ..Options::default() };
    check(&compile(&set, &hole("g"), &options).unwrap(), &["true"], &[""]);
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
