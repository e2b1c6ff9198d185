//! What each instruction set of this processor gains over the plain loop, measured here and now.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use edgekit::kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};

use super::report::{Report, escape};

/// Lengths of the vectors: a short one, that of the sample's embeddings, and a long one.
const LENGTHS: [usize; 3] = [32, 384, 4096];
/// Each figure is the best of this many runs of about a millisecond.
const RUNS: usize = 7;

/// What the kernels read and write.
struct Data {
    a: Vec<f32>,
    b: Vec<f32>,
    out: Vec<f32>,
    bytes: [Vec<i8>; 2],
    rgba: Vec<u8>,
    gray: Vec<u8>,
    scratch: GemmScratch,
}

impl Data {
    fn new(n: usize) -> Self {
        let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.11).cos()).collect();
        let bytes = [&a, &b].map(|x| x.iter().map(|x| (x * 127.0) as i8).collect());
        let rgba = (0..4 * n).map(|i| i as u8).collect();
        Data { a, b, out: vec![0.0; n], bytes, rgba, gray: vec![0; n], scratch: Default::default() }
    }
}

type Plain = fn(&mut Data) -> f32;
type Fast = fn(&Kernels, &mut Data) -> f32;

/// A kernel and the loop that it is compared with.
struct Pair {
    name: &'static str,
    lengths: &'static [usize],
    plain: Plain,
    fast: Fast,
}

const PAIRS: [Pair; 8] = [
    Pair {
        name: "dot",
        lengths: &LENGTHS,
        plain: |d| plain_dot(&d.a, &d.b),
        fast: |k, d| k.dot(&d.a, &d.b),
    },
    Pair {
        name: "l2_squared",
        lengths: &LENGTHS,
        plain: |d| plain_l2(&d.a, &d.b),
        fast: |k, d| k.l2_squared(&d.a, &d.b),
    },
    Pair {
        name: "cosine",
        lengths: &LENGTHS,
        plain: |d| plain_cosine(&d.a, &d.b),
        fast: |k, d| k.cosine(&d.a, &d.b),
    },
    Pair {
        name: "dot_i8",
        lengths: &[384, 4096],
        plain: |d| plain_dot_i8(&d.bytes[0], &d.bytes[1]) as f32,
        fast: |k, d| k.dot_i8(&d.bytes[0], &d.bytes[1]) as f32,
    },
    Pair {
        name: "exp",
        lengths: &[4096],
        plain: |d| {
            d.out.iter_mut().zip(&d.a).for_each(|(out, x)| *out = x.exp());
            d.out[0]
        },
        fast: |k, d| {
            k.exp(&d.a, &mut d.out);
            d.out[0]
        },
    },
    Pair {
        name: "q_update",
        lengths: &[384],
        plain: |d| {
            for ((q, r), next) in d.out.iter_mut().zip(&d.a).zip(&d.b) {
                *q += 0.1 * (r + 0.9 * next - *q);
            }
            d.out[0]
        },
        fast: |k, d| {
            k.q_update(&mut d.out, &d.a, &d.b, 0.1, 0.9);
            d.out[0]
        },
    },
    Pair {
        name: "rgba_to_gray",
        lengths: &[4096],
        plain: |d| {
            for (p, gray) in d.rgba.chunks_exact(4).zip(&mut d.gray) {
                let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
                *gray = ((77 * r + 150 * g + 29 * b + 128) >> 8) as u8;
            }
            f32::from(d.gray[0])
        },
        fast: |k, d| {
            k.rgba_to_gray(&d.rgba, &mut d.gray);
            f32::from(d.gray[0])
        },
    },
    // The values as a square matrix.
    Pair {
        name: "gemm",
        lengths: &[4096],
        plain: |d| {
            let side = d.a.len().isqrt();
            d.out.fill(0.0);
            for (a, out) in d.a.chunks_exact(side).zip(d.out.chunks_exact_mut(side)) {
                for (a, b) in a.iter().zip(d.b.chunks_exact(side)) {
                    out.iter_mut().zip(b).for_each(|(out, b)| *out += a * b);
                }
            }
            d.out[0]
        },
        fast: |k, d| {
            let side = d.a.len().isqrt();
            let square = |x| Matrix::new(x, side, side, side);
            let out = MatrixMut::new(&mut d.out, side, side, side);
            k.gemm(square(&d.a), square(&d.b), out, Epilogue::default(), &mut d.scratch);
            d.out[0]
        },
    },
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
        for &n in pair.lengths {
            let mut data = Data::new(n);
            let plain = best_of(|| (pair.plain)(black_box(&mut data)));
            print!("  {:<20}{:>12}", format!("{} n = {n}", pair.name), nanos(plain));
            let _ = write!(
                html,
                "<tr><td>{}</td><td class=\"n\">{n}</td><td class=\"n\">{}</td>",
                pair.name,
                nanos(plain)
            );
            for table in &tables {
                let fast = best_of(|| (pair.fast)(table, black_box(&mut data)));
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

fn plain_dot_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

fn plain_cosine(a: &[f32], b: &[f32]) -> f32 {
    plain_dot(a, b) / (plain_dot(a, a).sqrt() * plain_dot(b, b).sqrt())
}
