//! The suites, one file per room.

pub mod qlearning;
pub mod kernels;

use crate::Suite;

/// A suite's name and the function that declares it.
pub type Entry = (&'static str, fn(&mut Suite));

/// All suites in the order in which they run.
pub const SUITES: &[Entry] = &[("qlearning", qlearning::declare)];
pub const SUITES: &[Entry] = &[("kernels", kernels::declare)];
