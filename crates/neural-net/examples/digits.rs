//! Trains a network on handwritten digits, quantises it and compares both:
//! `cargo run --release -p edgekit-neural-net --example digits`.

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;

use edgekit_neural_net::{
    Adam, Algorithm, BIT_FAIL_LIMIT, Calibration, Csv, CsvSamples, Dataset, Error, Loss, Network,
    Stop, Targets, TrainConfig, Trainer,
};

fn main() -> Result<(), Error> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits/digits.csv");
    let csv = Csv { inputs: 64, targets: Targets::Class(10), skip: 0 };
    let raw = Dataset::collect(CsvSamples::new(BufReader::new(File::open(path)?), csv)?)?;
    let inputs: Vec<f32> = raw.inputs().iter().map(|x| x / 16.0).collect();
    let digits = Dataset::from_rows(&inputs, 64, raw.targets(), 10)?;
    let (train, held_out) = digits.folds(5, 1)?.swap_remove(0);

    let network = Network::builder(&[64, 128, 10]).seed(1).build()?;
    let config = TrainConfig {
        algorithm: Algorithm::Adam(Adam { rate: 0.01, ..Adam::default() }),
        batch: Some(32),
        max_epochs: 40,
        stop: vec![Stop::Patience(10)],
        ..TrainConfig::default()
    };
    let mut trainer = Trainer::new(network, config)?;
    let reason = trainer.train(&train, Some(&held_out), |progress| {
        let accuracy = progress.held_out.map_or(0.0, |held_out| held_out.accuracy);
        println!(
            "epoch {}: error {:.5}, {accuracy:.4} right",
            progress.epoch, progress.training.mse
        );
        ControlFlow::Continue(())
    })?;
    println!("{reason:?}");

    let network = trainer.into_network();
    let quantized = network.quantize(&train, Calibration::MinMax)?;
    let report = quantized.report(&network, &held_out, Loss::Mse, BIT_FAIL_LIMIT)?;
    println!(
        "in f32: {:.4} right, {} bytes\nin integers: {:.4} right, {} bytes",
        report.before.accuracy, report.bytes_before, report.after.accuracy, report.bytes_after
    );
    Ok(())
}
