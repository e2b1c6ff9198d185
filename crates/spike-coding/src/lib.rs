#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod attention;
mod dense;
mod encoder;
mod energy;
mod error;
pub mod naive;
mod trains;

pub use attention::{SpikeAttention, Tokens};
pub use dense::DenseAttention;
pub use encoder::{Encoder, EncoderConfig};
pub use energy::{EnergyCosts, Operations};
pub use error::{Error, ErrorKind};
pub use trains::{FiringStats, Polarity, SpikeTrains};
