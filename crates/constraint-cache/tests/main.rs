//! The crate from outside: keys, cache, sessions, batches, real schemas.

mod batches;
mod caching;
mod keys;
mod maskbench;
mod open_texts;
#[cfg(feature = "redis")]
mod second_tier;
mod sessions;
mod spares;
mod stores;
mod support;
mod tokenizers;
