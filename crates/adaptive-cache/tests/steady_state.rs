//! A warm cache allocates nothing, whatever is asked for, counted by the allocator.

use std::hash::{BuildHasherDefault, DefaultHasher};

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

#[test]
fn a_warm_cache_allocates_nothing() {
    let config = CacheConfig { budget_bytes: 2_000, shards: Some(4), time_to_live: None };
    // Not a random one: how full the fullest shard has been must be the same in each run.
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let cache = AdaptiveCache::<u64, u64, _>::with_hasher(config, hasher).unwrap();
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let mut ask = |times: usize| {
        for _ in 0..times {
            let key = random.random_range(0..3_000);
            cache.get_or_insert_with(key, || (key, 1));
        }
    };
    let cold = allocation_counter::measure(|| ask(100_000));
    let warm = allocation_counter::measure(|| ask(100_000));
    let stats = cache.stats();
    assert!(stats.hits > 80_000 && stats.evictions > 20_000, "{stats:?}");
    assert!(cold.count_total > 0, "the counter counts");
    assert_eq!(warm.count_total, 0);
}
