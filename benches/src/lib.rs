//! What edgekit measures of itself and of its rivals.
//!
//! A *suite* is a function that declares what can be measured: [`Suite::time`] for a closure whose
//! wall time counts, [`Suite::measure`] for a number that a closure works out itself (a p95, a
//! throughput over threads), [`Suite::value`] for a fact (recall, bytes, a count), [`Suite::check`]
//! for an answer that must be right before anything is timed, and [`Suite::series`] for a curve of
//! the report. The driver decides what is run and how: with criterion ([`measure`]), interleaved in
//! pairs ([`paired`]), or counted under callgrind ([`gate`]). A declaration therefore stays usable
//! for all of them. Each suite runs in a process of its own ([`room`]); [`mod@bench`] asks them all,
//! judges [`targets`] and writes the [`report`].
#![deny(unsafe_code)]

pub mod bench;
pub mod compare;
pub mod gate;
pub mod machine;
pub mod measure;
pub mod paired;
pub mod profile;
pub mod report;
pub mod room;
pub mod suite;
pub mod suites;
pub mod targets;

pub use suite::{Case, Fact, Measurement, Series, Suite, Unit};
