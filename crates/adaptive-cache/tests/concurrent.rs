//! Many threads at once: the budget holds at every moment, every answer is the key's own, and in the
//! end the books agree with what is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig, Spill, Spilled};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const BUDGET: u64 = 2_000;
const KEYS: u64 = 300;

#[derive(Default)]
struct Shelf(Mutex<HashMap<u64, Spilled<(u64, u64)>>>);

impl Spill<u64, (u64, u64)> for Shelf {
    fn save(&self, key: &u64, entry: &Spilled<(u64, u64)>) -> bool {
        self.0.lock().unwrap().insert(*key, entry.clone());
        true
    }

    fn load(&self, key: &u64) -> Option<Spilled<(u64, u64)>> {
        self.0.lock().unwrap().get(key).cloned()
    }

    fn forget(&self, key: &u64) {
        self.0.lock().unwrap().remove(key);
    }
}

fn rounds() -> u64 {
    if std::env::var_os("EDGEKIT_STRESS").is_some() { 2_000_000 } else { 20_000 }
}

fn storm(cache: &AdaptiveCache<u64, (u64, u64)>) {
    std::thread::scope(|scope| {
        for t in 0..6 {
            scope.spawn(move || {
                let mut random = Pcg64Mcg::seed_from_u64(t);
                for n in 0..rounds() {
                    let key = random.random_range(0..KEYS);
                    match random.random_range(0..20) {
                        0..10 => {
                            if let Some((k, _)) = cache.get(&key) {
                                assert_eq!(k, key, "another key's value");
                            }
                        }
                        10..16 => {
                            let bytes = random.random_range(1..100);
                            cache.insert(key, (key, n), bytes).unwrap();
                        }
                        16 => {
                            let bytes = random.random_range(1..100);
                            let short = Duration::from_micros(50);
                            cache.insert_for(key, (key, n), bytes, short).unwrap();
                        }
                        17 => drop(cache.remove(&key)),
                        // Pins of a few keys only, so that there is always room beside them.
                        18 if cache.pin(&(key % 5)) => {
                            std::thread::yield_now();
                            cache.unpin(&(key % 5));
                        }
                        _ => drop(cache.evict_bytes(50)),
                    }
                    assert!(cache.used_bytes() <= BUDGET, "above the budget");
                }
            });
        }
    });
}

#[test]
fn the_budget_holds_and_the_books_agree() {
    for shards in [1, 8] {
        let config = CacheConfig { budget_bytes: BUDGET, shards: Some(shards), time_to_live: None };
        let cache = AdaptiveCache::new(config).unwrap();
        storm(&cache);
        let there: u64 = (0..KEYS).filter_map(|key| cache.resident_bytes(&key)).sum();
        let stats = cache.stats();
        assert_eq!(stats.used_bytes, there);
        assert!(stats.peak_bytes <= BUDGET);
        assert_eq!(stats.rejected, 0, "there was always room: {stats:?}");
        cache.clear();
        assert_eq!((cache.stats().entries, cache.stats().used_bytes), (0, 0));
    }
}

#[test]
fn a_spill_changes_none_of_that() {
    let config = CacheConfig { budget_bytes: BUDGET, shards: Some(8), time_to_live: None };
    let cache = AdaptiveCache::new(config).unwrap().with_spill(Shelf::default());
    storm(&cache);
    let there: u64 = (0..KEYS).filter_map(|key| cache.resident_bytes(&key)).sum();
    assert_eq!(cache.stats().used_bytes, there);
    assert_eq!(cache.stats().spill_failures, 0);
}

/// One writer counts a key up while others evict and bring it back: nobody ever sees it go down.
#[test]
fn what_comes_back_from_the_spill_is_never_older_than_what_was_put() {
    let config = CacheConfig { budget_bytes: 10, shards: Some(2), time_to_live: None };
    let cache = Arc::new(AdaptiveCache::new(config).unwrap().with_spill(Shelf::default()));
    let rounds = rounds();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..rounds {
                cache.insert(1, (1, n), 5).unwrap();
            }
        });
        for other in 2..4 {
            let cache = &cache;
            scope.spawn(move || {
                let mut last = 0;
                for _ in 0..rounds {
                    cache.insert(other, (other, 0), 8).unwrap();
                    if let Some((_, n)) = cache.get(&1) {
                        assert!(n >= last, "{n} after {last}");
                        last = n;
                    }
                }
            });
        }
    });
    assert_eq!(cache.get(&1), Some((1, rounds - 1)), "spilled, not lost");
}
