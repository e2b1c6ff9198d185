//! What a cache has done and holds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What an [`AdaptiveCache`](crate::AdaptiveCache) has done and holds. Exact while no other thread is
/// inside; otherwise each number is, but not all are of the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Look-ups answered from memory.
    pub hits: u64,
    /// Look-ups answered from neither memory nor the spill.
    pub misses: u64,
    /// Look-ups answered from the spill.
    pub spill_hits: u64,
    /// Entries dropped to make room or to relieve memory, spilled or not.
    pub evictions: u64,
    /// Entries saved by the spill when they were evicted.
    pub spilled: u64,
    /// Entries that the spill could not save.
    pub spill_failures: u64,
    /// Entries dropped because their time was up.
    pub expired: u64,
    /// Inserts refused: too large, or no room beside what is pinned.
    pub rejected: u64,
    /// Entries now.
    pub entries: u64,
    /// Bytes of all entries now, by their callers' count.
    pub used_bytes: u64,
    /// The largest that `used_bytes` has been.
    pub peak_bytes: u64,
}

impl CacheStats {
    /// The share of look-ups answered from memory; 0 before the first.
    pub fn hit_ratio(&self) -> f64 {
        let all = self.hits + self.misses + self.spill_hits;
        if all == 0 { 0.0 } else { self.hits as f64 / all as f64 }
    }
}

/// What is counted by the cache as a whole: rare events. Hits, misses and
/// evictions are counted per shard.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) spill_hits: AtomicU64,
    pub(crate) spilled: AtomicU64,
    pub(crate) spill_failures: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}
