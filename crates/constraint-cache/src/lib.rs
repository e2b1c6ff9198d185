#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod awake;
mod batch;
mod cache;
mod cursor;
mod door;
mod error;
mod flight;
mod key;
mod memo;
#[cfg(feature = "redis")]
mod remote;
mod session;
mod store;
mod template;
mod tokenizer;

pub use awake::Awake;
pub use batch::{MaskMatrix, Row, mask_many, step_many};
pub use cache::{CacheConfig, ConstraintCache, Pending, Stats};
pub use error::{Error, ErrorKind};
pub use key::{Asked, Key, Request};
#[cfg(feature = "redis")]
pub use remote::RemoteConfig;
pub use session::{Reach, Session, Stop};
pub use store::{Limits, Store, StoreStats};
pub use template::Template;
pub use tokenizer::Tokenizer;
