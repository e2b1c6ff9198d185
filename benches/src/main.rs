//! The program behind `cargo xtask bench | gate | compare | profile`.
#![deny(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use edgekit_benches::bench::{Options, bench, criterion_dir};
use edgekit_benches::room::{Wanted, serve};
use edgekit_benches::{compare, gate, profile};

const HELP: &str = "\
edgekit-benches [bench] [--quick|--full] [--only NAME]… [--peers] [--strict] [NAME]…
edgekit-benches gate [CASE]
edgekit-benches compare PROGRAM REVISION [--only NAME]…
edgekit-benches profile CASE [--millis N]
edgekit-benches room ROOM [--full] [--only NAME]…";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((first, rest)) if COMMANDS.contains(&first.as_str()) => (first.as_str(), rest),
        _ => ("bench", &args[..]),
    };
    match run(command, rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

const COMMANDS: &[&str] = &["bench", "gate", "compare", "profile", "room", "--help"];

/// Whether it passed.
fn run(command: &str, args: &[String]) -> Result<bool, String> {
    let mut flags = Flags::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--quick" => flags.options.full = false,
            "--full" => flags.options.full = true,
            "--peers" => flags.options.peers = true,
            "--strict" => flags.options.strict = true,
            "--only" => flags.options.only.push(value()?),
            "--millis" => flags.millis = value()?.parse().map_err(|e| format!("--millis: {e}"))?,
            flag if flag.starts_with('-') => return Err(format!("no flag {flag}\n{HELP}")),
            name => flags.names.push(name.to_owned()),
        }
    }
    let Flags { mut options, millis, names } = flags;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match (command, names.as_slice()) {
        ("bench", filters) => {
            options.only.extend(filters.iter().map(|filter| (*filter).to_owned()));
            return bench(&options);
        }
        ("gate", []) => gate::gate(None)?,
        ("gate", [case]) => gate::gate(Some(case))?,
        ("compare", [program, revision]) => {
            compare::compare(Path::new(program), revision, options.only)?;
        }
        ("profile", [case]) => profile::profile(case, Duration::from_millis(millis))?,
        ("room", [room]) => {
            let wanted = Wanted { full: options.full, only: options.only };
            serve(room, &wanted, &criterion_dir()?)?;
        }
        _ => return Err(HELP.to_owned()),
    }
    Ok(true)
}

#[derive(Default)]
struct Flags {
    options: Options,
    millis: u64,
    names: Vec<String>,
}
