//! The suites, one file per room.

pub mod bank;
pub mod gate;
pub mod index;
pub mod kernels;
pub mod qlearning;
pub mod spikes;

use crate::Suite;

/// A suite's name and the function that declares it.
pub type Entry = (&'static str, fn(&mut Suite));

/// All suites in the order in which they run.
pub const SUITES: &[Entry] = &[
    ("kernels", kernels::declare),
    ("index", index::declare),
    ("qlearning", qlearning::declare),
    ("spikes", spikes::declare),
    ("bank", bank::declare),
];
