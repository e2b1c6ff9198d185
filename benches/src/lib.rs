//! What edgekit measures of itself and of its rivals.
//!
//! A *suite* is a function that declares what can be measured: [`Suite::time`] for a closure whose
//! wall time counts, [`Suite::measure`] for a number that a closure works out itself (a p95, a
//! throughput over threads), [`Suite::value`] for a fact (recall, bytes, a count), [`Suite::check`]
//! for an answer that must be right before anything is timed, and [`Suite::series`] for a curve of
//! the report. The driver in `main.rs` decides what is run and how: with criterion, interleaved in
//! pairs, or counted under callgrind. A declaration therefore stays usable for all of them.
#![deny(unsafe_code)]

pub mod suite;
pub mod suites;

pub use suite::{Case, Fact, Measurement, Series, Suite, Unit};
