//! Hostile input ends in typed errors, in bounded time and memory.

use std::fmt::Write;

use edgekit_constraint_compile::{Dialect, ErrorKind, Limits, Options, conflicts, parse_schema};
use edgekit_constraint_ir::*;
use serde_json::{Map, Value, json};

use crate::support::*;

fn kind_of(schema: &Value) -> Option<ErrorKind> {
    ENGINE.schema(schema, &Options::default()).err().map(|e| e.kind())
}

#[test]
fn depth() {
    let text = format!("{}true{}", r#"{"items":"#.repeat(100_000), "}".repeat(100_000));
    let kind = parse_schema(&text, &Limits::default()).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::TooLarge);
    // Just inside of the limit, in every direction of nesting.
    for (open, close) in [(r#"{"items":"#, "}"), (r#"{"allOf":["#, "]}"), (r#"{"not":"#, "}")] {
        let levels = 120 / (1 + usize::from(open.contains('[')));
        let text = format!("{}true{}", open.repeat(levels), close.repeat(levels));
        let schema = parse_schema(&text, &Limits::default()).unwrap();
        let kind = kind_of(&schema);
        assert!(matches!(kind, None | Some(ErrorKind::Unsupported)), "{open} {kind:?}");
    }
}

#[test]
fn depth_without_a_parser() {
    let mut schema = json!(true);
    for _ in 0..2_000 {
        schema = Value::Object([("items".to_owned(), schema)].into_iter().collect());
    }
    assert_eq!(kind_of(&schema), Some(ErrorKind::TooLarge));
}

#[test]
fn recursive_references() {
    // Recursion that consumes something is a language. The engine refuses a schema that is itself
    // and compiles a circle of references alone.
    let tree = json!({"$ref": "#/$defs/t", "$defs": {"t": {"type": "array",
        "items": {"$ref": "#/$defs/t"}}}});
    assert_eq!(kind_of(&tree), None);
    let circle = json!({"$ref": "#/$defs/a", "$defs": {
        "a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    let endless = json!({"$ref": "#", "type": "object"});
    let nowhere = json!({"$ref": "#/$defs/none"});
    let remote = json!({"$ref": "https://example.com/schema.json"});
    for (schema, kind) in [
        (circle, None),
        (endless, Some(ErrorKind::InvalidSchema)),
        (nowhere, Some(ErrorKind::InvalidSchema)),
        (remote, Some(ErrorKind::InvalidSchema)),
    ] {
        let started = std::time::Instant::now();
        assert_eq!(kind_of(&schema), kind, "{schema}");
        assert!(started.elapsed().as_secs() < 20, "{schema}");
    }
}

/// Definitions that refer to each other in a chain recurse in the engine as nesting does.
#[test]
fn long_chains_of_references() {
    let chain = |n: usize| {
        let link =
            |i: usize| (format!("d{i}"), json!({"items": {"$ref": format!("#/$defs/d{}", i + 1)}}));
        let mut defs: Map<String, Value> = (0..n).map(link).collect();
        defs.insert(format!("d{n}"), json!({"type": "null"}));
        json!({ "$ref": "#/$defs/d0", "$defs": defs })
    };
    assert_eq!(kind_of(&chain(3_000)), None);
    assert_eq!(kind_of(&chain(100_000)), Some(ErrorKind::TooLarge));
}

#[test]
fn a_million_alternatives() {
    let values: Vec<String> = (0..1_000_000).map(|i| format!("value{i}")).collect();
    assert_eq!(kind_of(&json!({ "enum": values })), Some(ErrorKind::TooLarge));
    let values: Vec<String> = (0..2_000).map(|i| format!("value{i}")).collect();
    assert_eq!(kind_of(&json!({ "enum": values })), None);
}

#[test]
fn size() {
    let mut text = String::from(r#"{"const":""#);
    text.push_str(&"x".repeat(100 << 20));
    text.push_str(r#""}"#);
    let kind = parse_schema(&text, &Limits::default()).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::TooLarge);
}

#[test]
fn patterns_that_explode() {
    for pattern in
        ["(a+)+$", "(a|a)*b", "(.{1,1000}){1,1000}", "((a{1,100}){1,100}){1,100}", "(x+x+)+y"]
    {
        let started = std::time::Instant::now();
        let kind = kind_of(&json!({"type": "string", "pattern": pattern}));
        let known = [None, Some(ErrorKind::TooLarge), Some(ErrorKind::InvalidSchema)];
        assert!(known.contains(&kind), "{pattern}: {kind:?}");
        assert!(started.elapsed().as_secs() < 20, "{pattern}");
    }
}

#[test]
fn wrong_schemas() {
    for (schema, kind) in [
        (json!({"type": "strnig"}), ErrorKind::InvalidSchema),
        (json!({"type": 5}), ErrorKind::InvalidSchema),
        (json!({"properties": []}), ErrorKind::InvalidSchema),
        (json!({"pattern": "("}), ErrorKind::InvalidSchema),
        (json!(false), ErrorKind::Infeasible),
        (json!({"type": "integer", "minimum": 2, "maximum": 1}), ErrorKind::Infeasible),
    ] {
        assert_eq!(kind_of(&schema), Some(kind), "{schema}");
    }
    let kind = parse_schema("{", &Limits::default()).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::InvalidSchema);
}

#[test]
fn options_are_validated() {
    use edgekit_constraint_compile::{Compiler, Goal};
    let wrong = [
        Options { max_list_items: 0, ..Options::default() },
        Options { call_depth: 9, ..Options::default() },
        Options {
            limits: Limits { max_schema_depth: 100_000, ..Limits::default() },
            ..Options::default()
        },
    ];
    for options in wrong {
        let error = Compiler::new(Goal::Text, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOptions);
        let mut named = String::new();
        write!(named, "{error}").unwrap();
        assert!(named.contains("max_") || named.contains("call_depth"), "{named}");
    }
}

/// Found by an audit: two long lists were compared item by item, and so were alternatives.
#[test]
fn long_lists() {
    const ITEMS: u32 = 100_000;
    let literals = |from: u32| {
        let values = (from..from + ITEMS).map(|n| Literal::Integer(n.into())).collect();
        Body::Literals(Literals { target: "T.x".into(), values })
    };
    let imports = |from: u32| {
        let paths = (from..from + ITEMS).map(|n| format!("p{n}::x")).collect();
        Body::Imports(Imports { scope: "m".into(), rule: Rule::Allow, paths })
    };
    let tokens = |from: u32| {
        let ids = (from..from + ITEMS).collect();
        Body::Tokens(Tokens { rule: Rule::Allow, ids })
    };
    let lists: [&dyn Fn(u32) -> Body; 3] = [&literals, &imports, &tokens];
    for list in lists {
        assert_eq!(conflicts(&set([list(0), list(ITEMS)])).len(), 1);
        assert_eq!(conflicts(&set([list(0), list(ITEMS - 1)])).len(), 0);
    }
    let all = set([record("T", &[("x", Type::INTEGER)]), literals(0), literals(ITEMS / 2)]);
    let result = compiled(&all, &value(Type::named("T"), Dialect::Python));
    assert_eq!(result.enforced().len(), 3);
    let names: Vec<String> = (0..ITEMS).map(|n| format!("V{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    compiled(&set([choice("C", &names)]), &value(Type::named("C"), Dialect::Rust));
}
