//! The report as one self-contained page: no script, no font, no file beside it.

use std::fmt::Write;

use super::svg::{self, Bar, COLOURS, escape};
use super::{Report, bound, number, outcome, room, sides, target_unit, verdict};
use crate::suite::Series;
use crate::targets::{Judged, Verdict};

const STYLE: &str = include_str!("style.css");
/// So many bars stand in one card; a room with more gets several, side by side on a wide screen.
const MOST_BARS: usize = 14;

/// Summary, plots, targets, cases and facts.
pub(super) fn page(report: &Report) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>edgekit bench</title>\n<style>\n{STYLE}</style></head><body>\n"
    );
    head(report, &mut out);
    bars(report, &mut out);
    plots(report, &mut out);
    targets(report, &mut out);
    tables(report, &mut out);
    out.push_str("</body></html>\n");
    out
}

fn head(report: &Report, out: &mut String) {
    let machine = &report.machine;
    let forced = machine.forced_isa.as_ref().map(|isa| format!(", forced to {isa}"));
    let _ = writeln!(
        out,
        "<h1>edgekit bench</h1>\n<p class=\"soft\">{}, {} cores, {}; instruction sets {}{}</p>\n\
         <p class=\"soft\">{}; commit {}; {}{}</p>",
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.system),
        machine.isa.join(", "),
        forced.unwrap_or_default(),
        escape(&machine.rustc),
        escape(&machine.commit),
        machine.date,
        if report.full { "; with the long sweeps" } else { "; quick" },
    );
    let class = if report.passed() { "good" } else { "bad" };
    let verdict = if report.passed() { "Passed" } else { "Failed" };
    let _ = writeln!(
        out,
        "<div class=\"banner {class}\"><p><strong>{verdict}.</strong> {}</p>",
        escape(&report.summary())
    );
    for (id, why) in &report.failures {
        let _ = writeln!(out, "<p><strong>{}</strong>: {}</p>", escape(id), escape(why));
    }
    out.push_str("</div>\n");
}

fn bars(report: &Report, out: &mut String) {
    let judged: Vec<&Judged> = report.targets.iter().filter(|j| j.measured.is_some()).collect();
    if judged.is_empty() {
        return;
    }
    out.push_str("<h2>Targets</h2>\n<div class=\"grid-of-cards\">\n");
    for name in ordered(judged.iter().map(|judged| room(&judged.target.id))) {
        let rows: Vec<Bar> = judged
            .iter()
            .filter(|judged| room(&judged.target.id) == name)
            .filter_map(|judged| {
                let (value, unit) = (judged.measured?, target_unit(judged));
                let label = judged.target.id.split_once('/').map_or(name, |(_, rest)| rest);
                // Colour alone is not for everybody.
                let missed = if judged.verdict == Verdict::Missed { "missed: " } else { "" };
                let bound = bound(&judged.target, unit);
                Some(Bar {
                    label: label.to_owned(),
                    value: format!("{missed}{} ({bound})", number(unit, value)),
                    margin: judged.target.margin(value),
                })
            })
            .collect();
        let name = escape(name);
        for rows in rows.chunks(MOST_BARS) {
            let _ = writeln!(
                out,
                "<div class=\"card\"><h3>{name}: times better than the bound (log)</h3>{}</div>",
                svg::bars(&name, rows)
            );
        }
    }
    out.push_str("</div>\n");
}

fn plots(report: &Report, out: &mut String) {
    if report.series.is_empty() {
        return;
    }
    out.push_str("<h2>Curves</h2>\n<div class=\"grid-of-cards\">\n");
    for plot in ordered(report.series.iter().map(|series| series.plot.as_str())) {
        let of_plot: Vec<&Series> = report.series.iter().filter(|s| s.plot == plot).collect();
        let legend: String = of_plot
            .iter()
            .enumerate()
            .map(|(index, series)| {
                let name = escape(&series.name);
                format!("<li class=\"c{}\"><span>{name}</span></li>", index % COLOURS)
            })
            .collect();
        let _ = writeln!(
            out,
            "<div class=\"card\"><h3>{}</h3>{}<ul class=\"legend\">{legend}</ul></div>",
            escape(plot),
            svg::curves(&of_plot)
        );
    }
    out.push_str("</div>\n");
}

fn targets(report: &Report, out: &mut String) {
    if report.targets.is_empty() {
        return;
    }
    out.push_str(
        "<h2>All targets</h2>\n<div class=\"wide\"><table class=\"targets\"><thead><tr>\
         <th>target</th><th>measured</th><th>bound</th><th>verdict</th><th>both sides</th></tr>\
         </thead><tbody>\n",
    );
    for judged in &report.targets {
        let class = match judged.verdict {
            Verdict::Met => "met",
            Verdict::Missed | Verdict::Broken(_) => "missed",
            Verdict::Skipped(_) => "skip",
        };
        let _ = writeln!(
            out,
            "<tr><td class=\"id\"><strong>{}</strong><br>{}</td><td data-is=\"measured\">{}</td>\
             <td class=\"bound\" data-is=\"bound\">{}</td><td class=\"v {class}\">{}</td>\
             <td class=\"id soft\">{}</td></tr>",
            escape(&judged.target.id),
            escape(&judged.target.what),
            outcome(judged),
            bound(&judged.target, target_unit(judged)),
            escape(&verdict(judged, report.strict)),
            escape(&sides(judged)),
        );
    }
    out.push_str("</tbody></table></div>\n");
}

/// Cases and facts, folded by room.
fn tables(report: &Report, out: &mut String) {
    let ids = report.cases.iter().map(|case| case.id.as_str());
    let ids = ids.chain(report.facts.iter().map(|fact| fact.id.as_str()));
    out.push_str("<h2>Everything measured</h2>\n");
    for name in ordered(ids.map(room)) {
        let _ = writeln!(
            out,
            "<details><summary>{}</summary><div class=\"wide\"><table><thead><tr><th>case or fact\
             </th><th class=\"n\">median</th><th class=\"n\">95 % interval</th></tr></thead><tbody>",
            escape(name)
        );
        for case in report.cases.iter().filter(|case| room(&case.id) == name) {
            row(
                out,
                &case.id,
                &number(case.unit, case.value),
                &format!("{} … {}", number(case.unit, case.low), number(case.unit, case.high)),
            );
        }
        for fact in report.facts.iter().filter(|fact| room(&fact.id) == name) {
            row(out, &fact.id, &number(fact.unit, fact.value), "fact");
        }
        out.push_str("</tbody></table></div></details>\n");
    }
}

fn row(out: &mut String, id: &str, value: &str, interval: &str) {
    let id = escape(id);
    let _ = writeln!(
        out,
        "<tr><td class=\"id\">{id}</td><td class=\"n\">{value}</td><td class=\"n\">{interval}</td></tr>"
    );
}

/// Each name once, in order of appearance.
fn ordered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;

    #[test]
    fn the_page_is_self_contained_and_escaped() {
        let page = super::page(&example());
        for outside in ["<script", "<link", "@import", "url(", "src="] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("recall &lt;high&gt;") && !page.contains("recall <high>"));
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(page.contains("prefers-color-scheme: dark"));
    }
}
