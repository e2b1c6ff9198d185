//! Events as lines of JSON, for people and for tools that do not verify.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};
use crate::event::{Event, Kind};
use crate::hash::Hash;
use crate::log::Log;

impl Log {
    /// Event `index` as one line of JSON, with the body of a record if it is there. Texts and
    /// UTF-8 bytes are strings; other bytes are `{"base64": …}`.
    ///
    /// # Errors
    /// As [`Log::encoded`].
    pub fn json_line(&self, index: u64) -> Result<String, Error> {
        let event = self.event(index)?;
        let mut line = to_json(&event);
        line.insert("index".into(), json!(index));
        line.insert("id".into(), json!(self.id(index).map(|id| id.to_string())));
        if let Kind::Record { .. } = event.kind() {
            let (name, value) = match self.body(index) {
                Ok(body) => ("body", bytes(&body.bytes)),
                Err(error) if error.kind() == ErrorKind::Erased => ("body_is", json!("erased")),
                Err(_) => ("body_is", json!("lost")),
            };
            line.insert(name.into(), value);
        }
        Ok(Value::Object(line).to_string())
    }
}

fn to_json(event: &Event<'_>) -> Map<String, Value> {
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| {
        if value != Value::Null {
            line.insert(name.into(), value);
        }
    };
    put("time_ms", json!(event.time_ms()));
    put("author", json!(event.author()));
    put("context", json!(Hash(*event.context())));
    put("previous", json!(event.previous()));
    put("embedding", json!(event.embedding()));
    put("kind", json!(event.kind().name()));
    match event.kind() {
        Kind::Assert(assert) => {
            put("subject", json!(assert.subject));
            put("value", bytes(&assert.value));
            put("evidence", json!(assert.evidence));
            put("confidence", json!(assert.confidence));
            put("expires_ms", json!(assert.expires_ms));
        }
        Kind::Challenge { claims, reason } => {
            put("claims", json!(claims));
            put("reason", json!(reason));
        }
        Kind::Support { conflict, cost } => {
            put("conflict", json!(conflict));
            put("cost", json!(cost));
        }
        Kind::Resolution(resolution) => {
            put("conflict", json!(resolution.conflict));
            put("accepted", json!(resolution.accepted));
            put("deprecated", json!(resolution.deprecated));
            put("rationale", json!(resolution.rationale));
            let signed: Vec<_> = resolution.signatures.iter().map(|one| one.authority).collect();
            put("authorities", json!(signed));
        }
        Kind::Deprecate { claim, superseded_by } => {
            put("claim", json!(claim));
            put("superseded_by", json!(superseded_by));
        }
        Kind::ModelClaim { model, version, weights, round } => {
            put("model", json!(model));
            put("version", json!(version));
            put("weights", json!(weights));
            put("round", json!(round));
        }
        Kind::Trace { decision, rests_on } => {
            put("decision", bytes(decision));
            put("rests_on", json!(rests_on));
        }
        Kind::Record { content_type, trace_id, body } => {
            put("content_type", json!(content_type));
            let hex = |id: &[u8; 16]| id.iter().map(|x| format!("{x:02x}")).collect::<String>();
            put("trace_id", json!(trace_id.as_ref().map(hex)));
            put("body_hash", json!(body.hash));
            put("body_bytes", json!(body.length));
        }
    }
    line
}

fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}
