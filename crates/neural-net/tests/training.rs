//! Every algorithm on small problems; what is reported; when it stops.

use std::ops::ControlFlow;

use edgekit_neural_net::{
    Activation, Adam, Algorithm, BIT_FAIL_LIMIT, Backprop, Dataset, ErrorKind, Loss, Network,
    Precision, Reason, Rprop, Schedule, Scratch, Stop, TrainConfig, Trainer,
};

use crate::{algorithms, go_on, xor};

fn network(seed: u64) -> Network {
    let builder = Network::builder(&[2, 4, 1]).hidden((Activation::SigmoidSymmetric, 1.0));
    builder.seed(seed).build().unwrap()
}

#[test]
fn every_algorithm_learns_exclusive_or() {
    for algorithm in algorithms() {
        for seed in 1..4 {
            let stop = vec![Stop::Mse(1e-3)];
            let config =
                TrainConfig { algorithm, stop, max_epochs: 3000, seed, ..TrainConfig::default() };
            let mut trainer = Trainer::new(network(seed), config).unwrap();
            let reason = trainer.train(&xor(), None, go_on).unwrap();
            assert!(matches!(reason, Reason::Stopped(_)), "{algorithm:?}, seed {seed}");
            let mut y = [0.0];
            for i in 0..4 {
                trainer.network().run(xor().input(i), &mut y, &mut Scratch::default()).unwrap();
                assert!((y[0] - xor().target(i)[0]).abs() < 0.2, "{algorithm:?} {i}: {y:?}");
            }
        }
    }
}

#[test]
fn shortcuts_and_sparse_networks_learn_it_too() {
    let networks = [
        Network::builder(&[2, 2, 1]).shortcut().seed(5).build().unwrap(),
        Network::builder(&[2, 8, 1]).connection_rate(0.7).seed(5).build().unwrap(),
    ];
    for network in networks {
        for algorithm in algorithms() {
            let config = TrainConfig {
                algorithm,
                stop: vec![Stop::BitFail(0)],
                max_epochs: 5000,
                seed: 2,
                ..TrainConfig::default()
            };
            let mut trainer = Trainer::new(network.clone(), config).unwrap();
            let reason = trainer.train(&xor(), None, go_on).unwrap();
            assert_eq!(reason, Reason::Stopped(Stop::BitFail(0)), "{algorithm:?}");
        }
    }
}

#[test]
fn losses_have_their_own_minima() {
    for loss in [Loss::Mse, Loss::Mae, Loss::Tanh, Loss::CrossEntropy] {
        let two = |t: f32| [t, 1.0 - t];
        let targets: Vec<f32> = xor().targets().iter().flat_map(|&t| two(t)).collect();
        let data = Dataset::from_rows(xor().inputs(), 2, &targets, 2).unwrap();
        // Behind sigmoids the absolute error is stuck where three of four samples are right.
        let output = match loss {
            Loss::CrossEntropy | Loss::Mae => Activation::Linear,
            _ => Activation::Sigmoid,
        };
        for seed in 1..=6 {
            let builder = Network::builder(&[2, 6, 2]).hidden(Activation::SigmoidSymmetric);
            let network = builder.output(output).seed(seed).build().unwrap();
            let config = TrainConfig {
                algorithm: algorithms()[6],
                loss,
                stop: vec![Stop::Loss(0.02)],
                max_epochs: 2000,
                ..TrainConfig::default()
            };
            let mut trainer = Trainer::new(network, config).unwrap();
            let reason = trainer.train(&data, None, go_on).unwrap();
            assert_eq!(reason, Reason::Stopped(Stop::Loss(0.02)), "{loss:?}, seed {seed}");
            assert_eq!(trainer.evaluate(&data).unwrap().accuracy, 1.0, "{loss:?}, seed {seed}");
        }
    }
}

#[test]
fn the_error_that_is_reported_is_the_error_of_run() {
    for algorithm in algorithms() {
        let config = TrainConfig { algorithm, max_epochs: 5, ..TrainConfig::default() };
        let mut trainer = Trainer::new(network(1), config).unwrap();
        let mut told = Vec::new();
        trainer
            .train(&xor(), None, |p| {
                told.push(*p);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(told.iter().map(|p| p.epoch).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let (mut sum, mut failed, mut y) = (0.0, 0, [0.0]);
        for i in 0..4 {
            trainer.network().run(xor().input(i), &mut y, &mut Scratch::default()).unwrap();
            let d = y[0] - xor().target(i)[0];
            sum += f64::from(d * d);
            failed += usize::from(d.abs() >= BIT_FAIL_LIMIT);
        }
        let last = told.last().unwrap().training;
        assert!((last.mse - sum / 4.0).abs() < 1e-6, "{algorithm:?}: {} {}", last.mse, sum / 4.0);
        assert_eq!(last.bit_fail, failed);
    }
}

#[test]
fn patience_puts_the_best_weights_back() {
    // A rate so high that the loss goes up and down.
    let algorithm = Algorithm::Batch(Backprop { rate: 60.0, momentum: 0.0 });
    let stop = vec![Stop::Patience(7)];
    let config = TrainConfig { algorithm, stop, ..TrainConfig::default() };
    let mut trainer = Trainer::new(network(1), config).unwrap();
    let mut losses = Vec::new();
    let reason = trainer.train(&xor(), None, |p| {
        losses.push(p.training.loss);
        ControlFlow::Continue(())
    });
    assert_eq!(reason.unwrap(), Reason::Stopped(Stop::Patience(7)));
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(losses.last().unwrap() > &best);
    assert_eq!(trainer.evaluate(&xor()).unwrap().loss, best);
    assert_eq!(losses.iter().position(|l| *l == best), Some(losses.len() - 8));
}

#[test]
fn callbacks_and_epochs_end_training() {
    let config = TrainConfig { max_epochs: 9, ..TrainConfig::default() };
    let mut trainer = Trainer::new(network(1), config).unwrap();
    let reason = trainer.train(&xor(), None, |p| {
        if p.epoch == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((reason.unwrap(), trainer.epochs()), (Reason::Callback, 4));
    assert_eq!(trainer.train(&xor(), None, go_on).unwrap(), Reason::Epochs);
    assert_eq!(trainer.epochs(), 9);
}

#[test]
fn the_seed_and_the_epoch_decide_the_order_of_samples() {
    // Weights tell the order: a step depends on those before it.
    let data = crate::digits().folds(20, 1).unwrap().swap_remove(0).1;
    let cases = [
        (Algorithm::Incremental(Backprop { rate: 0.5, momentum: 0.0 }), None),
        (Algorithm::Batch(Backprop { rate: 0.5, momentum: 0.0 }), Some(16)),
    ];
    for (algorithm, batch) in cases {
        let one_epoch = |network, seed| {
            let config = TrainConfig { algorithm, batch, seed, ..TrainConfig::default() };
            let mut trainer = Trainer::new(network, config).unwrap();
            trainer.epoch(&data).unwrap();
            trainer
        };
        let start = || crate::digits_network(5, 1);
        let mut first = one_epoch(start(), 7);
        assert_eq!(first.network(), one_epoch(start(), 7).network(), "{algorithm:?}");
        assert_ne!(first.network(), one_epoch(start(), 8).network(), "{algorithm:?}");
        // The second epoch has another order than the first.
        let twice_the_first = one_epoch(first.network().clone(), 7);
        first.epoch(&data).unwrap();
        assert_ne!(first.network(), twice_the_first.network(), "{algorithm:?}");
    }
}

#[test]
fn the_schedule_multiplies_the_rate() {
    let settings = Backprop { rate: 0.1, momentum: 0.0 };
    let adam = Adam { rate: 0.1, ..Adam::default() };
    let cases = [
        (Algorithm::Incremental(settings), -0.1 - 0.05 * 0.8),
        (Algorithm::Batch(settings), -0.1 - 0.05 * 0.8),
        // The first step of Adam is the rate, and the second where the slope stays about the same.
        (Algorithm::Adam(adam), -0.15),
    ];
    for (algorithm, expected) in cases {
        let linear = (Activation::Linear, 1.0);
        let mut network = Network::builder(&[1, 1]).output(linear).build().unwrap();
        network.set_weights(&[0.0, 0.0]).unwrap();
        let data = Dataset::from_rows(&[1.0], 1, &[-1.0], 1).unwrap();
        let schedule = Schedule::Step { every: 1, factor: 0.5 };
        let config = TrainConfig { algorithm, schedule, max_epochs: 2, ..TrainConfig::default() };
        let mut trainer = Trainer::new(network, config).unwrap();
        trainer.train(&data, None, go_on).unwrap();
        let found = trainer.network().weights()[0];
        assert!((found - expected).abs() < 2e-3, "{algorithm:?}: {found}");
    }
}

#[test]
fn momentum_adds_a_part_of_the_last_step() {
    let sizes = [&[1, 1][..], &[1, 1, 1]];
    for (sizes, algorithm) in sizes.into_iter().flat_map(|sizes| {
        let settings = Backprop { rate: 0.1, momentum: 0.5 };
        [(sizes, Algorithm::Incremental(settings)), (sizes, Algorithm::Batch(settings))]
    }) {
        let linear = (Activation::Linear, 1.0);
        let mut network = Network::builder(sizes).hidden(linear).output(linear).build().unwrap();
        network.set_weights(&vec![0.0; network.weights().len()]).unwrap();
        let data = Dataset::from_rows(&[1.0], 1, &[-1.0], 1).unwrap();
        let config = TrainConfig { algorithm, max_epochs: 2, ..TrainConfig::default() };
        let mut trainer = Trainer::new(network, config).unwrap();
        trainer.train(&data, None, go_on).unwrap();
        // The error is 1 and then 0.8, where weight and bias share it, or 0.9 where the bias is alone.
        let (error, bias) = if sizes.len() == 2 { (0.8, -0.1) } else { (0.9, -0.1) };
        let expected = bias + 0.5 * bias - 0.1 * error;
        let found = trainer.network().weights().last().unwrap();
        assert!((found - expected).abs() < 1e-6, "{sizes:?}, {algorithm:?}: {found}");
    }
}

#[test]
fn a_stream_of_whole_batches_is_the_same_as_epochs() {
    let schedule = Schedule::Step { every: 2, factor: 0.5 };
    let algorithm = Algorithm::Batch(Backprop { rate: 0.7, momentum: 0.3 });
    let config = TrainConfig { schedule, algorithm, max_epochs: 6, ..TrainConfig::default() };
    let mut one = Trainer::new(network(2), config.clone()).unwrap();
    let mut other = Trainer::new(network(2), config).unwrap();
    one.train(&xor(), None, go_on).unwrap();
    for _ in 0..6 {
        other.step(&xor()).unwrap();
        other.end_epoch();
    }
    assert_eq!(one.network(), other.network());
}

#[test]
fn contradictions_and_bad_data_are_typed_errors() {
    let kind = |config| Trainer::new(network(1), config).unwrap_err().kind();
    let rprop = Algorithm::Rprop(Rprop::default());
    let batch = Some(10);
    assert_eq!(
        kind(TrainConfig { algorithm: rprop, batch, ..TrainConfig::default() }),
        ErrorKind::Config
    );
    let adam = algorithms()[6];
    let config = TrainConfig { algorithm: adam, batch: Some(0), ..TrainConfig::default() };
    assert_eq!(kind(config), ErrorKind::Config);
    let config = TrainConfig { bit_fail_limit: f32::NAN, ..TrainConfig::default() };
    assert_eq!(kind(config), ErrorKind::Config);
    let precision = Precision::Bf16;
    let one_by_one =
        TrainConfig { algorithm: algorithms()[0], precision, ..TrainConfig::default() };
    assert_eq!(kind(one_by_one), ErrorKind::Config);
    let config = TrainConfig { precision, ..TrainConfig::default() };
    for builder in
        [Network::builder(&[2, 2, 1]).shortcut(), Network::builder(&[2, 9, 1]).connection_rate(0.5)]
    {
        let error = Trainer::new(builder.build().unwrap(), config.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let threshold = Network::builder(&[2, 2, 1]).hidden(Activation::Threshold).build().unwrap();
    let error = Trainer::new(threshold, TrainConfig::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let mut trainer = Trainer::new(network(1), TrainConfig::default()).unwrap();
    let empty = Dataset::new(2, 1).unwrap();
    assert_eq!(trainer.epoch(&empty).unwrap_err().kind(), ErrorKind::Shape);
    let wide = Dataset::from_rows(&[1.0; 3], 3, &[1.0], 1).unwrap();
    assert_eq!(trainer.epoch(&wide).unwrap_err().kind(), ErrorKind::Shape);
}

#[test]
fn mixed_precision_learns_by_steps_too_small_for_16_bits() {
    // One neuron of weight 1 whose error is 1: each step takes 1e-4 off, of which 39 make one step of
    // bfloat16 there.
    let builder = Network::builder(&[1, 1]).output((Activation::Linear, 1.0));
    let mut network = builder.build().unwrap();
    network.set_weights(&[1.0, 0.0]).unwrap();
    let data = Dataset::from_rows(&[1.0], 1, &[0.0], 1).unwrap();
    let algorithm = Algorithm::Batch(Backprop { rate: 1e-4, momentum: 0.0 });
    let precision = Precision::Bf16;
    let config = TrainConfig { algorithm, precision, max_epochs: 1000, ..TrainConfig::default() };
    let mut trainer = Trainer::new(network, config).unwrap();
    trainer.train(&data, None, go_on).unwrap();
    // Weight and bias both lower the error, as exp(-2 * 1e-4 * epochs).
    let mut y = [0.0];
    trainer.network().run(&[1.0], &mut y, &mut Scratch::default()).unwrap();
    assert!((y[0] - (-0.2_f32).exp()).abs() < 2e-3, "{y:?}");
}

#[test]
fn every_algorithm_of_batches_learns_in_mixed_precision() {
    for algorithm in algorithms().into_iter().filter(|a| !matches!(a, Algorithm::Incremental(_))) {
        let precision = Precision::Bf16;
        let stop = vec![Stop::Mse(1e-3)];
        let config =
            TrainConfig { algorithm, precision, stop, max_epochs: 3000, ..TrainConfig::default() };
        let mut trainer = Trainer::new(network(1), config).unwrap();
        let reason = trainer.train(&xor(), None, go_on).unwrap();
        assert!(matches!(reason, Reason::Stopped(_)), "{algorithm:?}");
    }
}

#[test]
fn divergence_is_an_error_and_not_a_network_of_nan() {
    let algorithm = Algorithm::Batch(Backprop { rate: 3e38, momentum: 0.95 });
    let linear = Network::builder(&[2, 3, 1]).hidden((Activation::Linear, 1.0));
    let network = linear.output((Activation::Linear, 1.0)).seed(1).build().unwrap();
    let config = TrainConfig { algorithm, ..TrainConfig::default() };
    let mut trainer = Trainer::new(network, config).unwrap();
    let error = (0..50).find_map(|_| trainer.epoch(&xor()).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFinite);
}
