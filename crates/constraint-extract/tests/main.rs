//! The crate from outside: languages, edits, faults, what is kept, schemas.

mod edits;
mod faults;
mod kept;
mod languages;
mod schemas;
mod support;
