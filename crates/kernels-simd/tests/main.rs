//! All integration tests: the suite that every instruction set must pass, here run natively, and
//! what needs a process or a page table.

mod api;
mod guard;
#[cfg(feature = "rayon")]
mod parallel;
mod properties;
mod suite;
