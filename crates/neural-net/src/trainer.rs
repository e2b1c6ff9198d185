//! The loop of training: epochs, mini-batches, when to stop, and what to say meanwhile.

use std::ops::ControlFlow;

use edgekit_kernels_simd::Kernels;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::evaluate::{BIT_FAIL_LIMIT, Evaluation};
use crate::gradient::Gradients;
use crate::incremental::{Descent, Sample};
use crate::loss::Loss;
use crate::mixed::Precision;
use crate::network::Network;
use crate::optimizer::{Algorithm, Circumstances, Optimizer, Rprop};
use crate::run::Scratch;
use crate::schedule::Schedule;
use crate::{Error, ErrorKind};

/// How a [`Trainer`] trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// The training algorithm with its settings.
    pub algorithm: Algorithm,
    /// What is made small.
    pub loss: Loss,
    /// What products are made of.
    pub precision: Precision,
    /// Samples of a mini-batch; `None` is all of them. RPROP, Quickprop and SARPROP need all, and
    /// incremental training has none.
    pub batch: Option<usize>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Training ends after so many epochs at the latest.
    pub max_epochs: u64,
    /// What ends it before.
    pub stop: Vec<Stop>,
    /// Differences of so much are failed bits.
    pub bit_fail_limit: f32,
    /// Decides the order of the samples and SARPROP's noise.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            algorithm: Algorithm::Rprop(Rprop::default()),
            loss: Loss::Mse,
            precision: Precision::F32,
            batch: None,
            schedule: Schedule::Constant,
            max_epochs: 1000,
            stop: Vec::new(),
            bit_fail_limit: BIT_FAIL_LIMIT,
            seed: 0,
        }
    }
}

/// What ends training before the last epoch. All of them look at the training samples, but
/// [`Patience`](Stop::Patience) at the held-out samples where there are some.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stop {
    /// The mean squared error is at most this.
    Mse(f64),
    /// The mean objective is at most this.
    Loss(f64),
    /// No more failed bits than this.
    BitFail(usize),
    /// The loss did not become less for so many epochs. The weights of the best epoch are put back.
    Patience(u64),
}

/// What is said after each epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Epochs done.
    pub epoch: u64,
    /// Epochs at most.
    pub max_epochs: u64,
    /// The network on its training samples, run after the epoch's last step.
    pub training: Evaluation,
    /// The network on the held-out samples, if there are some.
    pub held_out: Option<Evaluation>,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// All epochs are done.
    Epochs,
    /// This was reached.
    Stopped(Stop),
    /// The callback asked for it.
    Callback,
}

/// Trains a network that it owns. [`save`](Self::save) keeps everything that decides the next step.
///
/// ```
/// use edgekit_neural_net::{Activation, Dataset, Network, Stop, TrainConfig, Trainer};
/// use std::ops::ControlFlow;
///
/// let inputs = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let xor = Dataset::from_rows(&inputs, 2, &[0.0, 1.0, 1.0, 0.0], 1)?;
/// let network = Network::builder(&[2, 4, 1]).hidden(Activation::SigmoidSymmetric).build()?;
/// let config = TrainConfig { stop: vec![Stop::Mse(1e-3)], ..TrainConfig::default() };
/// let mut trainer = Trainer::new(network, config)?;
/// trainer.train(&xor, None, |_| ControlFlow::Continue(()))?;
/// assert!(trainer.evaluate(&xor)?.mse <= 1e-3);
/// # Ok::<(), edgekit_neural_net::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(crate) network: Network,
    pub(crate) config: TrainConfig,
    pub(crate) optimizer: Optimizer,
    pub(crate) rng: Pcg64Mcg,
    pub(crate) epoch: u64,
    pub(crate) best: Best,
    parallel: bool,
    spans: Vec<f32>,
    gradients: Gradients,
    sample: Sample,
    scratch: Scratch,
    order: Vec<usize>,
    batch: Option<Dataset>,
}

/// The best epoch so far, for patience.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) loss: f64,
    pub(crate) epoch: u64,
    /// Empty unless patience asks for them.
    pub(crate) weights: Vec<f32>,
}

impl Trainer {
    /// A trainer in its first epoch.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) for settings out of range or against each other,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if a function of the network has no slope, and for
    /// mixed precision unless the network is dense.
    pub fn new(network: Network, config: TrainConfig) -> Result<Self, Error> {
        config.check()?;
        network.check_trainable()?;
        if config.precision != Precision::F32 && !network.is_dense() {
            let why = "sparse networks and shortcuts are trained in f32: choose Precision::F32";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let optimizer = Optimizer::new(config.algorithm, network.weights.len());
        Ok(Trainer {
            optimizer,
            rng: Pcg64Mcg::seed_from_u64(config.seed),
            epoch: 0,
            best: Best { loss: f64::INFINITY, epoch: 0, weights: Vec::new() },
            parallel: false,
            spans: network.spans(),
            gradients: Gradients::new(config.precision),
            sample: Sample::default(),
            scratch: Scratch::default(),
            order: Vec::new(),
            batch: None,
            network,
            config,
        })
    }

    /// The same training on rayon's threads, with the same weights. Small batches stay on one.
    #[cfg(feature = "rayon")]
    #[must_use]
    pub fn in_parallel(self) -> Self {
        Trainer { parallel: true, ..self }
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Ends training.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Epochs done.
    pub fn epochs(&self) -> u64 {
        self.epoch
    }

    /// The network's error on these samples, by running it.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if they do not fit.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, Error> {
        let (loss, limit) = (self.config.loss, self.config.bit_fail_limit);
        self.network.evaluate(data, loss, limit, &mut self.scratch)
    }

    /// Trains until something ends it, and says so. `progress` hears of every epoch.
    ///
    /// # Errors
    /// As [`epoch`](Self::epoch), and [`Shape`](crate::ErrorKind::Shape) for the held-out samples.
    pub fn train(
        &mut self,
        data: &Dataset,
        held_out: Option<&Dataset>,
        mut progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Reason, Error> {
        held_out.map_or(Ok(()), |held_out| self.network.check_data(held_out))?;
        while self.epoch < self.config.max_epochs {
            self.epoch(data)?;
            let training = self.evaluate(data)?;
            let held_out = held_out.map(|held_out| self.evaluate(held_out)).transpose()?;
            let Trainer { epoch, config: TrainConfig { max_epochs, .. }, .. } = *self;
            let told = progress(&Progress { epoch, max_epochs, training, held_out });
            let watched = held_out.unwrap_or(training).loss;
            if let Some(stop) = self.stops(&training, watched) {
                return Ok(Reason::Stopped(stop));
            }
            if told.is_break() {
                return Ok(Reason::Callback);
            }
        }
        Ok(Reason::Epochs)
    }

    fn stops(&mut self, training: &Evaluation, watched: f64) -> Option<Stop> {
        let patient = self.config.stop.iter().any(|stop| matches!(stop, Stop::Patience(_)));
        if watched < self.best.loss {
            self.best.loss = watched;
            self.best.epoch = self.epoch;
            if patient {
                self.best.weights.clone_from(&self.network.weights);
            }
        }
        let reached = |stop: &Stop| match *stop {
            Stop::Mse(limit) => training.mse <= limit,
            Stop::Loss(limit) => training.loss <= limit,
            Stop::BitFail(limit) => training.bit_fail <= limit,
            Stop::Patience(epochs) => self.epoch - self.best.epoch >= epochs,
        };
        let stop = self.config.stop.iter().copied().find(reached)?;
        if matches!(stop, Stop::Patience(_)) && !self.best.weights.is_empty() {
            self.network.weights.copy_from_slice(&self.best.weights);
        }
        Some(stop)
    }

    /// One pass over the samples.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if the samples do not fit or there is none,
    /// [`NotFinite`](crate::ErrorKind::NotFinite) if the weights diverged: a lower learning rate is
    /// needed, and another network.
    pub fn epoch(&mut self, data: &Dataset) -> Result<(), Error> {
        self.network.check_data(data)?;
        let batch = self.config.batch.unwrap_or(data.len()).min(data.len());
        let incremental = matches!(self.config.algorithm, Algorithm::Incremental(_));
        if incremental || batch < data.len() {
            let mut order = std::mem::take(&mut self.order);
            order.clear();
            order.extend(0..data.len());
            order.shuffle(&mut self.rng);
            if incremental {
                order.iter().for_each(|&i| self.descend(data, i));
            } else {
                self.mini_batches(data, &order, batch)?;
            }
            self.order = order;
        } else {
            self.whole(data)?;
        }
        self.epoch += 1;
        self.network.check_weights()
    }

    /// One step after all these samples, or one after each in incremental training: for data that
    /// come as a stream. Epochs are not counted; see [`end_epoch`](Self::end_epoch).
    ///
    /// # Errors
    /// As [`epoch`](Self::epoch).
    pub fn step(&mut self, samples: &Dataset) -> Result<(), Error> {
        self.network.check_data(samples)?;
        match self.config.algorithm {
            Algorithm::Incremental(_) => (0..samples.len()).for_each(|i| self.descend(samples, i)),
            _ => self.whole(samples)?,
        }
        self.network.check_weights()
    }

    /// Counts an epoch of [`steps`](Self::step), so that the schedule goes on.
    pub fn end_epoch(&mut self) {
        self.epoch += 1;
    }

    fn mini_batches(&mut self, data: &Dataset, order: &[usize], batch: usize) -> Result<(), Error> {
        let sizes = |d: &Dataset| (d.input_size(), d.target_size());
        let kept = self.batch.take().filter(|kept| sizes(kept) == sizes(data));
        let mut samples = match kept {
            Some(samples) => samples,
            None => Dataset::new(data.input_size(), data.target_size())?,
        };
        for rows in order.chunks(batch) {
            samples.fill(data, rows);
            self.whole(&samples)?;
        }
        self.batch = Some(samples);
        Ok(())
    }

    /// One step after all of the samples.
    fn whole(&mut self, data: &Dataset) -> Result<(), Error> {
        let mse = match self.config.algorithm {
            Algorithm::Sarprop(_) => self.evaluate(data)?.mse as f32,
            _ => 0.0,
        };
        let factor = self.config.schedule.factor(self.epoch);
        let at = Circumstances { factor, samples: data.len(), mse };
        let (network, loss) = (&mut self.network, self.config.loss);
        let rows = 0..data.len();
        self.gradients.mean(network, loss, data, rows, &self.spans, self.parallel);
        let gradient = &self.gradients.sum;
        self.optimizer.step(&mut network.weights, gradient, at, &mut self.rng);
        Ok(())
    }

    /// One step after one sample.
    fn descend(&mut self, data: &Dataset, i: usize) {
        let Algorithm::Incremental(backprop) = self.config.algorithm else { return };
        let factor = self.config.schedule.factor(self.epoch);
        let (network, loss) = (&mut self.network, self.config.loss);
        if network.is_dense() {
            let mut descent = Descent {
                rate: factor * backprop.rate,
                momentum: backprop.momentum,
                last: &mut self.optimizer.one,
            };
            let (pair, spans) = ((data.input(i), data.target(i)), &self.spans);
            let kernels = Kernels::get();
            self.sample.descend(network, kernels, loss, pair, spans, &mut descent);
            self.optimizer.steps += 1;
        } else {
            self.gradients.mean(network, loss, data, i..i + 1, &self.spans, false);
            let at = Circumstances { factor, samples: 1, mse: 0.0 };
            let gradient = &self.gradients.sum;
            self.optimizer.step(&mut network.weights, gradient, at, &mut self.rng);
        }
    }
}

impl TrainConfig {
    fn check(&self) -> Result<(), Error> {
        self.algorithm.check()?;
        self.schedule.check()?;
        let incremental = matches!(self.algorithm, Algorithm::Incremental(_));
        if incremental && self.precision != Precision::F32 {
            let what = "incremental training rounds no weights for one sample: train in batches";
            return Err(Error::config(what));
        }
        let fixed = self.algorithm.needs_all() || incremental;
        if self.batch == Some(0) || (fixed && self.batch.is_some()) {
            return Err(Error::config(format!(
                "mini-batches of {:?} with {:?}: leave `batch` out",
                self.batch, self.algorithm
            )));
        }
        if self.bit_fail_limit > 0.0 {
            return Ok(());
        }
        Err(Error::config(format!("bit-fail limit {}: give more than 0", self.bit_fail_limit)))
    }
}

/// Trains a copy of `network` on each of `k` parts of the samples and judges it on the rest: one
/// evaluation a fold. `seed` decides the parts.
///
/// # Errors
/// As [`Dataset::folds`], [`Trainer::new`] and [`Trainer::train`].
pub fn cross_validate(
    network: &Network,
    config: &TrainConfig,
    data: &Dataset,
    k: usize,
    seed: u64,
) -> Result<Vec<Evaluation>, Error> {
    let judge = |(train, held_out): (Dataset, Dataset)| {
        let mut trainer = Trainer::new(network.clone(), config.clone())?;
        trainer.train(&train, None, |_| ControlFlow::Continue(()))?;
        trainer.evaluate(&held_out)
    };
    data.folds(k, seed)?.into_iter().map(judge).collect()
}
