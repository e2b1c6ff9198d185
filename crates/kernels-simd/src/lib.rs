//! Kernels for several instruction sets, one of which is chosen when the program runs.
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]
#![allow(
    clippy::needless_range_loop,
    reason = "registers in arrays are walked side by side; an adaptor that is not inlined is a call"
)]

#[cfg(not(any(feature = "std", feature = "libm")))]
compile_error!("without the feature `std`, edgekit-kernels-simd needs `libm`");

extern crate alloc;

mod activation;
mod byte_product;
mod error;
mod image;
mod isa;
mod kernels;
mod matrix;
#[cfg(feature = "rayon")]
mod parallel;
mod product;
#[cfg(feature = "rayon")]
mod product_parallel;
mod resize;
mod rows;
mod simd;
mod table;

pub use byte_product::{PackedWeights, Weights};
pub use error::{Error, ErrorKind};
pub use image::{Image, ImageMut};
pub use isa::Isa;
pub use matrix::{Activation, Epilogue, GemmScratch, Matrix, MatrixMut, Requantize};
pub use product::{PackedMatrix, RightOperand};
pub use resize::ResizeScratch;
pub use rows::Rows;
pub use simd::prefetch;
pub use table::{Dequantize, Kernels};
