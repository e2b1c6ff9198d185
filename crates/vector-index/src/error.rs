//! What can go wrong, as one opaque error with a kind.

use std::fmt;

/// What went wrong, for a program to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A vector has another number of values than the index has dimensions.
    Dimension,
    /// A vector holds a NaN or an infinity, or values so large that distances overflow an `f32`.
    NotFinite,
    /// A vector that is not zero would be stored as zero.
    Underflow,
    /// The id is in the index already.
    DuplicateId,
    /// A setting is outside its range.
    Config,
    /// The index holds as many vectors as it can address.
    Full,
    /// The index is a mapped file, which cannot be changed.
    ReadOnly,
    /// A file is not what its name or its header says.
    Format,
    /// The operating system refused to read or write.
    Io,
}

/// Why an operation of this crate failed: what was wrong, with which value, and what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
    source: Option<std::io::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    pub(crate) fn dimension(expected: usize, found: usize) -> Self {
        Error::new(
            ErrorKind::Dimension,
            format!("the index holds vectors of {expected} values, this one has {found}"),
        )
    }

    /// What went wrong, for a program to decide by.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        Error { kind: ErrorKind::Io, message: source.to_string().into(), source: Some(source) }
    }
}
