//! The report at the terminal.

use std::fmt::Write;

use super::{Report, bound, number, outcome, sides, target_unit, verdict};
use crate::machine::Machine;
use crate::measure::Measured;
use crate::suite::Fact;

/// Two lines on the machine.
pub fn machine(machine: &Machine) -> String {
    let Machine { cpu, isa, forced_isa, cores, system, rustc, commit, date } = machine;
    let forced = match forced_isa {
        Some(isa) => format!(" (EDGEKIT_ISA={isa})"),
        None => String::new(),
    };
    format!(
        "{cpu}, {cores} cores, {system}; {}{forced}\n{rustc}; commit {commit}; {date}\n",
        isa.join(" ")
    )
}

/// One line on a case.
pub fn case(case: &Measured) -> String {
    let Measured { id, unit, value, low, high, samples } = case;
    let value = number(*unit, *value);
    if *samples < 2 {
        return format!("  {id:<58} {value:>12}\n");
    }
    let (low, high) = (number(*unit, *low), number(*unit, *high));
    format!("  {id:<58} {value:>12}   [{low}, {high}]\n")
}

/// One line on a fact.
pub fn fact(fact: &Fact) -> String {
    format!("  {:<58} {:>12}\n", fact.id, number(fact.unit, fact.value))
}

/// The table of targets, what was wrong, and the summary. Cases and facts were printed as they
/// came.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    if !report.targets.is_empty() {
        out.push_str("\ntargets\n");
        let rows = report.targets.iter().map(|judged| {
            [
                judged.target.id.clone(),
                outcome(judged),
                bound(&judged.target, target_unit(judged)),
                verdict(judged, report.strict),
                sides(judged),
            ]
        });
        let header = ["target", "measured", "bound", "verdict", "sides"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
        out.push_str(&table(&rows));
    }
    for (id, why) in &report.failures {
        let _ = writeln!(out, "\nWRONG {id}: {why}");
    }
    let _ = writeln!(out, "\n{}", report.summary());
    out
}

/// Columns as wide as their widest cell; the last one, which may be long, on a line of its own.
fn table(rows: &[[String; 5]]) -> String {
    let mut widths = [0; 4];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "  {}", line.trim_end());
        if index > 0 && !row[4].is_empty() {
            let _ = writeln!(out, "      {}", row[4]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;

    #[test]
    fn columns_line_up() {
        let text = super::report(&example());
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let columns = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
        let bound = columns(lines[1], "bound").unwrap();
        assert_eq!(columns(lines[2], "≥ 3.00×"), Some(bound), "{text}");
        assert_eq!(columns(lines[4], "≥ 0.9500"), Some(bound), "{text}");
        assert!(text.contains("missed, warns (2nd, in turns)"), "{text}");
    }
}
