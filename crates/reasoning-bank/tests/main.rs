//! The crate's integration tests, one binary.

mod bank;
mod extraction;
mod lookups;
mod persist;
mod support;
mod threads;
