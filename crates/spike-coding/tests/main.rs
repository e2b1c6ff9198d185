//! The crate's integration tests, one binary.

mod attention;
mod encoding;
