//! Helpers: constraints in one line, and what a compiled constraint accepts.

use std::sync::{Arc, LazyLock};

use edgekit_constraint_compile::llguidance::Matcher;
use edgekit_constraint_compile::llguidance::toktrie::ApproximateTokEnv;
use edgekit_constraint_compile::{
    CompiledConstraint, Dialect, Engine, Error, Goal, Options, compile,
};
use edgekit_constraint_ir::*;

/// One token a byte: enough to ask what a grammar accepts.
pub(crate) static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(&ApproximateTokEnv::single_byte_env()).expect("an engine"));

pub(crate) fn hard(body: Body) -> Constraint {
    Constraint::new(Kind::Semantic, Source::User, body)
}

pub(crate) fn soft(body: Body) -> Constraint {
    Constraint { enforcement: Enforcement::Soft, ..hard(body) }
}

pub(crate) fn set<const N: usize>(bodies: [Body; N]) -> ConstraintSet {
    bodies.into_iter().map(hard).collect()
}

pub(crate) fn function(name: &str, parameters: &[(&str, Type)], returns: Type) -> Body {
    let parameters = parameters
        .iter()
        .map(|(name, ty)| Parameter {
            name: (*name).into(),
            ty: ty.clone(),
            presence: Presence::Required,
        })
        .collect();
    Body::Function(Function { name: name.into(), receiver: None, parameters, returns })
}

pub(crate) fn method(
    name: &str,
    receiver: Type,
    parameters: &[(&str, Type)],
    returns: Type,
) -> Body {
    let Body::Function(mut f) = function(name, parameters, returns) else { unreachable!() };
    f.receiver = Some(receiver);
    Body::Function(f)
}

pub(crate) fn fields(fields: &[(&str, Type)]) -> Vec<Field> {
    let field = |(name, ty): &(&str, Type)| Field {
        name: (*name).into(),
        ty: ty.clone(),
        presence: Presence::Required,
    };
    fields.iter().map(field).collect()
}

pub(crate) fn record(name: &str, members: &[(&str, Type)]) -> Body {
    Body::Struct(StructDef { name: name.into(), shape: Shape::Named, fields: fields(members) })
}

pub(crate) fn choice(name: &str, variants: &[&str]) -> Body {
    let variant = |name: &&str| Variant {
        name: (*name).into(),
        shape: Shape::Unit,
        fields: Vec::new(),
        value: None,
    };
    Body::Enum(EnumDef { name: name.into(), variants: variants.iter().map(variant).collect() })
}

pub(crate) fn range(target: &str, from: i64, to: i64) -> Body {
    Body::Range(Range {
        target: target.into(),
        lower: Bound::Inclusive(Number::Integer(from)),
        upper: Bound::Inclusive(Number::Integer(to)),
    })
}

pub(crate) fn literals(target: &str, values: &[&str]) -> Body {
    let values = values.iter().map(|v| Literal::Text((*v).into())).collect();
    Body::Literals(Literals { target: target.into(), values })
}

pub(crate) fn imports(rule: Rule, paths: &[&str]) -> Body {
    let paths = paths.iter().map(|p| (*p).into()).collect();
    Body::Imports(Imports { scope: "m".into(), rule, paths })
}

pub(crate) fn pattern(target: &str, regex: &str) -> Body {
    Body::Pattern(Pattern { target: target.into(), regex: regex.into() })
}

pub(crate) fn forbid(text: &str) -> Body {
    Body::Forbidden(Forbidden { texts: [text.to_owned()].into() })
}

pub(crate) fn schema(name: &str, document: serde_json::Value) -> Body {
    Body::Schema(Schema { name: name.into(), document })
}

pub(crate) fn u8_type() -> Type {
    Type::integer(0, 255)
}

pub(crate) fn value(ty: Type, dialect: Dialect) -> Goal {
    Goal::Value { ty, dialect }
}

pub(crate) fn compiled(set: &ConstraintSet, goal: &Goal) -> Arc<CompiledConstraint> {
    compile(set, goal, &Options::default()).expect("it compiles")
}

pub(crate) fn refused(set: &ConstraintSet, goal: &Goal) -> Error {
    compile(set, goal, &Options::default()).expect_err("it is refused")
}

/// Checks which texts the compiled constraint accepts as a whole.
#[track_caller]
pub(crate) fn check(compiled: &CompiledConstraint, accepted: &[&str], refused: &[&str]) {
    let matchers = ENGINE.start(compiled, &Options::default()).expect("the engine accepts it");
    for (texts, wanted) in [(accepted, true), (refused, false)] {
        for text in texts {
            let all = matchers.parts.iter().all(|m| accepts(m, text.as_bytes()));
            assert_eq!(all, wanted, "{text:?} for {:#?}", compiled.parts());
        }
    }
}

/// Whether a matcher accepts these bytes as a whole.
pub(crate) fn accepts(matcher: &Matcher, bytes: &[u8]) -> bool {
    let mut matcher = matcher.deep_clone();
    for byte in bytes {
        let token = [u32::from(*byte)];
        if matcher.is_stopped()
            || matcher.validate_tokens(&token).unwrap_or(0) != 1
            || matcher.consume_tokens(&token).is_err()
        {
            return false;
        }
    }
    matcher.is_accepting().unwrap_or(false)
        || (matcher.is_stopped() && matcher.stop_reason().is_ok())
}
