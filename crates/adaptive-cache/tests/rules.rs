//! The cache's rules one by one, each with the mistake it guards against.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig, CacheStats, ErrorKind, Spill, Spilled};
use edgekit_mempool::{MemoryMonitor, MemoryUsage, Tier};

fn cache(budget_bytes: u64) -> AdaptiveCache<u32, u32> {
    let shards = Some(1);
    AdaptiveCache::new(CacheConfig { budget_bytes, shards, ..CacheConfig::default() }).unwrap()
}

fn monitor_at(percent: u64) -> MemoryMonitor {
    let monitor = MemoryMonitor::new(move || {
        Ok(MemoryUsage { process_bytes: 1, used_bytes: percent, limit_bytes: 100 })
    });
    monitor.sample().unwrap();
    monitor
}

#[test]
fn configurations_are_checked() {
    for (budget_bytes, shards) in [(0, None), (1, Some(0)), (1, Some(3)), (1, Some(1 << 17))] {
        let config = CacheConfig { budget_bytes, shards, ..CacheConfig::default() };
        let error = AdaptiveCache::<u8, u8>::new(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
    assert_eq!(CacheConfig::default().budget_bytes, 500_000_000);
    assert_eq!(cache(7).budget_bytes(), 7);
}

#[test]
fn putting_a_key_again_evicts_nobody_else() {
    let cache = cache(100);
    (0..10).for_each(|key| assert!(cache.insert(key, key, 10).unwrap().is_none()));
    for round in 0..100 {
        assert!(cache.insert(round % 10, round, 10).unwrap().is_some());
    }
    assert_eq!((cache.stats().entries, cache.stats().evictions), (10, 0));
    cache.insert(3, 3, 4).unwrap();
    assert_eq!((cache.stats().used_bytes, cache.stats().evictions), (94, 0));
    cache.insert(3, 3, 10).unwrap();
    assert_eq!((cache.stats().used_bytes, cache.stats().evictions), (100, 0));
    cache.insert(3, 3, 11).unwrap();
    assert_eq!(cache.stats().evictions, 1, "one byte more costs one other");
}

#[test]
fn what_is_larger_than_the_budget_is_refused_and_leaves_no_stale_value() {
    let cache = cache(100);
    (0..10).for_each(|key| drop(cache.insert(key, key, 10)));
    let error = cache.insert(3, 33, 101).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("101"), "{error}");
    assert_eq!(cache.get(&3), None);
    assert_eq!((cache.stats().entries, cache.stats().rejected), (9, 1));
    cache.insert(3, 33, 100).unwrap();
    assert_eq!((cache.stats().entries, cache.stats().used_bytes), (1, 100));
}

#[test]
fn one_entry_may_be_as_large_as_the_budget_whatever_the_shards() {
    let config = CacheConfig { budget_bytes: 1000, shards: Some(64), ..CacheConfig::default() };
    let cache = AdaptiveCache::new(config).unwrap();
    (0..100).for_each(|key| drop(cache.insert(key, key, 10)));
    assert_eq!((cache.stats().entries, cache.stats().evictions), (100, 0));
    cache.insert(1000, 0, 1000).unwrap();
    assert_eq!((cache.stats().entries, cache.stats().used_bytes), (1, 1000));
}

#[test]
fn an_entry_of_no_bytes_counts_as_one() {
    let cache = cache(10);
    (0..100).for_each(|key| drop(cache.insert(key, key, 0)));
    assert_eq!((cache.stats().entries, cache.stats().used_bytes), (10, 10));
}

#[test]
fn pinned_entries_stay_and_are_never_overrun() {
    let cache = cache(100);
    (0..10).for_each(|key| drop(cache.insert(key, key, 10)));
    (0..9).for_each(|key| assert!(cache.pin(&key)));
    (100..200).for_each(|key| assert!(cache.insert(key, key, 10).is_ok()));
    (0..9).for_each(|key| assert_eq!(cache.get(&key), Some(key)));
    let error = cache.insert(200, 0, 11).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRoom);
    assert_eq!(cache.stats().used_bytes, 90);
    assert_eq!(cache.evict_bytes(1000), 0, "all that is left is pinned");
    assert!(cache.unpin(&4) && !cache.unpin(&4) && !cache.unpin(&999) && !cache.pin(&999));
    cache.insert(200, 0, 20).unwrap();
    assert_eq!(cache.get(&4), None);
    assert_eq!(cache.remove(&0), Some(0), "removal is the caller's word");
}

#[test]
fn pins_are_counted_and_survive_replacement() {
    let cache = cache(20);
    cache.insert(1, 1, 10).unwrap();
    assert!(cache.pin(&1) && cache.pin(&1) && cache.unpin(&1));
    cache.insert(1, 11, 12).unwrap();
    cache.insert(2, 2, 8).unwrap();
    cache.insert(3, 3, 8).unwrap();
    assert_eq!((cache.get(&1), cache.get(&2)), (Some(11), None));
    assert!(cache.unpin(&1));
    assert_eq!(cache.evict_bytes(20), 20);
}

#[test]
fn entries_expire_by_the_injected_clock_pinned_or_not() {
    let now = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&now);
    let config = CacheConfig {
        budget_bytes: 100,
        time_to_live: Some(Duration::from_secs(10)),
        ..CacheConfig::default()
    };
    let cache = AdaptiveCache::new(config)
        .unwrap()
        .with_clock(move || Duration::from_secs(clock.load(SeqCst)));
    cache.insert("a", 1, 10).unwrap();
    cache.insert_for("b", 2, 10, Duration::from_secs(5)).unwrap();
    cache.insert_for("c", 3, 10, Duration::MAX).unwrap();
    assert!(cache.pin(&"a"));
    now.store(5, SeqCst);
    assert_eq!((cache.get(&"a"), cache.get(&"b"), cache.get(&"c")), (Some(1), None, Some(3)));
    assert_eq!(cache.stats().used_bytes, 20, "what has expired is gone when it was asked for");
    now.store(10, SeqCst);
    assert_eq!(cache.stats().entries, 2, "nobody has asked yet");
    assert_eq!(cache.remove_expired(), 1);
    assert_eq!((cache.get(&"a"), cache.get(&"c")), (None, Some(3)));
    assert_eq!((cache.stats().expired, cache.stats().evictions), (2, 0));
    cache.insert("d", 4, 10).unwrap();
    now.store(30, SeqCst);
    assert_eq!(cache.remove(&"d"), None, "too late");
}

#[test]
fn pressure_evicts_its_tiers_share_and_low_pressure_nothing() {
    for (percent, share) in [(1, 0), (69, 0), (70, 20), (85, 30), (95, 50), (100, 50)] {
        let cache = cache(100);
        (0..100).for_each(|key| drop(cache.insert(key, key, 1)));
        assert_eq!(cache.adapt(&monitor_at(percent)), share, "{percent} % of memory in use");
        assert_eq!(cache.stats().used_bytes, 100 - share);
    }
    for (tier, share) in
        [(Tier::Low, 10), (Tier::Medium, 20), (Tier::High, 30), (Tier::Critical, 50)]
    {
        let cache = cache(100);
        (0..100).for_each(|key| drop(cache.insert(key, key, 1)));
        assert_eq!(cache.evict_share(tier), share);
    }
}

#[test]
fn every_look_up_is_counted_once() {
    let cache = cache(10);
    assert_eq!(cache.stats().hit_ratio(), 0.0);
    cache.insert(1, 1, 1).unwrap();
    assert_eq!(cache.get(&1), Some(1));
    assert_eq!(cache.get(&2), None);
    assert_eq!(cache.get_or_insert_with(3, || (30, 1)), 30);
    assert_eq!(cache.get_or_insert_with(3, || unreachable!("it is there")), 30);
    assert_eq!(cache.get_or_insert_with(4, || (40, 11)), 40, "too large to keep, not to have");
    let expected = CacheStats {
        hits: 2,
        misses: 3,
        rejected: 1,
        entries: 2,
        used_bytes: 2,
        peak_bytes: 2,
        ..CacheStats::default()
    };
    assert_eq!(cache.stats(), expected);
    assert_eq!(expected.hit_ratio(), 0.4);
    cache.clear();
    assert_eq!((cache.stats().entries, cache.stats().used_bytes), (0, 0));
}

/// A directory of files, one per key.
struct Files(tempfile::TempDir);

impl Spill<String, Arc<[u8]>> for Files {
    fn save(&self, key: &String, entry: &Spilled<Arc<[u8]>>) -> bool {
        std::fs::write(self.0.path().join(key), &entry.value).is_ok()
    }

    fn load(&self, key: &String) -> Option<Spilled<Arc<[u8]>>> {
        let value: Arc<[u8]> = std::fs::read(self.0.path().join(key)).ok()?.into();
        Some(Spilled { bytes: value.len() as u64, value, expires_at: None })
    }

    fn forget(&self, key: &String) {
        let _ = std::fs::remove_file(self.0.path().join(key));
    }
}

#[test]
fn entries_are_on_the_disk_before_they_are_dropped_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let config = CacheConfig { budget_bytes: 100, shards: Some(4), ..CacheConfig::default() };
    let cache = AdaptiveCache::new(config).unwrap().with_spill(Files(dir));
    let value = |i: u8| -> Arc<[u8]> { vec![i; 10].into() };
    for i in 0..50_u8 {
        cache.insert(format!("k{i}"), value(i), 10).unwrap();
    }
    assert_eq!(cache.stats().spilled, 40);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 40);
    for i in 0..50_u8 {
        assert_eq!(cache.get(format!("k{i}").as_str()), Some(value(i)));
        assert!(cache.stats().used_bytes <= 100);
    }
    let stats = cache.stats();
    assert_eq!(stats.misses, 0, "nothing was lost");
    assert!(stats.spill_hits >= 40);
    cache.remove("k7");
    cache.insert("k8".into(), value(88), 10).unwrap();
    assert_eq!((cache.get("k7"), cache.get("k8")), (None, Some(value(88))));
    cache.evict_bytes(100);
    assert_eq!(cache.get("k8"), Some(value(88)), "the older one must not come back");
}

#[test]
fn an_entry_that_came_back_unchanged_is_not_saved_twice() {
    #[derive(Default)]
    struct Counting {
        kept: Mutex<HashMap<u32, Spilled<u32>>>,
        saves: Arc<AtomicU64>,
    }
    impl Spill<u32, u32> for Counting {
        fn save(&self, key: &u32, entry: &Spilled<u32>) -> bool {
            self.saves.fetch_add(1, SeqCst);
            self.kept.lock().unwrap().insert(*key, entry.clone());
            *key != 13
        }
        fn load(&self, key: &u32) -> Option<Spilled<u32>> {
            self.kept.lock().unwrap().get(key).cloned()
        }
        fn forget(&self, key: &u32) {
            self.kept.lock().unwrap().remove(key);
        }
    }
    let spill = Counting::default();
    let saves = Arc::clone(&spill.saves);
    let cache = cache(10).with_spill(spill);
    cache.insert(1, 1, 10).unwrap();
    for _ in 0..5 {
        assert_eq!(cache.evict_bytes(1), 10);
        assert_eq!(cache.get(&1), Some(1));
    }
    assert_eq!(saves.load(SeqCst), 1);
    cache.insert(13, 13, 10).unwrap();
    cache.evict_bytes(1);
    assert_eq!((cache.stats().spilled, cache.stats().spill_failures), (1, 1));
}

#[test]
fn values_are_dropped_when_they_are_evicted() {
    let witness = Arc::new(());
    let config = CacheConfig { budget_bytes: 10, ..CacheConfig::default() };
    let cache = AdaptiveCache::new(config).unwrap();
    for key in 0..1000 {
        cache.insert(key, Arc::clone(&witness), 1).unwrap();
        assert!(Arc::strong_count(&witness) <= 11);
    }
    cache.clear();
    assert_eq!(Arc::strong_count(&witness), 1);
}

/// Key `k` lives in shard `k` of as many as there are.
#[derive(Clone, Default)]
struct ByKey;

impl BuildHasher for ByKey {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(0)
    }
}

struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = u64::from(bytes[0]) << 40;
    }
}

/// While key 0 comes back from the spill and key 1 goes to make room for it, another thread puts
/// key 0 anew. The older value must not take its place, nor its bytes be counted.
#[test]
fn an_entry_replaced_while_it_comes_back_stays_replaced() {
    type Cache = AdaptiveCache<u8, &'static str, ByKey>;
    #[derive(Clone, Default)]
    struct Meddler {
        kept: Arc<Mutex<HashMap<u8, Spilled<&'static str>>>>,
        cache: Arc<OnceLock<Weak<Cache>>>,
    }
    impl Spill<u8, &'static str> for Meddler {
        fn save(&self, key: &u8, entry: &Spilled<&'static str>) -> bool {
            self.kept.lock().unwrap().insert(*key, entry.clone());
            if *key == 1 {
                let cache = self.cache.get().unwrap().upgrade().unwrap();
                let put = move || cache.insert(0, "newer", 1).unwrap();
                assert_eq!(std::thread::spawn(put).join().unwrap(), None);
            }
            true
        }
        fn load(&self, key: &u8) -> Option<Spilled<&'static str>> {
            self.kept.lock().unwrap().get(key).cloned()
        }
        fn forget(&self, key: &u8) {
            self.kept.lock().unwrap().remove(key);
        }
    }
    let config = CacheConfig { budget_bytes: 10, shards: Some(2), time_to_live: None };
    let meddler = Meddler::default();
    let cache = AdaptiveCache::with_hasher(config, ByKey).unwrap().with_spill(meddler.clone());
    let cache = Arc::new(cache);
    meddler.cache.set(Arc::downgrade(&cache)).unwrap();
    cache.insert(0, "older", 8).unwrap();
    cache.evict_bytes(1);
    cache.insert(1, "in the way", 5).unwrap();
    assert_eq!(cache.get(&0), Some("older"), "which it was when it was asked for");
    assert_eq!((cache.get(&0), cache.used_bytes()), (Some("newer"), 1));
}

/// A spill that panics takes its entry with it, and nothing else.
#[test]
fn a_panic_in_the_spill_leaves_the_books_right() {
    struct Broken;
    impl Spill<u32, u32> for Broken {
        fn save(&self, key: &u32, _: &Spilled<u32>) -> bool {
            assert_ne!(key % 3, 0, "the disk is on fire");
            true
        }
        fn load(&self, _: &u32) -> Option<Spilled<u32>> {
            None
        }
        fn forget(&self, key: &u32) {
            assert_ne!(key % 7, 6, "the disk is on fire");
        }
    }
    for shards in [1, 4] {
        let config = CacheConfig { budget_bytes: 50, shards: Some(shards), time_to_live: None };
        let cache = AdaptiveCache::new(config).unwrap().with_spill(Broken);
        let mut panics = 0;
        for key in 0..300 {
            let put = || cache.insert(key % 40, key, u64::from(1 + key % 11)).map(drop);
            let put = std::panic::catch_unwind(std::panic::AssertUnwindSafe(put));
            panics += u32::from(put.is_err());
            let there: u64 = (0..40).filter_map(|key| cache.resident_bytes(&key)).sum();
            assert_eq!(cache.used_bytes(), there, "after {key}");
        }
        assert!(panics > 20);
    }
}

/// What is evicted or replaced is dropped without a lock: its drop may come back to the cache.
#[test]
fn a_value_may_use_the_cache_when_it_is_dropped() {
    type Cache = AdaptiveCache<u32, Arc<Caller>>;
    #[derive(Clone)]
    struct Caller(Arc<OnceLock<Weak<Cache>>>);
    impl Drop for Caller {
        fn drop(&mut self) {
            if let Some(cache) = self.0.get().and_then(Weak::upgrade) {
                (0..20).for_each(|key| assert!(cache.resident_bytes(&key).is_none_or(|b| b < 9)));
            }
        }
    }
    let config = CacheConfig { budget_bytes: 20, shards: Some(1), time_to_live: None };
    let cache = Arc::new(Cache::new(config).unwrap());
    let back = Arc::new(OnceLock::new());
    assert!(back.set(Arc::downgrade(&cache)).is_ok());
    for round in 0..200_u32 {
        let value = Arc::new(Caller(Arc::clone(&back)));
        cache.insert(round % 20, value, u64::from(1 + round % 8)).unwrap();
    }
    cache.insert_for(1, Arc::new(Caller(back)), 1, Duration::ZERO).unwrap();
    assert!(cache.get(&1).is_none());
    cache.evict_bytes(10);
    cache.remove(&2);
    cache.clear();
}
