//! Spike trains of many tokens, packed into bit-planes in one arena.

use crate::{EncoderConfig, Error, ErrorKind};

/// The direction of a spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// Of a positive value.
    Positive,
    /// Of a negative value.
    Negative,
}

/// The spike trains of any number of tokens.
///
/// A token is `width` neurons. Its bits are planes of one bit a neuron: first the signs, then one
/// plane a step. All tokens lie one after the other in one vector, which [`SpikeTrains::clear`]
/// keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpikeTrains {
    config: EncoderConfig,
    width: usize,
    bits: Vec<u64>,
}

/// How much a set of trains fires.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct FiringStats {
    /// Neurons of all tokens.
    pub neurons: u64,
    /// Those that never fire.
    pub silent: u64,
    /// All spikes.
    pub spikes: u64,
    /// Those of positive values.
    pub positive: u64,
    /// Spikes at each step.
    pub per_step: Vec<u64>,
    /// Spikes a neuron and step, 0 to 1.
    pub mean_rate: f64,
}

impl SpikeTrains {
    pub(crate) fn new(config: EncoderConfig, width: usize) -> Result<Self, Error> {
        if width == 0 {
            return Err(Error::new(ErrorKind::Config, "width 0: a token has 1 neuron or more"));
        }
        Ok(SpikeTrains { config, width, bits: Vec::new() })
    }

    /// The settings of the encoder that makes these trains.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Neurons a token.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.bits.len() / self.token_words()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// Forgets all tokens and keeps the memory.
    pub fn clear(&mut self) {
        self.bits.clear();
    }

    /// Heap bytes in use, spare capacity included.
    pub fn bytes(&self) -> usize {
        self.bits.capacity() * 8
    }

    /// The bit-plane of a step: bit n % 64 of word n / 64 is set if neuron n of the token fires then.
    ///
    /// # Panics
    /// If there is no such token or step; likewise below.
    pub fn plane(&self, token: usize, step: usize) -> &[u64] {
        assert!(step < self.config.steps as usize, "step {step} of {}", self.config.steps);
        &self.token(token)[(1 + step) * self.words()..][..self.words()]
    }

    /// The bit-plane of signs: set for neurons whose value is negative, whether they fire or not.
    pub fn signs(&self, token: usize) -> &[u64] {
        &self.token(token)[..self.words()]
    }

    /// The spikes of one neuron: steps with their polarity, in order.
    pub fn train(&self, token: usize, neuron: usize) -> impl Iterator<Item = (u32, Polarity)> {
        let train = self.train_bits(token, neuron);
        let polarity =
            if self.negative(token, neuron) { Polarity::Negative } else { Polarity::Positive };
        let steps = (0..self.config.steps).filter(move |step| train >> step & 1 == 1);
        steps.map(move |step| (step, polarity))
    }

    /// How much everything here fires. O(tokens · width · steps / 64) but for the silent ones.
    pub fn stats(&self) -> FiringStats {
        let steps = self.config.steps as usize;
        let mut stats = FiringStats { per_step: vec![0; steps], ..FiringStats::default() };
        let ones = |word: u64| u64::from(word.count_ones());
        for token in 0..self.len() {
            stats.neurons += self.width as u64;
            let mut firing = 0;
            for word in 0..self.words() {
                let sign = self.signs(token)[word];
                let mut ever = 0;
                for step in 0..steps {
                    let spikes = self.plane(token, step)[word];
                    ever |= spikes;
                    stats.per_step[step] += ones(spikes);
                    stats.positive += ones(spikes & !sign);
                }
                firing += ones(ever);
            }
            stats.silent += self.width as u64 - firing;
        }
        stats.spikes = stats.per_step.iter().sum();
        let chances = stats.neurons * steps as u64;
        stats.mean_rate = stats.spikes as f64 / chances.max(1) as f64;
        stats
    }

    /// Words a plane.
    pub(crate) fn words(&self) -> usize {
        self.width.div_ceil(64)
    }

    /// All planes of a token, the signs first.
    pub(crate) fn token(&self, token: usize) -> &[u64] {
        &self.bits[token * self.token_words()..][..self.token_words()]
    }

    /// Appends a token of zeros and returns its planes.
    pub(crate) fn push_token(&mut self) -> &mut [u64] {
        let start = self.bits.len();
        self.bits.resize(start + self.token_words(), 0);
        &mut self.bits[start..]
    }

    pub(crate) fn negative(&self, token: usize, neuron: usize) -> bool {
        assert!(neuron < self.width, "neuron {neuron} of {}", self.width);
        self.signs(token)[neuron / 64] >> (neuron % 64) & 1 == 1
    }

    /// Bit t is set if the neuron fires at step t.
    pub(crate) fn train_bits(&self, token: usize, neuron: usize) -> u64 {
        assert!(neuron < self.width, "neuron {neuron} of {}", self.width);
        (0..self.config.steps as usize).fold(0, |train, step| {
            let fires = self.plane(token, step)[neuron / 64] >> (neuron % 64) & 1;
            train | fires << step
        })
    }

    fn token_words(&self) -> usize {
        (1 + self.config.steps as usize) * self.words()
    }
}
