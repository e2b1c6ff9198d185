//! The best candidates seen so far, as one short array kept sorted.
//!
//! A beam search keeps a few dozen candidates and asks for the nearest one that it has not
//! expanded. For that size a sorted array beats two heaps: an insertion moves a few cache lines,
//! the next candidate is found by walking a cursor, and the worst is the last element. An entry is
//! one `u64` (distance, id, expanded) so that comparing entries is comparing integers and ties
//! resolve by id, which makes results deterministic.

use edgekit_kernels_simd::Kernels;

/// Ids are packed beside a flag bit, which leaves 31 bits for them.
pub(crate) const MAX_IDS: usize = 1 << 31;

/// Places are a multiple of this, and one.
const BLOCK: usize = 8;

/// Up to so many entries, touching all of them is faster than to look for the place and move the rest.
const SHORT: usize = 64;

/// Stands where no entry is, behind all that are.
const FAR: u64 = u64::MAX;

/// How wide a search is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beam {
    /// The search is over when so many of the nearest are expanded.
    pub(crate) expanded: usize,
    /// So many of the nearest are kept, at least as many.
    pub(crate) kept: usize,
}

impl From<usize> for Beam {
    fn from(ef: usize) -> Self {
        Beam { expanded: ef, kept: ef }
    }
}

/// A sorted array of the `capacity` nearest candidates offered.
pub(crate) struct Pool {
    kernels: &'static Kernels,
    /// The entries, nearest first, between a zero and places that are [`FAR`]: a block of a vector's
    /// width is moved at a time. What drops out of the first `capacity` may stay behind them.
    places: Vec<u64>,
    len: usize,
    capacity: usize,
    /// So many of the nearest are to be expanded.
    expanded: usize,
    /// Every entry before it is expanded.
    cursor: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            kernels: Kernels::get(),
            places: vec![0],
            len: 0,
            capacity: 0,
            expanded: 0,
            cursor: 0,
        }
    }
}

impl Pool {
    /// Empties the pool and makes room for `capacity` candidates.
    pub(crate) fn reset(&mut self, capacity: usize) {
        self.len = 0;
        self.restart(capacity.into());
    }

    /// Keeps what is in the pool, as far as it finds room, as candidates not expanded yet.
    pub(crate) fn restart(&mut self, beam: Beam) {
        let capacity = beam.kept;
        self.expanded = beam.expanded;
        self.len = self.len.min(capacity);
        self.entries_mut().iter_mut().for_each(|entry| *entry &= !1);
        self.places.truncate(1 + self.len);
        self.places.resize(1 + capacity.next_multiple_of(BLOCK), FAR);
        self.capacity = capacity;
        self.cursor = 0;
    }

    /// Replaces what is in the pool by other packed entries, in any order.
    pub(crate) fn replace(&mut self, entries: impl Iterator<Item = u64>) {
        self.places.truncate(1);
        self.places.extend(entries);
        self.len = self.places.len() - 1;
        self.capacity = self.len;
        self.entries_mut().sort_unstable();
    }

    /// The distance that a candidate must beat (or tie) to be kept.
    pub(crate) fn bound(&self) -> f32 {
        if self.len < self.capacity {
            return f32::INFINITY;
        }
        self.entries().last().map_or(f32::NEG_INFINITY, |&worst| distance(worst))
    }

    /// Offers a candidate; the worst one is dropped when the pool is full.
    pub(crate) fn offer(&mut self, distance: f32, id: u32) {
        let entry = pack(distance, id);
        let at = if self.capacity <= SHORT {
            // An entry can be zero itself, which a damaged file makes of NaN: then it is the first.
            self.kernels.insert_sorted(&mut self.places, entry).saturating_sub(1)
        } else {
            self.insert(entry)
        };
        if at < self.capacity {
            self.len = self.capacity.min(self.len + 1);
            self.cursor = self.cursor.min(at);
        }
    }

    /// Puts an entry where it belongs among many; where that is.
    fn insert(&mut self, entry: u64) -> usize {
        let at = self.entries().partition_point(|&other| other < entry);
        if at < self.capacity {
            let end = self.capacity.min(self.len + 1);
            self.places.copy_within(1 + at..end, 2 + at);
            self.places[1 + at] = entry;
        }
        at
    }

    /// The nearest candidate not returned by this method yet, of those to be expanded.
    pub(crate) fn next_unexpanded(&mut self) -> Option<u32> {
        let Pool { places, len, expanded, cursor, .. } = self;
        for entry in &mut places[1..=(*len).min(*expanded)][*cursor..] {
            *cursor += 1;
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
        self.entries().get(self.cursor).map(|&entry| id(entry))
    }

    /// Drops the candidates that do not pass.
    pub(crate) fn retain(&mut self, passes: impl Fn(u32) -> bool) {
        self.places.truncate(1 + self.len);
        let mut at = 0;
        self.places.retain(|&entry| {
            at += 1;
            at == 1 || passes(id(entry))
        });
        self.len = self.places.len() - 1;
        self.capacity = self.len;
    }

    /// How many candidates there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// `(distance, id)`, nearest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (f32, u32)> {
        self.entries().iter().map(|&e| (distance(e), id(e)))
    }

    fn entries(&self) -> &[u64] {
        &self.places[1..=self.len]
    }

    fn entries_mut(&mut self) -> &mut [u64] {
        &mut self.places[1..=self.len]
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
    fn more_can_be_kept_than_is_expanded() {
        let mut pool = Pool::default();
        pool.restart(Beam { expanded: 2, kept: 4 });
        for (distance, id) in [(5.0, 5), (1.0, 1), (4.0, 4), (3.0, 3), (6.0, 6)] {
            pool.offer(distance, id);
        }
        assert_eq!([pool.next_unexpanded(), pool.next_unexpanded()], [Some(1), Some(3)]);
        assert_eq!((pool.next_unexpanded(), pool.bound()), (None, 5.0));
        pool.offer(2.0, 2);
        assert_eq!([pool.next_unexpanded(), pool.next_unexpanded()], [Some(2), None]);
        assert_eq!(pool.iter().map(|(_, id)| id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    /// What a damaged file can make of a distance.
    #[test]
    fn any_bits_can_be_offered() {
        let mut pool = Pool::default();
        pool.reset(3);
        let nan = f32::from_bits(u32::MAX);
        for (distance, id) in [(1.0, 1), (nan, 0), (-nan, 2), (f32::NEG_INFINITY, 3)] {
            pool.offer(distance, id);
        }
        assert_eq!(pool.iter().map(|(_, id)| id).collect::<Vec<_>>(), [0, 3, 1]);
        assert_eq!(pool.next_unexpanded(), Some(0));
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
