//! The store: limits, recency, ages, and no entry that is not counted.

use std::cell::Cell;
use std::time::Duration;

use edgekit_constraint_cache::{ErrorKind, Key, Limits, Store};
use proptest::prelude::*;

fn key(n: u32) -> Key {
    Key::of(n.to_le_bytes().to_vec())
}

fn never() -> Duration {
    panic!("nobody asked for the time")
}

fn store(max_entries: usize, max_bytes: usize) -> Store<u32> {
    Store::new(Limits { max_entries, max_bytes, time_to_live: None }).unwrap()
}

#[test]
fn what_was_hit_stays_longer() {
    let store = store(2, 100);
    store.insert(&key(1), 1, 1, Duration::ZERO);
    store.insert(&key(2), 2, 1, Duration::ZERO);
    assert_eq!(store.get(&key(1), never), Some(1));
    store.insert(&key(3), 3, 1, Duration::ZERO);
    assert_eq!(store.get(&key(2), never), None);
    assert_eq!(store.get(&key(1), never), Some(1));
    assert_eq!(store.stats().evictions, 1);
}

/// Found elsewhere: benches of eviction that never evict.
#[test]
fn evictions_are_counted_one_by_one() {
    for size in [10, 1_000, 20_000] {
        let store = store(size, usize::MAX);
        for n in 0..3 * size as u32 {
            store.insert(&key(n), n, 1, Duration::ZERO);
        }
        let stats = store.stats();
        assert!(stats.entries <= size);
        assert_eq!(stats.entries as u64 + stats.evictions, 3 * size as u64);
        assert_eq!(stats.bytes, stats.entries);
    }
}

#[test]
fn what_is_too_large_alone_is_not_kept_and_evicts_nothing() {
    let store = store(9, 10);
    store.insert(&key(1), 1, 10, Duration::ZERO);
    store.insert(&key(2), 2, 11, Duration::ZERO);
    assert_eq!(store.get(&key(1), never), Some(1));
    assert_eq!(store.get(&key(2), never), None);
}

#[test]
fn what_is_new_gives_way_to_nothing_old() {
    let store = store(1, 100);
    for n in 0..9 {
        store.insert(&key(n), n, 1, Duration::ZERO);
        assert_eq!(store.get(&key(n), never), Some(n));
    }
    assert_eq!((store.stats().entries, store.stats().evictions), (1, 8));
}

/// A gibibyte is not so divided that a large value finds no place in it.
#[test]
fn large_values_are_kept_or_counted() {
    let store = store(4096, 1 << 30);
    for n in 0..9 {
        store.insert(&key(n), n, 300 << 20, Duration::ZERO);
        assert_eq!(store.get(&key(n), never), Some(n));
        let stats = store.stats();
        assert_eq!(
            (stats.entries, stats.bytes),
            ((n as usize + 1).min(3), stats.entries * (300 << 20))
        );
    }
    store.insert(&key(10), 10, (1 << 30) + 1, Duration::ZERO);
    let stats = store.stats();
    assert_eq!((stats.entries, stats.too_large, stats.evictions), (3, 1, 6));
}

/// Whatever threads do at once, bytes are counted exactly and the limit holds at every moment.
#[test]
fn bytes_of_all_shards_are_counted_together() {
    let store = store(2_000, 10_000);
    std::thread::scope(|scope| {
        for worker in 0..4_u32 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..3_000_u32 {
                    let n = i.wrapping_mul(7 + worker) % 500;
                    match i % 16 {
                        0 => drop(store.remove_if(|v| v % 64 == n % 64)),
                        1..=6 => drop(store.get(&key(n), never)),
                        _ => store.insert(&key(n), n, 1 + n as usize * 3, Duration::ZERO),
                    }
                    assert!(store.stats().bytes <= 10_000);
                }
            });
        }
    });
    let entries = store.stats().entries;
    let kept: Vec<u32> = (0..500).filter_map(|n| store.get(&key(n), never)).collect();
    assert_eq!(kept.len(), entries);
    assert_eq!(store.stats().bytes, kept.iter().map(|n| 1 + *n as usize * 3).sum::<usize>());
    store.remove_if(|_| true);
    assert_eq!(store.stats().bytes, 0);
}

#[test]
fn entries_grow_old() {
    let limits = Limits { time_to_live: Some(Duration::from_secs(5)), ..Limits::default() };
    let store = Store::new(limits).unwrap();
    let now = Cell::new(Duration::from_secs(100));
    store.insert(&key(1), 1, 1, now.get());
    now.set(Duration::from_secs(104));
    assert_eq!(store.get(&key(1), || now.get()), Some(1));
    now.set(Duration::from_secs(105));
    assert_eq!(store.get(&key(1), || now.get()), None);
    assert_eq!((store.stats().expired, store.stats().entries, store.stats().bytes), (1, 0, 0));
}

#[test]
fn limits_of_nothing_are_refused() {
    for (max_entries, max_bytes) in [(0, 1), (1, 0)] {
        let limits = Limits { max_entries, max_bytes, time_to_live: None };
        let error = Store::<u32>::new(limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
}

proptest! {
    /// Against a list: what was hit since its last turn gets another turn, the first that was not
    /// goes.
    #[test]
    fn a_small_store_forgets_by_second_chance(
        steps in prop::collection::vec((0..3u8, 0..8u32, 1..6usize), 0..200),
    ) {
        let store = store(4, 12);
        let mut model: Vec<(u32, usize, bool)> = Vec::new();
        let mut evicted = 0;
        for (what, n, bytes) in steps {
            let at = model.iter().position(|(m, _, _)| *m == n);
            match what {
                0 => {
                    prop_assert_eq!(store.get(&key(n), never).is_some(), at.is_some());
                    if let Some(at) = at {
                        model[at].2 = true;
                    }
                }
                1 => {
                    store.insert(&key(n), n, bytes, Duration::ZERO);
                    at.map(|at| model.remove(at));
                    let all = |model: &[(u32, usize, bool)]| model.iter().map(|m| m.1).sum::<usize>();
                    while model.len() == 4 || all(&model) + bytes > 12 {
                        let (first, bytes, hit) = model.remove(0);
                        match hit {
                            true => model.push((first, bytes, false)),
                            false => evicted += 1,
                        }
                    }
                    model.push((n, bytes, false));
                }
                _ => {
                    store.remove_if(|v| *v == n);
                    at.map(|at| model.remove(at));
                }
            }
            let stats = store.stats();
            prop_assert_eq!(stats.entries, model.len());
            prop_assert_eq!(stats.evictions, evicted);
            prop_assert_eq!(stats.bytes, model.iter().map(|(_, b, _)| b).sum::<usize>());
        }
    }
}
