//! What can go wrong, as one opaque error with a kind.

use std::fmt;

use edgekit_kernels_simd::Kernels;

/// What went wrong, for a program to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is nothing to quantise or to learn a range from.
    Empty,
    /// A value is NaN or infinite.
    NotFinite,
    /// A shape does not fit its data, or an axis is not one of the shape's.
    Shape,
    /// A setting is outside its range.
    Config,
    /// A file holds something else than it says.
    Format,
}

/// Why an operation of this crate failed: what was wrong, with which value, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Error { kind, message: message.into() }
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

impl std::error::Error for Error {}

/// Refuses an empty slice and values that are not finite.
pub(crate) fn check_values(values: &[f32]) -> Result<(), Error> {
    finite_range(values).map(|_| ())
}

/// The least and the greatest value, if there are values and all are finite.
pub(crate) fn finite_range(values: &[f32]) -> Result<(f32, f32), Error> {
    if let Some(range) = Kernels::get().finite_min_max(values) {
        return Ok(range);
    }
    match values.iter().position(|x| !x.is_finite()) {
        None => Err(Error::new(ErrorKind::Empty, "there are no values; give at least one")),
        Some(at) => Err(Error::new(
            ErrorKind::NotFinite,
            format!("value {at} is {}; only finite values have a code", values[at]),
        )),
    }
}
