//! The definitions written down plainly: one vector a train, one loop a sum. The slow twins that the
//! tests compare with, and what the benchmark calls naive.

use crate::{EncoderConfig, Error, Polarity, SpikeAttention, SpikeTrains, Tokens};

/// One spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spike {
    /// When.
    pub step: u32,
    /// With which sign.
    pub polarity: Polarity,
}

/// Encodes each value into a vector of its own, by simulating its neuron.
pub fn encode(values: &[i8], config: &EncoderConfig) -> Vec<Vec<Spike>> {
    values
        .iter()
        .map(|&value| {
            let mut spikes = Vec::new();
            let (mut potential, mut resting) = (0, 0);
            for step in 0..config.steps {
                if resting > 0 {
                    resting -= 1;
                    continue;
                }
                potential += u32::from(value.unsigned_abs()) * 32_768 / 128;
                if potential >= config.threshold {
                    let polarity = if value < 0 { Polarity::Negative } else { Polarity::Positive };
                    spikes.push(Spike { step, polarity });
                    potential = 0;
                    resting = config.rest;
                }
            }
            spikes
        })
        .collect()
}

/// [`SpikeAttention::attend`], query by query, spike by spike.
///
/// # Errors
/// As there.
pub fn attend(
    attention: &SpikeAttention,
    tokens: &Tokens<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    let width = tokens.check(out)?;
    let neurons = tokens.queries.width();
    let (queries, keys) = (unpack(tokens.queries), unpack(tokens.keys));
    for i in 0..tokens.positions.len() {
        let mut sums = vec![0.0; width];
        let mut total = 0.0;
        for j in 0..tokens.positions.len() {
            if tokens.positions[j] > tokens.positions[i] {
                continue;
            }
            let mut score = 0;
            for neuron in 0..neurons {
                for spike in &queries[i * neurons + neuron] {
                    for other in &keys[j * neurons + neuron] {
                        if spike.step == other.step {
                            score += if spike.polarity == other.polarity { 1 } else { -1 };
                        }
                    }
                }
            }
            let distance = tokens.positions[i] - tokens.positions[j];
            let weight = score.max(0) as f32 * attention.fading(distance);
            total += weight;
            for (at, sum) in sums.iter_mut().enumerate() {
                *sum += weight * tokens.values[j * width + at];
            }
        }
        for (at, sum) in sums.iter().enumerate() {
            out[i * width + at] = if total > 0.0 { sum / total } else { 0.0 };
        }
    }
    Ok(())
}

/// A vector a train, token after token.
fn unpack(trains: &SpikeTrains) -> Vec<Vec<Spike>> {
    let neurons = (0..trains.len()).flat_map(|token| (0..trains.width()).map(move |n| (token, n)));
    neurons
        .map(|(token, neuron)| {
            let spikes = trains.train(token, neuron);
            spikes.map(|(step, polarity)| Spike { step, polarity }).collect()
        })
        .collect()
}
