//! Any JSON is safe to read as an OpenAPI document, and what it yields stays in proportion.
#![no_main]

use edgekit_constraint_extract::from_openapi;
use edgekit_constraint_ir::{Body, Canonical};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return };
    let Ok(found) = from_openapi("api.json", &document) else { return };
    for constraint in &found.constraints {
        if let Body::Schema(schema) = &constraint.body {
            let bytes = schema.document.encode();
            assert!(Value::decode(&bytes).is_ok_and(|again| again == schema.document));
        }
    }
});
