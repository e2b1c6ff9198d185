//! JSON Schema and OpenAPI.

use edgekit_constraint_extract::{ErrorKind, Extraction, from_json_schema, from_openapi};
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
    assert_eq!(found.diagnostics, []);
    let bodies: Vec<Body> = found.constraints.into_iter().map(|c| c.body).collect();
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

fn components(document: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
    let found = from_openapi("api.json", document).unwrap().constraints;
    let schema = |c: Constraint| match c.body {
        Body::Schema(s) => Some((s.name, s.document)),
        _ => None,
    };
    found.into_iter().filter_map(schema).collect()
}

/// Found by an audit: each component carried all others.
#[test]
fn components_carry_only_what_they_reach() {
    let reference = |name: String| json!({"$ref": format!("#/components/schemas/{name}")});
    let mut schemas = serde_json::Map::new();
    for i in 0..2_000 {
        let next = json!({"properties": {"next": reference(format!("C{}", i ^ 1))}});
        schemas.insert(format!("C{i}"), next);
    }
    let document = json!({"openapi": "3.1.0", "components": {"schemas": schemas}});
    let found = components(&document);
    let size: usize = found.iter().map(|(_, s)| s.to_string().len()).sum();
    assert!(size < 4 * document.to_string().len(), "{size}");
    let (name, first) = &found[0];
    let defined: Vec<&String> = first["$defs"].as_object().unwrap().keys().collect();
    assert!(name == "C0" && defined == ["C0", "C1"], "{defined:?}");
    // Where all reach all, memory is bounded and what is missing is said.
    let mut schemas = serde_json::Map::new();
    for i in 0..3_000 {
        let next = json!({"properties": {"next": reference(format!("C{}", (i + 1) % 3_000))}});
        schemas.insert(format!("C{i}"), next);
    }
    let ring = json!({"openapi": "3.1.0", "components": {"schemas": schemas}});
    let found = from_openapi("api.json", &ring).unwrap();
    assert!(found.constraints.len() > 100 && found.constraints.len() < 3_000);
    assert_eq!(found.diagnostics.len(), Extraction::MAX_DIAGNOSTICS);
    let nowhere =
        json!({"openapi": "3.1.0", "components": {"schemas": {"A": reference("B".into())}}});
    let found = from_openapi("api.json", &nowhere).unwrap();
    assert_eq!(
        found.diagnostics[0].message,
        "/components/schemas/A: the component \"B\" is not there"
    );
}

#[test]
fn the_words_of_3_0_are_translated() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 3, "exclusiveMinimum": true, "nullable": true},
            "m": {"type": "integer", "maximum": 9, "exclusiveMaximum": false, "nullable": false},
            "nullable": {"type": "boolean"},
            "example": {"type": "string", "nullable": true},
        },
        "example": {"nullable": true},
    });
    let of = |version: &str| {
        let document =
            json!({"openapi": version, "components": {"schemas": {"A": schema.clone()}}});
        components(&document).remove(0).1
    };
    assert_eq!(of("3.1.0"), schema);
    let translated = of("3.0.3");
    let n = json!({"anyOf": [{"type": "integer", "exclusiveMinimum": 3}, {"type": "null"}]});
    assert_eq!(translated["properties"]["n"], n);
    assert_eq!(translated["properties"]["m"], json!({"type": "integer", "maximum": 9}));
    assert_eq!(translated["properties"]["nullable"], json!({"type": "boolean"}));
    let text = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
    assert_eq!(translated["properties"]["example"], text);
    assert_eq!(translated["example"], json!({"nullable": true}));
}

/// Found by an audit: parameters behind a reference, those of the path, and bodies were lost.
#[test]
fn operations_have_all_their_parameters() {
    let parameter = |name: &str, place: &str, ty: &str, required: bool| json!({"name": name, "in": place, "required": required, "schema": {"type": ty}});
    let document = json!({
        "openapi": "3.0.0",
        "components": {
            "parameters": {"Limit": parameter("limit", "query", "integer", false)},
            "requestBodies": {"Pet": {"required": true, "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Pet"}}}}},
        },
        "paths": {"/pets/{id}": {
            "parameters": [
                parameter("id", "path", "string", true), parameter("v", "query", "string", false),
            ],
            "put": {
                "operationId": "putPet",
                "parameters": [
                    {"$ref": "#/components/parameters/Limit"},
                    parameter("v", "query", "boolean", false),
                    {"$ref": "#/components/parameters/None"},
                ],
                "requestBody": {"$ref": "#/components/requestBodies/Pet"},
            },
            "delete": {},
        }},
    });
    let found = from_openapi("api.json", &document).unwrap();
    let bodies: Vec<Body> = found.constraints.into_iter().map(|c| c.body).collect();
    let (required, optional) = (Presence::Required, Presence::Optional);
    assert_eq!(
        parameters(&function(&bodies, "putPet")),
        [
            ("id", Type::Text, required),
            ("body", Type::named("Pet"), required),
            ("v", Type::Bool, optional),
            ("limit", Type::INTEGER, optional),
        ]
    );
    let messages: Vec<&str> = found.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "/paths/~1pets~1{id}/put: a parameter has no name, or its reference leads nowhere",
            "/paths/~1pets~1{id}/delete: an operation without `operationId` has no name to call",
        ]
    );
}
