//! Networks that grow.

use std::ops::ControlFlow;

use edgekit_neural_net::{
    Activation, CascadeConfig, Dataset, ErrorKind, Kind, Loss, Network, Scratch, cascade,
};

use crate::{digits, xor};

/// Lang and Witbrock's two spirals of three turns: 194 points (1988).
fn two_spirals() -> Dataset {
    let mut data = Dataset::new(2, 1).unwrap();
    for i in 0..97 {
        let angle = i as f32 * std::f32::consts::PI / 16.0;
        let radius = 6.5 * (104 - i) as f32 / 104.0;
        let (x, y) = (radius * angle.sin(), radius * angle.cos());
        data.push(&[x, y], &[1.0]).unwrap();
        data.push(&[-x, -y], &[0.0]).unwrap();
    }
    data
}

#[test]
fn two_spirals_are_told_apart() {
    let data = two_spirals();
    for seed in 1..4 {
        let network = Network::builder(&[2, 1]).shortcut().seed(seed).build().unwrap();
        let config =
            CascadeConfig { seed, bit_fail: Some(0), max_neurons: 30, ..CascadeConfig::default() };
        let mut told = Vec::new();
        let grown = cascade(network, &data, &config, |p| {
            told.push(*p);
            ControlFlow::Continue(())
        })
        .unwrap();
        let found = grown.evaluate(&data, Loss::Mse, 0.35, &mut Scratch::default()).unwrap();
        println!("seed {seed}: {} neurons, {found:?}", told.len() - 1);
        assert_eq!((found.bit_fail, found.accuracy), (0, 1.0), "seed {seed}: {found:?}");
        assert_eq!(told.last().unwrap().training, found);
        // It really grew: one layer of one neuron at a time, each of which made the error smaller.
        assert_eq!(grown.kind(), Kind::Shortcut);
        assert_eq!(grown.layer_sizes().len(), told.len() + 1);
        assert!(grown.layer_sizes().skip(1).all(|size| size == 1));
        let n = told.len() + 2;
        assert_eq!(grown.weights().len(), n * (n + 1) / 2 - 3);
        assert!(told[0].training.mse > 0.24);
        assert!(told.windows(2).all(|p| p[1].training.mse < p[0].training.mse + 1e-3));
    }
}

#[test]
fn exclusive_or_needs_a_neuron_or_two() {
    let network = Network::builder(&[2, 1]).shortcut().build().unwrap();
    let mut neurons = 0;
    cascade(network, &xor(), &CascadeConfig::default(), |p| {
        neurons = p.neurons;
        assert_eq!(p.installed.is_some(), p.neurons > 0);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!((1..=2).contains(&neurons), "{neurons}");
}

#[test]
fn several_outputs_and_the_limits_are_kept() {
    let data = digits().folds(10, 1).unwrap().swap_remove(0).1;
    let start = Network::builder(&[64, 10]).shortcut().build().unwrap();
    let config =
        CascadeConfig { max_neurons: 2, groups: 1, max_epochs: 30, mse: 0.0, ..Default::default() };
    let grown = cascade(start.clone(), &data, &config, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(grown.layer_sizes().collect::<Vec<_>>(), [64, 1, 1, 10]);
    let stopped = cascade(start, &data, &config, |p| match p.neurons {
        1 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(stopped.unwrap().layer_sizes().collect::<Vec<_>>(), [64, 1, 10]);
}

#[test]
fn what_cannot_grow_is_refused() {
    let config = CascadeConfig::default();
    let kind = |network, config: &CascadeConfig| {
        cascade(network, &xor(), config, |_| ControlFlow::Continue(())).unwrap_err().kind()
    };
    let layered = Network::builder(&[2, 1]).build().unwrap();
    assert_eq!(kind(layered, &config), ErrorKind::Unsupported);
    let network = Network::builder(&[2, 1]).shortcut().build().unwrap();
    let none = CascadeConfig { candidates: Vec::new(), ..config.clone() };
    assert_eq!(kind(network.clone(), &none), ErrorKind::Config);
    let stuck = CascadeConfig { candidates: vec![Activation::Threshold.into()], ..config };
    assert_eq!(kind(network, &stuck), ErrorKind::Unsupported);
}
