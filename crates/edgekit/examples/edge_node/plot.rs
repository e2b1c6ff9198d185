//! Curves for the page: plain SVG, coloured by the page's style.

use std::fmt::Write;

use super::report::escape;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;
/// Points drawn a curve; more are not to be told apart.
const POINTS: usize = 300;

/// One curve: its name, and a value for each x = 1, 2, 3, …
pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: &'a [f64],
}

/// Curves over a common x axis that starts at 0, and a y axis that starts at 0.
pub(crate) fn lines(x_label: &str, y_label: &str, curves: &[Curve]) -> String {
    let n = curves.iter().map(|c| c.values.len()).max().unwrap_or(0).max(1);
    let top = curves.iter().flat_map(|c| c.values).copied().fold(0.0, f64::max);
    let step = round_step(top / 4.0);
    let top = (top / step).ceil().max(1.0) * step;
    let x = |i: usize| LEFT + (WIDTH - LEFT - RIGHT) * i as f64 / n as f64;
    let y = |v: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (v / top).clamp(0.0, 1.0));

    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(y_label)
    );
    for tick in 0..=(top / step).round() as usize {
        let value = tick as f64 * step;
        let at = y(value);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            short(value)
        );
    }
    for quarter in 0..=4 {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(n * quarter / 4),
            HEIGHT - BOTTOM + 16.0,
            short((n * quarter / 4) as f64)
        );
    }
    for (i, curve) in curves.iter().enumerate() {
        let mut path = String::new();
        for point in 1..=POINTS.min(curve.values.len()) {
            let at = point * curve.values.len() / POINTS.min(curve.values.len());
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", x(at), y(curve.values[at - 1]));
        }
        let _ = write!(svg, "<path class=\"c{i}\" d=\"{path}\"/>");
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text></svg><p class=\"legend\">",
        WIDTH - RIGHT,
        HEIGHT - 6.0,
        escape(x_label)
    );
    for (i, curve) in curves.iter().enumerate() {
        let _ = write!(svg, "<span class=\"c{i}\">{}</span>", escape(curve.name));
    }
    svg + &format!("<small>{}</small></p>", escape(y_label))
}

/// The next of 1, 2, 5, 10, 20, 50, … that is not less.
fn round_step(least: f64) -> f64 {
    let base = 10_f64.powf(least.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * base).find(|&s| s >= least).unwrap_or(base)
}

fn short(value: f64) -> String {
    if value != 0.0 && value.abs() < 1.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}
