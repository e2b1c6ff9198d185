//! The crate's tests from outside: behaviour of both indexes, recall, a model, allocations.

mod allocation;
mod batch;
mod bulk;
mod change;
mod contract;
mod data;
mod files;
#[cfg(feature = "instant-distance")]
mod instant;
mod model;
mod recall;
mod shared;
mod storage;
mod stress;
mod tune;
