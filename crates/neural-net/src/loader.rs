//! Batches out of a stream of samples: shuffled within a bounded window, and made ahead of time.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::dataset::Dataset;
use crate::samples::Sample;
use crate::{Error, ErrorKind};

/// How a [`Loader`] makes batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Samples of a batch; the last may have fewer.
    pub batch: usize,
    /// Samples among which the next is drawn: the whole memory that shuffling takes. 1 keeps the order.
    pub window: usize,
    /// Batches made ahead on a thread; 0 makes them when they are asked for, without one.
    pub ahead: usize,
    /// Decides the order.
    pub seed: u64,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        LoaderConfig { batch: 64, window: 4096, ahead: 2, seed: 0 }
    }
}

/// Batches of a stream. After an error it ends.
///
/// ```
/// use edgekit_neural_net::{Csv, CsvSamples, Loader, LoaderConfig, Targets};
///
/// let text = "0.1,0.2,0\n0.3,0.4,1\n0.5,0.6,1\n";
/// let csv = Csv { inputs: 2, targets: Targets::Class(2), skip: 0 };
/// let samples = CsvSamples::new(text.as_bytes(), csv)?;
/// let config = LoaderConfig { batch: 2, ..LoaderConfig::default() };
/// let sizes: Vec<usize> = Loader::new(samples, config)?
///     .map(|batch| batch.map(|batch| batch.len()))
///     .collect::<Result<_, _>>()?;
/// assert_eq!(sizes, [2, 1]);
/// # Ok::<(), edgekit_neural_net::Error>(())
/// ```
#[derive(Debug)]
pub struct Loader<I> {
    made: Made<I>,
}

#[derive(Debug)]
enum Made<I> {
    Here(Batches<I>),
    Ahead(Receiver<Result<Dataset, Error>>, Option<JoinHandle<()>>),
}

impl<I: Iterator<Item = Result<Sample, Error>> + Send + 'static> Loader<I> {
    /// Begins to read.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for batches or a window of 0, [`Io`](ErrorKind::Io) if there is no
    /// thread to be had.
    pub fn new(samples: I, config: LoaderConfig) -> Result<Self, Error> {
        if config.batch == 0 || config.window == 0 {
            return Err(Error::config("batches and windows need at least one sample"));
        }
        let mut batches = Batches {
            samples: Some(samples),
            config,
            rng: Pcg64Mcg::seed_from_u64(config.seed),
            window: Vec::new(),
        };
        if config.ahead == 0 {
            return Ok(Loader { made: Made::Here(batches) });
        }
        // A channel of n holds n batches beside the one that the thread is about to send.
        let (sender, receiver) = sync_channel(config.ahead - 1);
        let read = move || {
            // Nobody listens any more when sending fails.
            while let Some(batch) = batches.next()
                && sender.send(batch).is_ok()
            {}
        };
        let thread = std::thread::Builder::new().name("samples".to_owned()).spawn(read)?;
        Ok(Loader { made: Made::Ahead(receiver, Some(thread)) })
    }
}

impl<I: Iterator<Item = Result<Sample, Error>>> Iterator for Loader<I> {
    type Item = Result<Dataset, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.made {
            Made::Here(batches) => batches.next(),
            Made::Ahead(receiver, thread) => receiver.recv().ok().or_else(|| {
                // The end of the stream, unless the thread did not get there.
                let panicked = thread.take()?.join().is_err();
                let why = "the thread that reads samples panicked";
                panicked.then(|| Err(Error::new(ErrorKind::Io, why)))
            }),
        }
    }
}

#[derive(Debug)]
struct Batches<I> {
    samples: Option<I>,
    config: LoaderConfig,
    rng: Pcg64Mcg,
    window: Vec<Sample>,
}

impl<I: Iterator<Item = Result<Sample, Error>>> Iterator for Batches<I> {
    type Item = Result<Dataset, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch();
        if batch.is_err() {
            self.samples = None;
            self.window.clear();
        }
        batch.transpose()
    }
}

impl<I: Iterator<Item = Result<Sample, Error>>> Batches<I> {
    fn batch(&mut self) -> Result<Option<Dataset>, Error> {
        let mut batch: Option<Dataset> = None;
        while batch.as_ref().is_none_or(|batch| batch.len() < self.config.batch) {
            while self.window.len() < self.config.window
                && let Some(samples) = &mut self.samples
            {
                match samples.next() {
                    Some(sample) => self.window.push(sample?),
                    None => self.samples = None,
                }
            }
            if self.window.is_empty() {
                break;
            }
            let drawn = self.rng.random_range(0..self.window.len());
            let Sample { input, target } = self.window.swap_remove(drawn);
            let batch = match &mut batch {
                Some(batch) => batch,
                none => none.insert(Dataset::new(input.len(), target.len())?),
            };
            batch.push(&input, &target)?;
        }
        Ok(batch)
    }
}
