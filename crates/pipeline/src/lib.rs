#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod error;
#[cfg(feature = "tokio")]
mod executor;
mod order;
mod parallel;
mod pipeline;
mod stage;
mod threads;

pub use error::{BoxError, Error, ErrorKind};
#[cfg(feature = "tokio")]
pub use executor::{AsyncExecutor, Limits};
pub use parallel::{Failed, Workers};
pub use pipeline::{Options, Order, Pipeline, Progress};
pub use threads::optimal_threads;
