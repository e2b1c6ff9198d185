//! What trainers reach on handwritten digits, and what fewer bits cost there.
//!
//! Settings were chosen by folds of the seeds 101 to 105, each of which also seeds weights and order;
//! what is printed is of other seeds.

use edgekit_neural_net::{
    Adam, Algorithm, BIT_FAIL_LIMIT, Backprop, Calibration, Dataset, Decay, Loss, Network,
    Precision, QuantizationReport, QuantizedNetwork, Quickprop, Rprop, Sarprop, Schedule,
    TrainConfig, Trainer, cross_validate,
};
use rayon::prelude::*;

use crate::{Suite, Unit};

/// Nothing was chosen by these.
const JUDGES: [u64; 5] = [201, 202, 203, 204, 205];
/// For small batches.
const ADAM: Adam = Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

pub(super) fn declare(suite: &mut Suite, data: &Dataset) {
    let rprop = Rprop { initial: 0.01, max: 0.1, ..Rprop::default() };
    let sarprop = Sarprop { rprop: Rprop { min: 1e-6, ..rprop }, ..Sarprop::default() };
    let slow = Backprop { rate: 0.5, momentum: 0.5 };
    let cases = [
        ("incremental", Algorithm::Incremental(Backprop { rate: 1.0, momentum: 0.0 }), None, 40),
        ("rprop", Algorithm::Rprop(rprop), None, 100),
        ("adam", Algorithm::Adam(ADAM), Some(32), 40),
        ("adamw", Algorithm::AdamW(ADAM, Decay::default()), Some(32), 60),
        ("batch", Algorithm::Batch(slow), Some(16), 40),
        ("quickprop", Algorithm::Quickprop(Quickprop::default()), None, 400),
        ("sarprop", Algorithm::Sarprop(sarprop), None, 200),
    ];
    for (name, algorithm, batch, max_epochs) in cases {
        let id = format!("neural-net/digits/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let schedule = match algorithm {
            Algorithm::AdamW(..) => Schedule::Cosine { epochs: max_epochs, floor: 0.01 },
            _ => Schedule::Constant,
        };
        let config = TrainConfig { algorithm, batch, schedule, max_epochs, ..Default::default() };
        publish(suite, &id, &judged(data, &config));
    }
    mixed(suite, data);
}

/// The same training with operands of 16 bits.
fn mixed(suite: &mut Suite, data: &Dataset) {
    let id = "neural-net/bf16/digits";
    if !suite.wants("neural-net/bf16") {
        return;
    }
    let config = |precision| TrainConfig {
        algorithm: Algorithm::Adam(ADAM),
        batch: Some(32),
        max_epochs: 40,
        precision,
        ..TrainConfig::default()
    };
    let mixed = judged(data, &config(Precision::Bf16));
    let lost = mean(&judged(data, &config(Precision::F32))) - mean(&mixed);
    publish(suite, id, &mixed);
    suite.value("neural-net/bf16/accuracy-lost", Unit::Share, lost);
}

/// Networks in integers, each trained on four fifths, with its report on the last.
pub(super) fn integers(data: &Dataset) -> Vec<(QuantizedNetwork, QuantizationReport)> {
    let quantized = |seed: u64| {
        let folds = data.folds(5, seed).expect("enough samples");
        let each = folds.into_iter().map(move |(train, held_out)| {
            let algorithm = Algorithm::Adam(ADAM);
            let config = TrainConfig { algorithm, batch: Some(32), seed, ..TrainConfig::default() };
            let mut trainer = Trainer::new(network(seed), config).expect("valid");
            (0..40).for_each(|_| trainer.epoch(&train).expect("it converges"));
            let net = trainer.into_network();
            let quantized = net.quantize(&train, Calibration::MinMax).expect("dense");
            let report = quantized.report(&net, &held_out, Loss::Mse, BIT_FAIL_LIMIT);
            (quantized, report.expect("it fits"))
        });
        each.collect::<Vec<_>>()
    };
    JUDGES.par_iter().flat_map(|&seed| quantized(seed)).collect()
}

fn network(seed: u64) -> Network {
    Network::builder(&[64, 128, 10]).seed(seed).build().expect("valid")
}

/// For each judge the mean accuracy on held-out samples over five folds.
fn judged(data: &Dataset, config: &TrainConfig) -> Vec<f64> {
    let accuracy = |&seed: &u64| {
        let config = TrainConfig { seed, ..config.clone() };
        let folds = cross_validate(&network(seed), &config, data, 5, seed).expect("it converges");
        folds.iter().map(|fold| fold.accuracy).sum::<f64>() / folds.len() as f64
    };
    JUDGES.par_iter().map(accuracy).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn publish(suite: &mut Suite, id: &str, accuracies: &[f64]) {
    suite.value(id, Unit::Share, mean(accuracies));
    let worst = accuracies.iter().copied().fold(1.0, f64::min);
    suite.value(format!("{id}/worst-seed"), Unit::Share, worst);
}
