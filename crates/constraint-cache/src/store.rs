//! A sharded store with limits on entries and bytes and a time to live, that forgets by recency.

use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use lru::LruCache;

use crate::{Error, ErrorKind, Key};

/// How much a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries.
    pub max_entries: usize,
    /// Bytes, as their owners estimate them.
    pub max_bytes: usize,
    /// How long an entry lives after it was put in; `None` is for ever.
    pub time_to_live: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_entries: 4096, max_bytes: 1 << 30, time_to_live: None }
    }
}

/// What a store has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Entries that are there.
    pub entries: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Entries that gave way to others.
    pub evictions: u64,
    /// Entries that were found too old.
    pub expired: u64,
    /// Entries that were not kept, being larger than what one shard holds.
    pub too_large: u64,
}

/// A map from keys to values that forgets what was not used for long.
///
/// Entries give way in the order in which they came, but one that was hit since its last turn gets
/// another turn (second chance): so a hit only sets a mark, and hits of many threads share a lock.
/// The order holds within a shard. A store of fewer than 1,024 entries has one shard, a larger one up to
/// 64 of at least 64 MiB each; the limits are split evenly among them. Every operation is O(1) but for
/// the evictions it causes; an eviction is O(1) amortised over the hits before it.
#[derive(Debug)]
pub struct Store<V> {
    shards: Box<[Shard<V>]>,
    limits: Limits,
    evictions: AtomicU64,
    expired: AtomicU64,
    too_large: AtomicU64,
}

/// Aligned so that two shards' locks share no cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<V>(RwLock<Inner<V>>);

#[derive(Debug)]
struct Inner<V> {
    entries: LruCache<Key, Entry<V>, BuildHasherDefault<IdHasher>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    born: Duration,
    /// Whether it was hit since its last turn to give way.
    hit: AtomicBool,
}

/// A shard holds at least so much, if there are several: large values need room.
const SHARD_BYTES: usize = 64 << 20;

impl<V: Clone> Store<V> {
    /// An empty store.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if a limit is 0.
    pub fn new(limits: Limits) -> Result<Self, Error> {
        let most = NonZeroUsize::new(limits.max_entries).filter(|_| limits.max_bytes > 0);
        let Some(most) = most else {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "max_entries is {} and max_bytes is {}; both must be at least 1",
                    limits.max_entries, limits.max_bytes
                ),
            ));
        };
        let parts = if most.get() < 1024 { 1 } else { limits.max_bytes / SHARD_BYTES };
        // A power of two, rounded down.
        let shards = 1_usize << parts.clamp(1, 64).ilog2();
        let shard = |_| {
            Shard(RwLock::new(Inner {
                entries: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
                bytes: 0,
            }))
        };
        Ok(Store {
            shards: (0..shards).map(shard).collect(),
            limits,
            evictions: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
        })
    }

    /// A clone of the value, which counts as used. `now` is only looked at if there is a time to
    /// live.
    pub fn get(&self, key: &Key, now: impl FnOnce() -> Duration) -> Option<V> {
        let shard = self.shard(key);
        let inner = shard.read();
        let entry = inner.entries.peek(key)?;
        if let Some(time_to_live) = self.limits.time_to_live {
            let now = now();
            let is_old = |born: Duration| now.saturating_sub(born) >= time_to_live;
            if is_old(entry.born) {
                drop(inner);
                self.expire(key, is_old);
                return None;
            }
        }
        // Written only once, so that the line stays in the caches of all who read it.
        if !entry.hit.load(Ordering::Relaxed) {
            entry.hit.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// Puts a value in and whatever is too much out. A value that alone is over the limit of its
    /// shard is not kept.
    pub fn insert(&self, key: &Key, value: V, bytes: usize, now: Duration) {
        let n = self.shards.len();
        let (max_entries, max_bytes) = (self.limits.max_entries / n, self.limits.max_bytes / n);
        let mut out = Vec::new();
        let mut inner = self.shard(key).write();
        out.extend(inner.remove(key));
        if bytes <= max_bytes {
            // Room is made first: whatever is new has not had a turn yet.
            let mut evicted = 0;
            while inner.entries.len() >= max_entries || inner.bytes > max_bytes - bytes {
                let Some(entry) = inner.evict() else { break };
                out.push(entry);
                evicted += 1;
            }
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
            inner.bytes += bytes;
            inner
                .entries
                .put(key.clone(), Entry { value, bytes, born: now, hit: AtomicBool::new(false) });
        } else {
            self.too_large.fetch_add(1, Ordering::Relaxed);
        }
        // Values are dropped after the lock.
        drop(inner);
    }

    /// Takes all entries out for which `f` says so; how many. O(n).
    pub fn remove_if(&self, f: impl Fn(&V) -> bool) -> usize {
        let mut removed = 0;
        for shard in &self.shards {
            let mut out = Vec::new();
            let mut inner = shard.write();
            let found: Vec<Key> = inner
                .entries
                .iter()
                .filter(|(_, entry)| f(&entry.value))
                .map(|(key, _)| key.clone())
                .collect();
            for key in found {
                out.extend(inner.remove(&key));
            }
            drop(inner);
            removed += out.len();
        }
        removed
    }

    /// What the store has done so far. O(shards).
    pub fn stats(&self) -> StoreStats {
        let mut stats = StoreStats {
            evictions: self.evictions.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            too_large: self.too_large.load(Ordering::Relaxed),
            ..StoreStats::default()
        };
        for shard in &self.shards {
            let inner = shard.read();
            stats.entries += inner.entries.len();
            stats.bytes += inner.bytes;
        }
        stats
    }

    /// Takes an entry out that is still too old: somebody else may have renewed it.
    fn expire(&self, key: &Key, is_old: impl Fn(Duration) -> bool) {
        let mut inner = self.shard(key).write();
        let old = inner.entries.peek(key).is_some_and(|entry| is_old(entry.born));
        let out = if old { inner.remove(key) } else { None };
        drop(inner);
        self.expired.fetch_add(u64::from(out.is_some()), Ordering::Relaxed);
    }

    fn shard(&self, key: &Key) -> &Shard<V> {
        // The upper half: the map inside of the shard uses the lower one.
        let at = (key.id().get() >> 64) as usize & (self.shards.len() - 1);
        &self.shards[at]
    }
}

impl<V> Shard<V> {
    // Nothing that can panic runs under the lock but a user's `Clone`, which changes nothing.

    fn read(&self) -> RwLockReadGuard<'_, Inner<V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<V>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Inner<V> {
    fn remove(&mut self, key: &Key) -> Option<Entry<V>> {
        let entry = self.entries.pop(key)?;
        self.bytes -= entry.bytes;
        Some(entry)
    }

    /// Takes the first entry out that was not hit since its last turn.
    fn evict(&mut self) -> Option<Entry<V>> {
        while let Some((key, entry)) = self.entries.peek_lru()
            && entry.hit.swap(false, Ordering::Relaxed)
        {
            let key = key.clone();
            self.entries.promote(&key);
        }
        let (_, entry) = self.entries.pop_lru()?;
        self.bytes -= entry.bytes;
        Some(entry)
    }
}

/// A key's hash is a hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}
