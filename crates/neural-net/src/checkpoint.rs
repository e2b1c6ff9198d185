//! Trainers in files, from which training goes on to the same bit.
//!
//! A file is `EKNC`, the format's version, the lengths of the two parts behind, their CRC-32, then the
//! settings (postcard) and all numbers (`f32`, little endian).

use std::borrow::Cow;
use std::path::Path;

use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::activation::Function;
use crate::atomic;
use crate::builder::Parts;
use crate::network::{Kind, Network};
use crate::optimizer::Optimizer;
use crate::trainer::{Best, TrainConfig, Trainer};

const MAGIC: [u8; 4] = *b"EKNC";
const VERSION: u16 = 2;
const HEADER: usize = 4 + 2 + 4 + 8 + 4;

#[derive(Serialize, Deserialize)]
struct Saved {
    config: TrainConfig,
    epoch: u64,
    steps: u64,
    rng: Pcg64Mcg,
    best_loss: f64,
    best_epoch: u64,
    kind: Kind,
    sizes: Vec<u64>,
    connection_rate: f32,
    functions: Vec<Function>,
    /// For each neuron, if it does not see all it can.
    sources: Option<Vec<Vec<u32>>>,
    /// Numbers of the weights, of both memories of the optimiser, and of the best weights.
    lengths: [u64; 4],
}

impl Trainer {
    /// Writes everything that decides the next step: weights, momenta, schedule, random state, and
    /// what patience remembers. The file is replaced as a whole or not at all.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let numbers = self.numbers();
        let (head, [weights, one, two, best]) = (self.head(&numbers)?, &numbers);
        atomic::write(path.as_ref(), &[&head, weights, one, two, best])
    }

    /// The trainer as it was saved. Training on goes through the same weights, to the bit, on the same
    /// instruction set.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), and [`Format`](crate::ErrorKind::Format) for another file, another
    /// version or damage.
    pub fn load(path: impl AsRef<Path>) -> Result<Trainer, Error> {
        Trainer::from_bytes(&std::fs::read(path)?)
    }

    /// What [`save`](Self::save) writes.
    ///
    /// # Errors
    /// None that data could cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let numbers = self.numbers();
        let mut all = self.head(&numbers)?;
        numbers.iter().for_each(|part| all.extend_from_slice(part));
        Ok(all)
    }

    /// Weights, both memories of the optimiser, and the best weights.
    fn numbers(&self) -> [Cow<'_, [u8]>; 4] {
        let Optimizer { one, two, .. } = &self.optimizer;
        [&self.network.weights, one, two, &self.best.weights].map(|part| bytes(part))
    }

    /// What comes before the numbers.
    fn head(&self, numbers: &[Cow<'_, [u8]>; 4]) -> Result<Vec<u8>, Error> {
        let network = &self.network;
        let sources = |neuron| network.sources(neuron).map(|source| source as u32).collect();
        let full = network.is_full();
        let saved = Saved {
            config: self.config.clone(),
            epoch: self.epoch,
            steps: self.optimizer.steps,
            rng: self.rng.clone(),
            best_loss: self.best.loss,
            best_epoch: self.best.epoch,
            kind: network.kind,
            sizes: network.layer_sizes().map(|size| size as u64).collect(),
            connection_rate: network.connection_rate,
            functions: network.neurons.iter().map(|neuron| neuron.function).collect(),
            sources: (!full).then(|| network.neurons.iter().map(sources).collect()),
            lengths: numbers.each_ref().map(|part| part.len() as u64 / 4),
        };
        let settings = postcard::to_stdvec(&saved)
            .map_err(|error| Error::format(format!("the settings cannot be written: {error}")))?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&settings);
        numbers.iter().for_each(|part| crc.update(part));
        let len: usize = numbers.iter().map(|part| part.len()).sum();
        let mut head = Vec::with_capacity(HEADER + settings.len());
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&(settings.len() as u32).to_le_bytes());
        head.extend_from_slice(&(len as u64).to_le_bytes());
        head.extend_from_slice(&crc.finalize().to_le_bytes());
        head.extend_from_slice(&settings);
        Ok(head)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Takes memory in proportion to the bytes.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Trainer, Error> {
        let wrong =
            |what: &str| Error::format(format!("not a checkpoint that can be read: {what}"));
        let (head, body) = bytes.split_at_checked(HEADER).ok_or_else(|| wrong("it is cut off"))?;
        let field = |at: usize, len: usize| {
            let mut value = [0; 8];
            value[..len].copy_from_slice(&head[at..at + len]);
            u64::from_le_bytes(value)
        };
        if head[..4] != MAGIC {
            return Err(wrong("another kind of file"));
        }
        if field(4, 2) != u64::from(VERSION) {
            return Err(wrong(&format!("version {}, not {VERSION}", field(4, 2))));
        }
        let (settings, numbers) = (field(6, 4), field(10, 8));
        if settings.checked_add(numbers) != Some(body.len() as u64) {
            return Err(wrong("its length is not what it says"));
        }
        if u64::from(crc32fast::hash(body)) != field(18, 4) {
            return Err(wrong("its checksum is wrong"));
        }
        let (settings, numbers) = body.split_at(settings as usize);
        let saved: Saved = postcard::from_bytes(settings).map_err(|_| wrong("its settings"))?;
        let lengths = saved.lengths.iter().try_fold(0_u64, |sum, len| sum.checked_add(*len));
        if lengths.and_then(|len| len.checked_mul(4)) != Some(numbers.len() as u64) {
            return Err(wrong("the number of its numbers"));
        }
        let (mut values, _) = numbers.as_chunks::<4>();
        let mut take = |i: usize| {
            let (these, rest) = values.split_at(saved.lengths[i] as usize);
            values = rest;
            these.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<f32>>()
        };
        let (weights, one, two, best) = (take(0), take(1), take(2), take(3));
        let network = Network::from_parts(Parts {
            kind: saved.kind,
            sizes: saved.sizes.iter().map(|&size| size as usize).collect(),
            connection_rate: saved.connection_rate,
            functions: saved.functions,
            sources: saved.sources,
            weights,
        })?;
        let mut trainer = Trainer::new(network, saved.config)
            .map_err(|error| Error::format(format!("its settings are wrong: {error}")))?;
        let fresh = &trainer.optimizer;
        let weights = trainer.network.weights.len();
        if (one.len(), two.len()) != (fresh.one.len(), fresh.two.len())
            || !(best.is_empty() || best.len() == weights)
        {
            return Err(wrong("what the optimiser remembers is of another network"));
        }
        trainer.optimizer = Optimizer { steps: saved.steps, one, two, ..trainer.optimizer };
        trainer.rng = saved.rng;
        trainer.epoch = saved.epoch;
        trainer.best = Best { loss: saved.best_loss, epoch: saved.best_epoch, weights: best };
        Ok(trainer)
    }
}

/// The values as they lie in the file: where they are, if the processor has them in that order, since
/// copying all of them takes half as long as writing them.
fn bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(values));
    }
    Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}
