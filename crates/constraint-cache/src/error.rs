//! What can go wrong between a request and a token mask.

use std::fmt;

use edgekit_constraint_compile as compile;

/// Why an operation of this crate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration value is outside of its domain.
    InvalidConfig,
    /// The constraints or the schema could not be compiled; the compiler's own class.
    Compile(compile::ErrorKind),
    /// A compilation panicked. The panic was contained; nothing was cached.
    Panicked,
    /// The constraints leave no token, and the output may not end here.
    DeadEnd,
    /// The token cannot come next.
    Rejected,
    /// More tokens were to be taken back than there are.
    NothingToRollBack,
    /// A buffer has too few words for a mask.
    BufferTooSmall,
    /// The engine gave up: a state was too complex for its limits.
    Engine,
    /// Bytes that should be a request are none.
    Malformed,
    /// The tokenizer could not be built.
    Tokenizer,
}

/// The error of this crate. [`Error::kind`] says what class it is, `Display` the details.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<compile::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the compiler said, if it was the compiler: the constraints in conflict, the keywords
    /// that are not supported.
    pub fn compiler_error(&self) -> Option<&compile::Error> {
        self.0.source.as_ref()
    }
}

impl From<compile::Error> for Error {
    fn from(e: compile::Error) -> Self {
        Error(Box::new(Inner {
            kind: ErrorKind::Compile(e.kind()),
            message: e.to_string(),
            source: Some(e),
        }))
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
