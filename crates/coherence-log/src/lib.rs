#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

#[cfg(feature = "std")]
pub mod body;
#[cfg(feature = "std")]
pub mod bundle;
#[cfg(feature = "std")]
pub mod equivocation;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
pub mod event;
pub mod hash;
#[cfg(feature = "std")]
mod json;
#[cfg(feature = "std")]
pub mod log;
#[cfg(feature = "std")]
pub mod note;
pub mod proof;
#[cfg(feature = "publish")]
pub mod publish;
#[cfg(feature = "std")]
pub mod state;
#[cfg(feature = "std")]
pub mod store;
#[cfg(feature = "std")]
pub mod tile;
#[cfg(feature = "std")]
pub mod tree;
#[cfg(feature = "std")]
pub mod witness;

#[cfg(feature = "std")]
pub use error::{Error, ErrorKind};
#[cfg(feature = "std")]
pub use event::{Author, Draft, Event, Id, Kind, PublicKey, Signature, Verified};
pub use hash::Hash;
#[cfg(feature = "std")]
pub use log::{Clock, Config, Log};
