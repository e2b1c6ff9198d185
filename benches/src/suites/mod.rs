//! The suites, one file per room.

use crate::Suite;

pub mod batcher;
pub mod pipeline;

/// A suite's name and the function that declares it.
pub type Entry = (&'static str, fn(&mut Suite));

/// All suites in the order in which they run.
pub const SUITES: &[Entry] = &[("batcher", batcher::declare), ("pipeline", pipeline::declare)];
