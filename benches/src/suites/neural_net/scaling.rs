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

/// How near networks of several sizes come to the largest product, in operations a second. Each rate is
/// the best of three, and the product is timed between all of them: a neighbour slows down some.
pub(super) fn sizes(suite: &mut Suite) {
    if !suite.wants("neural-net/full/sizes") {
        return;
    }
    let n = 1024;
    let (a, mut c) = (vec![0.5; n * n], vec![0.0; n * n]);
    let (mut scratch, mut roof) = (GemmScratch::default(), 0.0);
    let mut rates = Vec::new();
    for layers in 2..=4 {
        for width in [32, 64, 128, 256, 512, 1024] {
            let (mut run, mut train) = size(layers, width);
            let (mut forth, mut back) = (0.0_f64, 0.0_f64);
            for _ in 0..3 {
                (forth, back) = (forth.max(run()), back.max(train()));
            }
            rates.push((layers, width, [("run", forth), ("train", back)]));
            roof = calls(2 * n * n * n, || gemm(&a, &a, &mut c, n, &mut scratch)).max(roof);
        }
    }
    suite.value("neural-net/full/sizes/roof", Unit::PerSecond, roof);
    for (layers, width, rates) in &rates {
        for (what, rate) in rates {
            let id = format!("neural-net/full/sizes/{what}/{layers}x{width}");
            suite.value(&id, Unit::PerSecond, *rate);
            suite.value(format!("{id}/of-roof"), Unit::Share, rate / roof);
        }
    }
    for same in rates.chunk_by(|a, b| a.0 == b.0) {
        for what in 0..2 {
            let points = same.iter().map(|(_, width, rates)| (*width as f64, rates[what].1 / 1e9));
            suite.series(Series {
                plot: "neural-net: operations a second, 512 samples".into(),
                x_label: "neurons of a layer".into(),
                y_label: "GFLOP/s".into(),
                name: format!("{}, {} layers", same[0].2[what].0, same[0].0),
                points: points.collect(),
            });
        }
    }
}

/// What measures running and training one size, in operations a second.
fn size(layers: usize, width: usize) -> (impl FnMut() -> f64, impl FnMut() -> f64) {
    let net = Network::builder(&vec![width; layers]).hidden(Activation::Sigmoid).seed(1).build();
    let net = net.expect("valid");
    let rows = 512;
    let x = vec![0.25; rows * width];
    let data = Dataset::from_rows(&x, width, &x, width).expect("it fits");
    let operations = 2 * net.weights().len() * rows;
    // Forth, the weights' gradient, and back through all layers but the first.
    let both = 3 * operations - 2 * (width + 1) * width * rows;
    let algorithm = Algorithm::Batch(Backprop { rate: 1e-3, momentum: 0.0 });
    let config = TrainConfig { algorithm, ..TrainConfig::default() };
    let mut trainer = Trainer::new(net.clone(), config).expect("valid");
    let (mut y, mut scratch) = (x.clone(), Scratch::default());
    let run = move || {
        calls(operations, || net.run_batch(black_box(&x), &mut y, &mut scratch).expect("it fits"))
    };
    (run, move || calls(both, || trainer.epoch(&data).expect("finite")))
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
