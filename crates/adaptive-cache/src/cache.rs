//! `AdaptiveCache`: the shards, the one budget above them, and what happens between the two.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use edgekit_mempool::{MemoryMonitor, Tier};
use hashbrown::DefaultHashBuilder;

use crate::budget::Budget;
use crate::room::{Locked, bump};
use crate::shard::{Found, Pins};
use crate::stats::Counters;
use crate::{CacheConfig, CacheStats, Error, Spill};

/// A cache of entries whose sizes their callers say, with one byte budget, shared by reference.
///
/// Values are lent by cloning: put large ones in an `Arc`. All operations are O(1) amortised but
/// where they say otherwise. Keys and values must not call the cache when they are hashed, compared
/// or cloned; when they are dropped, they may.
///
/// ```
/// use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig};
/// use std::sync::Arc;
/// let config = CacheConfig { budget_bytes: 1_000_000, ..CacheConfig::default() };
/// let cache: AdaptiveCache<String, Arc<[f32]>> = AdaptiveCache::new(config)?;
/// let embedding: Arc<[f32]> = vec![0.5; 384].into();
/// cache.insert("a sentence".into(), embedding.clone(), 384 * 4)?;
/// assert_eq!(cache.get("a sentence"), Some(embedding));
/// assert_eq!(cache.stats().used_bytes, 1536);
/// # Ok::<(), edgekit_adaptive_cache::Error>(())
/// ```
pub struct AdaptiveCache<K, V, S = DefaultHashBuilder> {
    pub(crate) shards: Box<[Locked<K, V>]>,
    pub(crate) budget: Budget,
    pub(crate) hasher: S,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) clock: Box<dyn Fn() -> Duration + Send + Sync>,
    pub(crate) spill: Option<Box<dyn Spill<K, V>>>,
    pub(crate) counters: Counters,
}

impl<K: Hash + Eq, V: Clone> AdaptiveCache<K, V> {
    /// An empty cache.
    ///
    /// # Errors
    /// [`InvalidConfig`](crate::ErrorKind::InvalidConfig) if a value of the configuration is out of its
    /// range.
    pub fn new(config: CacheConfig) -> Result<Self, Error> {
        Self::with_hasher(config, DefaultHashBuilder::default())
    }
}

impl<K: Hash + Eq, V: Clone, S: BuildHasher> AdaptiveCache<K, V, S> {
    /// As [`new`](AdaptiveCache::new), with a hasher of your own: seeded for a test, or a keyed one
    /// where keys come from an adversary.
    ///
    /// # Errors
    /// As [`new`](AdaptiveCache::new).
    pub fn with_hasher(config: CacheConfig, hasher: S) -> Result<Self, Error> {
        let shards = config.validated_shards()?;
        let start = Instant::now();
        Ok(AdaptiveCache {
            shards: (0..shards).map(|_| Locked::new()).collect(),
            budget: Budget::new(config.budget_bytes),
            hasher,
            time_to_live: config.time_to_live,
            clock: Box::new(move || start.elapsed()),
            spill: None,
            counters: Counters::default(),
        })
    }

    /// Sets where entries go before they are dropped.
    #[must_use]
    pub fn with_spill(mut self, spill: impl Spill<K, V> + 'static) -> Self {
        self.spill = Some(Box::new(spill));
        self
    }

    /// Sets the clock by which entries expire: the time since any fixed moment. It is asked only
    /// about entries that expire, under their shard's lock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The value of `key`, from memory or else from the spill, whose entry is then in memory again
    /// if there is room.
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let locked = self.locked(hash);
        let shard = locked.lock();
        match shard.get(hash, key, &self.clock) {
            Found::Live(value) => {
                bump(&locked.hits);
                return Some(value);
            }
            Found::Nothing if self.spill.is_none() => {
                bump(&locked.misses);
                return None;
            }
            Found::Nothing | Found::Expired => {}
        }
        self.get_below(hash, key, shard)
    }

    /// Puts an entry of `bytes` bytes (0 counts as 1) in place of any other of that key, evicting
    /// what has to go. Gives back the value that was there.
    ///
    /// Replacing an entry by one that is not larger evicts nobody; by a larger one, only for the
    /// difference.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) above the whole budget,
    /// [`NoRoom`](crate::ErrorKind::NoRoom) if pinned entries leave too little. The key's old entry is
    /// then gone as well: a cache must not answer with what its caller wanted replaced.
    pub fn insert(&self, key: K, value: V, bytes: u64) -> Result<Option<V>, Error> {
        let expires_at = self.time_to_live.map(|ttl| (self.clock)().saturating_add(ttl));
        self.put(key, value, bytes, expires_at)
    }

    /// As [`insert`](Self::insert), to expire after a time of its own.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_for(
        &self,
        key: K,
        value: V,
        bytes: u64,
        time_to_live: Duration,
    ) -> Result<Option<V>, Error> {
        self.put(key, value, bytes, Some((self.clock)().saturating_add(time_to_live)))
    }

    /// The value of `key`; if there is none, the one that `make` makes, kept if there is room for
    /// the bytes it names. Threads that ask at once may each make one.
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> (V, u64)) -> V
    where
        K: Clone,
    {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let (value, bytes) = make();
        // A refusal is counted; the caller has its value either way.
        let _ = self.insert(key, value.clone(), bytes);
        value
    }

    /// Takes an entry out, pinned or not, from memory and from the spill. The value if it was in
    /// memory and had not expired.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let locked = self.locked(hash);
        let mut shard = locked.lock();
        let node = shard.remove(hash, key);
        let _freed = self.budget.taken(node.as_ref().map_or(0, |node| node.bytes));
        locked.note(&shard);
        if let Some(spill) = &self.spill {
            spill.forget(&key.to_owned());
        }
        drop(shard);
        let node = node?;
        let late = node.expires_at().is_some_and(|at| (self.clock)() >= at);
        (!late).then_some(node.value)
    }

    /// Takes every entry out of memory, pinned or not. What was spilled stays. O(entries).
    pub fn clear(&self) {
        self.remove_all(|shard| shard.remove_where(|_| true));
    }

    /// Takes out what has expired; it would otherwise stay until it is asked for or its turn comes.
    /// Returns how many. O(entries).
    pub fn remove_expired(&self) -> usize {
        let now = (self.clock)();
        let removed = self.remove_all(|shard| shard.remove_all_expired(now));
        self.counters.expired.fetch_add(removed as u64, Relaxed);
        removed
    }

    /// The bytes that the key's entry takes in memory, expired or not; `None` if it is not there.
    /// Counts as no look-up.
    pub fn resident_bytes<Q>(&self, key: &Q) -> Option<u64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        self.locked(hash).lock().bytes_of(hash, key)
    }

    /// Keeps an entry in memory until [`unpin`](Self::unpin) is called as often; it still expires,
    /// and may be replaced (which keeps the pins) and removed (which does not). `false` if the key
    /// is not in memory.
    pub fn pin<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.change_pins(key, Pins::Add)
    }

    /// Takes a pin away. `false` if the key is not in memory or not pinned.
    pub fn unpin<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.change_pins(key, Pins::TakeAway)
    }

    /// Frees memory as the monitor's pressure asks: nothing in [`Tier::Low`], otherwise
    /// [`evict_share`](Self::evict_share) of its tier. To be called after each
    /// [`MemoryMonitor::sample`]. Returns the bytes freed.
    pub fn adapt(&self, monitor: &MemoryMonitor) -> u64 {
        match monitor.tier() {
            Tier::Low => 0,
            tier => self.evict_share(tier),
        }
    }

    /// Evicts a tier's share (10, 20, 30 or 50 %) of the bytes in use, and at most one entry more.
    /// Returns the bytes freed: fewer if the rest is pinned.
    pub fn evict_share(&self, tier: Tier) -> u64 {
        self.evict_bytes(tier.share_of(self.budget.used()))
    }

    /// Evicts until so many bytes are free again, and at most one entry more. Returns the bytes
    /// freed: fewer if the rest is pinned.
    pub fn evict_bytes(&self, bytes: u64) -> u64 {
        let mut freed = 0;
        for first in (0..self.shards.len()).cycle() {
            if freed >= bytes {
                break;
            }
            match self.evict_one(first) {
                Some(more) => freed += more,
                None => break,
            }
        }
        freed
    }

    /// What the cache has done and holds. O(shards).
    pub fn stats(&self) -> CacheStats {
        let counters = &self.counters;
        let mut stats = CacheStats {
            spill_hits: counters.spill_hits.load(Relaxed),
            spilled: counters.spilled.load(Relaxed),
            spill_failures: counters.spill_failures.load(Relaxed),
            expired: counters.expired.load(Relaxed),
            rejected: counters.rejected.load(Relaxed),
            used_bytes: self.budget.used(),
            peak_bytes: self.budget.peak(),
            ..CacheStats::default()
        };
        for locked in &self.shards {
            stats.entries += locked.lock().len() as u64;
            stats.hits += locked.hits.load(Relaxed);
            stats.misses += locked.misses.load(Relaxed);
            stats.evictions += locked.evictions.load(Relaxed);
        }
        stats
    }

    /// Bytes of all entries now, by their callers' count. One atomic load.
    pub fn used_bytes(&self) -> u64 {
        self.budget.used()
    }

    /// The budget in bytes.
    pub fn budget_bytes(&self) -> u64 {
        self.budget.limit()
    }
}

impl<K, V, S> fmt::Debug for AdaptiveCache<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdaptiveCache")
            .field("used_bytes", &self.budget.used())
            .field("budget_bytes", &self.budget.limit())
            .finish_non_exhaustive()
    }
}
