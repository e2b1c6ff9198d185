//! The suites, one file per room.

pub mod constraint_cache;
pub mod constraint_compile;
pub mod constraint_extract;

use crate::Suite;

/// A suite's name and the function that declares it.
pub type Entry = (&'static str, fn(&mut Suite));

/// All suites in the order in which they run.
pub const SUITES: &[Entry] = &[
    ("constraint-cache", constraint_cache::declare),
    ("constraint-compile", constraint_compile::declare),
    ("constraint-extract", constraint_extract::declare),
];
