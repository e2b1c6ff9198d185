//! Constraints on a member of a document, as a schema of their own.

use edgekit_constraint_ir::{Body, Bound, Literal, Number};
use serde_json::{Map, Value, json};

use crate::render::pattern::whole_match;
use crate::{Error, Limits};

/// The schema that a range, a list of literals or a pattern on `owner` or on `owner.a.b` stands for,
/// or why there is none.
pub(crate) fn as_schema(
    owner: &str,
    body: &Body,
    limits: &Limits,
) -> Result<Result<Value, String>, Error> {
    let mut inner = Map::new();
    let target = match body {
        Body::Range(r) => {
            bound(&mut inner, ["minimum", "exclusiveMinimum"], r.lower);
            bound(&mut inner, ["maximum", "exclusiveMaximum"], r.upper);
            &r.target
        }
        Body::Literals(l) => {
            inner.insert("enum".into(), l.values.iter().map(value).collect());
            &l.target
        }
        Body::Pattern(p) => {
            let regex = whole_match(&p.regex, limits)?;
            inner.insert("pattern".into(), json!(format!("^{regex}$")));
            &p.target
        }
        _ => return Ok(Err("only ranges, literals and patterns speak about a member".into())),
    };
    if target == owner {
        return Ok(Ok(Value::Object(inner)));
    }
    let Some(path) = target.strip_prefix(owner).and_then(|rest| rest.strip_prefix('.')) else {
        return Ok(Err(format!("{target:?} names no member of {owner:?}")));
    };
    let nest = |schema, name: &str| json!({ "properties": { name: schema } });
    Ok(Ok(path.rsplit('.').fold(Value::Object(inner), nest)))
}

fn bound(schema: &mut Map<String, Value>, [inclusive, exclusive]: [&str; 2], bound: Bound) {
    let (keyword, number) = match bound {
        Bound::Open => return,
        Bound::Inclusive(n) => (inclusive, n),
        Bound::Exclusive(n) => (exclusive, n),
    };
    let number = match number {
        Number::Integer(n) => json!(n),
        Number::Real(x) => json!(x.get()),
    };
    schema.insert(keyword.into(), number);
}

fn value(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(b) => json!(b),
        Literal::Integer(n) => json!(n),
        Literal::Real(x) => json!(x.get()),
        Literal::Text(text) => json!(text),
    }
}
