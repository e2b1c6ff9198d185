//! `check loom`: every interleaving of up to three preemptions of the lock-free parts, of the crates
//! that declare them.
//!
//! A crate declares it with `[package.metadata.edgekit] loom = true`; its tests with `loom` in
//! their name are built with `--cfg loom`.

use crate::Result;
use crate::process::{cargo, output};
use crate::workspace::members;

/// Runs them; a crate that declares loom and has no such test fails.
pub(super) fn run() -> Result {
    let crates = members()?.into_iter().filter(|package| package.loom);
    let mut names = Vec::new();
    for package in crates {
        let mut test =
            cargo(["test", "--release", "--lib", "--tests", "-p", &package.name, "loom"]);
        test.env("RUSTFLAGS", "--cfg loom");
        if std::env::var_os("LOOM_MAX_PREEMPTIONS").is_none() {
            test.env("LOOM_MAX_PREEMPTIONS", "3");
        }
        let report = output(&mut test)?;
        print!("{report}");
        if ran(&report) == 0 {
            return Err(format!("{} declares loom and has no test with that name", package.name));
        }
        names.push(package.name);
    }
    match names.len() {
        0 => println!("loom: no crate declares `[package.metadata.edgekit] loom = true`"),
        _ => println!("loom: {}", names.join(", ")),
    }
    Ok(())
}

fn ran(report: &str) -> usize {
    let passed = report.lines().filter_map(|line| {
        line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse::<usize>().ok()
    });
    passed.sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_what_ran() {
        let report = "test result: ok. 3 passed; 0 failed\nx\ntest result: ok. 2 passed; 0 failed";
        assert_eq!(super::ran(report), 5);
        assert_eq!(super::ran("test result: ok. 0 passed; 9 filtered out"), 0);
    }
}
