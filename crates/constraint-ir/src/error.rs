//! What can go wrong when a constraint is made or read back.

use std::fmt;

/// Why an operation of this crate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the value does.
    Truncated,
    /// The bytes do not spell a value: a wrong magic, an unknown tag, text that is not UTF-8, a
    /// set out of order.
    Malformed,
    /// The bytes were written by a version of the format that this crate does not read.
    UnknownVersion,
    /// Values nest deeper than the reader follows.
    TooDeep,
    /// A value is followed by bytes that belong to nothing.
    TrailingBytes,
    /// A number is outside of its domain.
    OutOfRange,
}

/// The error of this crate. [`Error::kind`] says what class it is, `Display` the details.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into().into_boxed_str() }
    }

    /// An error of kind [`ErrorKind::Malformed`], for [`crate::Canonical`] types of other crates.
    pub fn malformed(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Malformed, message)
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {}
