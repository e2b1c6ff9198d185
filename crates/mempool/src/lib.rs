#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod arena;
mod buffer;
mod error;
mod file;
mod free_list;
mod image;
mod interner;
mod matrix;
mod model;
mod monitor;
mod pool;
mod pressure;
mod size_class;
mod source;
mod sync;
mod tiers;

pub use arena::{ByteArena, TypedArena};
pub use buffer::{Buffer, OnReturn};
pub use error::{Error, ErrorKind};
pub use file::{Advice, MapOptions, MappedFile, Prefault};
pub use image::{Channels, ImageView};
pub use interner::{Interner, NodeId};
pub use matrix::{MATRIX_ALIGN, MatrixPool, MatrixPoolConfig, PooledMatrix};
pub use model::{Dtype, MmapModel, Tensor, TensorData, TensorElement, save_model};
pub use monitor::{MemoryMonitor, MemoryReport, MemorySource, MemoryUsage};
pub use pool::{ArcBuffer, BufferPool, PoolConfig, PoolStats, PooledBuffer};
pub use pressure::{Pressure, Tier};
pub use size_class::{SizeClassConfig, SizeClassPool};
pub use source::SystemSource;
pub use tiers::GlobalPools;
