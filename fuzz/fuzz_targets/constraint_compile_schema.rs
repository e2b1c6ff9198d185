//! Schemas end in a matcher or in a typed error, whatever they say.
#![no_main]

use std::sync::LazyLock;

use edgekit_constraint_compile::llguidance::toktrie::ApproximateTokEnv;
use edgekit_constraint_compile::{Engine, Options, parse_schema};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(&ApproximateTokEnv::single_byte_env()).expect("an engine"));

libfuzzer_sys::fuzz_target!(|text: &str| {
    let options = Options::default();
    if let Ok(schema) = parse_schema(text, &options.limits) {
        let _ = ENGINE.schema(&schema, &options);
    }
});
