//! Along any way through a pattern, masks that use what the last one has shown are the engine's own.
#![no_main]

use std::sync::LazyLock;

use edgekit_constraint_compile::llguidance::api::TopLevelGrammar;
use edgekit_constraint_compile::llguidance::toktrie::ApproximateTokEnv;
use edgekit_constraint_compile::llguidance::{Matcher, ParserFactory};
use edgekit_constraint_compile::{Engine, Options, compute_mask, parse_schema};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(&ApproximateTokEnv::single_byte_env()).expect("an engine"));

static BARE: LazyLock<ParserFactory> = LazyLock::new(|| {
    let mut bare = ParserFactory::new_simple(ENGINE.tokenizer()).expect("a factory");
    bare.quiet();
    bare
});

libfuzzer_sys::fuzz_target!(|input: (&str, &[u8])| {
    let (pattern, steps) = input;
    let options = Options::default();
    // A pattern whose escapes JSON does not know is no schema.
    let text = format!(r#"{{"type":"array","items":{{"type":"string","pattern":{pattern:?}}}}}"#);
    let Ok(schema) = parse_schema(&text, &options.limits) else { return };
    let Ok(mut ours) = ENGINE.schema(&schema, &options) else { return };
    let ours = &mut ours.parts[0];
    let mut theirs = Matcher::new(BARE.create_parser(TopLevelGrammar::from_json_schema(schema)));
    let (mut open, mut taken) = (false, 0);
    for step in steps.iter().take(200) {
        let Ok(mask) = theirs.compute_mask_or_eos() else { return };
        let found = compute_mask(ours, &mut open).map_err(|e| e.to_string()).expect("a mask");
        assert!(found == mask, "{text} after {taken} tokens");
        let back = usize::from(*step >> 4);
        if *step % 16 == 15 && back <= taken {
            for matcher in [&mut *ours, &mut theirs] {
                matcher.rollback(back).expect("tokens");
                matcher.invalidate_bias_cache();
            }
            (taken, open) = (taken - back, false);
            continue;
        }
        let tokens = mask.to_list();
        let token = tokens[usize::from(*step) % tokens.len()];
        if theirs.is_stopped() || theirs.consume_token(token).is_err() {
            return;
        }
        ours.consume_token(token).expect("an allowed token");
        open &= ENGINE.is_text(token);
        taken += 1;
    }
});
