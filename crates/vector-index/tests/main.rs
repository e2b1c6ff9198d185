//! The crate's tests from outside: behaviour of both indexes, recall, a model, allocations.

mod allocation;
mod contract;
mod data;
mod model;
mod recall;
