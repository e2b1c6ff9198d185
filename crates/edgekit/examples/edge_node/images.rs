//! Image requests: frames in pooled buffers through a pipeline, then one by one into a batcher that
//! recognises handwritten digits by their nearest neighbours.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use edgekit::batcher::{Batcher, Config};
use edgekit::mempool::{BufferPool, PoolConfig};
use edgekit::pipeline::Pipeline;
use edgekit::vector_index::{FlatIndex, Index, Metric, Scratch, SearchParams};

use super::report::{Report, tiles};

/// A digit is 8 × 8 values from 0 to 16.
const SIDE: usize = 8;
/// A frame shows each of them as a block of pixels.
const ZOOM: usize = 4;
const CHANNELS: usize = 3;
const FRAME: usize = SIDE * SIDE * ZOOM * ZOOM * CHANNELS;
/// Digits that are known; the others are asked for.
const KNOWN: usize = 1437;
const CALLERS: usize = 32;
/// Neighbours that vote.
const K: usize = 5;

struct Digit {
    values: [u8; SIDE * SIDE],
    label: u8,
}

/// Runs the panel and adds it to the report.
pub(crate) fn run(report: &mut Report) -> Result<(), Box<dyn Error>> {
    let digits = load()?;
    let (known, asked) = digits.split_at(KNOWN);
    println!("\n── image requests ── {} frames, {} digits known", asked.len(), known.len());

    let pool = BufferPool::new(
        PoolConfig { initial: 4, max_retained: 16, ..PoolConfig::default() },
        || Vec::<u8>::with_capacity(FRAME),
    )?;
    let start = Instant::now();
    let vectors = Pipeline::source(asked)
        .stage(|digit| {
            let mut frame = pool.get();
            draw(digit, &mut frame);
            frame
        })
        .stage_n(2, |frame| vector(&frame))
        .run()?;
    let prepared_in = start.elapsed();
    let buffers = pool.stats();

    let mut index = FlatIndex::new(SIDE * SIDE, Metric::L2Squared)?;
    for (id, digit) in known.iter().enumerate() {
        index.insert(id as u64, &digit.values.map(f32::from))?;
    }
    let labels: Vec<u8> = known.iter().map(|digit| digit.label).collect();
    let recognise = move |batch: Vec<Vec<f32>>| {
        let mut scratch = Scratch::new();
        batch
            .iter()
            .map(|vector| {
                let near = index.search(vector, K, &SearchParams::default(), &mut scratch)?;
                let mut votes = [0; 10];
                near.iter().for_each(|n| votes[usize::from(labels[n.id as usize])] += 1);
                // Of equals the label of the nearer neighbour.
                let first = labels[near[0].id as usize];
                let most = votes.iter().copied().max().unwrap_or(0);
                let winner = votes.iter().position(|&v| v == most).unwrap_or(0) as u8;
                Ok(if votes[usize::from(first)] == most { first } else { winner })
            })
            .collect::<Vec<Result<u8, edgekit::vector_index::Error>>>()
    };

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let (answers, mut latencies, stats) = runtime.block_on(async {
        let config = Config {
            max_batch_size: CALLERS,
            max_queue_delay: Duration::from_micros(200),
            ..Config::default()
        };
        let batcher = Batcher::builder(config).build_blocking(recognise)?;
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let batcher = batcher.clone();
                let own: Vec<(usize, Vec<f32>)> = vectors
                    .iter()
                    .cloned()
                    .enumerate()
                    .filter(|(at, _)| at % CALLERS == caller)
                    .collect();
                tokio::spawn(async move {
                    let mut answers = Vec::new();
                    for (at, vector) in own {
                        let start = Instant::now();
                        let label = batcher.submit(vector).await?;
                        answers.push((at, label, start.elapsed()));
                    }
                    Ok::<_, edgekit::batcher::Error>(answers)
                })
            })
            .collect();
        let mut answers = vec![0; vectors.len()];
        let mut latencies = Vec::new();
        for caller in callers {
            for (at, label, latency) in caller.await?? {
                answers[at] = label;
                latencies.push(latency);
            }
        }
        batcher.shutdown().await;
        Ok::<_, Box<dyn Error>>((answers, latencies, batcher.stats()))
    })?;
    latencies.sort_unstable();

    let wrong: Vec<usize> = (0..asked.len()).filter(|&at| answers[at] != asked[at].label).collect();
    let accuracy = 1.0 - wrong.len() as f64 / asked.len() as f64;
    if accuracy < 0.95 {
        return Err(format!(
            "{:.1} % of the digits recognised: something is broken",
            accuracy * 100.0
        )
        .into());
    }
    let at = |percent: usize| latencies[latencies.len() * percent / 100].as_secs_f64() * 1e6;
    let sizes: Vec<String> =
        stats.batch_sizes.iter().map(|(size, count)| format!("{size}×{count}")).collect();
    let mean_size = stats.items as f64 / stats.batches.max(1) as f64;
    println!(
        "  pipeline            {:.1} ms, {} buffers for {} frames",
        prepared_in.as_secs_f64() * 1e3,
        buffers.misses + 4,
        asked.len()
    );
    println!(
        "  batches             {} of {mean_size:.1} on average (size×count: {})",
        stats.batches,
        sizes.join(" ")
    );
    println!("  latency p50 / p95   {:.0} / {:.0} µs, {CALLERS} callers", at(50), at(95));
    println!("  recognised          {:.1} %", accuracy * 100.0);

    let mut html = tiles(&[
        ("frames", asked.len().to_string()),
        ("batches", stats.batches.to_string()),
        ("mean batch", format!("{mean_size:.1}")),
        ("p50", format!("{:.0} µs", at(50))),
        ("p95", format!("{:.0} µs", at(95))),
        ("recognised", format!("{:.1} %", accuracy * 100.0)),
    ]);
    let _ = write!(
        html,
        "<p class=\"soft\">{CALLERS} callers send handwritten digits one at a time; the batcher answers them together, \
         by the {K} nearest of {KNOWN} known digits. Batch sizes (size×count): {}. The {} that it got wrong:</p><div class=\"digits\">",
        sizes.join(" "),
        wrong.len()
    );
    for &at in &wrong {
        let _ = write!(
            html,
            "<figure>{}<figcaption>{} taken for {}</figcaption></figure>",
            picture(&asked[at]),
            asked[at].label,
            answers[at]
        );
    }
    html.push_str("</div>");
    report.section("Image requests, batched", &html);
    Ok(())
}

/// Reads `data/digits` of the workspace.
fn load() -> Result<Vec<Digit>, Box<dyn Error>> {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits/digits.csv"))?;
    text.lines()
        .map(|line| {
            let numbers = line.split(',').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
            let (label, values) = numbers.split_last().ok_or("an empty line among the digits")?;
            Ok(Digit { values: values.try_into()?, label: *label })
        })
        .collect()
}

/// What a camera would deliver: the digit in colour, enlarged.
fn draw(digit: &Digit, frame: &mut Vec<u8>) {
    let side = SIDE * ZOOM;
    for pixel in 0..side * side {
        let (row, column) = (pixel / side / ZOOM, pixel % side / ZOOM);
        let ink = digit.values[row * SIDE + column].saturating_mul(15);
        frame.extend([ink, ink, ink]);
    }
}

/// Gray values of the frame, averaged over each block of pixels.
fn vector(frame: &[u8]) -> Vec<f32> {
    let mut sums = vec![0_u32; SIDE * SIDE];
    let side = SIDE * ZOOM;
    for (pixel, &[r, g, b]) in frame.as_chunks::<CHANNELS>().0.iter().enumerate() {
        let gray = (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b) + 128) >> 8;
        sums[pixel / side / ZOOM * SIDE + pixel % side / ZOOM] += gray;
    }
    sums.into_iter().map(|sum| sum as f32 / (15 * ZOOM * ZOOM) as f32).collect()
}

fn picture(digit: &Digit) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {SIDE} {SIDE}\"><rect width=\"8\" height=\"8\" fill=\"#111\"/>"
    );
    for (at, &value) in digit.values.iter().enumerate().filter(|(_, value)| **value > 0) {
        let _ = write!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"1\" height=\"1\" fill=\"#fff\" fill-opacity=\"{:.2}\"/>",
            at % SIDE,
            at / SIDE,
            f32::from(value) / 16.0
        );
    }
    svg + "</svg>"
}
