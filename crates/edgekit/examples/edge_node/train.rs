//! A network that learns handwritten digits, then runs in integers.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use edgekit::neural_net::{
    Activation, Adam, Algorithm, BIT_FAIL_LIMIT, Calibration, Dataset, Loss, Network,
    QuantizedNetwork, QuantizedScratch, Scratch, TrainConfig, Trainer,
};
use indicatif::{ProgressBar, ProgressStyle};

use super::digits::{Digit, Digits, SIDE};
use super::plot::{Curve, lines};
use super::report::{Report, tiles};

const LAYERS: [usize; 3] = [SIDE * SIDE, 128, 10];
const EPOCHS: u64 = 40;
/// Inputs run one at a time, for the latency.
const ROUNDS: usize = 20_000;

/// Runs the panel, adds it to the report and returns the network in integers.
pub(crate) fn run(
    digits: &Digits,
    report: &mut Report,
) -> Result<QuantizedNetwork, Box<dyn Error>> {
    println!("\n── a network ── {LAYERS:?} neurons, {} digits to learn from", digits.known.len());
    let (known, asked) = (dataset(&digits.known)?, dataset(&digits.asked)?);
    let start = Instant::now();
    let (network, losses) = train(&known)?;
    let took = start.elapsed();

    let quantized = network.quantize(&known, Calibration::MinMax)?;
    let cost = quantized.report(&network, &asked, Loss::CrossEntropy, BIT_FAIL_LIMIT)?;
    let (before, after) = (cost.before.accuracy, cost.after.accuracy);
    if before < 0.9 || after < before - 0.01 {
        return Err(format!("{before:.3} recognised, {after:.3} in integers: both broken?").into());
    }
    let (plain, integers) = latencies(&network, &quantized, &asked)?;
    let samples = EPOCHS as f64 * known.len() as f64 / took.as_secs_f64();
    let percent = |part: f64| format!("{:.1} %", part * 100.0);
    let rows = [
        (
            "training",
            format!("{:.0} ms, {:.0}k samples/s", took.as_secs_f64() * 1e3, samples / 1e3),
        ),
        (
            "recognised, f32",
            format!("{} of {} digits not seen before", percent(before), asked.len()),
        ),
        (
            "recognised, int8",
            format!("{}, same answer to {}", percent(after), percent(cost.agreement)),
        ),
        ("size", format!("{} bytes, {} in integers", cost.bytes_before, cost.bytes_after)),
        ("one digit", format!("{plain:.2} µs, {integers:.2} µs in integers")),
    ];
    for (name, value) in &rows {
        println!("  {name:<20}{value}");
    }
    let mut html = tiles(&[
        ("training", format!("{:.0} ms", took.as_secs_f64() * 1e3)),
        ("recognised, f32", percent(before)),
        ("recognised, int8", percent(after)),
        ("bytes, f32", cost.bytes_before.to_string()),
        ("bytes, int8", cost.bytes_after.to_string()),
        ("one digit, f32", format!("{plain:.2} µs")),
        ("one digit, int8", format!("{integers:.2} µs")),
    ]);
    html += &lines(
        "epoch",
        "cross-entropy of the digits learned from",
        &[Curve { name: "after each epoch, by running the network", values: &losses }],
    );
    report.section("A network, trained and in integers", &html);
    Ok(quantized)
}

fn dataset(digits: &[Digit]) -> Result<Dataset, Box<dyn Error>> {
    let mut data = Dataset::new(LAYERS[0], LAYERS[2])?;
    for digit in digits {
        let mut target = [0.0; LAYERS[2]];
        *target.get_mut(usize::from(digit.label)).ok_or("a label above 9")? = 1.0;
        data.push(&digit.inputs(), &target)?;
    }
    Ok(data)
}

/// The trained network, and its loss after each epoch.
fn train(known: &Dataset) -> Result<(Network, Vec<f64>), Box<dyn Error>> {
    let network = Network::builder(&LAYERS)
        .hidden(Activation::SigmoidSymmetric)
        .output(Activation::Linear)
        .seed(1)
        .build()?;
    let config = TrainConfig {
        algorithm: Algorithm::Adam(Adam::default()),
        loss: Loss::CrossEntropy,
        batch: Some(32),
        max_epochs: EPOCHS,
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::new(network, config)?;
    let style = ProgressStyle::with_template("  {msg} {wide_bar} {pos}/{len} {elapsed}")?;
    let bar = ProgressBar::new(EPOCHS).with_style(style);
    let mut losses = Vec::new();
    trainer.train(known, None, |progress| {
        losses.push(progress.training.loss);
        bar.set_message(format!("loss {:.4}", progress.training.loss));
        bar.inc(1);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    Ok((trainer.into_network(), losses))
}

/// Microseconds for one digit, in `f32` and in integers.
fn latencies(
    network: &Network,
    quantized: &QuantizedNetwork,
    asked: &Dataset,
) -> Result<(f64, f64), Box<dyn Error>> {
    let mut outputs = [0.0; LAYERS[2]];
    let micros = |start: Instant| start.elapsed().as_secs_f64() * 1e6 / ROUNDS as f64;
    let mut scratch = Scratch::default();
    let start = Instant::now();
    for i in 0..ROUNDS {
        network.run(asked.input(i % asked.len()), &mut outputs, &mut scratch)?;
        std::hint::black_box(&outputs);
    }
    let plain = micros(start);
    let mut scratch = QuantizedScratch::default();
    let start = Instant::now();
    for i in 0..ROUNDS {
        quantized.run_batch(asked.input(i % asked.len()), &mut outputs, &mut scratch)?;
        std::hint::black_box(&outputs);
    }
    Ok((plain, micros(start)))
}
