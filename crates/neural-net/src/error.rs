//! What can go wrong, as one opaque error with a kind.

use std::fmt;

/// What went wrong, for a program to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Sizes do not fit each other: of data, of weights, of layers.
    Shape,
    /// A setting is out of its range, or settings contradict each other.
    Config,
    /// A number is NaN or infinite.
    NotFinite,
    /// The network is not of a kind that the operation is for.
    Unsupported,
    /// A file is damaged, of another version or of another kind.
    Format,
    /// Reading or writing failed.
    Io,
}

/// Why an operation of this crate failed: what was wrong, with which value, and what to do.
#[derive(Clone, Debug)]
pub struct Error {
    inner: Box<(ErrorKind, String)>,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { inner: Box::new((kind, message.into())) }
    }

    pub(crate) fn shape(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Shape, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, message)
    }

    pub(crate) fn format(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Format, message)
    }

    /// What went wrong, for a program to decide by.
    pub fn kind(&self) -> ErrorKind {
        self.inner.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.1)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::new(ErrorKind::Io, format!("input or output failed: {error}"))
    }
}

impl From<edgekit_quantize::Error> for Error {
    fn from(error: edgekit_quantize::Error) -> Self {
        let kind = match error.kind() {
            edgekit_quantize::ErrorKind::NotFinite => ErrorKind::NotFinite,
            edgekit_quantize::ErrorKind::Format => ErrorKind::Format,
            _ => ErrorKind::Shape,
        };
        Error::new(kind, error.to_string())
    }
}

/// Refuses NaN and infinities, naming the first.
pub(crate) fn check_finite(values: &[f32], what: &str) -> Result<(), Error> {
    if values.iter().all(|x| x.is_finite()) {
        return Ok(());
    }
    let at = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
    let message = format!("value {} at position {at} of the {what} is not a number", values[at]);
    Err(Error::new(ErrorKind::NotFinite, message))
}
