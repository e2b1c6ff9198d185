//! Settings of a small server: a file with a hole in it.

use std::collections::BTreeMap;
use std::time::Duration;

/// How messages are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Level {
    Quiet,
    Normal,
    Verbose { targets: Vec<String> },
    Sampled(u8),
}

/// Where somebody listens.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub address: Address,
    pub fallback: Option<Address>,
    pub level: Level,
    pub weights: Vec<(char, f64)>,
    pub labels: BTreeMap<String, bool>,
    pub greeting: &'static str,
}

/// Why settings are refused.
#[derive(Debug)]
pub enum Refused {
    PortTaken(u16),
    NoHost,
}

/// The address of this machine.
pub fn localhost(port: u16) -> Address {
    Address { host: "localhost".into(), port }
}

fn quietest() -> Level {
    Level::Quiet
}

/// How long somebody waits before the next attempt.
pub fn pause(attempt: u32) -> Duration {
    Duration::from_millis(100 << attempt.min(6))
}

/// The settings of a machine.
pub fn settings_for(host: String, port: u16, careful: bool) -> Result<Settings, Refused> {
    assert!(port >= 1024);
    todo!()
}

/// Whether two machines can talk.
pub fn can_talk(a: &Settings, b: &Settings) -> bool {
    a.address.port == b.address.port
}
