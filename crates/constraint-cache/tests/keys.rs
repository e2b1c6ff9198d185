//! Keys: what changes them and what does not.

use edgekit_constraint_cache::{Asked, CacheConfig, Key, Request};
use edgekit_constraint_compile::{Goal, Options, Relax};
use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

#[test]
fn the_order_of_properties_is_part_of_the_key_and_of_the_grammar() {
    let cache = cache();
    let ab = json!({"properties": {"a": {"type": "null"}, "b": {"type": "null"}},
        "required": ["a", "b"], "additionalProperties": false, "type": "object"});
    let ba = json!({"properties": {"b": {"type": "null"}, "a": {"type": "null"}},
        "required": ["a", "b"], "additionalProperties": false, "type": "object"});
    assert_eq!(ab, ba, "serde_json does not look at the order");
    assert_ne!(cache.schema_key(&ab), cache.schema_key(&ba));
    let (ab, ba) = (cache.schema(&ab).unwrap(), cache.schema(&ba).unwrap());
    assert!(accepts(&ab, r#"{"a":null,"b":null}"#) && !accepts(&ba, r#"{"a":null,"b":null}"#));
}

proptest! {
    #[test]
    fn the_order_of_constraints_is_not(mut texts in prop::collection::vec("[a-c]{1,2}", 0..6)) {
        let cache = cache();
        let forbid = |text: &String| {
            hard(Body::Forbidden(Forbidden { texts: [text.clone()].into() }))
        };
        let one: ConstraintSet = texts.iter().map(forbid).collect();
        texts.reverse();
        let other: ConstraintSet = texts.iter().map(forbid).collect();
        let key = cache.constraints_key(&one, &Goal::Text);
        prop_assert_eq!(&key, &cache.constraints_key(&other, &Goal::Text));
        // A key says what was asked for, and reads back as the same key.
        prop_assert_eq!(Request::decode(key.bytes()).unwrap().key(), key);
    }

    #[test]
    fn bytes_that_are_no_request_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..99)) {
        prop_assert!(Request::decode(&bytes).is_err());
    }
}

#[test]
fn a_line_that_moves_changes_no_key() {
    let mut moved = hard(Body::Forbidden(Forbidden { texts: ["x".into()].into() }));
    let here: ConstraintSet = [moved.clone()].into_iter().collect();
    moved.origin.line = 7;
    let there: ConstraintSet = [moved].into_iter().collect();
    let cache = cache();
    let key = |set| cache.constraints_key(set, &Goal::Text);
    assert_eq!(key(&here), key(&there));
}

#[test]
fn options_goals_and_kinds_change_the_key() {
    let relaxed = Options { relax: Relax::Types, ..Options::default() };
    let relaxed = cache_with(CacheConfig { options: relaxed, ..CacheConfig::default() });
    let schema = json!({"type": "null"});
    let none = ConstraintSet::new();
    let keys: Vec<Key> = vec![
        cache().schema_key(&schema),
        relaxed.schema_key(&schema),
        cache().schema_key(&json!({"type": "boolean"})),
        cache().constraints_key(&none, &Goal::Text),
        cache().constraints_key(&none, &json_goal()),
    ];
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "{i}");
    }
}

/// Pinned: another run, another machine.
#[test]
fn keys_are_the_same_everywhere() {
    let key = cache().schema_key(&json!({"type": "object", "properties": {"b": {}, "a": {}}}));
    assert_eq!(key.id().to_string(), "7db2ebecd9035c5ce367d9a25e1d43d9");
}

/// Found by fuzzing: bytes with a line number in them were read, although no key has one.
#[test]
fn what_reads_as_a_request_is_its_key() {
    let body = Body::Forbidden(Forbidden { texts: ["x".to_owned()].into() });
    let set: ConstraintSet = [hard(body)].into_iter().collect();
    let request = Request {
        engine: "e".into(),
        tokenizer: "t".into(),
        options: Options::default(),
        asked: Asked::Constraints(set, Goal::Text),
    };
    let key = request.key();
    for at in 0..key.bytes().len() {
        for value in 0..=3 {
            let mut bytes = key.bytes().to_vec();
            bytes[at] = value;
            if let Ok(read) = Request::decode(&bytes) {
                assert_eq!(read.key().bytes(), bytes, "byte {at}");
            }
        }
    }
}
