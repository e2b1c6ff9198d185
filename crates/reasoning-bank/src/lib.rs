#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod bank;
mod consolidate;
mod error;
mod extract;
mod graph;
#[cfg(test)]
mod model;
mod pattern;
mod persist;
mod shelf;
mod trajectory;

pub use bank::{Bank, BankConfig, BankStats, Imported, Keep, Readers, Stored};
pub use error::{Error, ErrorKind};
pub use extract::ExtractConfig;
pub use pattern::Pattern;
pub use shelf::{LookupScratch, Match};
pub use trajectory::{ExecutorId, Executors, Trajectory, TrajectoryRing};
