//! Plots as SVG: curves with a logarithmic axis where they need it, bars against a target line.
//!
//! Colours and fonts come from the page's style sheet by class name, so that light and dark are its
//! business; sizes are chosen for a drawing that a phone shows at about four fifths.

use std::fmt::Write;

use crate::suite::Series;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 48.0;
/// As many colours and marks as the style sheet has.
pub(super) const COLOURS: usize = 8;

/// Text as it may stand in SVG and HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One axis: a range of values laid over a range of the drawing.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    from: f64,
    to: f64,
}

impl Axis {
    /// Covers `values`; logarithmic if `may_log` and they span more than a factor of five.
    fn over(values: impl Iterator<Item = f64>, may_log: bool, from: f64, to: f64) -> Axis {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return Axis { low: 0.0, high: 1.0, log: false, from, to };
        }
        if may_log && low > 0.0 && high / low > 5.0 {
            return Axis { low: low / 1.15, high: high * 1.15, log: true, from, to };
        }
        let pad = if high > low { (high - low) * 0.05 } else { low.abs().max(1.0) * 0.05 };
        Axis { low: low - pad, high: high + pad, log: false, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round values inside the range, four to nine of them.
    fn ticks(&self) -> Vec<f64> {
        if self.log {
            let decades = (self.high / self.low).log10();
            let steps: &[f64] = if decades > 4.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let first = self.low.log10().floor() as i32;
            let last = self.high.log10().ceil() as i32;
            let all = (first..=last).flat_map(|p| steps.iter().map(move |s| s * 10f64.powi(p)));
            return all.filter(|v| (self.low..=self.high).contains(v)).collect();
        }
        let rough = (self.high - self.low) / 7.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * power).into_iter().find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }
}

fn tick_label(value: f64) -> String {
    let magnitude = value.abs();
    let (scaled, suffix) = match magnitude {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.4}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "0" && value != 0.0 { format!("{value:.0e}") } else { format!("{text}{suffix}") }
}

/// The curves of one plot. They share labels; the first one's are used.
pub(super) fn curves(series: &[&Series]) -> String {
    let Some(first) = series.first() else { return String::new() };
    let points = || series.iter().flat_map(|s| s.points.iter());
    let x = Axis::over(points().map(|p| p.0), true, LEFT, WIDTH - RIGHT);
    let y = Axis::over(points().map(|p| p.1), true, HEIGHT - BOTTOM, TOP);
    let mut out = open(WIDTH, HEIGHT, &first.plot);
    for tick in x.ticks() {
        let (at, label) = (x.at(tick), tick_label(tick));
        let (bottom, below) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 17.0);
        let _ = write!(out, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
        let _ = writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>"
        );
    }
    for tick in y.ticks() {
        let (at, label) = (y.at(tick), tick_label(tick));
        let (right, beside) = (WIDTH - RIGHT, LEFT - 7.0);
        let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        let lower = at + 4.5;
        let _ = writeln!(
            out,
            "<text x=\"{beside}\" y=\"{lower:.1}\" text-anchor=\"end\">{label}</text>"
        );
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let (foot, side) = (HEIGHT - 8.0, (TOP + HEIGHT - BOTTOM) / 2.0);
    let log = |axis: &Axis| if axis.log { " (log)" } else { "" };
    let _ = writeln!(
        out,
        "<text class=\"label\" x=\"{middle}\" y=\"{foot}\" text-anchor=\"middle\">{}{}</text>\
         <text class=\"label\" transform=\"translate(13 {side}) rotate(-90)\" \
         text-anchor=\"middle\">{}{}</text>",
        escape(&first.x_label),
        log(&x),
        escape(&first.y_label),
        log(&y),
    );
    for (index, curve) in series.iter().enumerate() {
        let colour = index % COLOURS;
        let at: Vec<(f64, f64)> = curve
            .points
            .iter()
            .filter(|(a, b)| a.is_finite() && b.is_finite())
            .map(|(a, b)| (x.at(*a), y.at(*b)))
            .collect();
        let path: Vec<String> = at.iter().map(|(a, b)| format!("{a:.1} {b:.1}")).collect();
        let _ = write!(out, "<g class=\"c{colour}\">");
        if path.len() > 1 {
            let _ = write!(out, "<path class=\"curve\" d=\"M{}\"/>", path.join("L"));
        }
        for ((a, b), (left, right)) in at.iter().zip(&curve.points) {
            let _ = write!(
                out,
                "<circle cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.2\"><title>{}: {}, {}</title></circle>",
                escape(&curve.name),
                tick_label(*left),
                tick_label(*right),
            );
        }
        out.push_str("</g>\n");
    }
    out.push_str("</svg>");
    out
}

/// One bar: how many times better than its bound a target was.
pub(super) struct Bar {
    /// Above the bar.
    pub(super) label: String,
    /// At its right end, `4.2× (≥ 3×)`.
    pub(super) value: String,
    /// 1 is exactly on the bound.
    pub(super) margin: f64,
}

/// Bars on a logarithmic scale with a line where the targets are met.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    const ROW: f64 = 40.0;
    let height = ROW * bars.len() as f64 + 26.0;
    let shown = |margin: f64| margin.clamp(1.0 / 50.0, 50.0);
    let ends = bars.iter().map(|bar| shown(bar.margin)).chain([0.5, 2.0]);
    let (low, high) = ends.fold((1.0f64, 1.0f64), |(l, h), v| (l.min(v), h.max(v)));
    let x = Axis { low: low / 1.2, high: high * 1.05, log: true, from: 4.0, to: WIDTH - 6.0 };
    let line = x.at(1.0);
    let mut out = open(WIDTH, height, title);
    for (index, bar) in bars.iter().enumerate() {
        let top = index as f64 * ROW;
        let end = x.at(shown(bar.margin));
        let (from, to) = if end < line { (end, line) } else { (line, end) };
        let class = if bar.margin >= 1.0 { "met" } else { "missed" };
        let _ = writeln!(
            out,
            "<text x=\"4\" y=\"{label_y}\">{label}</text>\
             <text class=\"strong\" x=\"{right}\" y=\"{label_y}\" text-anchor=\"end\">{value}</text>\
             <rect class=\"track\" x=\"4\" y=\"{y}\" width=\"{track}\" height=\"12\" rx=\"3\"/>\
             <rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"12\" rx=\"2\"/>",
            label_y = top + 14.0,
            label = escape(&bar.label),
            right = WIDTH - 6.0,
            value = escape(&bar.value),
            y = top + 20.0,
            track = WIDTH - 10.0,
            width = (to - from).max(1.5),
        );
    }
    let foot = height - 26.0;
    for index in 0..bars.len() {
        let top = index as f64 * ROW + 17.0;
        let bottom = top + 18.0;
        let _ = write!(out, "<path class=\"target\" d=\"M{line:.1} {top}V{bottom}\"/>");
    }
    let anchor = if line < 60.0 { "start" } else { "middle" };
    let _ = write!(
        out,
        "<text class=\"label\" x=\"{line:.1}\" y=\"{}\" text-anchor=\"{anchor}\">target</text></svg>",
        foot + 16.0
    );
    out
}

fn open(width: f64, height: f64, title: &str) -> String {
    let title = escape(title);
    format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_range_gets_a_logarithmic_axis() {
        let axis = Axis::over([100.0, 20_000.0].into_iter(), true, 0.0, 100.0);
        assert!(axis.log);
        let (a, b, c) = (axis.at(100.0), axis.at(1000.0), axis.at(10_000.0));
        assert!(((b - a) - (c - b)).abs() < 1e-9);
        assert_eq!(axis.ticks(), [100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4]);
        assert!(!Axis::over([0.9, 0.99].into_iter(), true, 0.0, 1.0).log);
        assert!(!Axis::over([-1.0, 100.0].into_iter(), true, 0.0, 1.0).log);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::over([0.803, 0.997].into_iter(), true, 0.0, 1.0);
        let ticks = axis.ticks();
        assert!((3..=9).contains(&ticks.len()), "{ticks:?}");
        assert!(ticks.iter().all(|t| (axis.low..=axis.high).contains(t)));
        let labels: Vec<String> = ticks.iter().map(|t| tick_label(*t)).collect();
        assert_eq!(labels[0], "0.8");
        assert_eq!(
            [tick_label(20_000.0), tick_label(1.5e6), tick_label(0.0)],
            ["20k", "1.5M", "0"]
        );
        let same = Axis::over([7.0, 7.0].into_iter(), true, 0.0, 1.0);
        assert!((same.at(7.0) - 0.5).abs() < 1e-9);
        assert!(Axis::over(std::iter::empty(), true, 0.0, 1.0).at(0.5).is_finite());
    }

    #[test]
    fn every_point_is_drawn_inside_and_named() {
        let report = super::super::tests::example();
        let series: Vec<&Series> = report.series.iter().collect();
        let svg = curves(&series);
        assert_eq!(svg.matches("<circle").count(), 6);
        assert!(svg.contains("theirs &amp; co: 0.8, 9000"), "{svg}");
        for part in svg.split("cx=\"").skip(1) {
            let x: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((LEFT..=WIDTH - RIGHT).contains(&x), "{x}");
        }
        assert!(curves(&[]).is_empty());
    }

    #[test]
    fn bars_end_on_the_right_side_of_the_target() {
        let bar = |margin| Bar { label: "a<b".to_owned(), value: "v".to_owned(), margin };
        let svg = bars("t", &[bar(2.0), bar(0.5), bar(1e9), bar(0.0)]);
        assert_eq!(svg.matches("class=\"met\"").count(), 2);
        assert_eq!(svg.matches("class=\"missed\"").count(), 2);
        assert!(svg.contains("a&lt;b") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
