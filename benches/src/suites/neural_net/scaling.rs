//! Training over sizes and over threads, in operations and samples a second.

use std::hint::black_box;
use std::rc::Rc;

use edgekit_kernels_simd::GemmScratch;
use edgekit_neural_net::{
    Activation, Adam, Algorithm, Backprop, Dataset, Network, Precision, Scratch, TrainConfig,
    Trainer,
};

use super::{calls, epochs, gemm};
use crate::{Series, Suite, Unit};

/// How near networks of several sizes come to the largest product, in operations a second.
pub(super) fn sizes(suite: &mut Suite) {
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

/// Mini-batches of 512 on one to four threads, after which all weights must be the same.
pub(super) fn threads(suite: &mut Suite, train: &Rc<Dataset>) {
    if !suite.wants("neural-net/threads") {
        return;
    }
    let (mut alone, data) = (wide(Precision::F32), &**train);
    (0..2).for_each(|_| alone.epoch(data).expect("finite"));
    for threads in 1..=4 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads are to be had");
        let mut together = wide(Precision::F32).in_parallel();
        pool.install(|| (0..2).for_each(|_| together.epoch(data).expect("finite")));
        let id = format!("neural-net/threads/{threads}");
        let same = together.network().weights() == alone.network().weights();
        suite.check(&id, same, || "the weights are not those of one thread".into());
        let train = train.clone();
        suite.measure(id, Unit::PerSecond, move || {
            let data = &*train;
            pool.install(|| epochs(&mut together, data))
        });
    }
}

/// The same network with operands of 16 bits, on one thread.
pub(super) fn precisions(suite: &mut Suite, train: &Rc<Dataset>) {
    for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16)] {
        let (mut trainer, train) = (wide(precision), train.clone());
        suite.measure(format!("neural-net/bf16/train/{name}"), Unit::PerSecond, move || {
            epochs(&mut trainer, &train)
        });
    }
}

fn wide(precision: Precision) -> Trainer {
    let network = Network::builder(&[64, 512, 256, 10]).seed(1).build().expect("valid");
    let algorithm = Algorithm::Adam(Adam::default());
    let config = TrainConfig { algorithm, precision, batch: Some(512), ..TrainConfig::default() };
    Trainer::new(network, config).expect("valid")
}
