//! `cargo xtask check …`: what the ordinary tests cannot see. A missing tool is a failure that says
//! how to install it, never a silent pass.

pub(crate) mod asm;
mod fuzz;
mod loom;
mod sanitize;
pub(crate) mod targets;

use crate::Result;
use crate::process::{cargo, run as start};
use crate::workspace::all_features;

/// Runs the named checks one after another.
pub(crate) fn run(args: &[String]) -> Result {
    if args.is_empty() {
        return Err("which? cargo xtask check targets|sanitize|fuzz|loom|stress|asm".to_owned());
    }
    for name in args {
        match name.as_str() {
            "targets" => targets::run()?,
            "sanitize" => sanitize::run()?,
            "fuzz" => fuzz::run()?,
            "loom" => loom::run()?,
            "stress" => stress()?,
            "asm" => asm::run()?,
            other => return Err(format!("there is no check `{other}`")),
        }
    }
    Ok(())
}

/// The tests at their full size, built for release.
fn stress() -> Result {
    let test = ["test", "--release", "--workspace", "--features", &all_features()?];
    start(cargo(test).env("EDGEKIT_STRESS", "1"))
}
