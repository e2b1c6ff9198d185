//! How each language spells values.

use edgekit_constraint_ir::{Literal, Type};

use crate::Dialect;

pub(crate) fn literal(literal: &Literal, dialect: Dialect) -> String {
    match literal {
        Literal::Null => null(dialect).into(),
        Literal::Bool(b) => boolean(*b, dialect).into(),
        Literal::Integer(n) => n.to_string(),
        Literal::Real(x) => format!("{:?}", x.get()),
        Literal::Text(text) => quoted(text, dialect),
    }
}

pub(crate) fn boolean(value: bool, dialect: Dialect) -> &'static str {
    match (value, dialect) {
        (true, Dialect::Python) => "True",
        (false, Dialect::Python) => "False",
        (true, _) => "true",
        (false, _) => "false",
    }
}

/// The value of the type with one value.
pub(crate) fn unit(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Rust => "()",
        Dialect::Python => "None",
        Dialect::TypeScript => "undefined",
    }
}

/// The explicit null.
pub(crate) fn null(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Rust | Dialect::Python => "None",
        Dialect::TypeScript => "null",
    }
}

/// A member of an enum.
pub(crate) fn member(ty: &str, name: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Rust => format!("{ty}::{name}"),
        Dialect::Python | Dialect::TypeScript => format!("{ty}.{name}"),
    }
}

/// Whether a value of the type can be used any number of times. Only Rust moves values.
pub(crate) fn is_copied(ty: &Type, dialect: Dialect) -> bool {
    match ty {
        Type::Unit
        | Type::Bool
        | Type::Integer(_)
        | Type::Float
        | Type::Char
        | Type::Reference(_) => true,
        Type::Optional(inner) => is_copied(inner, dialect),
        Type::Tuple(items) => items.iter().all(|t| is_copied(t, dialect)),
        _ => dialect != Dialect::Rust,
    }
}

/// Whether Rust can clone a value of the type without knowing more about it.
pub(crate) fn is_cloned(ty: &Type) -> bool {
    match ty {
        Type::Text => true,
        Type::Optional(t) | Type::List(t) => is_cloned(t) || is_copied(t, Dialect::Rust),
        Type::Tuple(ts) => ts.iter().all(|t| is_cloned(t) || is_copied(t, Dialect::Rust)),
        _ => false,
    }
}

/// A text literal.
pub(crate) fn quoted(text: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && dialect == Dialect::Rust => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
