//! The crate from outside: goals, conflicts, edits, schemas, hostile input.

mod conflicts;
mod dependencies;
mod goals;
mod hostile;
mod incremental;
mod maskbench;
mod methods;
mod reports;
mod support;
