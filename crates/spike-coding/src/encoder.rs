//! The integrate-and-fire encoder: signed bytes to spike trains and back.

use crate::trains::SpikeTrains;
use crate::{Error, ErrorKind};

/// What one neuron does, in Q15 (32,768 stands for 1).
///
/// At every step the potential grows by |v| · 32,768 / 128. When it reaches `threshold` the neuron
/// fires with the sign of v, its potential falls to 0, and it ignores the next `rest` steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// How many steps a train has, 1 to 64.
    pub steps: u32,
    /// The potential at which a neuron fires, at least 1.
    pub threshold: u32,
    /// Steps that a neuron rests after firing.
    pub rest: u32,
}

impl Default for EncoderConfig {
    /// 8 steps, threshold 16,384 (a half), 2 steps of rest.
    fn default() -> Self {
        EncoderConfig { steps: 8, threshold: 16_384, rest: 2 }
    }
}

/// Turns signed bytes into spike trains.
///
/// A train depends on nothing but |v|, of which there are 129: their trains are worked out once,
/// when the encoder is made. Encoding looks eight of them up and turns the 8 × 8 bits from rows of
/// time into rows of neurons.
#[derive(Clone, Debug)]
pub struct Encoder {
    config: EncoderConfig,
    /// The train of each magnitude 0 to 128, bit t for step t.
    trains: Box<[u64; 129]>,
    /// Each distinct train with the magnitude it decodes to, by train.
    magnitudes: Vec<(u64, u8)>,
}

impl Encoder {
    /// An encoder with those settings. O(129 · steps).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there are not 1 to 64 steps or the threshold is 0.
    pub fn new(config: EncoderConfig) -> Result<Self, Error> {
        if !(1..=64).contains(&config.steps) || config.threshold == 0 {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} steps with threshold {}: give 1 to 64 steps and a positive threshold",
                    config.steps, config.threshold
                ),
            ));
        }
        let mut trains = Box::new([0u64; 129]);
        for (magnitude, train) in trains.iter_mut().enumerate() {
            let (mut potential, mut resting) = (0u64, 0);
            for step in 0..config.steps {
                if resting > 0 {
                    resting -= 1;
                    continue;
                }
                potential += magnitude as u64 * (32_768 / 128);
                if potential >= u64::from(config.threshold) {
                    *train |= 1 << step;
                    potential = 0;
                    resting = config.rest;
                }
            }
        }
        // Magnitudes with the same train are neighbours; a train decodes to the middle of its own.
        let mut magnitudes: Vec<(u64, u8)> = Vec::new();
        let mut first = 0;
        for next in 1..=trains.len() {
            if next == trains.len() || trains[next] != trains[first] {
                // Nothing is nearer to silence than 0, whatever else is silent too.
                let middle = if trains[first] == 0 { 0 } else { (first + next - 1) / 2 };
                magnitudes.push((trains[first], middle as u8));
                first = next;
            }
        }
        magnitudes.sort_unstable();
        magnitudes.dedup_by_key(|m| m.0);
        Ok(Encoder { config, trains, magnitudes })
    }

    /// The settings.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// An empty arena for trains of this encoder, `width` neurons a token.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if `width` is 0.
    pub fn arena(&self, width: usize) -> Result<SpikeTrains, Error> {
        SpikeTrains::new(self.config, width)
    }

    /// Appends the trains of `values`, a whole number of tokens of the arena's width. O(values ·
    /// steps / 8); allocates only when the arena has to grow.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the last token is incomplete, [`ErrorKind::Mismatch`] if the arena is
    /// another encoder's.
    pub fn encode(&self, values: &[i8], into: &mut SpikeTrains) -> Result<(), Error> {
        self.check(into)?;
        if !values.len().is_multiple_of(into.width()) {
            return Err(Error::new(
                ErrorKind::Shape,
                format!(
                    "{} values for tokens of {}: give whole tokens",
                    values.len(),
                    into.width()
                ),
            ));
        }
        for token in values.chunks_exact(into.width()) {
            let words = into.words();
            let planes = into.push_token();
            for (word, values) in token.chunks(64).enumerate() {
                let mut signs = 0;
                for (bit, &value) in values.iter().enumerate() {
                    signs |= u64::from(value < 0) << bit;
                }
                planes[word] = signs;
                for (eight, first_step) in (0..self.config.steps).step_by(8).enumerate() {
                    let mut rows = [0u64; 8];
                    for (group, values) in values.chunks(8).enumerate() {
                        let mut by_neuron = 0;
                        for (neuron, value) in values.iter().enumerate() {
                            let train = self.trains[usize::from(value.unsigned_abs())];
                            by_neuron |= (train >> first_step & 0xff) << (8 * neuron);
                        }
                        let by_step = transpose(by_neuron);
                        for (step, row) in rows.iter_mut().enumerate() {
                            *row |= (by_step >> (8 * step) & 0xff) << (8 * group);
                        }
                    }
                    let left = (self.config.steps - first_step).min(8) as usize;
                    for (step, row) in rows[..left].iter().enumerate() {
                        planes[(1 + eight * 8 + step) * words + word] = *row;
                    }
                }
            }
        }
        Ok(())
    }

    /// The values that the trains of one token stand for: the middle of those that would have given
    /// the same train, 0 for silence. Encoding the result gives the same spikes again.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the arena is another encoder's, [`ErrorKind::Shape`] if there is no
    /// such token or `out` is not as long as a token is wide.
    pub fn decode(&self, trains: &SpikeTrains, token: usize, out: &mut [i8]) -> Result<(), Error> {
        self.check(trains)?;
        if token >= trains.len() || out.len() != trains.width() {
            return Err(Error::new(
                ErrorKind::Shape,
                format!(
                    "token {token} of {} into {} values: a token has {}",
                    trains.len(),
                    out.len(),
                    trains.width()
                ),
            ));
        }
        for (neuron, value) in out.iter_mut().enumerate() {
            let train = trains.train_bits(token, neuron);
            let found = self.magnitudes.binary_search_by_key(&train, |m| m.0);
            let magnitude = found.map_or(0, |at| i16::from(self.magnitudes[at].1));
            let signed = if trains.negative(token, neuron) { -magnitude } else { magnitude };
            *value = signed.clamp(-128, 127) as i8;
        }
        Ok(())
    }

    fn check(&self, trains: &SpikeTrains) -> Result<(), Error> {
        if *trains.config() == self.config {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Mismatch,
            format!("trains of {:?} for an encoder of {:?}", trains.config(), self.config),
        ))
    }
}

/// Turns an 8 × 8 bit matrix over its diagonal (Warren, *Hacker's Delight*, 7-3).
#[inline]
fn transpose(x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    let x = x ^ t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    let x = x ^ t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn transposing_moves_every_bit_over_the_diagonal() {
        for row in 0..8 {
            for column in 0..8 {
                assert_eq!(transpose(1 << (8 * row + column)), 1 << (8 * column + row));
            }
        }
    }
}
