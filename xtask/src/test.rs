//! `cargo xtask test`: every test of the workspace, doc tests included.

use crate::Result;
use crate::process::{cargo, run as start};
use crate::workspace::all_features;

/// Runs them with every feature but the peers, which need a C++ compiler. Further arguments go to
/// `cargo test`.
pub(crate) fn run(args: &[String]) -> Result {
    start(cargo(["test", "--workspace", "--features", &all_features()?]).args(args))
}
