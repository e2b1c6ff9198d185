//! The suites, one file per room.

pub mod adaptive_cache;
pub mod bank;
pub mod batcher;
mod constraint_batches;
pub mod constraint_cache;
pub mod constraint_compile;
pub mod constraint_extract;
mod constraint_threads;
pub mod gate;
pub mod index;
pub mod kernels;
pub mod log;
pub mod mempool;
pub mod neural_net;
pub mod pipeline;
pub mod qlearning;
pub mod quantize;
pub mod spikes;

use crate::Suite;

/// A suite's name and the function that declares it.
pub type Entry = (&'static str, fn(&mut Suite));

/// All suites in the order in which they run.
pub const SUITES: &[Entry] = &[
    ("kernels", kernels::declare),
    ("index", index::declare),
    ("quantize", quantize::declare),
    ("adaptive-cache", adaptive_cache::declare),
    ("mempool", mempool::declare),
    ("batcher", batcher::declare),
    ("pipeline", pipeline::declare),
    ("neural-net", neural_net::declare),
    ("log", log::declare),
    ("qlearning", qlearning::declare),
    ("spikes", spikes::declare),
    ("bank", bank::declare),
    ("constraint-cache", constraint_cache::declare),
    ("constraint-compile", constraint_compile::declare),
    ("constraint-extract", constraint_extract::declare),
];
