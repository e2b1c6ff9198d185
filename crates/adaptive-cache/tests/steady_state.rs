//! A warm cache allocates nothing, whatever is asked for, counted by the allocator.
#![allow(unsafe_code, reason = "a counting allocator is a `GlobalAlloc`, which is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hash::{BuildHasherDefault, DefaultHasher};

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands on to the system's allocator and counts on the side.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: our caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: our caller's promise is the one asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

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
    ask(100_000);
    let before = ALLOCATIONS.with(Cell::get);
    ask(100_000);
    let allocated = ALLOCATIONS.with(Cell::get) - before;
    let stats = cache.stats();
    assert!(stats.hits > 80_000 && stats.evictions > 20_000, "{stats:?}");
    assert_eq!(allocated, 0);
}
