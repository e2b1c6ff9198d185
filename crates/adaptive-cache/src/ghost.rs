//! `Ghost`: which keys were evicted lately, by hash, so that one that comes back soon is known.

/// The hashes of the last keys evicted, each in the one slot that its hash names: adding and asking
/// touch one cache line. A later hash may take an earlier one's slot, and a key whose hash another
/// one shares is taken for it; either costs a misplaced entry and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    /// A power of two of them, or none yet.
    slots: Vec<Slot>,
    /// How many have been added.
    turn: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u64,
    /// The turn in which it was added, 0 for an empty slot.
    turn: u32,
}

impl Ghost {
    /// Adds a hash, to be known until `capacity` others have been added.
    pub(crate) fn add(&mut self, hash: u64, capacity: usize) {
        // At most half full, so that few take each other's slot.
        let least = (2 * capacity).max(16);
        if self.slots.len() < least {
            let larger = least.next_power_of_two();
            for slot in std::mem::replace(&mut self.slots, vec![Slot::default(); larger]) {
                self.set(slot);
            }
        }
        self.turn = self.turn.checked_add(1).unwrap_or_else(|| {
            self.slots.fill(Slot::default());
            1
        });
        self.set(Slot { hash, turn: self.turn });
    }

    /// Whether the hash was among the last `capacity`; it is not any more.
    pub(crate) fn take(&mut self, hash: u64, capacity: usize) -> bool {
        let turn = self.turn;
        let Some(at) = self.index(hash) else { return false };
        let slot = &mut self.slots[at];
        let known = slot.turn != 0 && slot.hash == hash && ((turn - slot.turn) as usize) < capacity;
        if known {
            *slot = Slot::default();
        }
        known
    }

    fn set(&mut self, slot: Slot) {
        if let Some(at) = self.index(slot.hash).filter(|_| slot.turn != 0) {
            self.slots[at] = slot;
        }
    }

    fn index(&self, hash: u64) -> Option<usize> {
        Some(hash as usize & self.slots.len().checked_sub(1)?)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_last_and_only_those() {
        let mut ghost = Ghost::default();
        assert!(!ghost.take(0, 4), "nothing is known at first, not even zero");
        (0..10).for_each(|hash| ghost.add(hash, 4));
        let known: Vec<u64> = (0..10).filter(|&hash| ghost.take(hash, 4)).collect();
        assert_eq!(known, [6, 7, 8, 9]);
        assert!(!ghost.take(9, 4), "taken once");
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut ghost = Ghost::default();
        for hash in 0..1000 {
            ghost.add(hash, hash as usize + 1);
        }
        assert!((0..1000).all(|hash| ghost.take(hash, 1000)));
    }

    #[test]
    fn the_counter_may_run_out() {
        let mut ghost = Ghost { turn: u32::MAX - 1, ..Ghost::default() };
        (1..=4).for_each(|hash| ghost.add(hash, 8));
        assert!(!ghost.take(1, 8), "forgotten when the counter began anew");
        assert!(ghost.take(4, 8));
    }
}
