//! The crate's one error: what was wrong, with which value, and what to do.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::proof::ProofError;

/// Why something was refused or failed. One pointer wide; clones share their content, because all
/// appends of a failed commit fail for the same reason.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What sort of [`Error`] it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Bytes that are no canonical encoding.
    Malformed,
    /// A format version that this build does not know.
    Version,
    /// A signature that does not verify.
    Signature,
    /// A public key that is not canonical, or not in the prime-order subgroup.
    WeakKey,
    /// An event that the log holds already.
    Duplicate,
    /// A previous link that is not the author's latest event.
    PreviousLink,
    /// A time too far from the clock's.
    ClockSkew,
    /// Something larger than its limit.
    TooLarge,
    /// A value outside its range.
    Invalid,
    /// Nothing there under that name or index.
    NotFound,
    /// A body that was erased on purpose.
    Erased,
    /// A body that ought to be there and is not.
    Lost,
    /// A file system or an object store failed.
    Io,
    /// Stored bytes that are not what was written.
    Corrupt,
    /// The store failed earlier and accepts nothing until it is opened again.
    Poisoned,
    /// A proof or a checkpoint that does not hold.
    Proof,
    /// A state that is not the one expected: a witness's stale size, an object written twice.
    Conflict,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner { kind, message: message.into(), source: None }))
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Error(Arc::new(Inner { kind, message: message.into(), source: Some(source.into()) }))
    }

    /// What sort of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<ProofError> for Error {
    fn from(error: ProofError) -> Self {
        Error::caused(ErrorKind::Proof, "the proof does not hold", error)
    }
}

/// Makes an [`ErrorKind::Malformed`].
pub(crate) fn malformed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

/// Makes an [`ErrorKind::Invalid`].
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
