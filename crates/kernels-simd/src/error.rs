//! What can go wrong: only the choice of an instruction set by name.

use alloc::string::String;
use core::fmt;

use crate::isa::Isa;

/// Why a table of kernels could not be chosen.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    asked: String,
}

/// What kind of [`Error`] it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The name is none that [`Isa`] knows.
    UnknownIsa,
    /// The instruction set is known, but this CPU or this build has no table for it.
    UnavailableIsa,
}

impl Error {
    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn unknown_isa(name: &str) -> Self {
        Error { kind: ErrorKind::UnknownIsa, asked: name.into() }
    }

    #[cfg(feature = "std")]
    pub(crate) fn unavailable_isa(isa: Isa) -> Self {
        Error { kind: ErrorKind::UnavailableIsa, asked: isa.name().into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        match self.kind {
            ErrorKind::UnknownIsa => write!(f, "no instruction set is called `{asked}`")?,
            ErrorKind::UnavailableIsa => {
                write!(f, "this CPU or this build has no kernels for `{asked}`")?;
            }
        }
        write!(f, "; available here:")?;
        // Whether tiles are takes asking the system for them, which text should not do.
        let quiet = Isa::ALL.iter().filter(|isa| **isa != Isa::Avx512Amx);
        for isa in quiet.filter(|isa| isa.is_available()) {
            write!(f, " {isa}")?;
        }
        write!(f, "; choose one of them, or unset EDGEKIT_ISA for the best")
    }
}

impl core::error::Error for Error {}
