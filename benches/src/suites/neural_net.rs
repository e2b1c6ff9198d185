//! neural-net: samples a second in training and running beside libfann and PyTorch, products beside a
//! plain loop, what the trainers reach on real digits, integers, checkpoints.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Instant;

use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};
use edgekit_neural_net::{
    Adam, Algorithm, Backprop, CascadeConfig, Csv, CsvSamples, Dataset, Network,
    QuantizationReport, QuantizedNetwork, QuantizedScratch, Rprop, Scratch, Stop, Targets,
    TrainConfig, Trainer, cascade,
};

use crate::{Suite, Unit};

mod digits;
#[cfg(feature = "peers")]
mod fann;
mod scaling;
#[cfg(feature = "peers")]
mod torch;

/// Rows of the training part of a five-fold split.
const ROWS: usize = 1437;

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    if !suite.wants("neural-net") {
        return;
    }
    let data = Rc::new(samples());
    let rows: Vec<usize> = (0..ROWS).collect();
    let train = Rc::new(data.select(&rows));
    training(suite, &train);
    running(suite, &train);
    integers(suite, &data);
    products(suite);
    scaling::sizes(suite);
    scaling::threads(suite, &train);
    scaling::precisions(suite, &train);
    digits::declare(suite, &data);
    growing(suite);
    checkpoints(suite);
    loading(suite);
    #[cfg(feature = "peers")]
    {
        fann::declare(suite, &train);
        torch::declare(suite);
    }
}

fn samples() -> Dataset {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits/digits.csv");
    let file = std::fs::File::open(path).expect("the sample is part of the project");
    let csv = Csv { inputs: 64, targets: Targets::Class(10), skip: 0 };
    let raw = Dataset::collect(CsvSamples::new(std::io::BufReader::new(file), csv).expect("valid"))
        .expect("the sample is whole");
    let inputs: Vec<f32> = raw.inputs().iter().map(|x| x / 16.0).collect();
    Dataset::from_rows(&inputs, 64, raw.targets(), 10).expect("the same shape")
}

fn network(hidden: usize) -> Network {
    Network::builder(&[64, hidden, 10]).seed(1).build().expect("valid")
}

fn trainer(algorithm: Algorithm, batch: Option<usize>) -> Trainer {
    let config = TrainConfig { algorithm, batch, seed: 1, ..TrainConfig::default() };
    Trainer::new(network(128), config).expect("valid")
}

/// Samples a second of whole epochs, for at least a fifth of a second.
fn epochs(trainer: &mut Trainer, data: &Dataset) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while done == 0 || start.elapsed().as_secs_f64() < 0.2 {
        trainer.epoch(data).expect("the settings converge");
        done += data.len();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn training(suite: &mut Suite, train: &Rc<Dataset>) {
    let cases = [
        ("incremental", Algorithm::Incremental(Backprop { rate: 0.1, momentum: 0.0 }), None),
        ("full-batch", Algorithm::Rprop(Rprop::default()), None),
        ("mini-batch-64", Algorithm::Adam(Adam::default()), Some(64)),
    ];
    for (name, algorithm, batch) in cases {
        let train = train.clone();
        // From the same weights each time, as the rivals.
        suite.measure(format!("neural-net/train/{name}/ours"), Unit::PerSecond, move || {
            epochs(&mut trainer(algorithm, batch), &train)
        });
    }
}

/// Samples a second of calls that run `rows` each.
fn calls(rows: usize, mut call: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while done == 0 || start.elapsed().as_secs_f64() < 0.1 {
        call();
        done += rows;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn running(suite: &mut Suite, train: &Rc<Dataset>) {
    let (net, data) = (network(128), train.clone());
    let (mut scratch, mut y) = (Scratch::default(), vec![0.0; 10]);
    suite.measure("neural-net/run/1/ours", Unit::PerSecond, move || {
        calls(ROWS, || {
            for i in 0..ROWS {
                net.run(black_box(data.input(i)), &mut y, &mut scratch).expect("it fits");
            }
        })
    });
    for rows in [64, ROWS] {
        let (net, data) = (network(128), train.clone());
        let (mut scratch, mut y) = (Scratch::default(), vec![0.0; 10 * rows]);
        suite.measure(format!("neural-net/run/{rows}/ours"), Unit::PerSecond, move || {
            let x = &data.inputs()[..64 * rows];
            calls(rows, || net.run_batch(black_box(x), &mut y, &mut scratch).expect("it fits"))
        });
    }
}

fn integers(suite: &mut Suite, data: &Rc<Dataset>) {
    if !suite.wants("neural-net/int8") {
        return;
    }
    let made = digits::integers(data);
    let mean = |of: fn(&QuantizationReport) -> f64| {
        made.iter().map(|(_, report)| of(report)).sum::<f64>() / made.len() as f64
    };
    let lost = mean(|report| report.before.accuracy - report.after.accuracy);
    suite.value("neural-net/int8/accuracy-lost", Unit::Share, lost);
    suite.value("neural-net/int8/agreement", Unit::Share, mean(|report| report.agreement));
    let smaller = mean(|report| report.bytes_before as f64 / report.bytes_after as f64);
    suite.value("neural-net/int8/smaller", Unit::Ratio, smaller);
    let Some((quantized, _)) = made.first() else { return };
    let saved = quantized.to_safetensors().expect("in memory");
    let again = QuantizedNetwork::from_safetensors(&saved).expect("what is written is read");
    let outputs = |network: &QuantizedNetwork| {
        let mut y = vec![0.0; data.targets().len()];
        network.run_batch(data.inputs(), &mut y, &mut QuantizedScratch::default()).expect("fits");
        y
    };
    let same = outputs(&again) == outputs(quantized);
    suite.check("neural-net/int8/file", same, || "outputs differ after a round trip".into());
    for rows in [1, 64, ROWS] {
        let (quantized, data) = (quantized.clone(), data.clone());
        let (mut scratch, mut y) = (QuantizedScratch::default(), vec![0.0; 10 * rows]);
        suite.measure(format!("neural-net/int8/run/{rows}"), Unit::PerSecond, move || {
            let x = &data.inputs()[..64 * rows];
            calls(rows, || quantized.run_batch(black_box(x), &mut y, &mut scratch).expect("fits"))
        });
    }
}

/// Operations a second of a square product.
fn products(suite: &mut Suite) {
    for n in [64, 128, 256, 512, 1024] {
        let prefix = format!("neural-net/product/{n}");
        if !suite.wants(&prefix) {
            continue;
        }
        let a: Vec<f32> = (0..n * n).map(|i| (i % 17) as f32 - 8.0).collect();
        let b: Vec<f32> = (0..n * n).map(|i| (i % 23) as f32 * 0.1).collect();
        let (mut ours, mut naive) = (vec![0.0; n * n], vec![0.0; n * n]);
        let mut scratch = GemmScratch::default();
        gemm(&a, &b, &mut ours, n, &mut scratch);
        ikj(&a, &b, &mut naive, n);
        let off = ours.iter().zip(&naive).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        suite.check(format!("{prefix}/ours"), off < 0.01 * n as f32, || format!("off by {off}"));
        let (x, y) = (a.clone(), b.clone());
        let operations = 2 * n * n * n;
        suite.measure(format!("{prefix}/ours"), Unit::PerSecond, move || {
            calls(operations, || gemm(black_box(&x), &y, &mut ours, n, &mut scratch))
        });
        suite.measure(format!("{prefix}/ikj"), Unit::PerSecond, move || {
            calls(operations, || ikj(black_box(&a), &b, &mut naive, n))
        });
    }
}

fn gemm(a: &[f32], b: &[f32], c: &mut [f32], n: usize, scratch: &mut GemmScratch) {
    let (a, b) = (Matrix::new(a, n, n, n), Matrix::new(b, n, n, n));
    Kernels::get().gemm(a, b, MatrixMut::new(c, n, n, n), Epilogue::default(), scratch);
}

/// What one writes: rows of `b` added up, which compilers vectorise.
fn ikj(a: &[f32], b: &[f32], c: &mut [f32], n: usize) {
    c.fill(0.0);
    for i in 0..n {
        for k in 0..n {
            let factor = a[i * n + k];
            let row = &b[k * n..(k + 1) * n];
            for (c, b) in c[i * n..(i + 1) * n].iter_mut().zip(row) {
                *c += factor * b;
            }
        }
    }
}

/// With moments to keep, for checkpoints.
const ADAM: Adam = Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/// Neurons that two spirals take.
fn growing(suite: &mut Suite) {
    if !suite.wants("neural-net/cascade") {
        return;
    }
    let mut data = Dataset::new(2, 1).expect("valid");
    for i in 0..97 {
        let angle = i as f32 * std::f32::consts::PI / 16.0;
        let radius = 6.5 * (104 - i) as f32 / 104.0;
        let (x, y) = (radius * angle.sin(), radius * angle.cos());
        data.push(&[x, y], &[1.0]).expect("finite");
        data.push(&[-x, -y], &[0.0]).expect("finite");
    }
    let net = || Network::builder(&[2, 1]).shortcut().seed(1).build().expect("valid");
    let config = CascadeConfig { bit_fail: Some(0), seed: 1, ..CascadeConfig::default() };
    let (mut neurons, mut failed) = (0, 0);
    cascade(net(), &data, &config, |progress| {
        (neurons, failed) = (progress.neurons, progress.training.bit_fail);
        ControlFlow::Continue(())
    })
    .expect("it grows");
    let id = "neural-net/cascade/two-spirals";
    suite.check(id, failed == 0, || format!("{failed} points are on the wrong side"));
    suite.value(format!("{id}/neurons"), Unit::Count, neurons as f64);
    suite.time(format!("{id}/grow"), move || {
        cascade(net(), &data, &config, |_| ControlFlow::Continue(())).expect("it grows")
    });
}

/// Bytes a second, durable, beside a plain write of the same bytes.
fn checkpoints(suite: &mut Suite) {
    if !suite.wants("neural-net/checkpoint") {
        return;
    }
    let net = Network::builder(&[256, 1024, 1024, 64]).seed(1).build().expect("valid");
    let algorithm = Algorithm::Adam(ADAM);
    let config = TrainConfig { algorithm, stop: vec![Stop::Mse(0.0)], ..TrainConfig::default() };
    let trainer = Trainer::new(net, config).expect("valid");
    let bytes = trainer.to_bytes().expect("in memory");
    let folder = Rc::new(tempfile::tempdir().expect("a place for temporary files"));
    let (len, there) = (bytes.len() as f64, folder.clone());
    suite.measure("neural-net/checkpoint/ours", Unit::BytesPerSecond, move || {
        let start = Instant::now();
        trainer.save(there.path().join("ours")).expect("there is room");
        len / start.elapsed().as_secs_f64()
    });
    suite.measure("neural-net/checkpoint/plain", Unit::BytesPerSecond, move || {
        use std::io::Write;
        let start = Instant::now();
        let mut file = std::fs::File::create(folder.path().join("plain")).expect("writable");
        file.write_all(&bytes).and_then(|()| file.sync_all()).expect("there is room");
        len / start.elapsed().as_secs_f64()
    });
}

/// Samples a second out of text.
fn loading(suite: &mut Suite) {
    if !suite.wants("neural-net/load") {
        return;
    }
    let text = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits/digits.csv"));
    let text = text.expect("the sample is part of the project");
    suite.measure("neural-net/load/csv", Unit::PerSecond, move || {
        let csv = Csv { inputs: 64, targets: Targets::Class(10), skip: 0 };
        calls(1797, || {
            let samples = CsvSamples::new(&text[..], csv).expect("valid");
            assert_eq!(samples.filter(Result::is_ok).count(), 1797);
        })
    });
}
