//! The integration tests of coherence-log, one binary.

mod events;
mod merkle;
mod signatures;
mod support;
