//! What sessions leave to each other: states of the lexer, and never an answer.

use edgekit_constraint_cache::{CacheConfig, ErrorKind, Session};
use edgekit_constraint_compile::{Limits, Options};
use serde_json::{Value, json};

use crate::support::*;

/// After many texts its lexer has thousands of states.
fn forgetful() -> Value {
    json!({"type": "string", "pattern": "^(a|b)*a(a|b){14}$"})
}

/// Letters by the bits of a generator, and the end that the pattern asks for.
fn text(seed: u64, letters: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::from("\"");
    for _ in 0..letters {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(if state >> 40 & 1 == 0 { 'a' } else { 'b' });
    }
    text.push_str("abbabbabbababba\"");
    text
}

fn config(lexer_fuel: u64, max_memo_bytes: usize) -> CacheConfig {
    let limits = Limits { lexer_fuel, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    CacheConfig { options, max_memo_bytes, ..CacheConfig::default() }
}

/// The tokens that the tokenizer gives are long; single bytes visit more states a token.
fn bytes(session: &Session, text: &str) -> Vec<u32> {
    let trie = session.template().tokenizer().engine().tokenizer().tok_trie();
    text.bytes().map(|b| trie.token_id_at_bytes(&[b]).expect("a token for each byte")).collect()
}

/// A matcher that is used again and again ends up without fuel and refuses what is valid; sessions
/// that inherit its lexer do not.
#[test]
fn fuel_that_others_have_spent_costs_no_valid_text() {
    const FUEL: u64 = 60_000;
    let cache = cache_with(config(FUEL, CacheConfig::default().max_memo_bytes));
    let template = cache.schema(&forgetful()).expect("it compiles");
    let options = config(FUEL, 0).options;
    let bare = cache.tokenizer().engine().schema(&forgetful(), &options).expect("it compiles");
    let mut chained = bare.parts[0].deep_clone();
    let mut refused = 0;
    for seed in 0..40 {
        let text = text(seed, 600);
        let tokens = bytes(&template.session(), &text);
        let mut fresh = bare.parts[0].deep_clone();
        assert!(tokens.iter().all(|t| fresh.consume_token(*t).is_ok()), "alone it is accepted");
        let taken = chained.validate_tokens(&tokens).expect("a state");
        refused += usize::from(taken < tokens.len());

        let mut session = template.session();
        for token in tokens {
            session.commit(token).unwrap_or_else(|e| panic!("{text}: {e}"));
        }
        assert!(session.is_accepting().expect("a state"), "{text}");
    }
    assert!(refused > 0, "the bare matcher never ran out of fuel: this tests nothing");
}

/// What even a fresh state has no fuel for is an error and not a refusal.
#[test]
fn without_fuel_nothing_is_refused_in_silence() {
    let cache = cache_with(config(1_000, 0));
    let template = cache.schema(&forgetful()).expect("it compiles");
    let mut session = template.session();
    let tokens = bytes(&session, &text(1, 1_000));
    let failed = tokens.iter().find_map(|t| session.commit(*t).err()).expect("no fuel is left");
    assert_eq!(failed.kind(), ErrorKind::Engine, "{failed}");
    let whole = template.session().validate_text(text(1, 1_000)).expect_err("no fuel is left");
    assert_eq!(whole.kind(), ErrorKind::Engine, "{whole}");
    let wrong = bytes(&template.session(), "\"c");
    let mut session = template.session();
    session.commit(wrong[0]).expect("a quote");
    assert_eq!(session.commit(wrong[1]).unwrap_err().kind(), ErrorKind::Rejected);
}

/// The slow twin keeps nothing; both see the same masks and the same answers.
#[test]
fn later_sessions_see_what_first_ones_see() {
    let schema = json!({"type": "object", "properties": {
        "kind": {"enum": ["cat", "category", "dog"]},
        "size": {"type": "number", "minimum": 0, "maximum": 12.5},
        "name": {"type": "string", "pattern": "^[a-f]{2,9}(-x)?$"}}, "required": ["kind", "name"]});
    let keeping = cache().schema(&schema).expect("it compiles");
    let twin = cache_with(config(1_000_000, 0)).schema(&schema).expect("it compiles");
    let words = keeping.tokenizer().mask_words();
    let (mut a, mut b) = (vec![0; words], vec![0; words]);
    for seed in 0..12 {
        let (mut warm, mut cold) = (keeping.session(), twin.session());
        let mut state = seed;
        for step in 0..20 {
            if warm.mask(&mut a).is_err() {
                break;
            }
            cold.mask(&mut b).expect("a mask");
            assert_eq!(a, b, "seed {seed}, step {step}");
            let allowed = allowed(&a);
            state = (state * 31 + 7) % 199_999;
            let token = allowed[state % allowed.len()];
            for other in [token, state as u32] {
                assert_eq!(warm.validate(other).unwrap(), cold.validate(other).unwrap());
            }
            warm.commit(token).expect("an allowed token");
            cold.commit(token).expect("an allowed token");
            if step % 7 == 6 {
                warm.rollback(2).expect("two tokens");
                cold.rollback(2).expect("two tokens");
            }
        }
    }
}

/// After `["s` both lists are in the same state of the lexer and as deep in the grammar, and yet only
/// one may be over after its string. The engine keeps its last mask by the first two.
#[test]
fn no_mask_outlives_the_way_that_led_to_it() {
    let list = |fewest: u32, most: u32| json!({"type": "array", "items": {"type": "string"}, "minItems": fewest, "maxItems": most});
    let schema = json!({"type": "object", "additionalProperties": false,
        "properties": {"x": list(1, 1), "y": list(2, 2)}});
    for memo in [0, 1 << 24] {
        let template = cache_with(config(1_000_000, memo)).schema(&schema).expect("it compiles");
        let after = |session: &mut Session, text: &str| {
            for token in bytes(session, text) {
                session.commit(token).unwrap_or_else(|e| panic!("{text}: {e}"));
            }
            let mut mask = vec![0; session.template().tokenizer().mask_words()];
            session.mask(&mut mask).expect("a mask");
            mask
        };
        let fresh = |text| after(&mut template.session(), text);
        let (one, two) = (r#"{"x":["s"#, r#"{"y":["s"#);
        // The second session has what the first one has left, unless nothing is kept.
        let masks = [fresh(one), fresh(two)];
        assert_ne!(masks[0], masks[1], "{memo}: the lists differ in nothing: this tests nothing");
        let mut session = template.session();
        for (text, mask) in [(one, &masks[0]), (two, &masks[1]), (one, &masks[0])] {
            assert!(after(&mut session, text) == *mask, "{memo}: {text} after going back");
            session.reset();
        }
    }
}
