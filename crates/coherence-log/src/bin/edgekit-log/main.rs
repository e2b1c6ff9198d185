//! `edgekit-log`: append to a log, look into it, prove, verify and serve it, from the shell.
#![deny(unsafe_code)]

mod commands;
mod serve;

use std::process::ExitCode;

const USAGE: &str = "\
edgekit-log append --store DIR --seed FILE [--context C] [--type T] [--time MS]   < body
edgekit-log query  --store DIR [--author KEY] [--context C] [--kind K] [--from MS] [--until MS]
                   [--limit N]                                        lines of JSON
edgekit-log prove  --store DIR --origin NAME --seed FILE INDEX...     a bundle, to stdout
edgekit-log verify --key VKEY [--witness VKEY]... BUNDLE              a bundle
edgekit-log verify --store DIR                                        as fsck
edgekit-log fsck   --store DIR
edgekit-log key    --origin NAME --seed FILE                          the log's VKEY
edgekit-log serve  --store DIR --origin NAME --seed FILE --tiles DIR [--port N]

A seed file holds 64 hexadecimal digits; they are a secret key. A context is 64 hexadecimal digits,
or any text, of which the SHA-256 is taken.
Exit codes: 0 well, 1 something does not verify, 2 wrong usage, 3 anything else.";

/// Why the program ends otherwise than well.
pub(crate) enum Failure {
    /// Something does not verify.
    Unverified(String),
    /// The command line is wrong.
    Usage(String),
    /// Anything else.
    Other(String),
}

fn main() -> ExitCode {
    let (code, message) = match commands::run(lexopt::Parser::from_env()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Unverified(message)) => (1, message),
        Err(Failure::Usage(message)) => (2, format!("{message}\n\n{USAGE}")),
        Err(Failure::Other(message)) => (3, message),
    };
    eprintln!("edgekit-log: {message}");
    ExitCode::from(code)
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<edgekit_coherence_log::Error> for Failure {
    fn from(error: edgekit_coherence_log::Error) -> Self {
        use edgekit_coherence_log::ErrorKind as Kind;
        match error.kind() {
            Kind::Corrupt | Kind::Signature | Kind::WeakKey | Kind::Proof | Kind::Malformed => {
                Failure::Unverified(error.to_string())
            }
            _ => Failure::Other(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Other(error.to_string())
    }
}
