//! Nearest-neighbour search in memory: an exact scan and an HNSW graph behind one interface.
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod error;
mod flat;
mod fvecs;
mod hash;
mod hnsw;
mod index;
mod metric;
mod pool;
mod scratch;
mod vectors;

pub use error::{Error, ErrorKind};
pub use flat::FlatIndex;
pub use fvecs::{Matrix, read_fvecs, read_ivecs};
pub use hnsw::{HnswConfig, HnswIndex};
#[cfg(feature = "rayon")]
pub use index::search_batch;
pub use index::{Index, Neighbor, SearchParams};
pub use metric::Metric;
pub use scratch::Scratch;
