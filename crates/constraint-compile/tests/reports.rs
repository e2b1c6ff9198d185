//! Nothing is dropped in silence: whatever is not enforced is listed with its reason.

use edgekit_constraint_compile::llguidance::toktrie::{
    TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv,
};
use edgekit_constraint_compile::{
    Dialect, ENGINE_VERSION, Engine, ErrorKind, Goal, NotEnforced, Options, Part, Relax,
    UnsupportedKeywords, compile, unsupported,
};
use edgekit_constraint_ir::*;
use serde_json::json;

use crate::support::*;

/// Found elsewhere: "all satisfied" when nothing was enforced.
#[test]
fn every_constraint_is_accounted_for() {
    let mut all = set([
        record("A", &[("x", u8_type())]),
        record("Unrelated", &[("x", Type::Float)]),
        range("Unrelated.x", 0, 1),
        Body::Limit(Limit { max_tokens: Some(9), max_bytes: None }),
    ]);
    all.insert(soft(range("A.x", 0, 9)));
    all.insert(hard(pattern("A.x", "a+")));
    let result = compiled(&all, &value(Type::named("A"), Dialect::Rust));
    assert_eq!(result.enforced().len() + result.not_enforced().len(), all.len());
    let reasons: Vec<&NotEnforced> = result.not_enforced().values().collect();
    let count = |f: &dyn Fn(&NotEnforced) -> bool| reasons.iter().filter(|r| f(r)).count();
    assert_eq!(count(&|r| matches!(r, NotEnforced::NotConcerned)), 2);
    assert_eq!(count(&|r| matches!(r, NotEnforced::SoftWithoutTokens)), 1);
    assert_eq!(count(&|r| matches!(r, NotEnforced::Inexpressible(_))), 1);
}

/// Found elsewhere: masks, rules and schema dropped on the way to the engine.
#[test]
fn everything_reaches_the_engine() {
    let weights =
        Weights { weights: vec![Weight { text: "yes".into(), bias: Real::new(1.5).unwrap() }] };
    let mut all = set([
        schema("s", json!({"type": "integer"})),
        forbid("13"),
        Body::Tokens(Tokens { rule: Rule::Deny, ids: [7].into() }),
        Body::Tokens(Tokens { rule: Rule::Allow, ids: [1, 2, 3].into() }),
        Body::Tokens(Tokens { rule: Rule::Allow, ids: [2, 3, 4].into() }),
        Body::Limit(Limit { max_tokens: Some(9), max_bytes: None }),
        Body::Limit(Limit { max_tokens: Some(5), max_bytes: Some(10) }),
    ]);
    all.insert(soft(Body::Weights(weights)));
    let result = compiled(&all, &Goal::Json { schema: "s".into() });
    assert_eq!(result.parts().len(), 2);
    assert!(matches!(&result.parts()[0], Part::Schema(s) if **s == json!({"type": "integer"})));
    assert_eq!(result.tokens().allow, Some([2, 3].into()));
    assert_eq!(result.tokens().deny, [7].into());
    assert_eq!(result.limit(), Limit { max_tokens: Some(5), max_bytes: Some(10) });
    assert_eq!(result.weights().len(), 1);
    assert!(result.not_enforced().is_empty());
    check(&result, &["12", "131".split_at(2).1], &["13", "1134"]);
}

/// Imports, then types, then syntax; and always reported.
#[test]
fn relaxation_goes_in_order_and_is_reported() {
    let compile_with = |set: &ConstraintSet, goal: &Goal, relax| {
        compile(set, goal, &Options { relax, ..Options::default() })
    };
    let nothing = set([imports(Rule::Allow, &[])]);
    let import = Goal::Import { scope: "m".into(), dialect: Dialect::Rust };
    let kind = |set: &ConstraintSet, goal: &Goal, relax| {
        compile_with(set, goal, relax).map(|_| ()).map_err(|e| e.kind())
    };
    assert_eq!(kind(&nothing, &import, Relax::Nothing), Err(ErrorKind::Infeasible));
    let relaxed = compile_with(&nothing, &import, Relax::Imports).unwrap();
    assert!(relaxed.enforced().is_empty());
    assert!(relaxed.not_enforced().values().all(|r| *r == NotEnforced::Relaxed));
    check(&relaxed, &["use std::fs;"], &["use ;"]);

    let unknown = set([function("f", &[("n", Type::named("Mystery"))], Type::named("Mystery2"))]);
    let hole = Goal::Hole { function: "f".into(), dialect: Dialect::Rust };
    assert_eq!(kind(&unknown, &hole, Relax::Imports), Err(ErrorKind::Infeasible));
    let types = compile_with(&unknown, &hole, Relax::Types).unwrap();
    check(&types, &["n", "12", "true"], &["fn", "{"]);
    let syntax = compile_with(&unknown, &hole, Relax::Syntax).unwrap();
    check(&syntax, &["fn", "{"], &[]);
    for relaxed in [types, syntax] {
        assert!(relaxed.enforced().is_empty());
    }
}

#[test]
fn unsupported_keywords_are_listed_by_pointer() {
    let document = json!({
        "type": "object",
        "properties": {
            "a/b": {"type": "string", "format": "colour", "not": {"const": "x"}},
            "n": {"type": "integer", "format": "int32"},
            "not": {"type": "array", "uniqueItems": true, "items": {"if": true}},
        },
        "enum_like": {"not": {}},
    });
    let listed: Vec<(String, String)> =
        unsupported(&document).into_iter().map(|u| (u.pointer, u.keyword)).collect();
    let expected = [
        ("/properties/a~1b", "format: colour"),
        ("/properties/a~1b", "not"),
        ("/properties/not", "uniqueItems"),
        ("/properties/not/items", "if"),
    ];
    assert_eq!(listed, expected.map(|(p, k)| (p.to_owned(), k.to_owned())));

    let Err(error) = ENGINE.schema(&document, &Options::default()) else { panic!("refused") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.unsupported().len(), 4);
    let report = Options { unsupported: UnsupportedKeywords::Report, ..Options::default() };
    let matchers = ENGINE.schema(&document, &report).unwrap();
    assert_eq!(matchers.not_enforced, error.unsupported());
    assert!(accepts(&matchers.parts[0], br#"{"n":1}"#));
    assert!(!accepts(&matchers.parts[0], br#"{"n":"1"}"#));
}

#[test]
fn one_of_becomes_any_of_only_when_reported() {
    let document = json!({"oneOf": [{"type": "number"}, {"multipleOf": 2, "type": "number"}]});
    let Err(error) = ENGINE.schema(&document, &Options::default()) else { panic!("refused") };
    assert_eq!(error.unsupported()[0].keyword, "oneOf");
    let report = Options { unsupported: UnsupportedKeywords::Report, ..Options::default() };
    let matchers = ENGINE.schema(&document, &report).unwrap();
    assert_eq!(matchers.not_enforced.len(), 1);
    assert!(accepts(&matchers.parts[0], b"4"));
    // Where the alternatives exclude each other it is enforced without a word.
    let disjoint = json!({"oneOf": [{"type": "null"}, {"type": "boolean"}]});
    assert!(ENGINE.schema(&disjoint, &report).unwrap().not_enforced.is_empty());
}

/// A schema that asks the engine to be lenient gets no more than the caller's options allow.
#[test]
fn a_schema_cannot_switch_its_own_keywords_off() {
    let one_of = json!([{"type": "number"}, {"multipleOf": 2, "type": "number"}]);
    for (guidance, keyword, document) in [
        ("lenient", "not", json!({"type": "integer", "not": {"const": 5}})),
        ("lenient", "format: colour", json!({"type": "string", "format": "colour"})),
        ("lenient", "oneOf", json!({"oneOf": one_of})),
        ("coerce_one_of", "oneOf", json!({"oneOf": one_of})),
    ] {
        let mut document = document;
        document["x-guidance"] = json!({ guidance: true });
        let Err(error) = ENGINE.schema(&document, &Options::default()) else {
            panic!("{document} is refused")
        };
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.unsupported()[0].keyword, keyword);
        let report = Options { unsupported: UnsupportedKeywords::Report, ..Options::default() };
        let mut matchers = ENGINE.schema(&document, &report).unwrap();
        assert_eq!(matchers.not_enforced, error.unsupported());
        assert_eq!(matchers.parts[0].grammar_warnings(), [""; 0], "{document}");
    }
    let wrong = json!({"type": "null", "x-guidance": {"lenient": "yes"}});
    let kind = ENGINE.schema(&wrong, &Options::default()).err().map(|e| e.kind());
    assert_eq!(kind, Some(ErrorKind::InvalidSchema));
}

/// The engine reads `x-guidance` at the root only, and a joined schema's is not at the root.
#[test]
fn joined_schemas_keep_what_they_say_to_the_engine() {
    let compact = |document: serde_json::Value| {
        let mut document = document;
        document["x-guidance"] = json!({"whitespace_flexible": false});
        document
    };
    let list = json!({"type": "array", "items": {"type": "null"}});
    let short = json!({"type": "array", "maxItems": 2});
    let goal = Goal::Json { schema: "s".into() };
    for other in [short.clone(), compact(short.clone())] {
        let all = set([schema("s", compact(list.clone())), schema("s", other)]);
        check(&compiled(&all, &goal), &["[null,null]"], &["[null, null]", "[null,null,null]"]);
    }
    let mut loose = short;
    loose["x-guidance"] = json!({"whitespace_flexible": true});
    let all = set([schema("s", compact(list)), schema("s", loose)]);
    let error = refused(&all, &goal);
    assert_eq!((error.kind(), error.constraints().len()), (ErrorKind::Conflict, 2));
}

/// A tokenizer that spells `"hello"` with a token of its own and says that it always does.
struct Canonical(TokTrie);

impl TokenizerEnv for Canonical {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.0.greedy_tokenize(bytes)
    }
}

/// Found by an audit: the only spelling that was left open was the one that the rule denies.
#[test]
fn a_denied_token_leaves_the_other_spellings() {
    let mut words: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    words.push(b"\"hello\"".to_vec());
    words.push(Vec::new());
    let trie = TokTrie::from(&TokRxInfo::new(258, 257), &words);
    let engine = Engine::new(&(std::sync::Arc::new(Canonical(trie)) as TokEnv)).unwrap();
    let spellings = |all: &ConstraintSet| {
        let result = compiled(all, &Goal::Json { schema: "s".into() });
        let mut matchers = engine.start(&result, &Options::default()).unwrap();
        let mask = matchers.parts[0].compute_mask().unwrap();
        (mask.is_allowed(256), mask.is_allowed(u32::from(b'"')))
    };
    let mut all = set([schema("s", json!({"const": "hello"}))]);
    assert_eq!(spellings(&all), (true, false));
    all.insert(hard(Body::Tokens(Tokens { rule: Rule::Deny, ids: [256].into() })));
    assert!(spellings(&all).1);
}

/// The version is typed and belongs into the keys of caches: it has to be the one that is built.
#[test]
fn the_version_of_the_engine_is_the_one_that_is_built() {
    let lock = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let Ok(lock) = std::fs::read_to_string(lock) else {
        return println!("skipped: the crate stands outside of its workspace");
    };
    let (_, rest) = lock.split_once("name = \"llguidance\"\nversion = \"").expect("the engine");
    let version = rest.split('"').next().expect("a version");
    let minor = version.rsplit_once('.').expect("three numbers").0;
    assert_eq!(ENGINE_VERSION, format!("llguidance-{minor}"));
}

#[test]
fn the_empty_text_cannot_be_forbidden() {
    let texts = ["".to_owned(), "x".to_owned()].into();
    let all = set([Body::Forbidden(Forbidden { texts })]);
    let result = compiled(&all, &Goal::Text);
    check(&result, &["a", ""], &["x"]);
    let reasons: Vec<&NotEnforced> = result.not_enforced().values().collect();
    assert!(matches!(reasons[..], [NotEnforced::Inexpressible(_)]));
    assert!(result.enforced().is_empty());
}

/// Found by an audit: a schema was listed as enforced whose keywords had been left out.
#[test]
fn a_schema_without_its_keywords_is_not_enforced() {
    let whole = hard(schema("s", json!({"type": "integer"})));
    let half = hard(schema("s", json!({"maximum": 9, "not": {"const": 5}})));
    let all: ConstraintSet = [whole.clone(), half.clone()].into_iter().collect();
    let report = Options { unsupported: UnsupportedKeywords::Report, ..Options::default() };
    let result = compile(&all, &Goal::Json { schema: "s".into() }, &report).unwrap();
    assert!(result.enforced().contains(&whole.id()));
    let NotEnforced::Inexpressible(why) = &result.not_enforced()[&half.id()] else { panic!() };
    assert!(why.contains("not at \"\""), "{why}");
    let matchers = ENGINE.start(&result, &report).unwrap();
    assert!(accepts(&matchers.parts[0], b"5") && !accepts(&matchers.parts[0], b"10"));
}

/// Found by an audit: of the types that two holes expect one held, and both were listed.
#[test]
fn holes_of_several_types_are_ambiguous() {
    let hole = |marker: &str, expects| {
        let function = "f".into();
        hard(Body::Hole(Hole { function, marker: marker.into(), expects }))
    };
    let mut all = set([function("f", &[], Type::Bool)]);
    let goal = Goal::Hole { function: "f".into(), dialect: Dialect::Rust };
    all.insert(hole("todo!()", u8_type()));
    all.insert(hole("...", u8_type()));
    all.insert(hole("pass", Type::Unknown));
    check(&compiled(&all, &goal), &["7"], &["true"]);
    let other = all.insert(hole("todo!()", Type::Text));
    let error = refused(&all, &goal);
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
    assert!(error.constraints().contains(&other) && error.constraints().len() == 2);
}

/// Found by an audit: a range on the document itself was said not to concern it.
#[test]
fn a_document_is_refined_as_its_members_are() {
    let all = set([schema("s", json!({"type": "integer"})), range("s", 0, 5), range("s2", 0, 1)]);
    let result = compiled(&all, &Goal::Json { schema: "s".into() });
    check(&result, &["5"], &["6"]);
    assert_eq!((result.enforced().len(), result.not_enforced().len()), (2, 1));
}

/// Found by an audit: references from a place that only a reference reaches, and from under an `$id`,
/// pointed elsewhere once schemas were joined.
#[test]
fn joined_schemas_keep_their_references() {
    let goal = Goal::Json { schema: "s".into() };
    let number = json!({"type": "integer", "minimum": 5});
    for document in [
        json!({"$ref": "#/parts/x", "parts": {"x": {"$ref": "#/parts/y"}, "y": number}}),
        json!({"$ref": "#/parts/x", "parts": {"x": {"allOf": [{"$ref": "#/parts/x/of"}], "of": number}}}),
        json!({"allOf": [{"$id": "http://x/y", "$ref": "#/$defs/n", "$defs": {"n": number}}]}),
        json!({"$id": "http://x/y", "$ref": "#/$defs/n", "$defs": {"n": number}}),
    ] {
        let all = set([schema("s", document), range("s", 0, 7)]);
        check(&compiled(&all, &goal), &["5", "7"], &["4", "8"]);
    }
}

/// Found by an audit: in code, a forbidden text could be written with its escapes.
#[test]
fn forbidden_text_is_forbidden_in_literals_of_code() {
    let all = set([record("T", &[("x", Type::Text)]), forbid("a\"b"), forbid("c\nd")]);
    for (dialect, open, close) in
        [(Dialect::Python, "T(x=", ")"), (Dialect::Rust, "T { x: String::from(", ") }")]
    {
        let of = |text: &str| format!("{open}\"{text}\"{close}");
        let result = compiled(&all, &value(Type::named("T"), dialect));
        let (fine, quote, line) = (of(r#"a\"c"#), of(r#"a\"b"#), of(r"c\nd"));
        check(&result, &[&fine], &[&quote, &line]);
    }
}
