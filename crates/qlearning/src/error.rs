//! The crate's one error type: what was wrong, with which value, and what to do about it.

use std::fmt;

/// Why an operation was refused. Nothing was changed by the call that returned it.
#[derive(Clone, Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
}

/// The kinds of [`Error`], for callers that react to some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration contradicts itself or is out of range.
    Config,
    /// A state lies outside the table or the encoder's fields.
    State,
    /// An action does not exist or no action is allowed.
    Action,
    /// A number is NaN, infinite or out of range.
    Value,
    /// A bounded table is full.
    Full,
    /// A peer's contribution cannot be merged.
    Peer,
    /// A saved file is damaged, of another version or of another kind.
    Format,
    /// Reading or writing a saved file failed.
    Io,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { inner: Box::new(Inner { kind, message: message.into() }) }
    }

    /// What kind of refusal this is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for Error {}
