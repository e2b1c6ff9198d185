//! All integration tests: the suite that every instruction set must pass, here run natively.

mod api;
mod suite;
