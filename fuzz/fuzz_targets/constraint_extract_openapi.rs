//! Any JSON is safe to read as an OpenAPI document, and what it yields can be encoded.
#![no_main]

use edgekit_constraint_compile::{Limits, parse_schema};
use edgekit_constraint_extract::from_openapi;
use edgekit_constraint_ir::{Body, Canonical, Schema};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(document) = parse_schema(text, &Limits::default()) else { return };
    let Ok(found) = from_openapi("api.json", &document) else { return };
    for constraint in &found.constraints {
        if let Body::Schema(schema) = &constraint.body {
            assert!(Schema::decode(&schema.encode()).is_ok_and(|again| again == *schema));
        }
    }
});
