//! Sessions: masks, commits, rollback, limits, dead ends, weights.

use std::sync::Arc;

use edgekit_constraint_cache::{CacheConfig, ErrorKind, Reach, Stop, Template};
use edgekit_constraint_compile::Goal;
use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

/// Without white space between tokens, so that random texts stay short.
fn person() -> Value {
    json!({"x-guidance": {"whitespace_flexible": false}, "type": "object", "additionalProperties": false, "required": ["name", "age"],
        "properties": {"name": {"type": "string", "maxLength": 6},
            "age": {"type": "integer", "minimum": 0, "maximum": 120}}})
}

fn mask(session: &mut edgekit_constraint_cache::Session) -> Vec<u32> {
    let mut out = vec![0; session.template().tokenizer().mask_words()];
    session.mask(&mut out).unwrap();
    out
}

#[test]
fn random_tokens_give_valid_documents() {
    let template = cache().schema(&person()).unwrap();
    for seed in 0..20 {
        let text = sample(&mut template.session(), seed, 200).expect("it ends");
        let document: Value = serde_json::from_str(&text).unwrap();
        assert!((0..=120).contains(&document["age"].as_i64().unwrap()), "{text}");
        assert!(document["name"].as_str().unwrap().chars().count() <= 6, "{text}");
    }
}

/// A memoised mask is the mask that the bare engine computes.
#[test]
fn memoised_masks_are_the_computed_ones() {
    let with = cache().schema(&person()).unwrap();
    let without = cache_with(CacheConfig { max_memo_bytes: 0, ..CacheConfig::default() });
    let bare = without.schema(&person()).unwrap();
    for round in 0..3 {
        let (mut a, mut b) = (with.session(), bare.session());
        for token in with.tokenizer().encode(r#"{"name":"Ann","age":30}"#) {
            assert_eq!(mask(&mut a), mask(&mut b), "round {round}");
            a.commit(token).unwrap();
            b.commit(token).unwrap();
        }
        assert_eq!(mask(&mut a), mask(&mut b));
    }
    assert_eq!(without.stats().mask_hits, 0);
}

#[test]
fn repeated_sessions_hit_the_memo() {
    let cache = cache();
    let template = cache.schema(&person()).unwrap();
    let walk = || {
        let before = cache.stats().mask_misses;
        let mut session = template.session();
        for token in template.tokenizer().encode(r#"{"name":"Ann","age":30}"#) {
            mask(&mut session);
            session.commit(token).unwrap();
        }
        cache.stats().mask_misses - before
    };
    // The first mask is the template's own. A mask is kept when it is computed again.
    let (first, second, third) = (walk(), walk(), walk());
    assert!(first == second && first > 5, "{first} {second}");
    assert_eq!(third, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Going forth and back leads to the same masks as going forth alone.
    #[test]
    fn rollback_is_exact(
        steps in prop::collection::vec((any::<u32>(), 0..4usize), 1..12), memo in any::<bool>(),
    ) {
        let max_memo_bytes = if memo { 1 << 24 } else { 0 };
        let cache = cache_with(CacheConfig { max_memo_bytes, ..CacheConfig::default() });
        let template = cache.schema(&person()).unwrap();
        let mut session = template.session();
        for (choice, back) in steps {
            if session.stop().unwrap().is_none() {
                let allowed = allowed(&mask(&mut session));
                session.commit(allowed[choice as usize % allowed.len()]).unwrap();
            }
            if back < 3 {
                session.rollback(back.min(session.tokens().len())).unwrap();
            }
            let mut fresh = template.session();
            for token in session.tokens() {
                fresh.commit(*token).unwrap();
            }
            prop_assert_eq!(mask(&mut session), mask(&mut fresh));
            prop_assert_eq!(session.is_accepting().unwrap(), fresh.is_accepting().unwrap());
        }
        session.reset();
        prop_assert_eq!(mask(&mut session), mask(&mut template.session()));
    }
}

/// What the mask of one position says must not be remembered at another one.
#[test]
fn validation_follows_the_position() {
    let without = cache_with(CacheConfig { max_memo_bytes: 0, ..CacheConfig::default() });
    let template = without.schema(&person()).unwrap();
    let mut session = template.session();
    let first = allowed(&mask(&mut session))[0];
    assert!(session.validate(first).unwrap());
    session.commit(first).unwrap();
    assert!(!session.validate(first).unwrap());
    let next = allowed(&mask(&mut session))[0];
    assert!(session.validate(next).unwrap());
    session.rollback(1).unwrap();
    assert!(!session.validate(next).unwrap() && session.validate(first).unwrap());
}

#[test]
fn a_refused_token_changes_nothing() {
    let template = cache().schema(&person()).unwrap();
    let mut session = template.session();
    let wrong = template.tokenizer().encode("[")[0];
    assert!(!session.validate(wrong).unwrap());
    assert_eq!(session.commit(wrong).unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(session.commit(u32::MAX).unwrap_err().kind(), ErrorKind::Rejected);
    assert_eq!(
        session.commit(template.tokenizer().end_token()).unwrap_err().kind(),
        ErrorKind::Rejected
    );
    assert!(session.tokens().is_empty());
    assert_eq!(session.rollback(1).unwrap_err().kind(), ErrorKind::NothingToRollBack);
    assert!(session.validate_text(r#"{"na"#).unwrap());
    assert!(!session.validate_text(r#"{"nb"#).unwrap());
    let mut small = vec![0; 3];
    assert_eq!(session.mask(&mut small).unwrap_err().kind(), ErrorKind::BufferTooSmall);
}

/// Streams are split at any byte, also inside of a character.
#[test]
fn text_may_be_split_at_any_byte() {
    let template = cache().schema(&json!({"const": "né→😀"})).unwrap();
    let text = r#""né→😀""#.as_bytes();
    for at in 0..=text.len() {
        assert!(template.session().validate_text(&text[..at]).unwrap(), "{at}");
    }
    assert!(!template.session().validate_text(&text[1..]).unwrap());
    let mut session = template.session();
    for byte in text {
        session.commit_text([*byte]).unwrap();
    }
    assert_eq!(session.text(), text);
    assert!(session.is_accepting().unwrap());
}

#[test]
fn a_refused_text_changes_nothing() {
    let template = cache().schema(&person()).unwrap();
    let mut session = template.session();
    session.commit_text(r#"{"name":"A"#).unwrap();
    let error = session.commit_text(r#"nn","age":x"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(session.text(), br#"{"name":"A"#);
    session.commit_text("").unwrap();
    session.commit_text(r#"nn","age":30}"#).unwrap();
    assert!(session.is_accepting().unwrap());
}

#[test]
fn the_end() {
    let template = cache().schema(&json!({"enum": [1, 12]})).unwrap();
    let end = template.tokenizer().end_token();
    let mut session = template.session();
    session.commit(template.tokenizer().encode("1")[0]).unwrap();
    assert_eq!(session.stop().unwrap(), None);
    assert!(session.validate(end).unwrap());
    session.commit(end).unwrap();
    assert_eq!(session.stop().unwrap(), Some(Stop::EndToken));
    assert_eq!(allowed(&mask(&mut session)), [end]);
    assert!(!session.validate(end).unwrap());
    session.rollback(1).unwrap();
    session.commit(template.tokenizer().encode("2")[0]).unwrap();
    assert_eq!(session.stop().unwrap(), Some(Stop::GrammarEnd));
    assert_eq!(session.text(), b"12");
}

#[test]
fn forced_tokens_are_the_only_ones() {
    let template = cache()
        .schema(&json!({"const": {"constant": true}, "x-guidance": {"whitespace_flexible": false}}))
        .unwrap();
    let mut session = template.session();
    let forced = session.forced_tokens().unwrap();
    assert!(!forced.is_empty());
    for token in forced {
        assert_eq!(allowed(&mask(&mut session)), [token]);
        session.commit(token).unwrap();
    }
}

fn limit(max_tokens: Option<u32>, max_bytes: Option<u32>) -> Body {
    Body::Limit(Limit { max_tokens, max_bytes })
}

#[test]
fn limits_hold_and_dead_ends_are_reported() {
    let number = || schema_body(json!({"type": "integer", "minimum": 0}));
    let short = template([number(), limit(Some(2), Some(4))], &json_goal());
    for seed in 0..10 {
        let mut session = short.session();
        let text = sample(&mut session, seed, 9).expect("it ends");
        assert!(text.len() <= 4 && session.tokens().len() <= 3, "{text}");
    }
    // No document of the schema fits: that is found before anybody samples.
    let set: ConstraintSet = [schema_body(json!({"const": "a longer text"})), limit(Some(2), None)]
        .map(hard)
        .into_iter()
        .collect();
    let error = cache().constraints(&set, &json_goal()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadEnd);
}

#[test]
fn parts_that_share_nothing_are_a_dead_end() {
    let pattern =
        |regex: &str| Body::Pattern(Pattern { target: String::new(), regex: regex.into() });
    let set: ConstraintSet = [schema_body(json!({"type": "integer"})), pattern("[a-z]+")]
        .map(hard)
        .into_iter()
        .collect();
    assert_eq!(cache().constraints(&set, &json_goal()).unwrap_err().kind(), ErrorKind::DeadEnd);
    // Further down the road the session says so, and knows it beforehand.
    let template = template(
        [schema_body(json!({"enum": ["ab", "cd"]})), pattern("\"(ab\"|c.*[^\"])")],
        &json_goal(),
    );
    let mut session = template.session();
    assert!(matches!(session.can_end(64).unwrap(), Reach::Ends(_)));
    for token in template.tokenizer().encode("\"c") {
        session.commit(token).unwrap();
    }
    assert_eq!(session.can_end(64).unwrap(), Reach::Never);
    assert_eq!(session.text(), b"\"c");
}

/// Parts that each force their own spelling would exclude each other where the text does not.
#[test]
fn joined_parts_accept_what_each_accepts() {
    let forbidden = Body::Forbidden(Forbidden { texts: ["secret".into()].into() });
    let both = template([schema_body(person()), forbidden], &json_goal());
    for seed in 0..5 {
        let text = sample(&mut both.session(), seed, 200).expect("it ends");
        serde_json::from_str::<Value>(&text).unwrap();
    }
    assert!(accepts(&both, r#"{"name":"sec","age":1}"#));
    assert!(!accepts(&both, r#"{"name":"secret","age":1}"#));
}

/// Found elsewhere: token ids that were hashes of strings; lists that never reached the engine.
#[test]
fn token_rules_use_the_tokenizers_ids() {
    let tokenizer = cache().tokenizer().clone();
    let id = |text: &str| {
        let tokens = tokenizer.encode(text);
        assert_eq!(tokens.len(), 1);
        tokens[0]
    };
    let rule = |rule, texts: &[&str]| {
        Body::Tokens(Tokens { rule, ids: texts.iter().map(|t| id(t)).collect() })
    };
    let yes_no = || schema_body(json!({"type": "boolean"}));
    let deny = template([yes_no(), rule(Rule::Deny, &["true"])], &json_goal());
    let mut session = deny.session();
    let first = allowed(&mask(&mut session));
    assert!(!first.contains(&id("true")) && first.contains(&id("false")));
    assert!(!session.validate(id("true")).unwrap());
    let allow = template([yes_no(), rule(Rule::Allow, &["true"])], &json_goal());
    assert_eq!(allowed(&mask(&mut allow.session())), [id("true")]);
    assert!(accepts(&allow, "true") && !accepts(&allow, "false"));
}

#[test]
fn weights_stay_inside_of_what_is_allowed() {
    let weight =
        |text: &str, bias: f64| Weight { text: text.into(), bias: Real::new(bias).unwrap() };
    let weights = Body::Weights(Weights {
        weights: vec![weight("true", 2.0), weight("yes", 50.0), weight("no such token", 1.0)],
    });
    let template = template([schema_body(json!({"type": "boolean"})), weights], &json_goal());
    assert_eq!(template.weights_without_token(), ["no such token"]);
    let tokenizer = template.tokenizer();
    let mut logits = vec![1.0; tokenizer.vocabulary()];
    let mut session = template.session();
    let mask = mask(&mut session);
    session.apply(&mask, &mut logits);
    let of = |text: &str| logits[tokenizer.encode(text)[0] as usize];
    assert_eq!((of("true"), of("false")), (3.0, 1.0));
    assert_eq!(of("yes"), f32::NEG_INFINITY);
}

/// Models pad their logits; what is added to a masked one must not make a number of it, nor what `f32`
/// cannot hold make none of an allowed one.
#[test]
fn logits_of_more_than_the_vocabulary_and_biases_of_more_than_f32() {
    let weight = |text: &str, bias| Weight { text: text.into(), bias: Real::new(bias).unwrap() };
    let weights = Body::Weights(Weights {
        weights: vec![weight("true", -1e300), weight("yes", 1e39), weight("false", 1e39)],
    });
    let template = template([schema_body(json!({"type": "boolean"})), weights], &json_goal());
    let tokenizer = template.tokenizer();
    let mut logits = vec![1.0; tokenizer.vocabulary() + 1_000];
    let mask = mask(&mut template.session());
    template.session().apply(&mask, &mut logits);
    let of = |text: &str| logits[tokenizer.encode(text)[0] as usize];
    assert_eq!((of("true"), of("yes"), of("false")), (f32::MIN, f32::NEG_INFINITY, f32::MAX));
    assert!(logits[tokenizer.vocabulary()..].iter().all(|logit| *logit == f32::NEG_INFINITY));
    assert!(logits.iter().all(|logit| !logit.is_nan()));
}

#[test]
#[should_panic(expected = "a mask of 3 words")]
fn the_mask_of_another_vocabulary_is_refused() {
    template_of_text().session().apply(&[0; 3], &mut [0.0; 96]);
}

/// Found elsewhere: rules that are counted as satisfied and do nothing.
#[test]
fn what_denies_the_end_is_a_dead_end() {
    let end = cache().tokenizer().end_token();
    let deny = Body::Tokens(Tokens { rule: Rule::Deny, ids: [end].into() });
    let set: ConstraintSet =
        [schema_body(json!({"type": "boolean"})), deny].map(hard).into_iter().collect();
    let error = cache().constraints(&set, &json_goal()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadEnd, "{error}");
}

/// Looking ahead where any of 200,000 tokens may come next, for longer than it looks.
#[test]
fn looking_ahead_ends_within_its_budget() {
    let open = template(
        [schema_body(json!({"type": "string", "minLength": 300})), limit(Some(1_000), None)],
        &json_goal(),
    );
    let mut session = open.session();
    session.commit_text("\"ab").unwrap();
    assert_eq!(session.can_end(20).unwrap(), Reach::Unknown);
    assert_eq!(session.text(), b"\"ab");
    let Reach::Ends(rest) = session.can_end(2_000).unwrap() else { panic!("it can end") };
    rest.into_iter().for_each(|token| session.commit(token).unwrap());
    assert!(session.is_accepting().unwrap());
}

#[test]
fn sessions_are_independent() {
    let template: Arc<Template> = cache().schema(&person()).unwrap();
    let first = mask(&mut template.session());
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let template = &template;
            scope.spawn(move || sample(&mut template.session(), seed, 200).expect("it ends"));
        }
    });
    assert_eq!(mask(&mut template.session()), first);
    let text = template_of_text();
    assert!(accepts(&text, "anything at all"));
}

fn template_of_text() -> Arc<Template> {
    template([], &Goal::Text)
}
