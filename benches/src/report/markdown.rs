//! The report as markdown, to be pasted into a note.

use std::fmt::Write;

use super::{Report, bound, number, outcome, sides, target_unit, text, verdict};

/// Machine, targets, cases, facts, what was wrong.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::from("# edgekit bench\n\n");
    for line in text::machine(&report.machine).lines() {
        let _ = writeln!(out, "{line}  ");
    }
    let _ = writeln!(out, "\n{}\n", report.summary());
    for (id, why) in &report.failures {
        let _ = writeln!(out, "- **wrong** `{id}`: {}", why.replace('\n', " "));
    }
    out.push_str("\n## Targets\n\n| target | what | measured | bound | verdict | sides |\n");
    out.push_str("|---|---|---|---|---|---|\n");
    for judged in &report.targets {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            judged.target.id,
            cell(&judged.target.what),
            outcome(judged),
            bound(&judged.target, target_unit(judged)),
            cell(&verdict(judged, report.strict)),
            sides(judged),
        );
    }
    out.push_str("\n## Measured\n\n| case | median | 95 % interval |\n|---|---|---|\n");
    for case in &report.cases {
        let _ = writeln!(
            out,
            "| {} | {} | {} … {} |",
            case.id,
            number(case.unit, case.value),
            number(case.unit, case.low),
            number(case.unit, case.high)
        );
    }
    out.push_str("\n## Facts\n\n| fact | value |\n|---|---|\n");
    for fact in &report.facts {
        let _ = writeln!(out, "| {} | {} |", fact.id, number(fact.unit, fact.value));
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
