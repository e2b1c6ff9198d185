//! The integration tests of coherence-log, one binary.

mod bundles;
mod coherence;
#[cfg(feature = "cli")]
mod command;
mod crash;
mod events;
mod faulty;
mod ingest;
mod merkle;
mod notes;
#[cfg(feature = "publish")]
mod publishing;
mod signatures;
mod support;
