//! `GlobalPools`: the pools that are simply there, one set per process.

use std::sync::OnceLock;

use crate::{BufferPool, Error, PoolConfig, SizeClassConfig, SizeClassPool};

/// Three ready tiers of byte buffers and a size-class pool for all other sizes.
///
/// | tier | capacity | made at once | kept at most |
/// |---|---|---|---|
/// | small | 1 KiB | 10 | 100 |
/// | medium | 64 KiB | 5 | 50 |
/// | large | 1 MiB | 2 | 20 |
///
/// Buffers are lent empty, with that capacity, and come back whatever their length; one that has
/// grown above twice its tier is let go.
///
/// ```
/// use edgekit_mempool::GlobalPools;
/// let mut frame = GlobalPools::get().medium().get();
/// frame.extend_from_slice(&[0; 640]);
/// assert!(frame.capacity() >= 64 * 1024);
/// ```
#[derive(Debug)]
pub struct GlobalPools {
    small: BufferPool<Vec<u8>>,
    medium: BufferPool<Vec<u8>>,
    large: BufferPool<Vec<u8>>,
    sized: SizeClassPool,
}

impl GlobalPools {
    /// The process's pools, made on first use.
    pub fn get() -> &'static GlobalPools {
        static POOLS: OnceLock<GlobalPools> = OnceLock::new();
        POOLS.get_or_init(|| GlobalPools::new().expect("the tiers above are valid configurations"))
    }

    /// A set of its own, for a part of a program that wants its own statistics.
    ///
    /// # Errors
    /// None for now: the configuration is fixed and valid.
    pub fn new() -> Result<GlobalPools, Error> {
        let tier = |bytes: usize, initial, max_retained| {
            let max_buffer_bytes = 2 * bytes;
            let config =
                PoolConfig { initial, max_retained, max_buffer_bytes, ..PoolConfig::default() };
            BufferPool::new(config, move || Vec::with_capacity(bytes))
        };
        Ok(GlobalPools {
            small: tier(1 << 10, 10, 100)?,
            medium: tier(64 << 10, 5, 50)?,
            large: tier(1 << 20, 2, 20)?,
            sized: SizeClassPool::new(SizeClassConfig::default())?,
        })
    }

    /// Buffers of 1 KiB.
    pub fn small(&self) -> &BufferPool<Vec<u8>> {
        &self.small
    }

    /// Buffers of 64 KiB.
    pub fn medium(&self) -> &BufferPool<Vec<u8>> {
        &self.medium
    }

    /// Buffers of 1 MiB.
    pub fn large(&self) -> &BufferPool<Vec<u8>> {
        &self.large
    }

    /// Buffers of any size.
    pub fn sized(&self) -> &SizeClassPool {
        &self.sized
    }

    /// Bytes that all these pools hold now, live and retained; what a
    /// [`MemoryMonitor`](crate::MemoryMonitor) watches.
    pub fn bytes(&self) -> u64 {
        [&self.small, &self.medium, &self.large].map(|pool| pool.stats().bytes).iter().sum::<u64>()
            + self.sized.stats().bytes
    }

    /// Frees what is retained for all threads and for the calling one. Returns how many buffers.
    pub fn trim(&self) -> usize {
        self.small.trim() + self.medium.trim() + self.large.trim() + self.sized.trim()
    }
}
