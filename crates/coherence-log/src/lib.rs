#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

pub mod hash;
pub mod proof;
#[cfg(feature = "std")]
pub mod tree;

pub use hash::Hash;
