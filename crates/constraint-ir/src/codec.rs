//! The canonical encoding: one byte string for each value, each part self-delimiting.
//!
//! Integers are little-endian of fixed width; text, lists and sets start with a `u64` count; enums
//! start with a tag byte; options with 0 or 1. Sets are written in their order and refused out of
//! it. Nothing depends on a hash map's order or on the platform. [`Canonical::encode`] puts a
//! magic and a version in front.

use std::collections::BTreeSet;

use crate::{Error, ErrorKind};

/// The version of the encoding. It is part of every content id: a change of the format changes
/// them all.
pub const FORMAT_VERSION: u8 = 1;

const MAGIC: [u8; 3] = *b"EKC";

/// How deep values may nest when they are read.
const MAX_DEPTH: u32 = 128;

/// A value with exactly one encoding.
pub trait Canonical: Sized {
    /// Appends the value's encoding, without a header.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads a value that [`Canonical::put`] wrote.
    ///
    /// # Errors
    /// Everything but the canonical encoding of a value is an error.
    fn take(input: &mut Reader<'_>) -> Result<Self, Error>;

    /// The encoding with magic and version in front.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&MAGIC);
        out.push(FORMAT_VERSION);
        self.put(&mut out);
        out
    }

    /// Reads what [`Canonical::encode`] wrote. The bytes need not be trusted: no more memory is
    /// taken than a small multiple of their number.
    ///
    /// # Errors
    /// Typed by [`Error::kind`]: truncated, malformed, of an unknown version, nested too deep or
    /// followed by other bytes.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut input = Reader { rest: bytes, depth: 0 };
        if input.bytes(3)? != MAGIC {
            return Err(malformed("the magic `EKC` is missing: these are not constraint bytes"));
        }
        let version = u8::take(&mut input)?;
        if version != FORMAT_VERSION {
            return Err(Error::new(
                ErrorKind::UnknownVersion,
                format!("format version {version} is unknown; this crate reads {FORMAT_VERSION}"),
            ));
        }
        let value = Self::take(&mut input)?;
        if !input.rest.is_empty() {
            return Err(Error::new(
                ErrorKind::TrailingBytes,
                format!("{} bytes follow the value", input.rest.len()),
            ));
        }
        Ok(value)
    }
}

/// A cursor over encoded bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(Error::new(
                ErrorKind::Truncated,
                format!("{n} bytes were expected and {} are left", self.rest.len()),
            )),
        }
    }

    /// A count of things that take at least one byte each.
    pub(crate) fn count(&mut self) -> Result<usize, Error> {
        let n = u64::take(self)?;
        match usize::try_from(n) {
            Ok(n) if n <= self.rest.len() => Ok(n),
            _ => Err(Error::new(
                ErrorKind::Truncated,
                format!("{n} items were announced and {} bytes are left", self.rest.len()),
            )),
        }
    }

    pub(crate) fn nested<T>(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::new(
                ErrorKind::TooDeep,
                format!("values nest deeper than {MAX_DEPTH}"),
            ));
        }
        self.depth += 1;
        let value = f(self);
        self.depth -= 1;
        value
    }
}

pub(crate) fn malformed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Canonical for $t {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
                let mut bytes = [0; size_of::<$t>()];
                bytes.copy_from_slice(input.bytes(size_of::<$t>())?);
                Ok(<$t>::from_le_bytes(bytes))
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i64, i128);

impl Canonical for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(malformed(format!("{other} is neither 0 nor 1"))),
        }
    }
}

impl Canonical for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        let n = input.count()?;
        match std::str::from_utf8(input.bytes(n)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(e) => Err(malformed(format!("text is not UTF-8: {e}"))),
        }
    }
}

impl<T: Canonical> Canonical for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(if bool::take(input)? { Some(T::take(input)?) } else { None })
    }
}

impl<T: Canonical> Canonical for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|item| item.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        let n = input.count()?;
        input.nested(|input| (0..n).map(|_| T::take(input)).collect())
    }
}

impl<T: Canonical + Ord> Canonical for BTreeSet<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|item| item.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        let items = Vec::<T>::take(input)?;
        if items.is_sorted_by(|a, b| a < b) {
            Ok(items.into_iter().collect())
        } else {
            Err(malformed("a set is out of order or holds an element twice"))
        }
    }
}

impl<T: Canonical> Canonical for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        input.nested(|input| T::take(input).map(Box::new))
    }
}

impl<A: Canonical, B: Canonical> Canonical for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

/// Encodes a struct as its fields in the order given.
macro_rules! canonical_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl crate::Canonical for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let $name { $($field),* } = self;
                $(crate::Canonical::put($field, out);)*
            }

            fn take(input: &mut crate::Reader<'_>) -> Result<Self, crate::Error> {
                Ok($name { $($field: crate::Canonical::take(input)?),* })
            }
        }
    };
}

/// Encodes an enum as a tag byte and the payload of the variant, if it has one.
macro_rules! canonical_enum {
    ($name:ident { $($tag:literal = $variant:ident $(($payload:ident))?),* $(,)? }) => {
        impl crate::Canonical for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $(($payload))? => {
                        out.push($tag);
                        $(crate::Canonical::put($payload, out);)?
                    })*
                }
            }

            fn take(input: &mut crate::Reader<'_>) -> Result<Self, crate::Error> {
                match <u8 as crate::Canonical>::take(input)? {
                    $($tag => {
                        $(let $payload = crate::Canonical::take(input)?;)?
                        Ok($name::$variant $(($payload))?)
                    })*
                    other => Err(crate::codec::malformed(format!(
                        "{other} is no tag of {}", stringify!($name)
                    ))),
                }
            }
        }
    };
}

pub(crate) use {canonical_enum, canonical_struct};
