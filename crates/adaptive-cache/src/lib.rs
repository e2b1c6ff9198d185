#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod budget;
mod cache;
mod config;
mod error;
mod ghost;
mod room;
mod shard;
mod spill;
mod stats;
mod sync;

pub use cache::AdaptiveCache;
pub use config::CacheConfig;
pub use error::{Error, ErrorKind};
pub use spill::{Spill, Spilled};
pub use stats::CacheStats;
