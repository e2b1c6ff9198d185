#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod activation;
mod atomic;
mod builder;
mod cascade;
mod checkpoint;
mod dataset;
mod error;
mod evaluate;
mod fann;
mod general;
mod gradient;
mod incremental;
mod int8;
mod int8_file;
mod loader;
mod loss;
mod mixed;
mod network;
mod optimizer;
mod run;
mod samples;
mod schedule;
mod tensors;
mod trainer;

pub use activation::{Activation, Function};
pub use builder::Builder;
pub use cascade::{CascadeConfig, CascadeProgress, cascade};
pub use dataset::Dataset;
pub use error::{Error, ErrorKind};
pub use evaluate::{BIT_FAIL_LIMIT, Evaluation};
pub use int8::{QuantizationReport, QuantizedNetwork, QuantizedScratch};
pub use loader::{Loader, LoaderConfig};
pub use loss::Loss;
pub use mixed::Precision;
pub use network::{Kind, Network};
pub use optimizer::{Adam, Algorithm, Backprop, Decay, Quickprop, Rprop, Sarprop};
pub use run::Scratch;
pub use samples::{Csv, CsvSamples, FannSamples, Sample, Targets};
pub use schedule::Schedule;
pub use trainer::{Progress, Reason, Stop, TrainConfig, Trainer, cross_validate};

/// How the ranges of quantised values are chosen.
pub use edgekit_quantize::{Calibration, Fidelity};
