//! What each instruction set of this processor gains over the plain loop, measured here and now.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use edgekit::kernels_simd::Kernels;

use super::report::{Report, escape};

/// Lengths of the vectors: a short one, that of the sample's embeddings, and a long one.
const LENGTHS: [usize; 3] = [32, 384, 4096];
/// Each figure is the best of this many runs of about a millisecond.
const RUNS: usize = 7;

type Plain = fn(&[f32], &[f32]) -> f32;
type Fast = fn(&Kernels, &[f32], &[f32]) -> f32;

/// A kernel and the loop that it is compared with.
struct Pair {
    name: &'static str,
    plain: Plain,
    fast: Fast,
}

const PAIRS: [Pair; 3] = [
    Pair { name: "dot", plain: plain_dot, fast: Kernels::dot },
    Pair { name: "l2_squared", plain: plain_l2, fast: Kernels::l2_squared },
    Pair { name: "cosine", plain: plain_cosine, fast: Kernels::cosine },
];

/// Runs the panel and adds it to the report.
pub(crate) fn run(report: &mut Report) {
    println!("\n── kernels ── times faster than the plain loop on one thread");
    let tables: Vec<&Kernels> = Kernels::available().collect();
    let mut html = String::from(
        "<p class=\"soft\">Times faster than the plain iterator loop, compiled for the baseline \
         of this architecture; one thread, data in the first-level cache.</p><table><tr><th>kernel</th>\
         <th class=\"n\">n</th><th class=\"n\">loop</th>",
    );
    print!("  {:<20}{:>12}", "", "loop");
    for table in &tables {
        print!("{:>12}", table.isa().to_string());
        let _ = write!(html, "<th class=\"n\">{}</th>", escape(&table.isa().to_string()));
    }
    println!();
    html.push_str("</tr>");
    for pair in &PAIRS {
        for n in LENGTHS {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.11).cos()).collect();
            let plain = best_of(|| (pair.plain)(black_box(&a), black_box(&b)));
            print!("  {:<20}{:>12}", format!("{} n = {n}", pair.name), nanos(plain));
            let _ = write!(
                html,
                "<tr><td>{}</td><td class=\"n\">{n}</td><td class=\"n\">{}</td>",
                pair.name,
                nanos(plain)
            );
            for table in &tables {
                let fast = best_of(|| (pair.fast)(table, black_box(&a), black_box(&b)));
                let gain = plain / fast;
                print!("{:>12}", format!("{gain:.1}×"));
                let _ = write!(html, "<td class=\"n\">{gain:.1}×</td>");
            }
            println!();
            html.push_str("</tr>");
        }
    }
    html.push_str("</table>");
    report.section("Kernels", &html);
}

/// Nanoseconds a call.
fn best_of(mut f: impl FnMut() -> f32) -> f64 {
    let mut calls = 16_u32;
    let mut time = || {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(f());
        }
        let took = start.elapsed();
        let each = took.as_secs_f64() * 1e9 / f64::from(calls);
        if took < Duration::from_millis(1) {
            calls *= 2;
            return None;
        }
        Some(each)
    };
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < RUNS {
        if let Some(each) = time() {
            best = best.min(each);
            runs += 1;
        }
    }
    best
}

fn nanos(time: f64) -> String {
    format!("{time:.1} ns")
}

fn plain_dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn plain_l2(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn plain_cosine(a: &[f32], b: &[f32]) -> f32 {
    plain_dot(a, b) / (plain_dot(a, a).sqrt() * plain_dot(b, b).sqrt())
}
