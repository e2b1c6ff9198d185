//! JSON Schema and OpenAPI documents to constraints.

use edgekit_constraint_ir::{
    Body, Constraint, Function, Kind, Origin, Parameter, Presence, Schema, Source, Type,
};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind};

/// The constraint that a JSON Schema is. Its document keeps the order of its members.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if the document is neither an object nor a truth value.
pub fn from_json_schema(file: &str, name: &str, document: &Value) -> Result<Constraint, Error> {
    if !document.is_object() && !document.is_boolean() {
        return Err(invalid("a JSON Schema is an object or a truth value"));
    }
    let body = Body::Schema(Schema { name: name.into(), document: document.clone() });
    Ok(constraint(file, Kind::Syntactic, body))
}

/// The constraints of an OpenAPI 3 document: a schema for every component, with the components that
/// it refers to, and a function for every operation with an `operationId`.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if the document is no OpenAPI document of version 3.
pub fn from_openapi(file: &str, document: &Value) -> Result<Vec<Constraint>, Error> {
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        return Err(invalid("an OpenAPI document of version 3 has a member `openapi`: \"3.…\""));
    }
    let none = Map::new();
    let member = |path: &str| document.pointer(path).and_then(Value::as_object).unwrap_or(&none);
    let components = member("/components/schemas");
    let mut found = Vec::new();
    for (name, schema) in components {
        let mut schema = schema.clone();
        let others: Map<String, Value> =
            components.iter().map(|(n, s)| (n.clone(), rebased(s))).collect();
        if uses_reference(&schema) {
            schema = rebased(&schema);
            if let Value::Object(members) = &mut schema {
                members.insert("$defs".into(), Value::Object(others));
            }
        }
        found.push(from_json_schema(file, name, &schema)?);
    }
    for operations in member("/paths").values().filter_map(Value::as_object) {
        for operation in operations.values().filter_map(Value::as_object) {
            if let Some(name) = operation.get("operationId").and_then(Value::as_str) {
                let function = Body::Function(Function {
                    name: name.into(),
                    receiver: None,
                    parameters: parameters(operation),
                    returns: Type::Unknown,
                });
                found.push(constraint(file, Kind::TypeSafety, function));
            }
        }
    }
    Ok(found)
}

fn parameters(operation: &Map<String, Value>) -> Vec<Parameter> {
    let listed = operation.get("parameters").and_then(Value::as_array);
    let mut parameters: Vec<Parameter> = listed
        .into_iter()
        .flatten()
        .filter_map(|p| {
            let required = p.get("required").and_then(Value::as_bool).unwrap_or(false);
            Some(Parameter {
                name: p.get("name")?.as_str()?.into(),
                ty: p.get("schema").map_or(Type::Unknown, simple_type),
                presence: if required { Presence::Required } else { Presence::Optional },
            })
        })
        .collect();
    parameters.sort_by_key(|p| p.presence);
    parameters
}

fn simple_type(schema: &Value) -> Type {
    let name = |reference: &str| reference.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return Type::named(name(reference));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => Type::Text,
        Some("boolean") => Type::Bool,
        Some("number") => Type::Float,
        Some("integer") => Type::INTEGER,
        Some("array") => {
            Type::List(Box::new(schema.get("items").map_or(Type::Unknown, simple_type)))
        }
        _ => Type::Unknown,
    }
}

const COMPONENTS: &str = "#/components/schemas/";

fn uses_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let refers = value.as_str().is_some_and(|target| target.starts_with(COMPONENTS));
            name == "$ref" && refers || uses_reference(value)
        }),
        Value::Array(items) => items.iter().any(uses_reference),
        _ => false,
    }
}

/// References to components become references to definitions. Depth is that of a parsed document.
fn rebased(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let target = value.as_str().and_then(|target| target.strip_prefix(COMPONENTS));
                let value = match target {
                    Some(target) if name == "$ref" => Value::from(format!("#/$defs/{target}")),
                    _ => rebased(value),
                };
                (name.clone(), value)
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(items) => items.iter().map(rebased).collect(),
        other => other.clone(),
    }
}

fn constraint(file: &str, kind: Kind, body: Body) -> Constraint {
    let origin = Origin { file: file.into(), ..Origin::default() };
    Constraint { origin, ..Constraint::new(kind, Source::Schema, body) }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidSchema, what)
}
