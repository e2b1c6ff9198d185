//! How much memory an extraction takes.

use std::collections::BTreeSet;

use edgekit_constraint_ir::{Body, Constraint, Field, Literal, Type};

use crate::{Diagnostic, Extraction};

/// The bytes of an extraction and of all it points to, as they were asked for: the allocator's own
/// are not known. Sets of texts are counted as if their nodes were three quarters full. O(size).
pub(crate) fn heap_bytes(extraction: &Extraction) -> usize {
    let constraints: usize =
        extraction.constraints.iter().map(|c| c.origin.file.capacity() + body(&c.body)).sum();
    let messages: usize = extraction.diagnostics.iter().map(|d| d.message.capacity()).sum();
    size_of::<Extraction>()
        + extraction.constraints.capacity() * size_of::<Constraint>()
        + extraction.diagnostics.capacity() * size_of::<Diagnostic>()
        + constraints
        + messages
}

fn body(body: &Body) -> usize {
    match body {
        Body::Function(f) => {
            let parameters = f.parameters.iter().map(|p| p.name.capacity() + ty(&p.ty));
            f.name.capacity()
                + slots(&f.parameters)
                + parameters.sum::<usize>()
                + f.receiver.as_ref().map_or(0, ty)
                + ty(&f.returns)
        }
        Body::Struct(s) => s.name.capacity() + fields(&s.fields),
        Body::Enum(e) => {
            let variant = e.variants.iter().map(|v| {
                v.name.capacity() + fields(&v.fields) + v.value.as_ref().map_or(0, literal)
            });
            e.name.capacity() + slots(&e.variants) + variant.sum::<usize>()
        }
        Body::Imports(i) => i.scope.capacity() + set(&i.paths, String::capacity),
        Body::Names(n) => n.scope.capacity() + set(&n.names, String::capacity),
        Body::Visibility(v) => v.item.capacity(),
        Body::Literals(l) => l.target.capacity() + set(&l.values, literal),
        Body::ErrorType(e) => e.function.capacity() + ty(&e.error),
        Body::Range(r) => r.target.capacity(),
        Body::Hole(h) => h.function.capacity() + h.marker.capacity() + ty(&h.expects),
        // No source file yields these.
        Body::Schema(_)
        | Body::Pattern(_)
        | Body::Forbidden(_)
        | Body::Tokens(_)
        | Body::Limit(_)
        | Body::Weights(_) => 0,
    }
}

fn fields(fields: &Vec<Field>) -> usize {
    slots(fields) + fields.iter().map(|f| f.name.capacity() + ty(&f.ty)).sum::<usize>()
}

/// What a type points to; its depth is bounded where it is read.
fn ty(of: &Type) -> usize {
    let all = |types: &Vec<Type>| slots(types) + types.iter().map(ty).sum::<usize>();
    match of {
        Type::Optional(inner) | Type::Reference(inner) | Type::List(inner) => {
            size_of::<Type>() + ty(inner)
        }
        Type::Map(types) => size_of::<(Type, Type)>() + ty(&types.0) + ty(&types.1),
        Type::Tuple(types) | Type::Union(types) => all(types),
        Type::Named(named) => named.name.capacity() + all(&named.arguments),
        Type::Literal(value) => literal(value),
        Type::Unknown
        | Type::Unit
        | Type::Bool
        | Type::Integer(_)
        | Type::Float
        | Type::Char
        | Type::Text => 0,
    }
}

fn literal(value: &Literal) -> usize {
    match value {
        Literal::Text(text) => text.capacity(),
        Literal::Null | Literal::Bool(_) | Literal::Integer(_) | Literal::Real(_) => 0,
    }
}

fn slots<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

fn set<T>(items: &BTreeSet<T>, of: impl Fn(&T) -> usize) -> usize {
    items.len() * size_of::<T>() * 4 / 3 + items.iter().map(of).sum::<usize>()
}
