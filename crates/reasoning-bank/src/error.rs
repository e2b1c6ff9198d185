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
    /// A vector has the wrong number of values.
    Dimension,
    /// A number is NaN, infinite or out of range, or a vector has no direction.
    Value,
    /// There is no pattern or executor with that id.
    Unknown,
    /// The index can hold no more.
    Full,
    /// A saved file is damaged or of another version.
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
