//! Attention against its naive twin: causal, by position, with values.

use edgekit_spike_coding::{
    DenseAttention, Encoder, EncoderConfig, EnergyCosts, ErrorKind, Operations, SpikeAttention,
    SpikeTrains, Tokens, naive,
};
use proptest::prelude::*;

fn trains(values: &[i8], width: usize) -> SpikeTrains {
    let encoder = Encoder::new(EncoderConfig::default()).unwrap();
    let mut trains = encoder.arena(width).unwrap();
    encoder.encode(values, &mut trains).unwrap();
    trains
}

fn attend(tokens: &Tokens<'_>, half_life: f64) -> (Vec<f32>, Operations) {
    let mut out = vec![f32::NAN; tokens.values.len()];
    let attention = SpikeAttention::new(half_life).unwrap();
    let operations = attention.attend(tokens, &mut out).unwrap();
    (out, operations)
}

#[test]
fn values_positions_and_order_all_matter() {
    let keys = trains(&[100, 100, 100, 100], 1);
    let tokens = |values, positions| Tokens { queries: &keys, keys: &keys, values, positions };
    let (out, counted) = attend(&tokens(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 2, 3]), 1.0);
    assert_eq!(out[0], 1.0);
    assert!((out[1] - (2.0 + 0.5) / 1.5).abs() < 1e-6);
    assert_eq!(counted.integer_additions, 10 * 3, "three coincidences a visible pair");
    let (other, _) = attend(&tokens(&[1.0, 2.0, 3.0, 40.0], &[0, 1, 2, 3]), 1.0);
    assert_eq!(other[..3], out[..3], "a later token leaked into an earlier one");
    assert_ne!(other[3], out[3]);
    let (far, _) = attend(&tokens(&[1.0, 2.0, 3.0, 4.0], &[0, 5, 9, 30]), 1.0);
    assert_ne!(far, out);
    assert_eq!(far[3], 4.0, "what is 21 half-lives away has faded");
    let (same_place, _) = attend(&tokens(&[1.0, 2.0, 3.0, 4.0], &[7; 4]), 1.0);
    assert_eq!(same_place, [2.5; 4]);
    let (reversed, _) = attend(&tokens(&[1.0, 2.0, 3.0, 4.0], &[3, 2, 1, 0]), 1.0);
    assert_eq!(reversed[3], 4.0, "the position decides what is earlier, not the order");
}

#[test]
fn opposite_spikes_count_against_and_silence_gives_0() {
    let both = trains(&[100, 100, 100, -100], 2);
    let tokens = Tokens { queries: &both, keys: &both, values: &[1.0, 2.0], positions: &[0, 1] };
    let (out, _) = attend(&tokens, 8.0);
    assert_eq!(out, [1.0, 2.0], "one neuron agrees, one opposes: no weight");
    let silent = trains(&[0, 0, 0, 0], 2);
    let tokens = Tokens { queries: &silent, ..tokens };
    assert_eq!(attend(&tokens, 8.0).0, [0.0, 0.0]);
}

#[test]
fn shapes_and_encodings_must_fit() {
    let keys = trains(&[1, 2, 3, 4], 2);
    let fine = Tokens { queries: &keys, keys: &keys, values: &[0.0; 6], positions: &[0, 1] };
    let attention = SpikeAttention::new(4.0).unwrap();
    let kind = |tokens: &Tokens<'_>, room: usize| {
        attention.attend(tokens, &mut vec![0.0; room]).map_err(|e| e.kind()).map(|_| ())
    };
    assert_eq!(kind(&fine, 6), Ok(()));
    assert_eq!(kind(&fine, 5), Err(ErrorKind::Shape));
    assert_eq!(kind(&Tokens { positions: &[0], ..fine }, 6), Err(ErrorKind::Shape));
    assert_eq!(kind(&Tokens { values: &[0.0; 5], ..fine }, 5), Err(ErrorKind::Shape));
    let wide = trains(&[1; 8], 4);
    assert_eq!(kind(&Tokens { keys: &wide, ..fine }, 6), Err(ErrorKind::Mismatch));
    for half_life in [0.0, -1.0, f64::NAN, 1e9] {
        assert!(SpikeAttention::new(half_life).is_err());
    }
    let none = trains(&[], 2);
    let empty = Tokens { queries: &none, keys: &none, values: &[], positions: &[] };
    assert_eq!(kind(&empty, 0), Ok(()));
}

#[test]
fn dense_attention_equals_its_formula_and_allocates_nothing_once_warm() {
    let (n, width, heads) = (17, 64, 4);
    let noise = |seed: usize| -> Vec<f32> {
        (0..n * width).map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 250.0 - 2.0).collect()
    };
    let (q, k, v) = (noise(1), noise(2), noise(3));
    let mut attention = DenseAttention::new(width, heads).unwrap();
    let mut out = vec![0.0; n * width];
    let operations = attention.attend(&q, &k, &v, &mut out).unwrap();
    let head = width / heads;
    for i in 0..n {
        for h in 0..heads {
            let score = |j: usize| -> f64 {
                let products = (0..head).map(|c| {
                    f64::from(q[i * width + h * head + c]) * f64::from(k[j * width + h * head + c])
                });
                (products.sum::<f64>() / (head as f64).sqrt()).exp()
            };
            let total: f64 = (0..=i).map(score).sum();
            for c in h * head..(h + 1) * head {
                let mean: f64 =
                    (0..=i).map(|j| score(j) * f64::from(v[j * width + c])).sum::<f64>() / total;
                assert!((f64::from(out[i * width + c]) - mean).abs() < 1e-4);
            }
        }
    }
    let pairs = (n * (n + 1) / 2 * heads) as u64;
    assert_eq!(operations.exponentials, pairs);
    assert!(operations.picojoules(&EnergyCosts::default()) > 0.0);
    let counted = allocation_counter::measure(|| {
        attention.attend(&q, &k, &v, &mut out).unwrap();
    });
    assert_eq!(counted.count_total, 0);
    // Scores beyond what exp can hold.
    let loud: Vec<f32> = q.iter().map(|x| x * 1e3).collect();
    attention.attend(&loud, &k, &v, &mut out).unwrap();
    assert!(out.iter().all(|x| x.abs() <= 2.0), "a mean of values within ±2");
    assert!(attention.attend(&q, &k, &v[1..], &mut out).is_err());
    assert!(DenseAttention::new(64, 5).is_err() && DenseAttention::new(0, 1).is_err());
}

#[test]
fn energy_is_the_sum_of_what_was_counted() {
    let one = Operations { integer_additions: 10, float_multiplications: 2, ..Default::default() };
    let costs = EnergyCosts::default();
    assert!((one.picojoules(&costs) - (10.0 * 0.1 + 2.0 * 3.7)).abs() < 1e-12);
    assert_eq!((one + one).integer_additions, 20);
}

#[test]
fn operations_are_those_that_the_definition_needs() {
    let (n, width, value_width) = (9usize, 70, 3);
    let bytes: Vec<i8> = (0..n * width).map(|i| (i * 7919 % 251) as u8 as i8).collect();
    let (queries, keys) = (
        trains(&bytes, width),
        trains(&bytes[..].iter().rev().copied().collect::<Vec<_>>(), width),
    );
    let values = vec![1.0; n * value_width];
    // The last one is out of reach of all others.
    let positions = [0, 3, 1, 1, 8, 20, 21, 5, 900];
    let tokens = Tokens { queries: &queries, keys: &keys, values: &values, positions: &positions };
    let mut expected = Operations::default();
    for i in 0..n {
        let mut weighed = 0;
        for j in
            (0..n).filter(|&j| positions[j] <= positions[i] && positions[i] - positions[j] < 81)
        {
            let (mut coincidences, mut score) = (0, 0);
            for neuron in 0..width {
                for (step, polarity) in queries.train(i, neuron) {
                    let same = keys.train(j, neuron).find(|other| other.0 == step);
                    coincidences += u64::from(same.is_some());
                    score += same.map_or(0, |other| if other.1 == polarity { 1 } else { -1 });
                }
            }
            expected.integer_additions += coincidences;
            weighed += u64::from(score > 0);
        }
        expected.float_multiplications += weighed * (1 + value_width as u64);
        expected.float_additions += weighed * (1 + value_width as u64);
        expected.float_divisions += if weighed > 0 { value_width as u64 } else { 0 };
    }
    assert!(expected.float_divisions > 0 && expected.integer_additions > 0);
    assert_eq!(attend(&tokens, 4.0).1, expected);
}

proptest! {
    #[test]
    fn packed_attention_equals_the_naive_one_to_the_bit(
        n in 0usize..12,
        width in prop::sample::select(vec![1usize, 3, 63, 64, 65, 130]),
        value_width in 1usize..5,
        half_life in 0.5f64..50.0,
        seed: u64,
    ) {
        let mut state = seed | 1;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        let mut bytes = |n: usize| (0..n).map(|_| next() as i8).collect::<Vec<_>>();
        let queries = trains(&bytes(n * width), width);
        let keys = trains(&bytes(n * width), width);
        let values: Vec<f32> =
            bytes(n * value_width).iter().map(|&b| f32::from(b) / 7.0).collect();
        let positions: Vec<u32> = bytes(n).iter().map(|&b| u32::from(b.unsigned_abs())).collect();
        let tokens =
            Tokens { queries: &queries, keys: &keys, values: &values, positions: &positions };
        let attention = SpikeAttention::new(half_life).unwrap();
        let (mut fast, mut slow) = (vec![1.0; values.len()], vec![2.0; values.len()]);
        attention.attend(&tokens, &mut fast).unwrap();
        naive::attend(&attention, &tokens, &mut slow).unwrap();
        prop_assert_eq!(fast, slow);
    }
}
