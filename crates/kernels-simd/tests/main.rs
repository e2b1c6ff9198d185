//! All integration tests: the suite that every instruction set must pass, here run natively, and
//! what needs a process or a page table.

mod api;
mod guard;
mod properties;
mod suite;
