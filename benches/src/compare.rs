//! `compare`: this program and the one of another revision, asked the same questions in turns.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::bench::out_dir;
use crate::paired::{Paired, median_interval, paired};
use crate::report::number;
use crate::room::{Room, Wanted};
use crate::suite::Unit;
use crate::suites::SUITES;

/// How long each case is measured in one round.
const BUDGET: Duration = Duration::from_millis(700);
/// Each round starts both programs afresh, since where a process happens to put its data can matter
/// more than what one wants to see.
const ROUNDS: usize = 3;
/// What two layouts of the same code may differ by.
const LAYOUT: f64 = 0.02;

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
    for (room, _) in SUITES.iter().filter(|(room, _)| wanted.suite().wants(room)) {
        let mut cases: BTreeMap<usize, (String, Unit, Vec<Paired>)> = BTreeMap::new();
        for round in 1..=ROUNDS {
            let mut ours = Room::open(&this, room, &wanted, &out.join("compare-this.log"))?;
            let mut theirs = match Room::open(other, room, &wanted, &out.join("compare-other.log"))
            {
                Ok(theirs) => theirs,
                Err(why) => {
                    println!("  {room}: {name} {why}");
                    break;
                }
            };
            let declared = ours.declared.cases.clone();
            let bar = ProgressBar::new(declared.len() as u64);
            let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {eta} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(format!("{room}, round {round} of {ROUNDS}"));
            for (index, (id, unit)) in declared.into_iter().enumerate() {
                bar.set_message(id.clone());
                bar.inc(1);
                let Some(there) = theirs.case(&id) else { continue };
                let (mut first, mut second) = (|n| theirs.run(there, n), |n| ours.run(index, n));
                let paired = paired(&mut first, &mut second, BUDGET)?;
                let paired = if unit.smaller_is_better() { paired } else { paired.inverted() };
                cases.entry(index).or_insert((id, unit, Vec::new())).2.push(paired);
            }
            bar.finish_and_clear();
        }
        for (id, unit, rounds) in cases.values() {
            let all = over_rounds(rounds);
            println!(
                "  {id:<52} {:>12} {:>12}   {:.3}× [{:.3}, {:.3}]{}",
                number(*unit, all.second),
                number(*unit, all.first),
                all.ratio,
                all.low,
                all.high,
                remark(all.low, all.high),
            );
        }
        compared += cases.len();
    }
    if compared == 0 { Err("no case that both have".to_owned()) } else { Ok(()) }
}

/// The middle round's numbers, and an interval that holds the intervals of all.
fn over_rounds(rounds: &[Paired]) -> Paired {
    let middle =
        |number: fn(&Paired) -> f64| median_interval(rounds.iter().map(number).collect()).1;
    Paired {
        ratio: middle(|round| round.ratio),
        low: rounds.iter().map(|round| round.low).fold(f64::INFINITY, f64::min),
        high: rounds.iter().map(|round| round.high).fold(0.0, f64::max),
        first: middle(|round| round.first),
        second: middle(|round| round.second),
        pairs: rounds.iter().map(|round| round.pairs).sum(),
    }
}

/// What the interval allows one to say. It knows the noise of the run, not that of the layout: the
/// same code linked at other addresses may differ by a percent or two.
fn remark(low: f64, high: f64) -> &'static str {
    match (low, high) {
        (low, _) if low > 1.0 + LAYOUT => "  better",
        (_, high) if high < 1.0 - LAYOUT => "  WORSE",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_odd_round_widens_the_interval_and_not_the_answer() {
        let round = |ratio| super::Paired::of(&[(ratio, 1.0); 9]);
        let all = super::over_rounds(&[round(1.0), round(4.0), round(1.0)]);
        assert_eq!((all.ratio, all.low, all.high), (1.0, 1.0, 4.0));
        assert_eq!(super::remark(all.low, all.high), "");
    }

    #[test]
    fn only_an_interval_well_beside_one_says_something() {
        assert_eq!(super::remark(1.03, 1.2), "  better");
        assert_eq!(super::remark(0.9, 0.97), "  WORSE");
        assert_eq!(super::remark(0.9, 1.1), "");
        assert_eq!(super::remark(1.002, 1.01), "");
    }
}
