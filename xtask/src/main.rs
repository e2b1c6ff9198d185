//! What one does with the workspace: `cargo xtask demo | test | bench | …`.
//!
//! One file for one command. Everything is a call of a tool that one could also start by hand; the
//! command line is printed before it runs. This crate uses none of the workspace's own, so that it
//! starts in seconds and keeps working while they do not compile.
#![deny(unsafe_code)]

mod bench;
mod check;
mod ci;
mod flame;
mod gate;
mod process;
mod profile;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
type Result<T = ()> = std::result::Result<T, String>;

const HELP: &str = "\
cargo xtask <command>

  demo                     the whole loop on carried real data, with a report page
  test [cargo test args]   all tests, doc tests included
  bench [--quick|--full] [--only NAME]… [--peers] [--strict]
                           measure, judge benches/targets.toml, write target/edgekit-bench/report.*
  gate [--bless] [--only NAME]…
                           instruction counts against benches/baseline/*.csv
  compare REV [--only NAME]…
                           this tree and REV, measured in turns on this machine
  profile NAME             flame graph and heap profile of one benchmark
  tidy                     the rules of the house
  check targets|sanitize|fuzz|loom|stress|asm
                           other machines, memory errors, parsers, interleavings, full-size tests
  ci [--strict] [--peers]  all of what must hold before a merge

docs/TESTING.md and docs/BENCHMARKS.md say more.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match command {
        "demo" => bench::demo(rest),
        "test" => test::run(rest),
        "bench" => bench::run(rest),
        "gate" => gate::run(rest),
        "compare" => bench::compare(rest),
        "profile" => profile::run(rest),
        "tidy" => tidy::run(),
        "check" => check::run(rest),
        "ci" => ci::run(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no command `{other}`\n\n{HELP}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask {command}: {why}");
            ExitCode::FAILURE
        }
    }
}
