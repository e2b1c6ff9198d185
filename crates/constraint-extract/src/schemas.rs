//! JSON Schema and OpenAPI documents to constraints.

use std::collections::{BTreeSet, HashMap};

use edgekit_constraint_ir::{
    Body, Constraint, Function, Kind, Origin, Parameter, Presence, Priority, Schema, Source, Type,
};
use serde_json::{Map, Value, json};

use crate::{Diagnostic, Error, ErrorKind, Extraction};

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
/// it reaches, and a function for every operation with an `operationId`. Its parameters are those
/// of the path and its own, required ones first, and then the request's body as `body`.
///
/// What 3.0 writes in its own way (`nullable`, a truth value for `exclusiveMinimum`) is translated
/// to JSON Schema. What cannot be read is a diagnostic, with a JSON pointer and without a line.
/// O(document + the sizes of what each component reaches); what is copied beyond two million values
/// is left out, with a diagnostic.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if the document is no OpenAPI document of version 3.
pub fn from_openapi(file: &str, document: &Value) -> Result<Extraction, Error> {
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        return Err(invalid("an OpenAPI document of version 3 has a member `openapi`: \"3.…\""));
    }
    let mut reader = Reader { document, file, found: Extraction::default() };
    let none = Map::new();
    let member = |path: &str| document.pointer(path).and_then(Value::as_object).unwrap_or(&none);
    let in_words_of_3_0 = version.starts_with("3.0");
    reader.components(member("/components/schemas"), in_words_of_3_0);
    for (path, item) in member("/paths") {
        let at = format!("/paths/{}", escaped(path));
        if item.get("$ref").is_some() {
            reader.diagnose(&at, "a path behind a reference is not read");
        }
        for (method, operation) in item.as_object().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) {
                reader.operation(&format!("{at}/{method}"), item, operation);
            }
        }
    }
    Ok(reader.found)
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// JSON values in the definitions of all components together. Where every component reaches every
/// other one, this is what keeps the memory from growing with the square of their number.
const MAX_COPIED: usize = 2_000_000;

const COMPONENTS: &str = "#/components/schemas/";

struct Reader<'d> {
    document: &'d Value,
    file: &'d str,
    found: Extraction,
}

impl<'d> Reader<'d> {
    fn components(&mut self, components: &Map<String, Value>, in_words_of_3_0: bool) {
        let rewritten: HashMap<&str, Rewritten<'_>> = components
            .iter()
            .map(|(name, schema)| (name.as_str(), Rewritten::of(schema, in_words_of_3_0)))
            .collect();
        let mut values_left = MAX_COPIED;
        for name in components.keys() {
            let component = &rewritten[name.as_str()];
            let mut schema = component.schema.clone();
            // Only what is reached: all of it for each would be quadratic.
            let mut reached: BTreeSet<&str> = BTreeSet::new();
            let mut open = component.references.clone();
            while let Some(target) = open.pop() {
                match rewritten.get(target) {
                    Some(other) if reached.insert(target) => open.extend(&other.references),
                    Some(_) => {}
                    None => {
                        let at = format!("/components/schemas/{}", escaped(name));
                        self.diagnose(&at, format!("the component {target:?} is not there"));
                    }
                }
            }
            let size: usize = reached.iter().map(|name| rewritten[name].values).sum();
            let Some(left) = values_left.checked_sub(size) else {
                let at = format!("/components/schemas/{}", escaped(name));
                self.diagnose(&at, "the component reaches more than can be copied for each");
                continue;
            };
            values_left = left;
            if let (Value::Object(members), false) = (&mut schema, reached.is_empty()) {
                let definition = |name: &&str| ((*name).into(), rewritten[name].schema.clone());
                let definitions = reached.iter().map(definition);
                match members.entry("$defs").or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(own) => own.extend(definitions),
                    other => *other = Value::Object(definitions.collect()),
                }
            }
            match from_json_schema(self.file, name, &schema) {
                Ok(constraint) => self.found.constraints.push(constraint),
                Err(e) => self.diagnose(&format!("/components/schemas/{}", escaped(name)), e),
            }
        }
    }

    fn operation(&mut self, at: &str, item: &Value, operation: &Value) {
        let Some(name) = operation.get("operationId").and_then(Value::as_str) else {
            return self.diagnose(at, "an operation without `operationId` has no name to call");
        };
        let mut parameters: Vec<(Option<&str>, Parameter)> = Vec::new();
        let lists = [item.get("parameters"), operation.get("parameters")];
        for p in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
            let p = self.resolved(p);
            let Some(name) = p.get("name").and_then(Value::as_str) else {
                self.diagnose(at, "a parameter has no name, or its reference leads nowhere");
                continue;
            };
            let required = p.get("required").and_then(Value::as_bool).unwrap_or(false);
            let parameter = Parameter {
                name: name.into(),
                ty: p.get("schema").map_or(Type::Unknown, simple_type),
                presence: if required { Presence::Required } else { Presence::Optional },
            };
            // An operation's parameter goes before its path's of the same name and place.
            let place = p.get("in").and_then(Value::as_str);
            match parameters.iter_mut().find(|(other, p)| *other == place && p.name == name) {
                Some((_, own)) => *own = parameter,
                None => parameters.push((place, parameter)),
            }
        }
        if let Some(body) = operation.get("requestBody") {
            let body = self.resolved(body);
            let required = body.get("required").and_then(Value::as_bool).unwrap_or(false);
            let schema = body.pointer("/content/application~1json/schema");
            if schema.is_none() {
                self.diagnose(at, "a request body that is no JSON has no type here");
            }
            let parameter = Parameter {
                name: "body".into(),
                ty: schema.map_or(Type::Unknown, simple_type),
                presence: if required { Presence::Required } else { Presence::Optional },
            };
            parameters.push((None, parameter));
        }
        let mut parameters: Vec<Parameter> = parameters.into_iter().map(|(_, p)| p).collect();
        parameters.sort_by_key(|p| p.presence);
        let function = Body::Function(Function {
            name: name.into(),
            receiver: None,
            parameters,
            returns: Type::Unknown,
        });
        self.found.constraints.push(constraint(self.file, Kind::TypeSafety, function));
    }

    /// What a reference leads to, through as many as one needs in practice.
    fn resolved(&self, value: &'d Value) -> &'d Value {
        let mut value = value;
        for _ in 0..8 {
            let pointer = value.get("$ref").and_then(Value::as_str);
            match pointer.and_then(|p| p.strip_prefix('#')).and_then(|p| self.document.pointer(p)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    fn diagnose(&mut self, pointer: &str, what: impl std::fmt::Display) {
        if self.found.diagnostics.len() < Extraction::MAX_DIAGNOSTICS {
            let message = format!("{pointer}: {what}");
            self.found.diagnostics.push(Diagnostic { line: 0, column: 0, message });
        }
    }
}

fn simple_type(schema: &Value) -> Type {
    let name = |reference: &str| reference.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return Type::named(name(reference));
    }
    let ty = match schema.get("type").and_then(Value::as_str) {
        Some("string") => Type::Text,
        Some("boolean") => Type::Bool,
        Some("number") => Type::Float,
        Some("integer") => Type::INTEGER,
        Some("array") => {
            Type::List(Box::new(schema.get("items").map_or(Type::Unknown, simple_type)))
        }
        _ => Type::Unknown,
    };
    match schema.get("nullable").and_then(Value::as_bool) {
        Some(true) => Type::Optional(Box::new(ty)),
        _ => ty,
    }
}

/// A component as a JSON Schema of its own, and the components that it refers to.
struct Rewritten<'d> {
    schema: Value,
    references: Vec<&'d str>,
    /// JSON values in it.
    values: usize,
}

impl<'d> Rewritten<'d> {
    fn of(schema: &'d Value, in_words_of_3_0: bool) -> Self {
        let mut references = Vec::new();
        let mut values = 0;
        let schema = rewritten(schema, in_words_of_3_0, &mut |target| match target {
            Some(target) => references.push(target),
            None => values += 1,
        });
        Rewritten { schema, references, values }
    }
}

/// References to components become references to definitions, and what 3.0 says in its own way
/// what JSON Schema says. Calls `seen` for every value, and with the name of every component that is
/// referred to. Depth is that of a parsed document.
fn rewritten<'d>(
    schema: &'d Value,
    in_words_of_3_0: bool,
    seen: &mut impl FnMut(Option<&'d str>),
) -> Value {
    seen(None);
    match schema {
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, value) in members {
                let target = value.as_str().and_then(|target| target.strip_prefix(COMPONENTS));
                let value = match (name.as_str(), target, value) {
                    ("$ref", Some(target), _) => {
                        // A pointer may lead into a component.
                        seen(target.split('/').next());
                        Value::from(format!("#/$defs/{target}"))
                    }
                    // Values and not schemas.
                    ("const" | "enum" | "default" | "example" | "examples", ..) => value.clone(),
                    // Names and not keywords.
                    ("properties" | "patternProperties" | "$defs", _, Value::Object(named)) => {
                        let schema = |(name, schema): (&String, &'d Value)| {
                            (name.clone(), rewritten(schema, in_words_of_3_0, seen))
                        };
                        Value::Object(named.iter().map(schema).collect())
                    }
                    _ => rewritten(value, in_words_of_3_0, seen),
                };
                out.insert(name.clone(), value);
            }
            if in_words_of_3_0 { translated(out) } else { Value::Object(out) }
        }
        Value::Array(items) => {
            items.iter().map(|item| rewritten(item, in_words_of_3_0, seen)).collect()
        }
        other => other.clone(),
    }
}

/// A schema of OpenAPI 3.0 as a JSON Schema.
fn translated(mut schema: Map<String, Value>) -> Value {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        match schema.get(exclusive).and_then(Value::as_bool) {
            Some(true) => match schema.shift_remove(bound) {
                Some(limit) => {
                    schema.insert(exclusive.into(), limit);
                }
                None => {
                    schema.shift_remove(exclusive);
                }
            },
            Some(false) => {
                schema.shift_remove(exclusive);
            }
            None => {}
        }
    }
    match schema.get("nullable").and_then(Value::as_bool) {
        Some(is_nullable) => {
            schema.shift_remove("nullable");
            match is_nullable {
                true => json!({ "anyOf": [schema, { "type": "null" }] }),
                false => Value::Object(schema),
            }
        }
        None => Value::Object(schema),
    }
}

/// A member's name within a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn constraint(file: &str, kind: Kind, body: Body) -> Constraint {
    let origin = Origin { file: file.into(), ..Origin::default() };
    let priority = Priority::EXTRACTED;
    Constraint { origin, priority, ..Constraint::new(kind, Source::Schema, body) }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidSchema, what)
}
