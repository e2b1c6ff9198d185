//! Flame graphs: stacks from callgrind or perf, folded and drawn as one self-contained SVG.

use std::collections::BTreeMap;

/// Cost by call stack, outermost function first.
pub(crate) type Stacks = BTreeMap<Vec<String>, u64>;

/// Reads a callgrind profile that was made with `--separate-callers`: there the name of a function
/// is its own, then its callers', apart by `'`.
pub(crate) fn from_callgrind(profile: &str) -> Stacks {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut stacks = Stacks::new();
    let mut current: Option<&str> = None;
    let mut inclusive = false;
    for line in profile.lines() {
        if let Some(rest) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            if line.starts_with("fn=") {
                current = names.get(number).copied();
            }
        } else if line.starts_with("calls=") {
            // The next line is what the call cost with all below it, which has its own entry.
            inclusive = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '*')) {
            let cost = line.split_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok());
            if let (false, Some(cost), Some(name)) = (inclusive, cost, current) {
                *stacks.entry(stack(name)).or_default() += cost;
            }
            inclusive = false;
        }
    }
    stacks
}

fn stack(name: &str) -> Vec<String> {
    let mut frames: Vec<String> = name
        .split('\'')
        // A number is how deep a recursion is, not a function.
        .filter(|frame| !frame.is_empty() && !frame.bytes().all(|b| b.is_ascii_digit()))
        .map(tidy_name)
        .collect();
    frames.reverse();
    frames
}

/// Reads `perf script`: a header line for each sample, then its frames, innermost first.
pub(crate) fn from_perf(script: &str) -> Stacks {
    let mut stacks = Stacks::new();
    for sample in script.split("\n\n") {
        let frames =
            sample.lines().filter(|line| line.starts_with(['\t', ' '])).filter_map(|line| {
                let symbol = line.trim().split_once(' ')?.1;
                let symbol = symbol.rsplit_once(" (").map_or(symbol, |(symbol, _)| symbol);
                Some(tidy_name(symbol.rsplit_once("+0x").map_or(symbol, |(symbol, _)| symbol)))
            });
        let mut frames: Vec<String> = frames.collect();
        frames.reverse();
        if !frames.is_empty() {
            *stacks.entry(frames).or_default() += 1;
        }
    }
    stacks
}

/// Only what happened inside `region`, which becomes the root.
pub(crate) fn inside(stacks: Stacks, region: &str) -> Stacks {
    let mut inside = Stacks::new();
    for (frames, cost) in stacks {
        if let Some(at) = frames.iter().position(|frame| frame.contains(region)) {
            *inside.entry(frames[at..].to_vec()).or_default() += cost;
        }
    }
    inside
}

/// Without the hash that the compiler appends to a name.
fn tidy_name(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path.to_owned()
        }
        _ => name.to_owned(),
    }
}

const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;

/// One frame of the picture: a function in one context.
#[derive(Default)]
struct Frame {
    cost: u64,
    below: BTreeMap<String, Frame>,
}

impl Frame {
    fn depth(&self) -> usize {
        1 + self.below.values().map(Frame::depth).max().unwrap_or(0)
    }
}

/// Draws the stacks, callers above what they call; the tooltip of a bar has its name and share.
pub(crate) fn svg(title: &str, stacks: &Stacks) -> String {
    let mut top = Frame::default();
    for (frames, cost) in stacks {
        top.cost += cost;
        let mut frame = &mut top;
        for name in frames {
            frame = frame.below.entry(name.clone()).or_default();
            frame.cost += cost;
        }
    }
    let height = ROW * (top.depth() as f64 + 1.5);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"ui-monospace, monospace\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"4\" y=\"14\" font-size=\"13\">{}</text>\n",
        escape(title)
    );
    draw(&top, 0.0, 1.0, top.cost.max(1) as f64, &mut out);
    out.push_str("</svg>\n");
    out
}

fn draw(frame: &Frame, mut x: f64, row: f64, total: f64, out: &mut String) {
    for (name, below) in &frame.below {
        let width = below.cost as f64 / total * WIDTH;
        if width >= 0.5 {
            let y = row * ROW + 4.0;
            let share = below.cost as f64 / total * 100.0;
            let hue = name.bytes().fold(0u32, |hash, b| hash.wrapping_mul(31) + u32::from(b)) % 40;
            let fits = ((width - 6.0) / 6.7).max(0.0) as usize;
            let short = match name.chars().count() {
                n if n <= fits => name.clone(),
                // The end of a path says more than its beginning.
                n if fits > 3 => {
                    format!("…{}", name.chars().skip(n - fits + 1).collect::<String>())
                }
                _ => String::new(),
            };
            out.push_str(&format!(
                "<g><title>{full} — {share:.1} % ({cost})</title>\
                 <rect x=\"{x:.1}\" y=\"{y}\" width=\"{w:.1}\" height=\"{h}\" rx=\"2\" \
                 fill=\"hsl({hue} 85% 72%)\"/><text x=\"{tx:.1}\" y=\"{ty}\">{short}</text></g>\n",
                full = escape(name),
                cost = below.cost,
                w = (width - 0.5).max(0.3),
                h = ROW - 1.0,
                tx = x + 3.0,
                ty = y + 12.5,
                short = escape(&short),
            ));
            draw(below, x, row + 1.0, total, out);
        }
        x += width;
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(stacks: &Stacks) -> Vec<(String, u64)> {
        stacks.iter().map(|(frames, cost)| (frames.join(";"), *cost)).collect()
    }

    #[test]
    fn folds_callgrind_by_caller() {
        let profile = "events: Ir\nfl=(1) a.rs\nfn=(1) root\n10 5\ncfn=(2) leaf'root\ncalls=3 20\n\
                       11 70\n12 1\n\nfn=(2)\n20 70\n";
        let stacks = from_callgrind(profile);
        let want = [("root".to_owned(), 6), ("root;leaf".to_owned(), 70)];
        assert_eq!(costs(&stacks), want);
    }

    #[test]
    fn folds_perf_and_cuts_to_a_region() {
        let script = "x 1 2.0: 1 cpu-clock:\n\tffff f::leaf+0x10 (/bin/x)\n\tfff0 my_region+0x1 (/bin/x)\n\
                      \tff main (/bin/x)\n\n";
        let stacks = inside(from_perf(script), "region");
        assert_eq!(costs(&stacks), [("my_region;f::leaf".to_owned(), 1)]);
    }

    #[test]
    fn draws_every_wide_frame_with_its_share() {
        let stacks = Stacks::from([
            (vec!["a".to_owned(), "b<T>".to_owned()], 75),
            (vec!["a".to_owned()], 25),
        ]);
        let svg = svg("x & y", &stacks);
        assert!(svg.contains("b&lt;T&gt; — 75.0 % (75)"), "{svg}");
        assert!(svg.contains("a — 100.0 % (100)") && svg.contains("x &amp; y"));
        assert_eq!(tidy_name("a::b::h0123456789abcdef"), "a::b");
    }
}
