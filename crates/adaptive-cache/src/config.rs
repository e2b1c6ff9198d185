//! What a cache is told once, when it is built.

use std::time::Duration;

use crate::{Error, ErrorKind};

/// How an [`AdaptiveCache`](crate::AdaptiveCache) behaves.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// The sum of all entries' sizes never exceeds this, not even for a moment. At least 1.
    pub budget_bytes: u64,
    /// Independently locked parts, a power of two up to 65,536. `None`: sixteen for each core. The
    /// budget is not divided among them.
    pub shards: Option<usize>,
    /// How long an entry lives unless [`insert_for`](crate::AdaptiveCache::insert_for) says otherwise.
    /// `None`: until it is evicted.
    pub time_to_live: Option<Duration>,
}

impl Default for CacheConfig {
    /// 500 MB, sixteen shards a core, no expiry.
    fn default() -> Self {
        CacheConfig { budget_bytes: 500_000_000, shards: None, time_to_live: None }
    }
}

impl CacheConfig {
    /// The number of shards, once everything is found valid.
    pub(crate) fn validated_shards(&self) -> Result<usize, Error> {
        let invalid = |what| Err(Error::new(ErrorKind::InvalidConfig, what));
        if self.budget_bytes == 0 {
            return invalid("a cache of 0 bytes holds nothing; raise `budget_bytes`".to_owned());
        }
        match self.shards {
            Some(n) if n.is_power_of_two() && n <= 65_536 => Ok(n),
            Some(n) => {
                invalid(format!("{n} shards: `shards` must be a power of two from 1 to 65536"))
            }
            None => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                Ok((16 * cores).next_power_of_two().min(65_536))
            }
        }
    }
}
