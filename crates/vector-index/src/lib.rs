//! Nearest-neighbour search in memory: an exact scan and an HNSW graph behind one interface.
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod append;
mod batch;
mod error;
mod file;
mod flat;
mod fvecs;
mod hash;
mod hnsw;
mod index;
#[cfg(feature = "instant-distance")]
mod instant;
mod map;
mod metric;
mod npy;
mod persist;
mod pool;
mod room;
mod scan;
mod scratch;
mod shared;
mod slab;
mod store;
mod stored;
mod sync;
mod vectors;

pub use error::{Error, ErrorKind};
pub use flat::FlatIndex;
pub use fvecs::{Matrix, read_fvecs, read_ivecs};
pub use hnsw::{HnswConfig, HnswIndex, Stats, Tuned};
#[cfg(feature = "rayon")]
pub use index::search_batch;
pub use index::{Filter, Index, Method, Neighbor, SearchParams};
#[cfg(feature = "instant-distance")]
pub use instant::InstantIndex;
pub use metric::Metric;
pub use npy::read_npy;
pub use persist::verify;
pub use scratch::Scratch;
pub use shared::SharedHnsw;
pub use store::{Originals, Storage};
