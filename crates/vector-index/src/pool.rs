//! The best candidates seen so far, as one short array kept sorted.
//!
//! A beam search keeps a few dozen candidates and asks for the nearest one that it has not
//! expanded. For that size a sorted array beats two heaps: an insertion moves a few cache lines,
//! the next candidate is found by walking a cursor, and the worst is the last element. An entry is
//! one `u64` (distance, id, expanded) so that comparing entries is comparing integers and ties
//! resolve by id, which makes results deterministic.

/// Ids are packed beside a flag bit, which leaves 31 bits for them.
pub(crate) const MAX_IDS: usize = 1 << 31;

/// Up to so many entries, moving them one by one until the place is found is faster than to look for
/// the place and move the rest at once.
const SHORT: usize = 64;

/// A sorted array of the `capacity` nearest candidates offered.
#[derive(Default)]
pub(crate) struct Pool {
    entries: Vec<u64>,
    capacity: usize,
    /// Everything before it is expanded.
    cursor: usize,
}

impl Pool {
    /// Empties the pool and makes room for `capacity` candidates.
    pub(crate) fn reset(&mut self, capacity: usize) {
        self.entries.clear();
        self.entries.reserve(capacity);
        self.capacity = capacity;
        self.cursor = 0;
    }

    /// Keeps what is in the pool, as far as `capacity` allows, as candidates not expanded yet.
    pub(crate) fn restart(&mut self, capacity: usize) {
        self.entries.truncate(capacity);
        self.entries.reserve(capacity - self.entries.len());
        self.entries.iter_mut().for_each(|entry| *entry &= !1);
        self.capacity = capacity;
        self.cursor = 0;
    }

    /// Replaces what is in the pool by other packed entries, in any order.
    pub(crate) fn replace(&mut self, entries: impl Iterator<Item = u64>) {
        self.entries.clear();
        self.entries.extend(entries);
        self.entries.sort_unstable();
    }

    /// The distance that a candidate must beat (or tie) to be kept.
    pub(crate) fn bound(&self) -> f32 {
        if self.entries.len() < self.capacity {
            return f32::INFINITY;
        }
        self.entries.last().map_or(f32::NEG_INFINITY, |&worst| distance(worst))
    }

    /// Offers a candidate; the worst one is dropped when the pool is full.
    pub(crate) fn offer(&mut self, distance: f32, id: u32) {
        let entry = pack(distance, id);
        let len = self.entries.len();
        if len < self.capacity {
            self.entries.push(entry);
        } else if self.entries.last().is_none_or(|&worst| entry >= worst) {
            return;
        }
        // The last place is free: it held the worst, or was just made.
        let entries = &mut self.entries[..];
        let mut at = entries.len() - 1;
        if at > SHORT {
            let place = entries[..at].partition_point(|&e| e < entry);
            entries.copy_within(place..at, place + 1);
            at = place;
        }
        while at > 0 && entries[at - 1] > entry {
            entries[at] = entries[at - 1];
            at -= 1;
        }
        entries[at] = entry;
        self.cursor = self.cursor.min(at);
    }

    /// The nearest candidate not returned by this method yet.
    pub(crate) fn next_unexpanded(&mut self) -> Option<u32> {
        while let Some(entry) = self.entries.get_mut(self.cursor) {
            self.cursor += 1;
            if *entry & 1 == 0 {
                *entry |= 1;
                return Some(id(*entry));
            }
        }
        None
    }

    /// What [`next_unexpanded`](Self::next_unexpanded) returns if nothing nearer is offered before,
    /// unless it was expanded already.
    pub(crate) fn peek(&self) -> Option<u32> {
        self.entries.get(self.cursor).map(|&entry| id(entry))
    }

    /// Drops the candidates that do not pass.
    pub(crate) fn retain(&mut self, passes: impl Fn(u32) -> bool) {
        self.entries.retain(|&entry| passes(id(entry)));
    }

    /// How many candidates there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// `(distance, id)`, nearest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (f32, u32)> {
        self.entries.iter().map(|&e| (distance(e), id(e)))
    }
}

/// Distance and id in one integer that sorts by distance, then id.
pub(crate) fn pack(distance: f32, id: u32) -> u64 {
    // Adding zero turns −0 into +0, so that equal distances have equal bits. Flipping the sign bit
    // of positive and all bits of negative floats makes their order that of unsigned integers.
    let bits = (distance + 0.0).to_bits();
    let ordered = bits ^ ((((bits as i32) >> 31) as u32) | 0x8000_0000);
    u64::from(ordered) << 32 | u64::from(id) << 1
}

/// The distance of a packed entry.
pub(crate) fn distance(entry: u64) -> f32 {
    let ordered = (entry >> 32) as u32;
    f32::from_bits(if ordered >> 31 == 1 { ordered ^ 0x8000_0000 } else { !ordered })
}

/// The id of a packed entry.
pub(crate) fn id(entry: u64) -> u32 {
    (entry as u32) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_sort_by_distance_then_id() {
        let distances = [f32::NEG_INFINITY, -2.5, -1e-30, 0.0, 1e-30, 1.0, 3.4e38, f32::INFINITY];
        for (i, &a) in distances.iter().enumerate() {
            assert_eq!((distance(pack(a, 7)), id(pack(a, 7))), (a, 7));
            assert!(pack(a, 3) < pack(a, 4));
            for &b in &distances[i + 1..] {
                assert!(pack(a, (1 << 31) - 1) < pack(b, 0), "{a} {b}");
            }
        }
        assert_eq!(pack(-0.0, 1), pack(0.0, 1));
    }

    #[test]
    fn the_nearest_is_expanded_first_and_the_farthest_dropped() {
        let mut pool = Pool::default();
        pool.reset(3);
        for (distance, id) in [(5.0, 5), (1.0, 1), (4.0, 4), (3.0, 3)] {
            pool.offer(distance, id);
        }
        assert_eq!(pool.bound(), 4.0);
        assert_eq!(pool.next_unexpanded(), Some(1));
        assert_eq!(pool.next_unexpanded(), Some(3));
        pool.offer(2.0, 2);
        assert_eq!(pool.next_unexpanded(), Some(2), "the cursor steps back to a nearer one");
        assert_eq!(pool.next_unexpanded(), None);
        assert_eq!(pool.iter().collect::<Vec<_>>(), [(1.0, 1), (2.0, 2), (3.0, 3)]);
    }

    /// Against sorting everything, at capacities on both sides of a short pool.
    #[test]
    fn a_pool_keeps_what_sorting_would() {
        for capacity in [1, 2, 63, 64, 65, 66, 150] {
            let mut pool = Pool::default();
            pool.reset(capacity);
            let (mut all, mut expanded) = (Vec::new(), Vec::new());
            for id in 0..400_u32 {
                let distance = (crate::hash::mix64(id.into()) % 97) as f32;
                pool.offer(distance, id);
                all.push((distance as u32, id));
                all.sort_unstable();
                all.truncate(capacity);
                let kept: Vec<_> = pool.iter().map(|(d, id)| (d as u32, id)).collect();
                assert_eq!(kept, all, "capacity {capacity}");
                if id % 3 == 0 {
                    let nearest = all.iter().map(|&(_, id)| id).find(|id| !expanded.contains(id));
                    assert!(nearest.is_none() || pool.peek().is_some());
                    assert_eq!(pool.next_unexpanded(), nearest);
                    expanded.extend(nearest);
                }
            }
        }
    }

    #[test]
    fn an_entry_that_was_expanded_still_bounds_the_pool() {
        let mut pool = Pool::default();
        pool.reset(1);
        pool.offer(2.0, 9);
        assert_eq!(pool.next_unexpanded(), Some(9));
        pool.offer(2.0, 10);
        assert_eq!(pool.next_unexpanded(), None);
        pool.reset(0);
        pool.offer(0.0, 0);
        assert_eq!(pool.next_unexpanded(), None);
    }
}
