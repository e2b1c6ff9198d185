//! The byte budget against a model: what is in memory, what is spilled, and who may have been evicted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig, ErrorKind, Spill, Spilled};
use edgekit_mempool::Tier;
use proptest::prelude::*;

/// A spill in memory that also writes down who was saved, in order.
#[derive(Default)]
struct Shelf {
    kept: Mutex<HashMap<u8, Spilled<u32>>>,
    saved: Mutex<Vec<u8>>,
}

struct OnShelf(Arc<Shelf>);

impl Spill<u8, u32> for OnShelf {
    fn save(&self, key: &u8, entry: &Spilled<u32>) -> bool {
        self.0.kept.lock().unwrap().insert(*key, entry.clone());
        self.0.saved.lock().unwrap().push(*key);
        true
    }

    fn load(&self, key: &u8) -> Option<Spilled<u32>> {
        self.0.kept.lock().unwrap().get(key).cloned()
    }

    fn forget(&self, key: &u8) {
        self.0.kept.lock().unwrap().remove(key);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u64),
    InsertFor(u8, u64, u64),
    Get(u8),
    Remove(u8),
    Pin(u8),
    Unpin(u8),
    Wait(u64),
    EvictShare(Tier),
    RemoveExpired,
}

fn step() -> impl Strategy<Value = Step> {
    let tier = prop::sample::select(vec![Tier::Low, Tier::Medium, Tier::High, Tier::Critical]);
    prop_oneof![
        6 => (0..12_u8, 1..60_u64).prop_map(|(k, b)| Step::Insert(k, b)),
        2 => (0..12_u8, 1..60_u64, 1..20_u64).prop_map(|(k, b, t)| Step::InsertFor(k, b, t)),
        6 => (0..12_u8).prop_map(Step::Get),
        1 => (0..12_u8).prop_map(Step::Remove),
        1 => (0..12_u8).prop_map(Step::Pin),
        1 => (0..12_u8).prop_map(Step::Unpin),
        1 => (0..10_u64).prop_map(Step::Wait),
        1 => tier.prop_map(Step::EvictShare),
        1 => Just(Step::RemoveExpired),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    value: u32,
    bytes: u64,
    expires: u64,
    pins: u32,
}

const BUDGET: u64 = 100;

/// Everything that the cache should hold, by key.
#[derive(Default)]
struct Model {
    memory: HashMap<u8, Entry>,
    spilled: HashMap<u8, Entry>,
    now: u64,
}

impl Model {
    fn used(&self) -> u64 {
        self.memory.values().map(|e| e.bytes).sum()
    }

    fn pinned(&self) -> u64 {
        self.memory.values().filter(|e| e.pins > 0).map(|e| e.bytes).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_budget_is_exact_to_the_byte(
        shards in prop::sample::select(vec![1_usize, 1, 4]),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let shelf = Arc::new(Shelf::default());
        let clock = Arc::new(AtomicU64::new(0));
        let config = CacheConfig {
            budget_bytes: BUDGET,
            shards: Some(shards),
            ..CacheConfig::default()
        };
        let ticks = Arc::clone(&clock);
        let cache = AdaptiveCache::new(config)
            .unwrap()
            .with_spill(OnShelf(Arc::clone(&shelf)))
            .with_clock(move || Duration::from_secs(ticks.load(SeqCst)));
        let mut model = Model::default();
        for (n, step) in steps.into_iter().enumerate() {
            let before = model.used();
            // What the step itself needs on top, and of whom it may not be.
            let mut needed = 0;
            match step {
                Step::Insert(key, bytes) | Step::InsertFor(key, bytes, _) => {
                    let value = n as u32;
                    let (result, expires) = match step {
                        Step::InsertFor(_, _, ttl) => {
                            let time_to_live = Duration::from_secs(ttl);
                            (cache.insert_for(key, value, bytes, time_to_live), model.now + ttl)
                        }
                        _ => (cache.insert(key, value, bytes), u64::MAX),
                    };
                    let old = model.memory.get(&key).copied();
                    let (pins, was) = old.map_or((0, 0), |e| (e.pins, e.bytes));
                    needed = bytes.saturating_sub(was);
                    model.spilled.remove(&key);
                    if model.pinned() + bytes - if pins > 0 { was } else { 0 } > BUDGET {
                        prop_assert_eq!(result.unwrap_err().kind(), ErrorKind::NoRoom);
                        model.memory.remove(&key);
                        // Whoever was not pinned had to go before that was known.
                        reconcile(&mut model, &shelf, &cache, None)?;
                        shelf.saved.lock().unwrap().clear();
                        continue;
                    }
                    prop_assert!(result.is_ok());
                    if needed == 0 {
                        prop_assert!(shelf.saved.lock().unwrap().is_empty(), "a replacement evicted");
                    }
                    model.memory.insert(key, Entry { value, bytes, expires, pins });
                    let before = before + bytes - was - needed;
                    reconcile(&mut model, &shelf, &cache, Some((before, needed)))?;
                }
                Step::Get(key) => {
                    let got = cache.get(&key);
                    match model.memory.get(&key).copied() {
                        Some(entry) if model.now < entry.expires => {
                            prop_assert_eq!(got, Some(entry.value));
                        }
                        Some(_) => {
                            prop_assert_eq!(got, None);
                            model.memory.remove(&key);
                            model.spilled.remove(&key);
                        }
                        None => match model.spilled.get(&key).copied() {
                            Some(entry) if model.now < entry.expires => {
                                prop_assert_eq!(got, Some(entry.value));
                                // Back in memory, if there was room beside what is pinned.
                                if model.pinned() + entry.bytes <= BUDGET {
                                    needed = entry.bytes;
                                    model.memory.insert(key, Entry { pins: 0, ..entry });
                                }
                            }
                            Some(_) => {
                                prop_assert_eq!(got, None);
                                model.spilled.remove(&key);
                            }
                            None => prop_assert_eq!(got, None),
                        },
                    }
                    if needed > 0 {
                        reconcile(&mut model, &shelf, &cache, Some((before, needed)))?;
                    } else {
                        reconcile(&mut model, &shelf, &cache, None)?;
                    }
                }
                Step::Remove(key) => {
                    let entry = model.memory.remove(&key).filter(|e| model.now < e.expires);
                    prop_assert_eq!(cache.remove(&key), entry.map(|e| e.value));
                    model.spilled.remove(&key);
                }
                Step::Pin(key) => {
                    let entry = model.memory.get_mut(&key);
                    prop_assert_eq!(cache.pin(&key), entry.is_some());
                    if let Some(entry) = entry {
                        entry.pins += 1;
                    }
                }
                Step::Unpin(key) => {
                    let entry = model.memory.get_mut(&key).filter(|e| e.pins > 0);
                    prop_assert_eq!(cache.unpin(&key), entry.is_some());
                    if let Some(entry) = entry {
                        entry.pins -= 1;
                    }
                }
                Step::Wait(seconds) => {
                    model.now += seconds;
                    clock.store(model.now, SeqCst);
                }
                Step::EvictShare(tier) => {
                    let asked = tier.share_of(before);
                    let loose = before - model.pinned();
                    let freed = cache.evict_share(tier);
                    reconcile(&mut model, &shelf, &cache, None)?;
                    prop_assert_eq!(before - model.used(), freed);
                    prop_assert!(freed >= asked.min(loose), "{freed} of {asked} freed");
                    prop_assert!(freed < asked + 60, "an entry more than asked");
                }
                Step::RemoveExpired => {
                    let late: Vec<u8> = model
                        .memory
                        .iter()
                        .filter(|(_, e)| model.now >= e.expires)
                        .map(|(&k, _)| k)
                        .collect();
                    prop_assert_eq!(cache.remove_expired(), late.len());
                    model.memory.retain(|key, _| !late.contains(key));
                }
            }
            let stats = cache.stats();
            prop_assert_eq!(stats.used_bytes, model.used());
            prop_assert_eq!(stats.entries, model.memory.len() as u64);
            prop_assert!(stats.peak_bytes <= BUDGET);
            shelf.saved.lock().unwrap().clear();
        }
    }
}

/// Brings the model up to what the step has evicted, and checks that it was not too much: with the
/// bytes in use before, and those needed, the last one to go was needed. Which entries went is the
/// policy's affair; that none of them was pinned, and that each is gone or spilled, is ours.
fn reconcile(
    model: &mut Model,
    shelf: &Shelf,
    cache: &AdaptiveCache<u8, u32>,
    room: Option<(u64, u64)>,
) -> Result<(), TestCaseError> {
    let kept = shelf.kept.lock().unwrap().clone();
    let mut freed = Vec::new();
    let keys: Vec<u8> = model.memory.keys().copied().collect();
    for key in keys {
        let entry = model.memory[&key];
        if let Some(bytes) = cache.resident_bytes(&key) {
            prop_assert_eq!(bytes, entry.bytes);
            continue;
        }
        prop_assert_eq!(entry.pins, 0, "a pinned entry was evicted");
        if model.now < entry.expires {
            let saved = kept.get(&key).map(|s| (s.value, s.bytes));
            prop_assert_eq!(saved, Some((entry.value, entry.bytes)), "dropped and not spilled");
            model.spilled.insert(key, entry);
        }
        model.memory.remove(&key);
        freed.push(entry.bytes);
    }
    if let Some((before, needed)) = room {
        let all: u64 = freed.iter().sum();
        prop_assert!(before + needed <= BUDGET + all, "above the budget");
        // Without the last to go there was no room. Which one that was is not known here; it was not
        // larger than the largest.
        let largest = freed.iter().copied().max().unwrap_or(0);
        prop_assert!(all == 0 || before + needed > BUDGET + all - largest, "evicted too much");
    }
    Ok(())
}
