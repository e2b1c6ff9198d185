//! The crate from outside: encodings, ids and sets.

mod codec;
mod ids;
mod values;
