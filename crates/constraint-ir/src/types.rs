//! The types of values, in terms that several programming languages share.

use crate::Real;
use crate::codec::{canonical_enum, canonical_struct};

/// A type as far as a generator must know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Nothing is known. No value can be generated for it but a name of the right type.
    Unknown,
    /// The type with one value: `()`, `None`, `null`, `void`.
    Unit,
    /// `true` or `false`.
    Bool,
    /// An integer between two limits.
    Integer(IntegerType),
    /// A floating-point number.
    Float,
    /// One character.
    Char,
    /// Text. Owned or borrowed is told apart by [`Type::Reference`].
    Text,
    /// Exactly this value, as in `Literal["a"]` or a TypeScript literal type.
    Literal(Literal),
    /// A type defined elsewhere, with its arguments.
    Named(NamedType),
    /// A value or nothing.
    Optional(Box<Type>),
    /// A borrowed value.
    Reference(Box<Type>),
    /// Any number of one type.
    List(Box<Type>),
    /// A fixed sequence of types.
    Tuple(Vec<Type>),
    /// From a key to a value.
    Map(Box<(Type, Type)>),
    /// One of several.
    Union(Vec<Type>),
}

canonical_enum!(Type {
    0 = Unknown,
    1 = Unit,
    2 = Bool,
    3 = Integer(x),
    4 = Float,
    5 = Char,
    6 = Text,
    7 = Literal(x),
    8 = Named(x),
    9 = Optional(x),
    10 = Reference(x),
    11 = List(x),
    12 = Tuple(x),
    13 = Map(x),
    14 = Union(x),
});

impl Type {
    /// An integer of any size.
    pub const INTEGER: Type = Type::Integer(IntegerType { min: None, max: None });

    /// An integer between `min` and `max`, both included.
    pub fn integer(min: i128, max: i128) -> Type {
        Type::Integer(IntegerType { min: Some(min), max: Some(max) })
    }

    /// A type that is known by its name only.
    pub fn named(name: impl Into<String>) -> Type {
        Type::Named(NamedType { name: name.into(), arguments: Vec::new() })
    }

    /// Calls `f` with the name of each named type inside, outermost first. O(size of the type).
    pub fn each_name<'a>(&'a self, f: &mut impl FnMut(&'a str)) {
        match self {
            Type::Named(named) => {
                f(&named.name);
                named.arguments.iter().for_each(|t| t.each_name(f));
            }
            Type::Optional(t) | Type::Reference(t) | Type::List(t) => t.each_name(f),
            Type::Tuple(ts) | Type::Union(ts) => ts.iter().for_each(|t| t.each_name(f)),
            Type::Map(kv) => {
                kv.0.each_name(f);
                kv.1.each_name(f);
            }
            Type::Unknown
            | Type::Unit
            | Type::Bool
            | Type::Integer(_)
            | Type::Float
            | Type::Char
            | Type::Text
            | Type::Literal(_) => {}
        }
    }
}

/// The limits of an integer type, both included; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntegerType {
    /// The smallest value.
    pub min: Option<i128>,
    /// The largest value.
    pub max: Option<i128>,
}

canonical_struct!(IntegerType { min, max });

/// The name of a type and what stands between its angle brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedType {
    /// The name as it is written where it is used.
    pub name: String,
    /// Type arguments in their order.
    pub arguments: Vec<Type>,
}

canonical_struct!(NamedType { name, arguments });

/// A value that can be written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A real number.
    Real(Real),
    /// Text, unescaped and without quotes.
    Text(String),
}

canonical_enum!(Literal { 0 = Null, 1 = Bool(x), 2 = Integer(x), 3 = Real(x), 4 = Text(x) });
