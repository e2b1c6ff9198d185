//! JSON Schema and OpenAPI.

use edgekit_constraint_extract::{ErrorKind, from_json_schema, from_openapi};
use edgekit_constraint_ir::*;
use serde_json::json;

use crate::support::*;

#[test]
fn a_schema_is_a_constraint() {
    let document = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    let found = from_json_schema("s.json", "S", &document).unwrap();
    assert_eq!((found.source, found.origin.file.as_str()), (Source::Schema, "s.json"));
    let Body::Schema(schema) = &found.body else { panic!("{found:?}") };
    assert_eq!(schema.document.to_string(), document.to_string());
    assert_eq!(from_json_schema("s", "S", &json!(5)).unwrap_err().kind(), ErrorKind::InvalidSchema);
}

#[test]
fn openapi_components_stand_alone() {
    let document = json!({
        "openapi": "3.1.0",
        "components": {"schemas": {
            "Pet": {"type": "object", "properties": {"tag": {"$ref": "#/components/schemas/Tag"}}},
            "Tag": {"type": "string"},
        }},
        "paths": {"/pets/{id}": {"get": {
            "operationId": "getPet",
            "parameters": [
                {"name": "verbose", "in": "query", "schema": {"type": "boolean"}},
                {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
            ],
        }}},
    });
    let found = from_openapi("api.json", &document).unwrap();
    let bodies: Vec<Body> = found.into_iter().map(|c| c.body).collect();
    let Body::Schema(pet) = &bodies[0] else { panic!("{bodies:?}") };
    assert_eq!(pet.document["properties"]["tag"]["$ref"], "#/$defs/Tag");
    assert_eq!(pet.document["$defs"]["Tag"]["type"], "string");
    let Body::Schema(tag) = &bodies[1] else { panic!("{bodies:?}") };
    assert_eq!(tag.document, json!({"type": "string"}));
    assert_eq!(
        parameters(&function(&bodies, "getPet")),
        [("id", Type::INTEGER, Presence::Required), ("verbose", Type::Bool, Presence::Optional),]
    );
    let old = from_openapi("api.json", &json!({"swagger": "2.0"})).unwrap_err();
    assert_eq!(old.kind(), ErrorKind::InvalidSchema);
}
