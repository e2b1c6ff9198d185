//! JSON Schemas before the engine sees them: bounds, joins, and what cannot be enforced.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::{Error, ErrorKind, Limits};

/// A schema keyword that cannot be enforced while tokens are generated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unsupported {
    /// RFC 6901 pointer to the schema that has the keyword; of joined schemas into what they were
    /// joined to ([`crate::Part::Schema`]).
    pub pointer: String,
    /// The keyword, with its value for `format`.
    pub keyword: String,
}

/// Parses a schema's text within the limits. O(bytes).
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond the limits, [`ErrorKind::InvalidSchema`] if it is not JSON.
pub fn parse_schema(text: &str, limits: &Limits) -> Result<Value, Error> {
    if text.len() > limits.max_schema_bytes {
        return Err(too_large("bytes", text.len(), limits.max_schema_bytes));
    }
    let values = count_values(text);
    if values > limits.max_schema_nodes {
        return Err(too_large("values", values, limits.max_schema_nodes));
    }
    let schema: Value = serde_json::from_str(text).map_err(|e| {
        let kind = if e.to_string().contains("recursion limit") {
            ErrorKind::TooLarge
        } else {
            ErrorKind::InvalidSchema
        };
        Error::new(kind, format!("the schema's text is no JSON that can be read: {e}"))
    })?;
    check_schema(&schema, limits)?;
    Ok(schema)
}

/// How many values a text has if it is JSON. Parsed they take many times their text.
fn count_values(text: &str) -> usize {
    let (mut values, mut in_text, mut escaped, mut opened) = (1, false, false, false);
    for byte in text.bytes() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if !byte.is_ascii_whitespace() {
            // What was opened has a first value, unless it is closed at once.
            values += usize::from(opened && byte != b']' && byte != b'}');
            opened = matches!(byte, b'[' | b'{');
            in_text = byte == b'"';
            values += usize::from(byte == b',');
        }
    }
    values
}

/// How large a schema is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaSize {
    /// JSON values, all levels together.
    pub nodes: usize,
    /// Levels of nesting.
    pub depth: usize,
    /// Different targets of `$ref`.
    pub references: usize,
}

/// Measures a schema without recursion. O(values), stopping at the limit.
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond the limits.
pub fn check_schema(schema: &Value, limits: &Limits) -> Result<SchemaSize, Error> {
    let mut size = SchemaSize::default();
    let mut references = HashSet::new();
    let mut open = vec![(schema, 1)];
    while let Some((value, depth)) = open.pop() {
        size.nodes += 1;
        size.depth = size.depth.max(depth);
        if depth > limits.max_schema_depth {
            return Err(too_large("levels", depth, limits.max_schema_depth));
        }
        let inside = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        let known = size.nodes + open.len() + inside;
        if known > limits.max_schema_nodes {
            return Err(too_large("values", known, limits.max_schema_nodes));
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|v| (v, depth + 1))),
            Value::Object(members) => {
                open.extend(members.values().map(|v| (v, depth + 1)));
                if let Some(Value::String(target)) = members.get("$ref") {
                    references.insert(target.as_str());
                    size.references = references.len();
                    if size.references > limits.max_schema_references {
                        let limit = limits.max_schema_references;
                        return Err(too_large("different references", size.references, limit));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(size)
}

/// The keywords of a schema that cannot be enforced, in the order of the document. O(values).
///
/// `oneOf` is not among them: the engine enforces it where it can prove that the alternatives
/// exclude each other.
pub fn unsupported(schema: &Value) -> Vec<Unsupported> {
    let mut found = Vec::new();
    visit_all(schema, &mut |schema, pointer| {
        for keyword in schema.keys() {
            if let Some(keyword) = cannot_enforce(schema, keyword) {
                found.push(Unsupported { pointer: pointer.to_owned(), keyword });
            }
        }
    });
    found
}

/// The first keywords of a list, for people.
pub(crate) fn listed(keywords: &[Unsupported]) -> String {
    let first = keywords.iter().take(8).map(|u| format!("{} at {:?}", u.keyword, u.pointer));
    first.collect::<Vec<_>>().join(", ")
}

/// Where the schema uses `oneOf`.
pub(crate) fn one_ofs(schema: &Value) -> Vec<Unsupported> {
    let mut found = Vec::new();
    visit_all(schema, &mut |schema, pointer| {
        if schema.contains_key("oneOf") {
            found.push(Unsupported { pointer: pointer.to_owned(), keyword: "oneOf".into() });
        }
    });
    found
}

/// The schema without the keywords that cannot be enforced; `oneOf` becomes `anyOf`.
pub(crate) fn strip_unsupported(schema: &Value) -> Value {
    let mut roots = Vec::new();
    visit_all(schema, &mut |schema, _| roots.extend(local_reference(schema).map(str::to_owned)));
    let mut out = schema.clone();
    strip(&mut out);
    for pointer in roots {
        // What is only reached by a reference may stand anywhere.
        if let Some(schema) = out.pointer_mut(&pointer) {
            strip(schema);
        }
    }
    out
}

/// The member of a schema's root that tells the engine how to write documents.
pub(crate) const GUIDANCE: &str = "x-guidance";

/// The schema without the flags that make the engine leave keywords out with nothing but a warning.
pub(crate) fn strip_leniency(schema: &Value) -> Value {
    let mut out = schema.clone();
    if let Some(Value::Object(guidance)) = out.get_mut(GUIDANCE) {
        for flag in ["lenient", "coerce_one_of"] {
            // Anything but a truth value is left for the engine to refuse.
            if guidance.get(flag).is_some_and(Value::is_boolean) {
                guidance.shift_remove(flag);
            }
        }
    }
    out
}

/// Joins schemas: one passes as it is, several become an `allOf` whose local references still
/// point to where they did. `guidance` is what they say to the engine, which reads it at the root
/// only.
pub(crate) fn join<'a>(
    schemas: impl ExactSizeIterator<Item = &'a Value>,
    guidance: Option<&Value>,
) -> Value {
    if schemas.len() == 1 {
        return schemas.into_iter().next().cloned().unwrap_or(Value::Bool(true));
    }
    let parts = schemas.enumerate().map(|(i, schema)| {
        let mut schema = schema.clone();
        // A schema with its own base resolves its references against that.
        if schema.get("$id").is_none() && schema.get("id").is_none() {
            rebase(&mut schema, i);
        }
        schema
    });
    let mut joined = Map::new();
    joined.extend(guidance.map(|guidance| (GUIDANCE.to_owned(), guidance.clone())));
    joined.insert("allOf".into(), parts.collect());
    Value::Object(joined)
}

/// The types that a schema's root allows, as a bit set in the order of [`TYPES`].
pub(crate) fn root_types(schema: &Value) -> u8 {
    let bit = |name: &str| TYPES.iter().position(|t| *t == name).map_or(0, |i| 1 << i);
    let named = |v: &Value| match v.as_str() {
        // An integer is a number.
        Some("number") => bit("number") | bit("integer"),
        Some(name) => bit(name),
        None => 0,
    };
    match schema {
        Value::Bool(false) => 0,
        Value::Object(members) => match members.get("type") {
            Some(Value::Array(types)) => types.iter().map(named).fold(0, |a, b| a | b),
            Some(ty) => named(ty),
            None => u8::MAX >> 1,
        },
        _ => u8::MAX >> 1,
    }
}

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// Formats that the engine turns into grammars; all others it refuses.
const FORMATS: [&str; 11] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
    "uri",
    "unknown",
];

/// Assertions of the JSON Schema drafts that the engine does not implement.
const NOT_ENFORCED: [&str; 17] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "propertyNames",
    "dependencies",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
    "$recursiveRef",
    "extends",
];

fn cannot_enforce(schema: &Map<String, Value>, keyword: &str) -> Option<String> {
    match (keyword, schema.get(keyword)) {
        ("uniqueItems", Some(Value::Bool(false))) => None,
        // A format says something about text only.
        ("format", Some(Value::String(format)))
            if may_be_text(schema) && !FORMATS.contains(&format.as_str()) =>
        {
            Some(format!("format: {format}"))
        }
        _ => NOT_ENFORCED.contains(&keyword).then(|| keyword.to_owned()),
    }
}

fn may_be_text(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(ty)) => ty == "string",
        Some(Value::Array(types)) => types.iter().any(|ty| ty == "string"),
        _ => true,
    }
}

/// Calls `f` with every schema object and its JSON pointer: where keywords put schemas, and where
/// local references point to.
fn visit_all(schema: &Value, f: &mut impl FnMut(&Map<String, Value>, &str)) {
    let mut seen = HashSet::new();
    let mut open = vec![String::new()];
    while let Some(root) = open.pop() {
        let Some(inner) = schema.pointer(&root).filter(|_| !seen.contains(&root)) else { continue };
        visit(inner, &mut root.clone(), &mut |schema, pointer| {
            if seen.insert(pointer.to_owned()) {
                f(schema, pointer);
                open.extend(local_reference(schema).map(str::to_owned));
            }
        });
    }
}

fn local_reference(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix('#')
}

/// Calls `f` with every schema object inside of `schema` and its JSON pointer. Recursion is bounded
/// by [`check_schema`].
fn visit(schema: &Value, at: &mut String, f: &mut impl FnMut(&Map<String, Value>, &str)) {
    let Some(members) = schema.as_object() else { return };
    f(members, at);
    for (keyword, value) in members {
        let len = at.len();
        push(at, keyword);
        match (place(keyword), value) {
            (Place::Schema | Place::SchemaOrList, Value::Object(_)) => visit(value, at, f),
            (Place::SchemaOrList, Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    let len = at.len();
                    push(at, &i.to_string());
                    visit(item, at, f);
                    at.truncate(len);
                }
            }
            (Place::Map, Value::Object(named)) => {
                for (name, schema) in named {
                    let len = at.len();
                    push(at, name);
                    visit(schema, at, f);
                    at.truncate(len);
                }
            }
            _ => {}
        }
        at.truncate(len);
    }
}

enum Place {
    Schema,
    SchemaOrList,
    Map,
    Nothing,
}

/// Where a keyword's value holds schemas.
fn place(keyword: &str) -> Place {
    match keyword {
        "properties" | "patternProperties" | "$defs" | "definitions" => Place::Map,
        "items" | "prefixItems" | "allOf" | "anyOf" | "oneOf" => Place::SchemaOrList,
        "additionalProperties" | "additionalItems" => Place::Schema,
        _ => Place::Nothing,
    }
}

fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

fn strip(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let keep: Vec<bool> = members.keys().map(|k| cannot_enforce(members, k).is_none()).collect();
    let mut keep = keep.into_iter();
    members.retain(|_, _| keep.next().unwrap_or(true));
    if let Some(options) = members.remove("oneOf") {
        match members.get_mut("allOf").and_then(Value::as_array_mut) {
            Some(all) => all.push(json!({ "anyOf": options })),
            None => {
                members.insert("allOf".into(), json!([{ "anyOf": options }]));
            }
        }
    }
    for (keyword, value) in members {
        match (place(keyword), value) {
            (Place::Schema | Place::SchemaOrList, value @ Value::Object(_)) => strip(value),
            (Place::SchemaOrList, Value::Array(items)) => items.iter_mut().for_each(strip),
            (Place::Map, Value::Object(named)) => named.values_mut().for_each(strip),
            _ => {}
        }
    }
}

/// Lets local references point to where they did once the schema is the `at`-th of an `allOf`.
fn rebase(schema: &mut Value, at: usize) {
    let mut with_reference = Vec::new();
    visit_all(schema, &mut |inner, pointer| {
        let local = local_reference(inner).filter(|to| to.is_empty() || to.starts_with('/'));
        if let Some(to) = local {
            with_reference.push((pointer.to_owned(), format!("#/allOf/{at}{to}")));
        }
    });
    with_reference.retain(|(pointer, _)| !has_own_base(schema, pointer));
    for (pointer, to) in with_reference {
        if let Some(inner) = schema.pointer_mut(&pointer) {
            inner["$ref"] = Value::String(to);
        }
    }
}

/// Whether references at a place inside of a schema are resolved against an `$id` on the way there.
fn has_own_base(schema: &Value, pointer: &str) -> bool {
    let ends = pointer.match_indices('/').map(|(at, _)| at).skip(1).chain([pointer.len()]);
    let mut above = ends.filter_map(|end| schema.pointer(&pointer[..end]));
    above.any(|inner| inner.get("$id").is_some_and(Value::is_string))
}

fn too_large(what: &str, is: usize, limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the schema has {is} {what} or more; the limit is {limit} (see `Limits`)"),
    )
}
