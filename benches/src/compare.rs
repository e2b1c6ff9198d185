//! `compare`: this program and the one of another revision, asked the same questions in turns.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::bench::out_dir;
use crate::paired::paired;
use crate::report::number;
use crate::room::{Room, Wanted};
use crate::suites::SUITES;

/// How long each case is measured.
const BUDGET: Duration = Duration::from_secs(2);

/// Prints, for each case that both programs have, how many times faster (or better) this one is.
///
/// # Errors
///
/// If a room of either dies, or they have no case in common.
pub fn compare(other: &Path, name: &str, only: Vec<String>) -> Result<(), String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = out_dir()?;
    std::fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
    let wanted = Wanted { full: false, only };
    let mut compared = 0;
    println!("  {:<52} {:>12} {name:>12}   better by [95 % interval]", "case", "this tree");
    for (room, _) in SUITES {
        if !wanted.suite().wants(room) {
            continue;
        }
        let mut ours = Room::open(&this, room, &wanted, &out.join("compare-this.log"))?;
        let mut theirs = match Room::open(other, room, &wanted, &out.join("compare-other.log")) {
            Ok(theirs) => theirs,
            Err(why) => {
                println!("  {room}: {name} {why}");
                continue;
            }
        };
        let cases = ours.declared.cases.clone();
        let bar = ProgressBar::new(cases.len() as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        for (index, (id, unit)) in cases.iter().enumerate() {
            bar.set_message(id.clone());
            bar.inc(1);
            let Some(there) = theirs.case(id) else { continue };
            let paired =
                paired(&mut |n| theirs.run(there, n), &mut |n| ours.run(index, n), BUDGET)?;
            let paired = if unit.smaller_is_better() { paired } else { paired.inverted() };
            let line = format!(
                "  {id:<52} {:>12} {:>12}   {:.3}× [{:.3}, {:.3}]{}",
                number(*unit, paired.second),
                number(*unit, paired.first),
                paired.ratio,
                paired.low,
                paired.high,
                remark(paired.low, paired.high),
            );
            bar.suspend(|| println!("{line}"));
            compared += 1;
        }
        bar.finish_and_clear();
    }
    if compared == 0 { Err("no case that both have".to_owned()) } else { Ok(()) }
}

/// What the interval allows one to say.
fn remark(low: f64, high: f64) -> &'static str {
    match (low, high) {
        (low, _) if low > 1.0 => "  better",
        (_, high) if high < 1.0 => "  WORSE",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_an_interval_beside_one_says_something() {
        assert_eq!(super::remark(1.01, 1.2), "  better");
        assert_eq!(super::remark(0.9, 0.99), "  WORSE");
        assert_eq!(super::remark(0.9, 1.1), "");
    }
}
