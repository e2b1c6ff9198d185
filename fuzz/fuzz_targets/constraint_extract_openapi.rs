//! Any JSON is safe to read as a JSON Schema or as an OpenAPI document, and what it yields can be
//! encoded.
#![no_main]

use edgekit_constraint_compile::{Limits, parse_schema};
use edgekit_constraint_extract::{from_json_schema, from_openapi};
use edgekit_constraint_ir::{Body, Canonical, Schema};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(document) = parse_schema(text, &Limits::default()) else { return };
    let schema = from_json_schema("schema.json", "S", &document).ok();
    let found = from_openapi("api.json", &document).map(|found| found.constraints);
    for constraint in schema.into_iter().chain(found.into_iter().flatten()) {
        if let Body::Schema(schema) = &constraint.body {
            assert!(Schema::decode(&schema.encode()).is_ok_and(|again| again == *schema));
        }
    }
});
