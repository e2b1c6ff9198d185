//! The integration tests of coherence-log, one binary.

mod merkle;
