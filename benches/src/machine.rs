//! What a number was measured on.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// The machine and what ran on it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model name of the processor.
    pub cpu: String,
    /// Instruction sets that a kernel table exists for, as targets name them.
    pub isa: Vec<&'static str>,
    /// The table that `EDGEKIT_ISA` forces, if it does.
    pub forced_isa: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// Architecture and operating system.
    pub system: String,
    /// The compiler.
    pub rustc: String,
    /// The commit, with a `+` if files differ from it.
    pub commit: String,
    /// When, UTC.
    pub date: String,
}

impl Machine {
    /// This one, now.
    pub fn here() -> Machine {
        Machine {
            cpu: cpu(),
            isa: isa(),
            forced_isa: std::env::var("EDGEKIT_ISA").ok(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            rustc: said("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
            commit: commit().unwrap_or_else(|| "unknown".to_owned()),
            date: utc(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())),
        }
    }
}

fn isa() -> Vec<&'static str> {
    edgekit_kernels_simd::Kernels::available().map(|kernels| kernels.isa().name()).collect()
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

fn commit() -> Option<String> {
    let hash = said("git", &["rev-parse", "--short=10", "HEAD"])?;
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { hash } else { format!("{hash}+") })
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Seconds since 1970 as a date; the civil calendar of Howard Hinnant's `civil_from_days`.
fn utc(seconds: u64) -> String {
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_827_696), "2000-02-29 12:34 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59 UTC");
    }

    #[test]
    fn this_machine_has_a_scalar_table() {
        let machine = Machine::here();
        assert_eq!(machine.isa[0], "scalar");
        assert!(machine.cores >= 1 && !machine.rustc.is_empty());
    }
}
