//! The crate from outside: languages, edits, faults, schemas.

mod edits;
mod faults;
mod languages;
mod schemas;
mod support;
