//! The one error of this crate: what was wrong, with which value, and what to do about it.

use std::{fmt, io};

/// What went wrong, for programs; [`Error`]'s `Display` says it for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration value contradicts another one or is out of its range.
    InvalidConfig,
    /// Width, height, stride, rows or columns do not fit the memory they describe.
    InvalidGeometry,
    /// A value is not in the range of its unit, for instance a pressure above one.
    OutOfRange,
    /// An offset or a length lies outside of the mapped file.
    OutOfBounds,
    /// The bytes are not aligned for the element type.
    Misaligned,
    /// The tensor has another element type than the one asked for.
    WrongType,
    /// No tensor of that name.
    NotFound,
    /// The file is not what it claims to be: truncated, corrupt or hostile.
    Malformed,
    /// The arena or the interner is at its limit.
    Full,
    /// The operating system refused to read, write or map.
    Io,
    /// This platform cannot do it, at least not with the features that were chosen.
    Unsupported,
}

/// An error of this crate.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    source: Option<io::Error>,
}

impl Error {
    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Error { kind, what: what.into(), source: None }
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Error { kind: ErrorKind::Io, what: what.into(), source: Some(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            None => f.write_str(&self.what),
            Some(source) => write!(f, "{}: {source}", self.what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}
