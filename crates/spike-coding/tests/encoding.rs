//! Encoding against the simulated neuron, decoding, statistics, and no allocation once warm.

use edgekit_spike_coding::{Encoder, EncoderConfig, ErrorKind, Polarity, naive};
use proptest::prelude::*;

fn encoder() -> Encoder {
    Encoder::new(EncoderConfig::default()).unwrap()
}

fn all_values() -> Vec<i8> {
    (i8::MIN..=i8::MAX).collect()
}

#[test]
fn trains_are_those_of_the_rule() {
    let mut trains = encoder().arena(6).unwrap();
    encoder().encode(&[64, 63, 8, 7, -128, 0], &mut trains).unwrap();
    let steps = |neuron| trains.train(0, neuron).map(|(step, _)| step).collect::<Vec<_>>();
    assert_eq!(steps(0), [0, 3, 6], "64 reaches the threshold at once, then rests 2 steps");
    assert_eq!(steps(1), [1, 5], "63 needs two steps");
    assert_eq!(steps(2), [7], "8 needs all eight");
    assert!(steps(3).is_empty() && steps(5).is_empty());
    assert!(trains.train(0, 4).all(|(_, polarity)| polarity == Polarity::Negative));
    assert_eq!(steps(4), [0, 3, 6], "-128 has a magnitude too");
}

#[test]
fn decoding_gives_a_value_with_the_same_train_and_the_right_sign() {
    let encoder = encoder();
    let values = all_values();
    let (mut trains, mut again) = (encoder.arena(256).unwrap(), encoder.arena(256).unwrap());
    encoder.encode(&values, &mut trains).unwrap();
    let mut decoded = vec![0; 256];
    encoder.decode(&trains, 0, &mut decoded).unwrap();
    encoder.encode(&decoded, &mut again).unwrap();
    for neuron in 0..256 {
        let spikes: Vec<_> = trains.train(0, neuron).collect();
        assert_eq!(spikes, again.train(0, neuron).collect::<Vec<_>>(), "{}", values[neuron]);
        let (value, decoded) = (i16::from(values[neuron]), i16::from(decoded[neuron]));
        assert!(value.signum() * decoded.signum() >= 0);
        assert_eq!(spikes.is_empty(), decoded == 0, "silence is 0: {value} became {decoded}");
        let widest = if value.abs() >= 64 { 33 } else { 17 };
        assert!((value - decoded).abs() < widest, "{value} became {decoded}");
    }
}

#[test]
fn statistics_count_what_the_naive_trains_hold() {
    let values = all_values();
    let mut trains = encoder().arena(64).unwrap();
    encoder().encode(&values, &mut trains).unwrap();
    let spikes: Vec<_> = naive::encode(&values, &EncoderConfig::default());
    let stats = trains.stats();
    let all: Vec<_> = spikes.iter().flatten().collect();
    assert_eq!(stats.spikes, all.len() as u64);
    let positive = all.iter().filter(|s| s.polarity == Polarity::Positive).count();
    assert_eq!(stats.positive, positive as u64);
    assert_eq!(stats.silent, spikes.iter().filter(|s| s.is_empty()).count() as u64);
    for (step, &count) in stats.per_step.iter().enumerate() {
        assert_eq!(count, all.iter().filter(|s| s.step == step as u32).count() as u64);
    }
    assert_eq!(stats.mean_rate, all.len() as f64 / (256.0 * 8.0));
    assert_eq!(encoder().arena(3).unwrap().stats().mean_rate, 0.0);
}

#[test]
fn a_warm_arena_allocates_nothing() {
    let (encoder, values) = (encoder(), all_values());
    let mut trains = encoder.arena(256).unwrap();
    encoder.encode(&values, &mut trains).unwrap();
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            trains.clear();
            encoder.encode(&values, &mut trains).unwrap();
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(trains.len(), 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let encoder = encoder();
    let config = |error: edgekit_spike_coding::Error| error.kind();
    assert_eq!(config(encoder.arena(0).unwrap_err()), ErrorKind::Config);
    for steps in [0, 65] {
        let bad = EncoderConfig { steps, ..EncoderConfig::default() };
        assert_eq!(config(Encoder::new(bad).unwrap_err()), ErrorKind::Config);
    }
    let mut trains = encoder.arena(4).unwrap();
    assert_eq!(config(encoder.encode(&[1; 6], &mut trains).unwrap_err()), ErrorKind::Shape);
    assert!(trains.is_empty());
    let none = encoder.decode(&trains, 0, &mut [0; 4]).unwrap_err();
    assert_eq!(config(none), ErrorKind::Shape);
    let other = Encoder::new(EncoderConfig { rest: 0, ..EncoderConfig::default() }).unwrap();
    assert_eq!(config(other.encode(&[1; 4], &mut trains).unwrap_err()), ErrorKind::Mismatch);
}

proptest! {
    #[test]
    fn packed_trains_equal_naive_ones(
        values in prop::collection::vec(any::<i8>(), 1..300),
        steps in 1u32..=64,
        threshold in 1u32..60_000,
        rest in 0u32..5,
    ) {
        let config = EncoderConfig { steps, threshold, rest };
        let encoder = Encoder::new(config).unwrap();
        let mut trains = encoder.arena(values.len()).unwrap();
        // Two tokens, so that one is not at the start.
        encoder.encode(&values, &mut trains).unwrap();
        encoder.encode(&values, &mut trains).unwrap();
        for (neuron, expected) in naive::encode(&values, &config).iter().enumerate() {
            let expected: Vec<_> = expected.iter().map(|s| (s.step, s.polarity)).collect();
            prop_assert_eq!(&trains.train(0, neuron).collect::<Vec<_>>(), &expected);
            prop_assert_eq!(&trains.train(1, neuron).collect::<Vec<_>>(), &expected);
        }
    }
}
