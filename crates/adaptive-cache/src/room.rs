//! How room is made: one entry after another goes, saved first where there is a spill, until there is
//! enough for the one to come; and the shards' locks, which are never held two at a time.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::budget::Taken;
use crate::shard::{Entry, Node, Pins, Shard};
use crate::stats::Counters;
use crate::sync::{AtomicU64, Mutex, MutexGuard, lock, yield_now};
use crate::{AdaptiveCache, Error, ErrorKind, Spilled};

/// A shard and its lock, in cache lines of its own.
#[repr(align(128))]
pub(crate) struct Locked<K, V> {
    pub(crate) shard: Mutex<Shard<K, V>>,
    /// Copies of the shard's, to choose where to evict without locking.
    pub(crate) evictable_bytes: AtomicU64,
    pub(crate) pinned_bytes: AtomicU64,
    /// Written under the lock only, as the three below.
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) evictions: AtomicU64,
}

impl<K: Hash + Eq, V: Clone, S: BuildHasher> AdaptiveCache<K, V, S> {
    pub(crate) fn locked(&self, hash: u64) -> &Locked<K, V> {
        &self.shards[self.shard_index(hash)]
    }

    pub(crate) fn shard_index(&self, hash: u64) -> usize {
        // Bits that the shard's table neither starts from nor compares first.
        (hash >> 40) as usize & (self.shards.len() - 1)
    }

    /// The rest of [`get`](Self::get), for an entry that has expired or is not in memory. The shard
    /// stays locked until the spill has answered, so that the answer is the one for this moment.
    #[cold]
    pub(crate) fn get_below<Q>(
        &self,
        hash: u64,
        key: &Q,
        mut shard: MutexGuard<'_, Shard<K, V>>,
    ) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let locked = self.locked(hash);
        let now = (self.clock)();
        if let Some(node) = shard.remove_expired(hash, key, now) {
            let _freed = self.budget.taken(node.bytes);
            locked.note(&shard);
            bump(&locked.misses);
            Counters::add(&self.counters.expired);
            if let Some(spill) = &self.spill {
                spill.forget(&node.key);
            }
            drop(shard);
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
    pub(crate) fn bring_back(&self, hash: u64, key: K, loaded: &Spilled<V>, generation: u64) {
        let bytes = loaded.bytes.max(1);
        if bytes > self.budget.limit() {
            return;
        }
        let mut room = self.budget.nothing();
        while !room.grow_to(bytes) {
            if !self.make_room(bytes, self.shard_index(hash)) {
                return;
            }
        }
        let locked = self.locked(hash);
        let mut shard = locked.lock();
        // Making room may itself have evicted from this shard, which puts nothing and removes only
        // what is saved: it does not count as a change.
        if shard.generation == generation {
            let entry = Entry { bytes, expires_at: loaded.expires_at, saved: true };
            shard.put_new(hash, key, loaded.value.clone(), entry);
            locked.note(&shard);
            room.leave_with_entry(bytes, 0);
        }
    }

    pub(crate) fn put(
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
        // Before the guard, so that it outlives it: what goes back goes when the shard is unlocked.
        let mut room = self.budget.nothing();
        let mut gone = None;
        let mut shard = locked.lock();
        loop {
            // Looked up again each time: the entry that goes may be this key's own.
            let old = shard.bytes_of(hash, &key).unwrap_or(0);
            let needed = bytes.saturating_sub(old);
            if room.grow_to(needed) {
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
                room.leave_with_entry(bytes, old);
                return Ok(replaced);
            }
            if shard.evictable_bytes() >= self.share_of_a_shard()
                && gone.is_none()
                && let Some((freed, entry)) = self.evict_locked(locked, &mut shard)
            {
                // The new entry takes the place of the one that goes, which is dropped without the
                // lock: a value's drop may come back to this cache.
                room.absorb(freed);
                gone = Some(entry);
                continue;
            }
            drop(shard);
            if gone.take().is_none() {
                // Others may need what is not enough for this one.
                room = self.budget.nothing();
                if !self.make_room(needed, first) {
                    return Err(self.reject(hash, &key, bytes));
                }
            }
            shard = locked.lock();
        }
    }

    /// Evicts one entry, or waits for bytes that another thread is about to give back or to put.
    /// `false` if `bytes` more do not fit beside what is pinned.
    pub(crate) fn make_room(&self, bytes: u64, first: usize) -> bool {
        if self.evict_one(first).is_some() {
            return true;
        }
        let pinned: u64 = self.shards.iter().map(|l| l.pinned_bytes.load(Relaxed)).sum();
        yield_now();
        pinned.saturating_add(bytes) <= self.budget.limit()
    }

    pub(crate) fn reject(&self, hash: u64, key: &K, bytes: u64) -> Error {
        let locked = self.locked(hash);
        let mut shard = locked.lock();
        let stale = shard.remove(hash, key);
        let freed = self.budget.taken(stale.as_ref().map_or(0, |node| node.bytes));
        locked.note(&shard);
        Counters::add(&self.counters.rejected);
        if let Some(spill) = &self.spill {
            spill.forget(key);
        }
        drop((shard, stale, freed));
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
    pub(crate) fn evict_one(&self, first: usize) -> Option<u64> {
        let shards = self.shards.len();
        for least in [self.share_of_a_shard(), 1] {
            for turn in 0..shards {
                let locked = &self.shards[(first + turn) & (shards - 1)];
                if locked.evictable_bytes.load(Relaxed) >= least {
                    let mut shard = locked.lock();
                    if let Some((freed, gone)) = self.evict_locked(locked, &mut shard) {
                        let bytes = freed.bytes();
                        drop((shard, gone, freed));
                        return Some(bytes);
                    }
                }
            }
        }
        None
    }

    /// The bytes from which on a shard may be evicted from before others are: seven eighths of the
    /// mean.
    pub(crate) fn share_of_a_shard(&self) -> u64 {
        (self.budget.used() / self.shards.len() as u64 / 8 * 7).max(1)
    }

    /// Evicts from a shard that is locked, to a spill if there is one. Gives the entry's bytes, and
    /// what is left of it to be dropped without the lock.
    fn evict_locked(
        &self,
        locked: &Locked<K, V>,
        shard: &mut Shard<K, V>,
    ) -> Option<(Taken<'_>, (K, V))> {
        let (node, expired) = shard.evict(&self.clock)?;
        let freed = self.budget.taken(node.bytes);
        locked.note(shard);
        let counters = &self.counters;
        if expired {
            Counters::add(&counters.expired);
        } else {
            bump(&locked.evictions);
        }
        let (saved, expires_at) = (node.saved, node.expires_at());
        let Node { key, value, bytes, .. } = node;
        match &self.spill {
            Some(spill) if expired => spill.forget(&key),
            Some(spill) if !saved => {
                let entry = Spilled { value, bytes, expires_at };
                let saved = spill.save(&key, &entry);
                Counters::add(if saved { &counters.spilled } else { &counters.spill_failures });
                return Some((freed, (key, entry.value)));
            }
            _ => {}
        }
        Some((freed, (key, value)))
    }

    pub(crate) fn change_pins<Q>(&self, key: &Q, change: Pins) -> bool
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

    pub(crate) fn remove_all(&self, remove: impl Fn(&mut Shard<K, V>) -> Vec<Node<K, V>>) -> usize {
        let mut removed = 0;
        for locked in &self.shards {
            let mut shard = locked.lock();
            let nodes = remove(&mut shard);
            let freed = self.budget.taken(nodes.iter().map(|node| node.bytes).sum());
            locked.note(&shard);
            removed += nodes.len();
            drop((shard, nodes, freed));
        }
        removed
    }
}

impl<K, V> Locked<K, V> {
    pub(crate) fn new() -> Self {
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
    /// shard is whole, so the lock may be used after it.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shard<K, V>> {
        lock(&self.shard)
    }

    /// Notes what an eviction would find; called before a changed shard is unlocked.
    pub(crate) fn note(&self, shard: &Shard<K, V>) {
        self.evictable_bytes.store(shard.evictable_bytes(), Relaxed);
        self.pinned_bytes.store(shard.pinned_bytes(), Relaxed);
    }
}

/// Adds one to a counter that is written under its shard's lock only.
#[inline]
pub(crate) fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::CacheConfig;

    /// Two threads want the one place there is, in every interleaving: both are served, one entry
    /// stays, and its byte is the only one taken.
    #[test]
    fn two_inserts_and_one_place() {
        loom::model(|| {
            let config = CacheConfig { budget_bytes: 1, shards: Some(1), time_to_live: None };
            let cache = Arc::new(AdaptiveCache::<u8, u8>::new(config).unwrap());
            let other = {
                let cache = Arc::clone(&cache);
                thread::spawn(move || cache.insert(1, 10, 1).unwrap())
            };
            cache.insert(2, 20, 1).unwrap();
            let seen = cache.get(&1);
            assert!(seen.is_none_or(|value| value == 10));
            other.join().unwrap();
            let stats = cache.stats();
            assert_eq!((stats.entries, stats.used_bytes, stats.peak_bytes), (1, 1, 1));
            assert_eq!(stats.evictions, 1);
        });
    }
}
