#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod adaptive;
mod batcher;
mod builder;
mod config;
mod error;
mod group;
mod observe;
mod order;
mod queue;
mod runner;
#[cfg(feature = "tower")]
mod service;
mod stats;
mod submission;
mod timer;

pub use adaptive::{AdaptiveBatcher, Decision, Objective};
pub use batcher::{Batcher, Request};
pub use builder::{Builder, Key};
pub use config::{Config, Level, Ordering, TimeoutAction};
pub use error::{BoxError, Error, ErrorKind};
pub use stats::{Failures, Latency, Rejects, Stats};
pub use submission::Submission;
pub use timer::{PreciseTimer, Sleep, Timer, TokioTimer};
