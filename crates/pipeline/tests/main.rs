//! What pipelines, maps and executors promise.

#[cfg(feature = "tokio")]
mod executor;
mod parallel;
mod pipeline;
