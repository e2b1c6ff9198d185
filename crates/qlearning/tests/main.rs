//! The crate's integration tests, one binary.

mod agents;
mod batches;
mod encode;
mod envs;
mod learned;
mod merge;
mod persist;
mod policies;
mod replay;
mod safety;
mod trajectories;
