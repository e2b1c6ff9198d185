#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod body;
mod codec;
mod constraint;
mod error;
mod id;
mod json;
mod number;
mod set;
mod types;

pub use body::{
    Body, EnumDef, ErrorType, Field, Forbidden, Function, Hole, Imports, Limit, Literals, Names,
    Parameter, Pattern, Presence, Range, Rule, Schema, Shape, StructDef, Tokens, Variant,
    Visibility, VisibilityOf, Weight, Weights,
};
pub use codec::{Canonical, FORMAT_VERSION, Reader};
pub use constraint::{
    Confidence, Constraint, Enforcement, Kind, Origin, Priority, Rank, Severity, Source,
};
pub use error::{Error, ErrorKind};
pub use id::ContentId;
pub use number::{Bound, Number, Real};
pub use set::ConstraintSet;
pub use types::{IntegerType, Literal, NamedType, Type};
