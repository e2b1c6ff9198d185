//! `SizeClassPool`: byte buffers of any size, kept by powers of two up to 4 MiB.

use crate::{BufferPool, Error, OnReturn, PoolConfig, PoolStats, PooledBuffer};

/// How a [`SizeClassPool`] behaves.
#[derive(Clone, Debug)]
pub struct SizeClassConfig {
    /// Free bytes kept per class; a class keeps as many buffers as fit, at least 1 and at most 256.
    /// All classes together keep at most this times [`SizeClassPool::CLASSES`].
    pub retained_bytes_per_class: usize,
    /// What happens to the contents of a buffer that comes back.
    pub on_return: OnReturn,
}

impl Default for SizeClassConfig {
    fn default() -> Self {
        SizeClassConfig { retained_bytes_per_class: 8 << 20, on_return: OnReturn::Clear }
    }
}

/// Pools of byte buffers, one per power of two from 64 bytes to 4 MiB.
///
/// A request is served from the smallest class that fits, so at most half of a buffer is unused. A
/// request above 4 MiB is served and counted, but its buffer is not kept.
#[derive(Debug)]
pub struct SizeClassPool {
    classes: Vec<BufferPool<Vec<u8>>>,
    oversized: BufferPool<Vec<u8>>,
}

impl SizeClassPool {
    /// Capacity of the smallest class, in bytes.
    pub const MIN_BYTES: usize = 64;
    /// Capacity of the largest class, in bytes.
    pub const MAX_BYTES: usize = 4 << 20;
    /// How many classes there are.
    pub const CLASSES: usize = (Self::MAX_BYTES.ilog2() - Self::MIN_BYTES.ilog2()) as usize + 1;

    /// A pool of pools.
    ///
    /// # Errors
    /// None for now: each value of the configuration is a valid one.
    pub fn new(config: SizeClassConfig) -> Result<Self, Error> {
        let SizeClassConfig { retained_bytes_per_class, on_return } = config;
        let class = |i: usize| {
            let bytes = Self::MIN_BYTES << i;
            let config = PoolConfig {
                max_retained: (retained_bytes_per_class / bytes).clamp(1, 256),
                // Grown by its user it belongs to another class, and is let go.
                max_buffer_bytes: bytes,
                on_return,
                ..PoolConfig::default()
            };
            BufferPool::new(config, move || Vec::with_capacity(bytes))
        };
        let none = PoolConfig { max_retained: 0, ..PoolConfig::default() };
        Ok(SizeClassPool {
            classes: (0..Self::CLASSES).map(class).collect::<Result<_, _>>()?,
            oversized: BufferPool::new(none, Vec::new)?,
        })
    }

    /// An empty buffer with room for at least `bytes`.
    #[inline]
    pub fn get(&self, bytes: usize) -> PooledBuffer<Vec<u8>, &BufferPool<Vec<u8>>> {
        match self.class_of(bytes) {
            Some(class) => class.get(),
            None => self.oversized.adopt(Vec::with_capacity(bytes)),
        }
    }

    /// The pool that serves requests of that many bytes; `None` above [`MAX_BYTES`](Self::MAX_BYTES).
    #[inline]
    pub fn class_of(&self, bytes: usize) -> Option<&BufferPool<Vec<u8>>> {
        let above_min = bytes.max(Self::MIN_BYTES).checked_next_power_of_two()?.ilog2()
            - Self::MIN_BYTES.ilog2();
        self.classes.get(above_min as usize)
    }

    /// Frees what is retained for all threads and for the calling one. Returns how many buffers.
    pub fn trim(&self) -> usize {
        self.classes.iter().map(BufferPool::trim).sum()
    }

    /// All classes' statistics added up. `peak_bytes` is the sum of the classes' peaks, an upper
    /// bound of the true one.
    pub fn stats(&self) -> PoolStats {
        self.classes.iter().chain([&self.oversized]).map(BufferPool::stats).sum()
    }
}

impl std::iter::Sum for PoolStats {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(PoolStats::default(), |a, b| PoolStats {
            hits: a.hits + b.hits,
            misses: a.misses + b.misses,
            live: a.live + b.live,
            retained: a.retained + b.retained,
            bytes: a.bytes + b.bytes,
            peak_bytes: a.peak_bytes + b.peak_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_class_that_fits_serves() {
        let pool = SizeClassPool::new(SizeClassConfig::default()).unwrap();
        for (asked, got) in
            [(0, 64), (1, 64), (64, 64), (65, 128), (1000, 1024), (4 << 20, 4 << 20)]
        {
            assert_eq!(pool.get(asked).capacity(), got, "asked for {asked}");
        }
        assert!(pool.class_of(SizeClassPool::MAX_BYTES + 1).is_none());
        assert!(pool.class_of(usize::MAX).is_none());
    }

    #[test]
    fn above_the_largest_class_nothing_is_kept() {
        let pool = SizeClassPool::new(SizeClassConfig::default()).unwrap();
        let big = pool.get(5 << 20);
        assert!(big.capacity() >= 5 << 20);
        assert_eq!((pool.stats().live, pool.stats().misses), (1, 1));
        drop(big);
        let stats = pool.stats();
        assert_eq!((stats.live, stats.retained, stats.bytes), (0, 0, 0));
        assert!(stats.peak_bytes >= 5 << 20);
    }

    #[test]
    fn a_buffer_that_outgrew_its_class_is_let_go() {
        let pool = SizeClassPool::new(SizeClassConfig::default()).unwrap();
        pool.get(64).extend_from_slice(&[0; 100_000]);
        assert_eq!(pool.stats().retained, 0);
        assert_eq!(pool.get(64).capacity(), 64);
    }
}
