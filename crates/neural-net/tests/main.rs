//! The crate from outside.

mod cascade;
mod digits;
mod files;
mod int8_files;
mod loading;
mod steady;
mod training;

use std::ops::ControlFlow;

use edgekit_neural_net::{
    Adam, Algorithm, Backprop, Dataset, Decay, Network, Progress, Quickprop, Rprop, Sarprop,
};

/// A callback that has nothing to say.
fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Exclusive or, with one output between 0 and 1.
fn xor() -> Dataset {
    let inputs = [-1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0];
    Dataset::from_rows(&inputs, 2, &[0.0, 1.0, 1.0, 0.0], 1).unwrap()
}

/// One of each training algorithm, with rates that suit small problems.
fn algorithms() -> [Algorithm; 8] {
    [
        Algorithm::Incremental(Backprop { rate: 0.7, momentum: 0.0 }),
        Algorithm::Incremental(Backprop { rate: 0.2, momentum: 0.8 }),
        Algorithm::Batch(Backprop { rate: 1.0, momentum: 0.9 }),
        Algorithm::Rprop(Rprop::default()),
        Algorithm::Quickprop(Quickprop::default()),
        Algorithm::Sarprop(Sarprop::default()),
        Algorithm::Adam(Adam { rate: 0.03, ..Adam::default() }),
        Algorithm::AdamW(Adam { rate: 0.03, ..Adam::default() }, Decay::default()),
    ]
}

/// The handwritten digits: 64 values of 0 to 1, and 10 targets of which one is 1.
fn digits() -> Dataset {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits/digits.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let mut data = Dataset::new(64, 10).unwrap();
    for line in text.lines() {
        let values: Vec<f32> = line.split(',').map(|v| v.parse().unwrap()).collect();
        let input: Vec<f32> = values[..64].iter().map(|v| v / 16.0).collect();
        let mut target = [0.0; 10];
        target[values[64] as usize] = 1.0;
        data.push(&input, &target).unwrap();
    }
    data
}

/// A network for them.
fn digits_network(hidden: usize, seed: u64) -> Network {
    Network::builder(&[64, hidden, 10]).seed(seed).build().unwrap()
}
