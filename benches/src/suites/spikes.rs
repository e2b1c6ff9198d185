//! spike-coding: encoding against a vector a train, attention against its naive and dense twins.

use std::hint::black_box;

use edgekit_spike_coding::{
    DenseAttention, Encoder, EncoderConfig, EnergyCosts, SpikeAttention, SpikeTrains, Tokens, naive,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::{Suite, Unit};

const WIDTH: usize = 64;
const TOKENS: usize = 64;

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    let config = EncoderConfig::default();
    let encoder = Encoder::new(config).expect("the default is valid");
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let values: Vec<i8> = (0..TOKENS * WIDTH).map(|_| rng.random()).collect();

    if suite.wants("spikes/encode256") {
        let values = values[..256].to_vec();
        let mut trains = arena(&encoder, 256);
        encoder.encode(&values, &mut trains).expect("whole tokens");
        let plain = naive::encode(&values, &config);
        let equal = plain.iter().enumerate().all(|(neuron, spikes)| {
            let spikes = spikes.iter().map(|s| (s.step, s.polarity));
            trains.train(0, neuron).eq(spikes)
        });
        suite.check("spikes/encode256", equal, || "packed and naive trains differ".into());
        let (encoder, packed_values) = (encoder.clone(), values.clone());
        suite.time("spikes/encode256/edgekit", move || {
            trains.clear();
            encoder.encode(black_box(&packed_values), &mut trains).expect("whole tokens");
            trains.len()
        });
        suite.time("spikes/encode256/vec-per-train", move || {
            naive::encode(black_box(&values), &config)
        });
    }
    if suite.wants("spikes/attention") {
        attention(suite, &encoder, &values);
    }
}

fn arena(encoder: &Encoder, width: usize) -> SpikeTrains {
    encoder.arena(width).expect("the width is not 0")
}

fn attention(suite: &mut Suite, encoder: &Encoder, values: &[i8]) {
    let mut trains = arena(encoder, WIDTH);
    encoder.encode(values, &mut trains).expect("whole tokens");
    let floats: Vec<f32> = values.iter().map(|&v| f32::from(v) / 128.0).collect();
    let positions: Vec<u32> = (0..TOKENS as u32).collect();
    let spiking = SpikeAttention::new(16.0).expect("valid");
    let mut dense = DenseAttention::new(WIDTH, 4).expect("valid");
    let (mut fast, mut slow) = (vec![0.0; floats.len()], vec![1.0; floats.len()]);
    let tokens = Tokens { queries: &trains, keys: &trains, values: &floats, positions: &positions };
    let spike_operations = spiking.attend(&tokens, &mut fast).expect("the shapes fit");
    naive::attend(&spiking, &tokens, &mut slow).expect("the shapes fit");
    suite.check("spikes/attention64", fast == slow, || "packed and naive attention differ".into());
    let dense_operations =
        dense.attend(&floats, &floats, &floats, &mut slow).expect("the shapes fit");
    let costs = EnergyCosts::default();
    for (name, operations) in [("spiking", spike_operations), ("dense", dense_operations)] {
        let id = format!("spikes/attention64/picojoules-{name}");
        suite.value(id, Unit::Count, operations.picojoules(&costs));
    }

    let (for_naive, values, places) = (trains.clone(), floats.clone(), positions.clone());
    let mut out = fast.clone();
    let plain = spiking.clone();
    suite.time("spikes/attention64/naive", move || {
        let trains = black_box(&for_naive);
        let tokens = Tokens { queries: trains, keys: trains, values: &values, positions: &places };
        naive::attend(&plain, &tokens, &mut out)
    });
    let values = floats.clone();
    suite.time("spikes/attention64/edgekit", move || {
        let trains = black_box(&trains);
        let tokens =
            Tokens { queries: trains, keys: trains, values: &values, positions: &positions };
        spiking.attend(&tokens, &mut fast)
    });
    suite.time("spikes/attention64/dense", move || {
        dense.attend(black_box(&floats), &floats, &floats, &mut slow)
    });
}
