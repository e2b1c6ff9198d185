//! A sharded store with limits on entries and bytes and a time to live, that forgets by recency.

use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use edgekit_constraint_ir::ContentId;
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
    /// Entries that were not kept, being larger than the whole store.
    pub too_large: u64,
}

/// A map from keys to values that forgets what was not used for long.
///
/// Entries give way in the order in which they came, but one that was hit since its last turn gets
/// another turn (second chance): so a hit only sets a mark, and hits of many threads share a lock.
/// The order holds within a shard; a store of fewer than 1,024 entries has one shard, a larger one 64,
/// among which the limit on entries is split evenly. Bytes are counted for all together, and the shard
/// of what is new gives way first. Every operation is O(1) but for the evictions it causes; an eviction
/// is O(1) amortised over the hits before it.
#[derive(Debug)]
pub struct Store<V> {
    shards: Box<[Shard<V>]>,
    limits: Limits,
    /// Those of all entries, and of those about to be put in.
    bytes: AtomicUsize,
    evictions: AtomicU64,
    expired: AtomicU64,
    too_large: AtomicU64,
}

/// Aligned so that two shards' locks share no cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<V>(RwLock<Inner<V>>);

type Inner<V> = LruCache<Key, Entry<V>, BuildHasherDefault<IdHasher>>;

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    born: Duration,
    /// Whether it was hit since its last turn to give way.
    hit: AtomicBool,
}

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
        let shards = if most.get() < 1024 { 1 } else { 64 };
        let shard =
            |_| Shard(RwLock::new(LruCache::unbounded_with_hasher(BuildHasherDefault::default())));
        Ok(Store {
            shards: (0..shards).map(shard).collect(),
            limits,
            bytes: AtomicUsize::new(0),
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
        let entry = inner.peek(key)?;
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

    /// Puts a value in, after whatever must make room for it was taken out. A value that alone is over
    /// the limit is not kept.
    pub fn insert(&self, key: &Key, value: V, bytes: usize, now: Duration) {
        let (at, max_entries) = (self.place(key.id()), self.limits.max_entries / self.shards.len());
        let mut inner = self.shards[at].write();
        let old = inner.pop(key);
        drop(inner);
        self.forget(old);
        if bytes > self.limits.max_bytes {
            self.too_large.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let room =
            |taken: usize| taken.checked_add(bytes).filter(|all| *all <= self.limits.max_bytes);
        while self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            if !self.evict_from(at) {
                // What fills the store is about to be put in by others.
                std::thread::yield_now();
            }
        }
        let mut out = Vec::new();
        let mut inner = self.shards[at].write();
        // Somebody else may have put the same in.
        let old = inner.pop(key);
        while inner.len() >= max_entries {
            let Some(entry) = evict(&mut inner) else { break };
            out.push(entry);
        }
        inner.put(key.clone(), Entry { value, bytes, born: now, hit: AtomicBool::new(false) });
        drop(inner);
        self.evictions.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.forget(out);
        self.forget(old);
    }

    /// Takes all entries out for which `f` says so; how many. O(n).
    pub fn remove_if(&self, f: impl Fn(&V) -> bool) -> usize {
        let mut removed = 0;
        for shard in &self.shards {
            let mut inner = shard.write();
            let found = inner.iter().filter(|(_, entry)| f(&entry.value));
            let found: Vec<Key> = found.map(|(key, _)| key.clone()).collect();
            let out: Vec<Entry<V>> = found.iter().filter_map(|key| inner.pop(key)).collect();
            drop(inner);
            removed += out.len();
            self.forget(out);
        }
        removed
    }

    /// What the store has done so far. O(shards).
    pub fn stats(&self) -> StoreStats {
        let mut stats = StoreStats {
            evictions: self.evictions.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            too_large: self.too_large.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            ..StoreStats::default()
        };
        stats.entries = self.shards.iter().map(|shard| shard.read().len()).sum();
        stats
    }

    /// Takes an entry out that is still too old: somebody else may have renewed it.
    fn expire(&self, key: &Key, is_old: impl Fn(Duration) -> bool) {
        let mut inner = self.shard(key).write();
        let old = inner.peek(key).is_some_and(|entry| is_old(entry.born));
        let out = if old { inner.pop(key) } else { None };
        drop(inner);
        self.expired.fetch_add(u64::from(out.is_some()), Ordering::Relaxed);
        self.forget(out);
    }

    /// Takes one entry out, of the shard at this place or the next one that has any; whether there was
    /// one.
    fn evict_from(&self, at: usize) -> bool {
        let shards = self.shards[at..].iter().chain(&self.shards[..at]);
        let out = shards.into_iter().find_map(|shard| evict(&mut shard.write()));
        let found = out.is_some();
        self.evictions.fetch_add(u64::from(found), Ordering::Relaxed);
        self.forget(out);
        found
    }

    /// Gives back the bytes of entries that were taken out, and drops them: under no lock.
    fn forget(&self, out: impl IntoIterator<Item = Entry<V>>) {
        for entry in out {
            self.bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        }
    }

    /// The key of this id, if there is an entry. Linear in a shard.
    #[cfg(feature = "redis")]
    pub(crate) fn key_of(&self, id: ContentId) -> Option<Key> {
        let inner = self.shards[self.place(id)].read();
        inner.iter().map(|(key, _)| key).find(|key| key.id() == id).cloned()
    }

    fn shard(&self, key: &Key) -> &Shard<V> {
        &self.shards[self.place(key.id())]
    }

    fn place(&self, id: ContentId) -> usize {
        // The upper half: the map inside of the shard uses the lower one.
        (id.get() >> 64) as usize & (self.shards.len() - 1)
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

/// Takes the first entry out that was not hit since its last turn.
fn evict<V>(inner: &mut Inner<V>) -> Option<Entry<V>> {
    while let Some((key, entry)) = inner.peek_lru()
        && entry.hit.swap(false, Ordering::Relaxed)
    {
        let key = key.clone();
        inner.promote(&key);
    }
    inner.pop_lru().map(|(_, entry)| entry)
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
