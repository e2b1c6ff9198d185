//! neural-net: samples a second in training and running beside libfann and PyTorch, products beside a
//! plain loop, what the trainers reach on real digits, integers, checkpoints.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Instant;

use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};
use edgekit_neural_net::{
    Activation, Adam, Algorithm, BIT_FAIL_LIMIT, Backprop, Calibration, CascadeConfig, Csv,
    CsvSamples, Dataset, Decay, Loss, Network, QuantizedScratch, Quickprop, Rprop, Sarprop,
    Schedule, Scratch, Stop, Targets, TrainConfig, Trainer, cascade, cross_validate,
};

use crate::{Series, Suite, Unit};

#[cfg(feature = "peers")]
mod fann;
#[cfg(feature = "peers")]
mod torch;

/// Rows of the training part of a five-fold split.
const ROWS: usize = 1437;

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    if !suite.wants("neural-net") {
        return;
    }
    let data = Rc::new(digits());
    let rows: Vec<usize> = (0..ROWS).collect();
    let train = Rc::new(data.select(&rows));
    training(suite, &train);
    running(suite, &train);
    integers(suite, &data);
    products(suite);
    sizes(suite);
    quality(suite, &data);
    growing(suite);
    checkpoints(suite);
    loading(suite);
    #[cfg(feature = "peers")]
    {
        fann::declare(suite, &train);
        torch::declare(suite);
    }
}

fn digits() -> Dataset {
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
    let folds = data.folds(5, 1).expect("enough samples");
    let (mut lost, mut agreement) = (0.0, 0.0);
    let mut last = None;
    for (train, held_out) in &folds {
        let mut trainer = trainer(Algorithm::Adam(ADAM), Some(32));
        (0..40).for_each(|_| trainer.epoch(train).expect("it converges"));
        let net = trainer.into_network();
        let quantized = net.quantize(train, Calibration::MinMax).expect("dense");
        let report = quantized.report(&net, held_out, Loss::Mse, BIT_FAIL_LIMIT).expect("it fits");
        lost += (report.before.accuracy - report.after.accuracy) / folds.len() as f64;
        agreement += report.agreement / folds.len() as f64;
        let smaller = report.bytes_before as f64 / report.bytes_after as f64;
        last = Some((quantized, smaller));
    }
    suite.value("neural-net/int8/accuracy-lost", Unit::Share, lost);
    suite.value("neural-net/int8/agreement", Unit::Share, agreement);
    let Some((quantized, smaller)) = last else { return };
    suite.value("neural-net/int8/smaller", Unit::Ratio, smaller);
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

/// How near networks of several sizes come to the largest product, in operations a second.
fn sizes(suite: &mut Suite) {
    if !suite.wants("neural-net/full/sizes") {
        return;
    }
    let n = 1024;
    let (a, mut c) = (vec![0.5; n * n], vec![0.0; n * n]);
    let mut scratch = GemmScratch::default();
    let mut product = || gemm(&a, &a, &mut c, n, &mut scratch);
    let roof = calls(2 * n * n * n, &mut product);
    suite.value("neural-net/full/sizes/roof", Unit::PerSecond, roof);
    for layers in 2..=4 {
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for width in [32, 64, 128, 256, 512, 1024] {
            let shape = vec![width; layers];
            let net = Network::builder(&shape).hidden(Activation::Sigmoid).seed(1).build();
            let net = net.expect("valid");
            let rows = 512;
            let x = vec![0.25; rows * width];
            let data = Dataset::from_rows(&x, width, &x, width).expect("it fits");
            let (mut y, mut scratch) = (x.clone(), Scratch::default());
            let operations = 2 * net.weights().len() * rows;
            let run = calls(operations, || {
                net.run_batch(black_box(&x), &mut y, &mut scratch).expect("it fits");
            });
            let config = TrainConfig {
                algorithm: Algorithm::Batch(Backprop { rate: 1e-3, momentum: 0.0 }),
                ..TrainConfig::default()
            };
            let mut trainer = Trainer::new(net, config).expect("valid");
            // Forth, the weights' gradient, and back through all layers but the first.
            let first = 2 * (width + 1) * width * rows;
            let train = calls(3 * operations - first, || trainer.epoch(&data).expect("finite"));
            forward.push((width as f64, run / 1e9));
            backward.push((width as f64, train / 1e9));
            for (what, value) in [("run", run), ("train", train)] {
                let id = format!("neural-net/full/sizes/{what}/{layers}x{width}");
                suite.value(&id, Unit::PerSecond, value);
                suite.value(format!("{id}/of-roof"), Unit::Share, value / roof);
            }
        }
        for (what, points) in [("run", forward), ("train", backward)] {
            suite.series(Series {
                plot: "neural-net: operations a second, 512 samples".into(),
                x_label: "neurons of a layer".into(),
                y_label: "GFLOP/s".into(),
                name: format!("{what}, {layers} layers"),
                points,
            });
        }
    }
}

/// For small batches of digits.
const ADAM: Adam = Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/// Mean accuracy on held-out digits, five folds, for every trainer.
fn quality(suite: &mut Suite, data: &Dataset) {
    let rprop = Rprop { initial: 0.01, max: 1.0, ..Rprop::default() };
    let sarprop = Sarprop { rprop: Rprop { min: 1e-6, ..rprop }, ..Sarprop::default() };
    let slow = Backprop { rate: 0.5, momentum: 0.5 };
    let cases = [
        ("incremental", Algorithm::Incremental(Backprop { rate: 0.3, momentum: 0.0 }), None, 40),
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
        let config =
            TrainConfig { algorithm, batch, schedule, max_epochs, seed: 1, ..Default::default() };
        let folds = cross_validate(&network(128), &config, data, 5, 1).expect("it converges");
        let mean = folds.iter().map(|fold| fold.accuracy).sum::<f64>() / folds.len() as f64;
        suite.value(id, Unit::Share, mean);
    }
}

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
