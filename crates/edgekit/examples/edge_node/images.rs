//! Image requests: frames in pooled buffers through a pipeline, then one by one into a batcher that
//! asks the network in integers which handwritten digits they show.

use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, Instant};

use edgekit::batcher::{Batcher, Config};
use edgekit::kernels_simd::Kernels;
use edgekit::mempool::{BufferPool, PoolConfig};
use edgekit::neural_net::{QuantizedNetwork, QuantizedScratch};
use edgekit::pipeline::Pipeline;

use super::digits::{Digit, SIDE};
use super::report::{Report, tiles};

/// A digit is 8 × 8 values from 0 to 16.
/// A frame shows each value of a digit as a block of pixels.
const ZOOM: usize = 4;
const CHANNELS: usize = 3;
const FRAME: usize = SIDE * SIDE * ZOOM * ZOOM * CHANNELS;
const CALLERS: usize = 32;

/// Runs the panel and adds it to the report.
pub(crate) fn run(
    asked: &[Digit],
    network: QuantizedNetwork,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    println!("\n── image requests ── {} frames", asked.len());

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

    let recognise = move |batch: Vec<Vec<f32>>| {
        let classes = network.output_size();
        let mut outputs = vec![0.0; batch.len() * classes];
        match network.run_batch(&batch.concat(), &mut outputs, &mut QuantizedScratch::default()) {
            Ok(()) => outputs
                .chunks_exact(classes)
                .map(|row| Ok(Kernels::get().argmax(row).map_or(0, |class| class as u8)))
                .collect(),
            Err(error) => vec![Err(error); batch.len()],
        }
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
    if accuracy < 0.9 {
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
         with one run of the network in integers. Batch sizes (size×count): {}. The {} that it got wrong:</p><div class=\"digits\">",
        sizes.join(" "),
        wrong.len()
    );
    for &at in &wrong {
        let _ = write!(
            html,
            "<figure>{}<figcaption>{} taken for {}</figcaption></figure>",
            asked[at].picture(),
            asked[at].label,
            answers[at]
        );
    }
    html.push_str("</div>");
    report.section("Image requests, batched", &html);
    Ok(())
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

/// What the network is given: gray values of the frame, averaged over each block of pixels.
fn vector(frame: &[u8]) -> Vec<f32> {
    let mut sums = vec![0_u32; SIDE * SIDE];
    let side = SIDE * ZOOM;
    for (pixel, &[r, g, b]) in frame.as_chunks::<CHANNELS>().0.iter().enumerate() {
        let gray = (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b) + 128) >> 8;
        sums[pixel / side / ZOOM * SIDE + pixel % side / ZOOM] += gray;
    }
    sums.into_iter().map(|sum| sum as f32 / (15 * 16 * ZOOM * ZOOM) as f32).collect()
}
