//! The queues against a slow twin written from the paper.

use proptest::prelude::*;

use super::*;

/// The slow twin: queues that are vectors, from the paper's pseudocode. Keys below 16 are their
/// own hashes, so that no two ghosts share a slot.
#[derive(Default)]
struct Twin {
    small: Vec<(u64, u64, u8)>,
    main: Vec<(u64, u64, u8)>,
    pinned: Vec<(u64, u64)>,
    ghosts: Vec<(u64, usize)>,
    turn: usize,
}

impl Twin {
    fn len(&self) -> usize {
        self.small.len() + self.main.len() + self.pinned.len()
    }

    fn entry(&mut self, key: u64) -> Option<&mut (u64, u64, u8)> {
        self.small.iter_mut().chain(&mut self.main).find(|e| e.0 == key)
    }

    fn get(&mut self, key: u64) -> bool {
        if let Some(entry) = self.entry(key) {
            entry.2 = (entry.2 + 1).min(3);
            return true;
        }
        self.pinned.iter().any(|e| e.0 == key)
    }

    fn put(&mut self, key: u64, bytes: u64) {
        let near = self.len() / 2;
        let turn = self.turn;
        let known = self.ghosts.iter().position(|g| g.0 == key && turn - g.1 < near);
        if known.is_some() {
            self.ghosts.retain(|g| g.0 != key);
            self.main.push((key, bytes, 0));
        } else {
            self.small.push((key, bytes, 0));
        }
    }

    fn remove(&mut self, key: u64) {
        self.small.retain(|e| e.0 != key);
        self.main.retain(|e| e.0 != key);
        self.pinned.retain(|e| e.0 != key);
    }

    fn pin(&mut self, key: u64) {
        if let Some(&mut (key, bytes, _)) = self.entry(key) {
            self.remove(key);
            self.pinned.push((key, bytes));
        }
    }

    fn evict(&mut self) -> Option<u64> {
        loop {
            let bytes = |queue: &[(u64, u64, u8)]| queue.iter().map(|e| e.1).sum::<u64>();
            let (small, main) = (bytes(&self.small), bytes(&self.main));
            let due = small * 100 > (small + main) * SMALL_PERCENT;
            if !self.small.is_empty() && (due || self.main.is_empty()) {
                let (key, bytes, hits) = self.small.remove(0);
                if hits > 0 {
                    self.main.push((key, bytes, 0));
                    continue;
                }
                self.turn += 1;
                self.ghosts.retain(|g| g.0 != key);
                self.ghosts.push((key, self.turn));
                return Some(key);
            }
            if self.main.is_empty() {
                return None;
            }
            let (key, bytes, hits) = self.main.remove(0);
            if hits == 0 {
                return Some(key);
            }
            self.main.push((key, bytes, hits - 1));
        }
    }
}

proptest! {
    #[test]
    fn evicts_as_the_paper_says(
        steps in prop::collection::vec((0_u8..6, 0_u64..16, 1_u64..50), 0..400),
    ) {
        let mut shard = Shard::new();
        let mut twin = Twin::default();
        let never = || Duration::ZERO;
        for (step, key, bytes) in steps {
            let there = shard.bytes_of(key, &key).is_some();
            match step {
                0 | 1 => {
                    let found = matches!(shard.get(key, &key, never), Found::Live(()));
                    prop_assert_eq!(found, twin.get(key));
                    if !found {
                        let entry = Entry { bytes, expires_at: None, saved: false };
                        shard.put_new(key, key, (), entry);
                        twin.put(key, bytes);
                    }
                }
                2 | 3 => {
                    let gone = shard.evict(never).map(|(node, _)| node.key);
                    prop_assert_eq!(gone, twin.evict());
                }
                4 if there => {
                    // Pinned once at most, and never freed: pins are counted in another test.
                    let queued = twin.entry(key).is_some();
                    if queued {
                        prop_assert!(shard.change_pins(key, &key, Pins::Add));
                        twin.pin(key);
                    }
                }
                _ => {
                    prop_assert_eq!(shard.remove(key, &key).is_some(), there);
                    twin.remove(key);
                }
            }
            let evictable: u64 = twin.small.iter().chain(&twin.main).map(|e| e.1).sum();
            let pinned: u64 = twin.pinned.iter().map(|e| e.1).sum();
            prop_assert_eq!(shard.evictable_bytes(), evictable);
            prop_assert_eq!(shard.pinned_bytes(), pinned);
            prop_assert_eq!(shard.len(), twin.len());
        }
    }
}

#[test]
fn one_scan_does_not_flush_what_is_asked_for_again() {
    let mut shard = Shard::new();
    let entry = Entry { bytes: 1, expires_at: None, saved: false };
    let mut put = |key: u64| {
        while shard.len() >= 10 {
            shard.evict(|| Duration::ZERO).unwrap();
        }
        match shard.get(key, &key, || Duration::ZERO) {
            Found::Live(()) => true,
            _ => {
                shard.put_new(key, key, (), entry);
                false
            }
        }
    };
    for _ in 0..3 {
        assert!((0..8).filter(|&key| put(key)).count() <= 8);
    }
    assert!(!(100..1000).any(&mut put), "each is asked for once");
    assert!((0..8).filter(|&key| put(key)).count() >= 7, "the scan flushed the cache");
}
