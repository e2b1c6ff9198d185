//! Strategies for arbitrary constraints.

use std::collections::BTreeSet;

use edgekit_constraint_ir::*;
use proptest::prelude::*;
use serde_json::Value;

pub(crate) fn name() -> impl Strategy<Value = String> {
    "[a-z]{0,3}".prop_map(String::from)
}

fn real() -> impl Strategy<Value = Real> {
    (-1e9..1e9f64).prop_map(|x| Real::new(x).expect("finite"))
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![any::<i64>().prop_map(Number::Integer), real().prop_map(Number::Real)]
}

fn bound() -> impl Strategy<Value = Bound> {
    prop_oneof![
        Just(Bound::Open),
        number().prop_map(Bound::Inclusive),
        number().prop_map(Bound::Exclusive)
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(Literal::Integer),
        real().prop_map(Literal::Real),
        name().prop_map(Literal::Text),
    ]
}

fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::Unknown),
        Just(Type::Unit),
        Just(Type::Bool),
        Just(Type::INTEGER),
        (any::<i128>(), any::<i128>()).prop_map(|(a, b)| Type::integer(a, b)),
        Just(Type::Float),
        Just(Type::Char),
        Just(Type::Text),
        literal().prop_map(Type::Literal),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let many = prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            (name(), many.clone())
                .prop_map(|(name, arguments)| Type::Named(NamedType { name, arguments })),
            inner.clone().prop_map(|t| Type::Optional(Box::new(t))),
            inner.clone().prop_map(|t| Type::Reference(Box::new(t))),
            inner.clone().prop_map(|t| Type::List(Box::new(t))),
            many.clone().prop_map(Type::Tuple),
            many.prop_map(Type::Union),
            (inner.clone(), inner).prop_map(|(k, v)| Type::Map(Box::new((k, v)))),
        ]
    })
}

pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        name().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4).prop_map(|m| m.into_iter().collect()),
        ]
    })
}

fn presence() -> impl Strategy<Value = Presence> {
    prop_oneof![Just(Presence::Required), Just(Presence::Optional)]
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let field =
        (name(), ty(), presence()).prop_map(|(name, ty, presence)| Field { name, ty, presence });
    prop::collection::vec(field, 0..3)
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![Just(Shape::Named), Just(Shape::Positional), Just(Shape::Unit)]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(Rule::Allow), Just(Rule::Deny)]
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(name(), 0..4)
}

fn body() -> impl Strategy<Value = Body> {
    let parameter = (name(), ty(), presence()).prop_map(|(name, ty, presence)| Parameter {
        name,
        ty,
        presence,
    });
    let variant = (name(), shape(), fields(), prop::option::of(literal()))
        .prop_map(|(name, shape, fields, value)| Variant { name, shape, fields, value });
    let visibility =
        prop_oneof![Just(Visibility::Private), Just(Visibility::Package), Just(Visibility::Public)];
    prop_oneof![
        (name(), prop::option::of(ty()), prop::collection::vec(parameter, 0..3), ty()).prop_map(
            |(name, receiver, parameters, returns)| Body::Function(Function {
                name,
                receiver,
                parameters,
                returns
            })
        ),
        (name(), shape(), fields()).prop_map(|(name, shape, fields)| Body::Struct(StructDef {
            name,
            shape,
            fields
        })),
        (name(), prop::collection::vec(variant, 0..3))
            .prop_map(|(name, variants)| Body::Enum(EnumDef { name, variants })),
        (name(), rule(), names()).prop_map(|(scope, rule, paths)| Body::Imports(Imports {
            scope,
            rule,
            paths
        })),
        (name(), names()).prop_map(|(scope, names)| Body::Names(Names { scope, names })),
        (name(), visibility)
            .prop_map(|(item, visibility)| Body::Visibility(VisibilityOf { item, visibility })),
        (name(), prop::collection::btree_set(literal(), 0..4))
            .prop_map(|(target, values)| Body::Literals(Literals { target, values })),
        (name(), ty()).prop_map(|(function, error)| Body::ErrorType(ErrorType { function, error })),
        (name(), bound(), bound()).prop_map(|(target, lower, upper)| Body::Range(Range {
            target,
            lower,
            upper
        })),
        (name(), name(), ty()).prop_map(|(function, marker, expects)| Body::Hole(Hole {
            function,
            marker,
            expects
        })),
        (name(), json()).prop_map(|(name, document)| Body::Schema(Schema { name, document })),
        (name(), name()).prop_map(|(target, regex)| Body::Pattern(Pattern { target, regex })),
        names().prop_map(|texts| Body::Forbidden(Forbidden { texts })),
        (rule(), prop::collection::btree_set(any::<u32>(), 0..4))
            .prop_map(|(rule, ids)| Body::Tokens(Tokens { rule, ids })),
        (prop::option::of(any::<u32>()), prop::option::of(any::<u32>()))
            .prop_map(|(max_tokens, max_bytes)| Body::Limit(Limit { max_tokens, max_bytes })),
        prop::collection::vec((name(), real()), 0..3).prop_map(|w| Body::Weights(Weights {
            weights: w.into_iter().map(|(text, bias)| Weight { text, bias }).collect()
        })),
    ]
}

pub(crate) fn constraint() -> impl Strategy<Value = Constraint> {
    let enforcement = prop_oneof![Just(Enforcement::Soft), Just(Enforcement::Hard)];
    let severity = prop_oneof![Just(Severity::Info), Just(Severity::Critical)];
    (body(), enforcement, any::<u8>(), severity, 0..=4u32, name(), any::<(u32, u32)>()).prop_map(
        |(body, enforcement, priority, severity, quarters, file, (line, column))| Constraint {
            enforcement,
            priority: Priority(priority),
            severity,
            confidence: Confidence::new(f64::from(quarters) / 4.0).expect("a share"),
            origin: Origin { file, line, column },
            ..Constraint::new(Kind::Semantic, Source::User, body)
        },
    )
}
