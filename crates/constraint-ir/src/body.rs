//! What a constraint demands, in a form that a machine can check.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::codec::{canonical_enum, canonical_struct};
use crate::{Bound, Literal, Real, Type};

/// The demand itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A function with this signature exists.
    Function(Function),
    /// A type with these fields exists.
    Struct(StructDef),
    /// A type with these alternatives exists.
    Enum(EnumDef),
    /// Only (or none of) these paths may be imported.
    Imports(Imports),
    /// These identifiers are in scope.
    Names(Names),
    /// An item is visible this far.
    Visibility(VisibilityOf),
    /// A value is one of these literals.
    Literals(Literals),
    /// A function fails with this type.
    ErrorType(ErrorType),
    /// A number lies between these bounds.
    Range(Range),
    /// Code is missing here.
    Hole(Hole),
    /// A document obeys this JSON Schema.
    Schema(Schema),
    /// Text matches this regular expression.
    Pattern(Pattern),
    /// These texts must not occur anywhere in the output.
    Forbidden(Forbidden),
    /// Only (or none of) these tokens of the tokenizer may be used.
    Tokens(Tokens),
    /// The output may not be longer.
    Limit(Limit),
    /// Some tokens are liked more than others.
    Weights(Weights),
}

canonical_enum!(Body {
    0 = Function(x),
    1 = Struct(x),
    2 = Enum(x),
    3 = Imports(x),
    4 = Names(x),
    5 = Visibility(x),
    6 = Literals(x),
    7 = ErrorType(x),
    8 = Range(x),
    9 = Hole(x),
    10 = Schema(x),
    11 = Pattern(x),
    12 = Forbidden(x),
    13 = Tokens(x),
    14 = Limit(x),
    15 = Weights(x),
});

impl Body {
    /// The name of what is constrained. Only constraints on one subject can contradict each other.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Body::Function(b) => Some(&b.name),
            Body::Struct(b) => Some(&b.name),
            Body::Enum(b) => Some(&b.name),
            Body::Imports(b) => Some(&b.scope),
            Body::Names(b) => Some(&b.scope),
            Body::Visibility(b) => Some(&b.item),
            Body::Literals(b) => Some(&b.target),
            Body::ErrorType(b) => Some(&b.function),
            Body::Range(b) => Some(&b.target),
            Body::Hole(b) => Some(&b.function),
            Body::Schema(b) => Some(&b.name),
            Body::Pattern(b) => Some(&b.target),
            Body::Forbidden(_) | Body::Tokens(_) | Body::Limit(_) | Body::Weights(_) => None,
        }
    }

    /// The name that this body defines for others, if it does.
    pub fn defines(&self) -> Option<&str> {
        match self {
            Body::Function(Function { name, .. })
            | Body::Struct(StructDef { name, .. })
            | Body::Enum(EnumDef { name, .. })
            | Body::Schema(Schema { name, .. }) => Some(name),
            _ => None,
        }
    }

    /// The names that this body uses and does not define, in order and without repetition.
    pub fn uses(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut add = |name| names.push(name);
        match self {
            Body::Function(b) => {
                b.parameters.iter().for_each(|p| p.ty.each_name(&mut add));
                b.returns.each_name(&mut add);
            }
            Body::Struct(b) => b.fields.iter().for_each(|f| f.ty.each_name(&mut add)),
            Body::Enum(b) => {
                b.variants.iter().flat_map(|v| &v.fields).for_each(|f| f.ty.each_name(&mut add))
            }
            Body::ErrorType(b) => {
                add(&b.function);
                b.error.each_name(&mut add);
            }
            Body::Hole(b) => {
                add(&b.function);
                b.expects.each_name(&mut add);
            }
            Body::Visibility(b) => add(&b.item),
            Body::Literals(b) => add(&b.target),
            Body::Range(b) => add(&b.target),
            Body::Pattern(b) => add(&b.target),
            _ => {}
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// How far an item can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    /// Inside of its module or class.
    Private,
    /// Inside of its package.
    Package,
    /// Everywhere.
    Public,
}

canonical_enum!(Visibility { 0 = Private, 1 = Package, 2 = Public });

/// Whether something may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// It must be there.
    Required,
    /// It may be left out.
    Optional,
}

canonical_enum!(Presence { 0 = Required, 1 = Optional });

/// Whether a list says what may be or what may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Nothing but the list.
    Allow,
    /// Anything but the list.
    Deny,
}

canonical_enum!(Rule { 0 = Allow, 1 = Deny });

/// A function's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, with the path that a call needs (`Config::new`).
    pub name: String,
    /// The type of `self` or `this`, for a method. What has a receiver is never called by name.
    pub receiver: Option<Type>,
    /// Its other parameters in order.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returns: Type,
}

canonical_struct!(Function { name, receiver, parameters, returns });

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether a caller may leave it out.
    pub presence: Presence,
}

canonical_struct!(Parameter { name, ty, presence });

/// A type with fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructDef {
    /// Its name.
    pub name: String,
    /// Whether its fields have names.
    pub shape: Shape,
    /// Its fields in order.
    pub fields: Vec<Field>,
}

canonical_struct!(StructDef { name, shape, fields });

/// Whether fields are told apart by name or by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Fields have names.
    Named,
    /// Fields have positions; their names are `0`, `1`, ….
    Positional,
    /// There are no fields and no brackets.
    Unit,
}

canonical_enum!(Shape { 0 = Named, 1 = Positional, 2 = Unit });

/// A field of a struct or of an enum's variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, or its position as a decimal number.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Whether it may be left out.
    pub presence: Presence,
}

canonical_struct!(Field { name, ty, presence });

/// A type with alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumDef {
    /// Its name.
    pub name: String,
    /// Its alternatives in order.
    pub variants: Vec<Variant>,
}

canonical_struct!(EnumDef { name, variants });

/// One alternative of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Whether its fields have names.
    pub shape: Shape,
    /// What it carries.
    pub fields: Vec<Field>,
    /// The value it stands for, where the language has such.
    pub value: Option<Literal>,
}

canonical_struct!(Variant { name, shape, fields, value });

/// What may be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imports {
    /// The file or module it holds for.
    pub scope: String,
    /// Whether `paths` is all there may be or what there may not be.
    pub rule: Rule,
    /// Import paths as the language writes them.
    pub paths: BTreeSet<String>,
}

canonical_struct!(Imports { scope, rule, paths });

/// Identifiers that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The function, file or module that they are in scope of.
    pub scope: String,
    /// The identifiers.
    pub names: BTreeSet<String>,
}

canonical_struct!(Names { scope, names });

/// How far an item can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibilityOf {
    /// The item's name.
    pub item: String,
    /// How far it can be seen.
    pub visibility: Visibility,
}

canonical_struct!(VisibilityOf { item, visibility });

/// The values that something can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literals {
    /// What takes the value.
    pub target: String,
    /// All values it can take.
    pub values: BTreeSet<Literal>,
}

canonical_struct!(Literals { target, values });

/// The type with which a function fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorType {
    /// The function's name.
    pub function: String,
    /// What it fails with.
    pub error: Type,
}

canonical_struct!(ErrorType { function, error });

/// The numbers that something can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// What takes the number.
    pub target: String,
    /// The lower end.
    pub lower: Bound,
    /// The upper end.
    pub upper: Bound,
}

canonical_struct!(Range { target, lower, upper });

/// A place where code is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The function around it; empty at the top of a file.
    pub function: String,
    /// How the source marks it: a macro, `...`, `pass`, a comment.
    pub marker: String,
    /// The type of what belongs there.
    pub expects: Type,
}

canonical_struct!(Hole { function, marker, expects });

/// A JSON Schema.
///
/// Two documents whose members differ only in order are *equal* here (as `serde_json` has it) and
/// have different content ids, because the order is the order of generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What the schema is of.
    pub name: String,
    /// The schema itself, its members in the order of the source.
    pub document: Value,
}

canonical_struct!(Schema { name, document });

/// Text of a certain form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What has the form; empty for the whole output.
    pub target: String,
    /// A regular expression that the whole text must match, in the syntax of the `regex` crate.
    pub regex: String,
}

canonical_struct!(Pattern { target, regex });

/// Texts that must not occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The texts, taken literally.
    pub texts: BTreeSet<String>,
}

canonical_struct!(Forbidden { texts });

/// Tokens by their ids in the tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Whether `ids` is all there may be or what there may not be.
    pub rule: Rule,
    /// Token ids of the tokenizer that the constraint is compiled for.
    pub ids: BTreeSet<u32>,
}

canonical_struct!(Tokens { rule, ids });

/// How long the output may be. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// In tokens, the end-of-sequence token not counted.
    pub max_tokens: Option<u32>,
    /// In bytes.
    pub max_bytes: Option<u32>,
}

canonical_struct!(Limit { max_tokens, max_bytes });

/// Preferences among the tokens that the hard constraints allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The preferences; later ones add to earlier ones.
    pub weights: Vec<Weight>,
}

canonical_struct!(Weights { weights });

/// What is added to the logit of the tokens with this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The exact text of a token.
    pub text: String,
    /// The bias, in logits.
    pub bias: Real,
}

canonical_struct!(Weight { text, bias });
