//! `AdaptiveCache`: the shards, the one budget above them, and what happens between the two.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use edgekit_mempool::{MemoryMonitor, Tier};
use hashbrown::DefaultHashBuilder;

use crate::budget::Budget;
use crate::shard::{Entry, Found, Node, Pins, Shard};
use crate::stats::Counters;
use crate::sync::{AtomicU64, Mutex, MutexGuard, yield_now};
use crate::{CacheConfig, CacheStats, Error, ErrorKind, Spill, Spilled};

/// A cache of entries whose sizes their callers say, with one byte budget, shared by reference.
///
/// Values are lent by cloning: put large ones in an `Arc`. All operations are O(1) amortised but
/// where they say otherwise.
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
    shards: Box<[Locked<K, V>]>,
    budget: Budget,
    hasher: S,
    time_to_live: Option<Duration>,
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    spill: Option<Box<dyn Spill<K, V>>>,
    counters: Counters,
}

/// A shard and its lock, in cache lines of its own.
#[repr(align(128))]
struct Locked<K, V> {
    shard: Mutex<Shard<K, V>>,
    /// Copies of the shard's, to choose where to evict without locking.
    evictable_bytes: AtomicU64,
    pinned_bytes: AtomicU64,
    /// Written under the lock only, as the three below.
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

impl<K: Hash + Eq, V: Clone> AdaptiveCache<K, V> {
    /// An empty cache.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if a value of the configuration is out of its range.
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
    /// [`ErrorKind::TooLarge`] above the whole budget, [`ErrorKind::NoRoom`] if pinned entries leave
    /// too little. The key's old entry is then gone as well: a cache must not answer with what its
    /// caller wanted replaced.
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
        if let Some(spill) = &self.spill {
            spill.forget(&key.to_owned());
        }
        locked.note(&shard);
        drop(shard);
        let node = node?;
        self.budget.give_back(node.bytes);
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

    /// The budget in bytes.
    pub fn budget_bytes(&self) -> u64 {
        self.budget.limit()
    }

    fn locked(&self, hash: u64) -> &Locked<K, V> {
        &self.shards[self.shard_index(hash)]
    }

    fn shard_index(&self, hash: u64) -> usize {
        // Bits that the shard's table neither starts from nor compares first.
        (hash >> 40) as usize & (self.shards.len() - 1)
    }

    /// The rest of [`get`](Self::get), for an entry that has expired or is not in memory. The shard
    /// stays locked until the spill has answered, so that the answer is the one for this moment.
    #[cold]
    fn get_below<Q>(&self, hash: u64, key: &Q, mut shard: MutexGuard<'_, Shard<K, V>>) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let locked = self.locked(hash);
        let now = (self.clock)();
        if let Some(node) = shard.remove_expired(hash, key, now) {
            if let Some(spill) = &self.spill {
                spill.forget(&node.key);
            }
            bump(&locked.misses);
            locked.note(&shard);
            drop(shard);
            self.budget.give_back(node.bytes);
            Counters::add(&self.counters.expired);
            return None;
        }
        let owned = key.to_owned();
        let loaded = self.spill.as_ref().and_then(|spill| {
            let entry = spill.load(&owned)?;
            if entry.expires_at.is_some_and(|at| now >= at) {
                spill.forget(&owned);
                Counters::add(&self.counters.expired);
                return None;
            }
            Some(entry)
        });
        let Some(entry) = loaded else {
            bump(&locked.misses);
            return None;
        };
        Counters::add(&self.counters.spill_hits);
        let generation = shard.generation;
        drop(shard);
        self.bring_back(hash, owned, &entry, generation);
        Some(entry.value)
    }

    /// Puts a spilled entry into memory again, unless its shard has changed since it was loaded: it
    /// might be another thread's newer value that it replaces, or a removal that it undoes.
    fn bring_back(&self, hash: u64, key: K, loaded: &Spilled<V>, generation: u64) {
        let bytes = loaded.bytes.max(1);
        if bytes > self.budget.limit() || !self.take_room(bytes, self.shard_index(hash)) {
            return;
        }
        let locked = self.locked(hash);
        let mut shard = locked.lock();
        // Making room may itself have evicted from this shard, which puts nothing and removes only
        // what is saved: it does not count as a change.
        if shard.generation != generation {
            drop(shard);
            self.budget.give_back(bytes);
            return;
        }
        let entry = Entry { bytes, expires_at: loaded.expires_at, saved: true };
        shard.put_new(hash, key, loaded.value.clone(), entry);
        locked.note(&shard);
    }

    fn put(
        &self,
        key: K,
        value: V,
        bytes: u64,
        expires_at: Option<Duration>,
    ) -> Result<Option<V>, Error> {
        let bytes = bytes.max(1);
        let hash = self.hasher.hash_one(&key);
        let locked = self.locked(hash);
        let entry = Entry { bytes, expires_at, saved: false };
        let first = self.shard_index(hash);
        if bytes > self.budget.limit() {
            return Err(self.reject(hash, &key, bytes));
        }
        let mut shard = locked.lock();
        // Bytes freed here and not given back yet: the entry to come takes their place.
        let mut spare = 0;
        loop {
            // Looked up again each time: the entry that goes may be this key's own.
            let old = shard.bytes_of(hash, &key).unwrap_or(0);
            let needed = bytes.saturating_sub(old);
            if needed <= spare || self.budget.try_take(needed - spare) {
                if let Some(spill) = &self.spill {
                    spill.forget(&key);
                }
                let replaced = if old == 0 {
                    shard.put_new(hash, key, value, entry);
                    None
                } else {
                    shard.replace(hash, &key, value, entry)
                };
                locked.note(&shard);
                drop(shard);
                self.budget.give_back(old.saturating_sub(bytes) + spare.saturating_sub(needed));
                return Ok(replaced);
            }
            if shard.evictable_bytes() >= self.share_of_a_shard()
                && let Some(freed) = self.evict_locked(locked, &mut shard)
            {
                spare += freed;
                continue;
            }
            drop(shard);
            self.budget.give_back(std::mem::take(&mut spare));
            if !self.make_room(needed, first) {
                return Err(self.reject(hash, &key, bytes));
            }
            shard = locked.lock();
        }
    }

    /// Takes bytes from the budget, evicting as long as there is something to evict.
    fn take_room(&self, bytes: u64, first: usize) -> bool {
        while !self.budget.try_take(bytes) {
            if !self.make_room(bytes, first) {
                return false;
            }
        }
        true
    }

    /// Evicts one entry, or waits for bytes that another thread is about to give back or to put.
    /// `false` if `bytes` more do not fit beside what is pinned.
    fn make_room(&self, bytes: u64, first: usize) -> bool {
        if self.evict_one(first).is_some() {
            return true;
        }
        let pinned: u64 = self.shards.iter().map(|l| l.pinned_bytes.load(Relaxed)).sum();
        yield_now();
        pinned.saturating_add(bytes) <= self.budget.limit()
    }

    fn reject(&self, hash: u64, key: &K, bytes: u64) -> Error {
        let locked = self.locked(hash);
        let mut shard = locked.lock();
        let stale = shard.remove(hash, key);
        if let Some(spill) = &self.spill {
            spill.forget(key);
        }
        locked.note(&shard);
        drop(shard);
        self.budget.give_back(stale.map_or(0, |node| node.bytes));
        Counters::add(&self.counters.rejected);
        let limit = self.budget.limit();
        if bytes > limit {
            let what = format!("an entry of {bytes} bytes is above the budget of {limit}");
            Error::new(ErrorKind::TooLarge, what)
        } else {
            let used = self.budget.used();
            let what = format!(
                "no room for {bytes} bytes: {used} of {limit} are in use and pinned; unpin some"
            );
            Error::new(ErrorKind::NoRoom, what)
        }
    }

    /// Evicts one entry, saved first if there is a spill. The shards are asked in turn from `first`,
    /// those that hold much less than their share of the bytes only if no other has anything: each
    /// shard stays a sample of the whole. Returns the bytes freed; `None` if all is pinned.
    fn evict_one(&self, first: usize) -> Option<u64> {
        let shards = self.shards.len();
        for least in [self.share_of_a_shard(), 1] {
            for turn in 0..shards {
                let locked = &self.shards[(first + turn) & (shards - 1)];
                if locked.evictable_bytes.load(Relaxed) >= least {
                    let mut shard = locked.lock();
                    if let Some(freed) = self.evict_locked(locked, &mut shard) {
                        drop(shard);
                        self.budget.give_back(freed);
                        return Some(freed);
                    }
                }
            }
        }
        None
    }

    /// The bytes from which on a shard may be evicted from before others are: seven eighths of the
    /// mean.
    fn share_of_a_shard(&self) -> u64 {
        (self.budget.used() / self.shards.len() as u64 / 8 * 7).max(1)
    }

    /// Evicts from a shard that is locked. The bytes are the caller's to give back.
    fn evict_locked(&self, locked: &Locked<K, V>, shard: &mut Shard<K, V>) -> Option<u64> {
        let (node, expired) = shard.evict(&self.clock)?;
        if !expired {
            bump(&locked.evictions);
        }
        locked.note(shard);
        Some(self.spill_or_drop(node, expired))
    }

    /// Ends an entry that was evicted; its bytes.
    fn spill_or_drop(&self, node: Node<K, V>, expired: bool) -> u64 {
        let counters = &self.counters;
        if expired {
            Counters::add(&counters.expired);
        }
        let bytes = node.bytes;
        match &self.spill {
            Some(spill) if expired => spill.forget(&node.key),
            Some(spill) if !node.saved => {
                let expires_at = node.expires_at();
                let entry = Spilled { value: node.value, bytes, expires_at };
                let saved = spill.save(&node.key, &entry);
                Counters::add(if saved { &counters.spilled } else { &counters.spill_failures });
            }
            _ => {}
        }
        bytes
    }

    fn change_pins<Q>(&self, key: &Q, change: Pins) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let locked = self.locked(hash);
        let mut shard = locked.lock();
        let changed = shard.change_pins(hash, key, change);
        locked.note(&shard);
        changed
    }

    fn remove_all(&self, remove: impl Fn(&mut Shard<K, V>) -> Vec<Node<K, V>>) -> usize {
        let mut removed = 0;
        for locked in &self.shards {
            let mut shard = locked.lock();
            let nodes = remove(&mut shard);
            locked.note(&shard);
            drop(shard);
            removed += nodes.len();
            self.budget.give_back(nodes.iter().map(|node| node.bytes).sum());
        }
        removed
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

impl<K, V> Locked<K, V> {
    fn new() -> Self {
        Locked {
            shard: Mutex::new(Shard::new()),
            evictable_bytes: AtomicU64::new(0),
            pinned_bytes: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// A panic under the lock comes from a caller's `Eq`, `Clone` or [`Spill`], at points where the
    /// shard is whole, so a poisoned lock is usable.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Shard<K, V>> {
        self.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what an eviction would find; called before a changed shard is unlocked.
    fn note(&self, shard: &Shard<K, V>) {
        self.evictable_bytes.store(shard.evictable_bytes(), Relaxed);
        self.pinned_bytes.store(shard.pinned_bytes(), Relaxed);
    }
}

/// Adds one to a counter that is written under its shard's lock only.
#[inline]
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}
