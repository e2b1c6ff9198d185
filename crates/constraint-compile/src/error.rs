//! What can go wrong between a set of constraints and a grammar.

use std::fmt;

use edgekit_constraint_ir::ContentId;

use crate::schema::Unsupported;

/// Why an operation of this crate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option is outside of its domain.
    InvalidOptions,
    /// Two hard constraints of equal rank exclude each other: [`Error::constraints`] names both.
    Conflict,
    /// The goal names a function of which there are several, or one with holes of several types:
    /// [`Error::constraints`] names two.
    Ambiguous,
    /// The constraints leave nothing that could be generated.
    Infeasible,
    /// A schema is not one: wrong JSON, a keyword of the wrong type, a `$ref` to nowhere.
    InvalidSchema,
    /// A schema uses keywords that cannot be enforced: [`Error::unsupported`] lists them.
    Unsupported,
    /// Input is larger or nests deeper than [`crate::Limits`] allows.
    TooLarge,
    /// A regular expression does not parse.
    InvalidPattern,
    /// The engine refused a grammar for another reason.
    Engine,
}

/// The error of this crate. [`Error::kind`] says what class it is, `Display` the details.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    constraints: Vec<ContentId>,
    unsupported: Vec<Unsupported>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            constraints: Vec::new(),
            unsupported: Vec::new(),
        }))
    }

    pub(crate) fn with_constraints(mut self, constraints: Vec<ContentId>) -> Self {
        self.0.constraints = constraints;
        self
    }

    pub(crate) fn with_unsupported(mut self, unsupported: Vec<Unsupported>) -> Self {
        self.0.unsupported = unsupported;
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The constraints that the error is about, if it is about constraints.
    pub fn constraints(&self) -> &[ContentId] {
        &self.0.constraints
    }

    /// The schema keywords that cannot be enforced, each with its JSON pointer.
    pub fn unsupported(&self) -> &[Unsupported] {
        &self.0.unsupported
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {}
