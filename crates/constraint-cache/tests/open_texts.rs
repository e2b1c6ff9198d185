//! Masks inside of texts that may go on with anything are the engine's own.

use edgekit_constraint_cache::CacheConfig;
use edgekit_constraint_compile::Options;
use edgekit_constraint_compile::llguidance::api::TopLevelGrammar;
use edgekit_constraint_compile::llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::support::*;

/// Texts that are open everywhere, up to some point, from some point on, and never.
fn schemas() -> Vec<Value> {
    let text = |rule: &str, value: Value| json!({"type": "string", rule: value});
    let texts = [
        text("pattern", json!("[0-9]{2}-[0-9]")),
        text("pattern", json!("^a.*z$")),
        text("pattern", json!("(ab)+c")),
        text("pattern", json!("^[a-f]{3}")),
        text("pattern", json!("^[^x]*$")),
        text("minLength", json!(4)),
        text("maxLength", json!(3)),
        json!({"type": "string"}),
    ];
    let names: serde_json::Map<String, Value> =
        texts.iter().enumerate().map(|(i, t)| (format!("t{i}"), t.clone())).collect();
    let all = json!({"type": "object", "properties": names, "additionalProperties": true});
    texts.into_iter().chain([all]).collect()
}

/// Tokens that a text goes on with, that end it, escape in it, and that are half of a character.
const PIECES: [&str; 14] = [
    "a",
    "ab",
    "12",
    "12-3",
    " and so on",
    "xyz",
    "é",
    "日本",
    "\\n",
    "\\\"",
    "\"",
    "z\"",
    "c",
    "\t",
];

/// With and without a memo, in first and in later sessions, forth and back; and a matcher that
/// somebody drives by hand in between.
#[test]
fn masks_of_open_texts_are_the_engines() {
    let tokenizer = cache().tokenizer().clone();
    let mut factory = ParserFactory::new_simple(tokenizer.engine().tokenizer()).expect("a factory");
    factory.quiet();
    let pieces: Vec<u32> = PIECES.iter().flat_map(|piece| tokenizer.encode(piece)).collect();
    let mut out = vec![0; tokenizer.mask_words()];
    let (mut open, mut closed) = (0, 0);
    for schema in schemas() {
        let bare =
            Matcher::new(factory.create_parser(TopLevelGrammar::from_json_schema(schema.clone())));
        let options = Options::default();
        let by_hand = tokenizer.engine().schema(&schema, &options).expect("it compiles");
        for memo in [0, 1 << 26] {
            let config = CacheConfig { max_memo_bytes: memo, ..CacheConfig::default() };
            let template = cache_with(config).schema(&schema).expect("it compiles");
            for seed in 0..12u64 {
                let (mut ours, mut theirs) = (template.session(), bare.deep_clone());
                let mut by_hand = by_hand.parts[0].deep_clone();
                // The same ways again, so that memoised masks lead to computed ones.
                let mut state = (seed % 4 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for step in 0..24 {
                    if theirs.is_stopped() {
                        break;
                    }
                    let mask = theirs.compute_mask().expect("a mask");
                    ours.mask(&mut out).expect("a mask");
                    assert!(out == mask.as_slice()[..out.len()], "{schema} {seed} {step}");
                    assert!(by_hand.compute_mask().expect("a mask") == mask, "{schema} by hand");
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed / 4 + 1);
                    let random = (state >> 33) as usize;
                    let fits: Vec<u32> =
                        pieces.iter().copied().filter(|t| mask.is_allowed(*t)).collect();
                    let token = match fits.is_empty() {
                        true => allowed(&out)[random % allowed(&out).len()],
                        false => fits[random % fits.len()],
                    };
                    match tokenizer.engine().is_text(token) {
                        true => open += 1,
                        false => closed += 1,
                    }
                    ours.commit(token).expect("an allowed token");
                    for matcher in [&mut theirs, &mut by_hand] {
                        matcher.consume_token(token).expect("an allowed token");
                    }
                    if random % 11 == 10 {
                        let back = ours.tokens().len().min(3);
                        ours.rollback(back).expect("tokens");
                        for matcher in [&mut theirs, &mut by_hand] {
                            matcher.rollback(back).expect("tokens");
                            matcher.invalidate_bias_cache();
                        }
                    }
                }
            }
        }
    }
    assert!(open > 500 && closed > 500, "{open} {closed}: this tests little");
}

/// Proposed tokens are taken back again and again, and what is known of the text then is still true.
#[test]
fn masks_of_open_texts_after_tokens_were_taken_back() {
    let cache = cache_with(CacheConfig { max_memo_bytes: 0, ..CacheConfig::default() });
    let template = cache.schema(&json!({"type": "string", "pattern": "[0-9]{2}-[0-9]"})).unwrap();
    let mut session = template.session();
    let mut mask = vec![0; cache.tokenizer().mask_words()];
    let mut alone = mask.clone();
    let text = cache.tokenizer().encode("\"on 12 and so on and so on");
    for token in &text {
        session.mask(&mut mask).unwrap();
        session.commit(*token).unwrap();
    }
    let other = cache.tokenizer().encode("3 else \"");
    for back in [1, 3, text.len() - 1] {
        session.rollback(back).unwrap();
        for token in text[text.len() - back..].iter().chain(&other[..1]) {
            session.mask(&mut mask).unwrap();
            let mut fresh = template.session();
            session.tokens().iter().for_each(|t| fresh.commit(*t).unwrap());
            fresh.mask(&mut alone).unwrap();
            assert!(mask == alone, "after {:?}", session.tokens());
            session.commit(*token).unwrap();
        }
        session.rollback(1).unwrap();
    }
}
