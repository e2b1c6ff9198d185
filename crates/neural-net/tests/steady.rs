//! What runs again and again allocates nothing; threads change nothing.

use allocation_counter::measure;
use edgekit_neural_net::{
    Activation, Adam, Algorithm, Calibration, Dataset, Network, Precision, QuantizedScratch,
    Scratch, TrainConfig, Trainer,
};
#[cfg(feature = "rayon")]
use edgekit_neural_net::{Backprop, Rprop};

use crate::{digits, digits_network};

#[test]
fn running_allocates_nothing_once_it_is_warm() {
    let data = digits();
    let networks = [
        digits_network(128, 1),
        Network::builder(&[64, 30, 20, 10]).hidden(Activation::Gaussian).build().unwrap(),
        Network::builder(&[64, 30, 10]).connection_rate(0.3).build().unwrap(),
        Network::builder(&[64, 5, 10]).shortcut().build().unwrap(),
    ];
    for network in networks {
        let (mut y, mut one, mut scratch) = (vec![0.0; 17970], [0.0; 10], Scratch::default());
        let mut run = || {
            network.run_batch(data.inputs(), &mut y, &mut scratch).unwrap();
            network.run(data.input(3), &mut one, &mut scratch).unwrap();
        };
        // Both buffers take turns: the second call may still make one longer.
        (0..2).for_each(|_| run());
        assert_eq!(measure(run).count_total, 0, "{:?}", network.layer_sizes().collect::<Vec<_>>());
    }
    let quantized = digits_network(128, 1).quantize(&data, Calibration::MinMax).unwrap();
    let (mut y, mut scratch) = (vec![0.0; 17970], QuantizedScratch::default());
    let mut run = || quantized.run_batch(data.inputs(), &mut y, &mut scratch).unwrap();
    run();
    assert_eq!(measure(run).count_total, 0);
}

#[test]
fn training_allocates_nothing_once_it_is_warm() {
    let plain = crate::algorithms().map(|algorithm| (algorithm, Precision::F32));
    let mixed = (Algorithm::Adam(Adam::default()), Precision::Bf16);
    for (algorithm, precision) in plain.into_iter().chain([mixed]) {
        let batch = format!("{algorithm:?}").starts_with("Adam").then_some(64);
        let config = TrainConfig { algorithm, precision, batch, ..TrainConfig::default() };
        let data = digits().folds(4, 1).unwrap().swap_remove(0).1;
        let mut trainer = Trainer::new(digits_network(16, 1), config).unwrap();
        (0..2).for_each(|_| trainer.epoch(&data).unwrap());
        assert_eq!(measure(|| trainer.epoch(&data).unwrap()).count_total, 0, "{algorithm:?}");
    }
}

#[test]
fn mixed_precision_keeps_half_of_the_values() {
    let mut sizes = vec![8; 60];
    sizes.push(1);
    let data = Dataset::from_rows(&[0.5; 480 * 8], 8, &[0.5; 480], 1).unwrap();
    let bytes = |precision| {
        let network = Network::builder(&sizes).build().unwrap();
        let config = TrainConfig { precision, ..TrainConfig::default() };
        let mut trainer = Trainer::new(network, config).unwrap();
        measure(|| trainer.epoch(&data).unwrap()).bytes_max
    };
    let (plain, mixed) = (bytes(Precision::F32), bytes(Precision::Bf16));
    // Beside the values both have the gradient, and the rounded weights.
    assert!(mixed * 3 < plain * 2, "{mixed} and {plain} bytes");
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_weight() {
    let data = digits();
    let cases = [
        (Algorithm::Rprop(Rprop::default()), None, Precision::F32),
        (Algorithm::Adam(Adam::default()), Some(700), Precision::F32),
        (Algorithm::Adam(Adam::default()), Some(700), Precision::Bf16),
        (Algorithm::Batch(Backprop { rate: 0.5, momentum: 0.5 }), Some(500), Precision::F32),
    ];
    for (algorithm, batch, precision) in cases {
        let config = TrainConfig { algorithm, batch, precision, ..TrainConfig::default() };
        let trainer = || Trainer::new(digits_network(64, 1), config.clone()).unwrap();
        let mut alone = trainer();
        (0..3).for_each(|_| alone.epoch(&data).unwrap());
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut together = trainer().in_parallel();
            pool.install(|| (0..3).for_each(|_| together.epoch(&data).unwrap()));
            assert_eq!(together.network(), alone.network(), "{algorithm:?}, {threads} threads");
        }
    }
}
