//! `Spill`: where an entry goes before it is dropped, and comes back from.

use std::time::Duration;

/// An entry on its way to or from a [`Spill`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spilled<V> {
    /// The value.
    pub value: V,
    /// Its size as the caller gave it.
    pub bytes: u64,
    /// When it expires, on the cache's clock. To be kept with the value: a spilled entry grows old
    /// as any other.
    pub expires_at: Option<Duration>,
}

/// A slower, larger place (a directory, a database) that keeps what the cache evicts.
///
/// All three are called with the entry's shard locked, so that what is saved, loaded and forgotten
/// of one key happens in the order in which the cache decided it. They must not call the cache, and
/// the time they take is taken from all keys of that shard.
pub trait Spill<K, V>: Send + Sync {
    /// Keeps an entry that is about to be dropped, in place of any earlier one of that key. `false`
    /// if it could not: the entry is dropped all the same and counted in
    /// [`CacheStats::spill_failures`](crate::CacheStats::spill_failures).
    fn save(&self, key: &K, entry: &Spilled<V>) -> bool;

    /// The entry last saved under that key, if there is one. It stays saved.
    fn load(&self, key: &K) -> Option<Spilled<V>>;

    /// Drops what is saved under that key, if anything: it has been replaced or removed.
    fn forget(&self, key: &K);
}
