//! The crate's tests from outside: behaviour of both indexes, recall, a model, allocations.

mod allocation;
mod change;
mod contract;
mod data;
mod files;
mod model;
mod recall;
mod storage;
mod tune;
