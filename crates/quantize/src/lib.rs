#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod affine;
mod channels;
mod codes;
mod error;
mod fidelity;
mod file;
mod histogram;
mod int4;
mod linear;
mod mixed;
mod observer;
mod report;
mod tensor;

pub use affine::{Affine, Scheme};
pub use channels::PerChannel;
pub use codes::{BinaryCodec, CodeBits, Folded, Origin, Planes, ScalarCodec};
pub use error::{Error, ErrorKind};
pub use fidelity::Fidelity;
pub use file::{from_safetensors, to_safetensors};
pub use histogram::Histogram;
pub use int4::Group;
pub use linear::{Input, LinearScratch, QuantizedLinear};
pub use mixed::{Budget, Choice, LayerOption, Plan, choose};
pub use observer::{Calibration, Observer};
pub use report::{LayerReport, QuantReport};
pub use tensor::{Format, QuantizedTensor};
