//! What a search needs besides the index: owned by the caller, used again and again.

use std::collections::VecDeque;

use crate::Neighbor;
use crate::pool::Pool;
use crate::store::Query;

/// The working memory of searches.
///
/// Make one per thread and pass it to every search on that thread. After the first searches have
/// grown it, searches allocate nothing. It may serve several indexes in turn; it carries nothing
/// from one search to the next but its capacity.
///
/// Memory: one bit per vector of the largest index searched, two for a shared one; 4 bytes per vector
/// that passes, where a search with a filter scores just those; 8 bytes per vector where all within a
/// radius or more than 512 nearest are scanned for; and a few kilobytes.
pub struct Scratch {
    pub(crate) query: Query,
    pub(crate) walk: Walk,
    /// Packed `(distance, slot)` of an exact scan that keeps many.
    pub(crate) keys: Vec<u64>,
    /// Slots that pass a filter, and slots that are looked through.
    pub(crate) some: Vec<u32>,
    pub(crate) hidden: VecDeque<u32>,
    /// Which slots of a shared index are dead to this search.
    pub(crate) dead: Vec<u64>,
    #[cfg(feature = "instant-distance")]
    pub(crate) instant: instant_distance::Search,
    pub(crate) results: Vec<Neighbor>,
}

impl Scratch {
    /// Empty working memory; the first search sizes it.
    pub fn new() -> Self {
        Scratch {
            query: Query::new(),
            walk: Walk::default(),
            keys: Vec::new(),
            some: Vec::new(),
            hidden: VecDeque::new(),
            dead: Vec::new(),
            #[cfg(feature = "instant-distance")]
            instant: instant_distance::Search::default(),
            results: Vec::new(),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::new()
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// The part of it that walks a graph.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) pool: Pool,
    pub(crate) visited: Visited,
    /// Slots about to be scored, and their distances.
    pub(crate) slots: Vec<u32>,
    pub(crate) distances: Vec<f32>,
    /// Those near enough to be offered, `(distance, slot)`.
    pub(crate) near: Vec<(f32, u32)>,
}

/// A set of slots, one bit each. Clearing writes `n / 8` bytes, which for 10,000 vectors is 20
/// cache lines; stamps need no clearing but are read from eight or more times as many lines. A search
/// clears it twice, for the upper layers and for the bottom one.
#[derive(Default)]
pub(crate) struct Visited {
    words: Vec<u64>,
}

impl Visited {
    /// Starts with the slots that must not be visited.
    pub(crate) fn reset(&mut self, dead: &[u64]) {
        self.words.clear();
        self.words.extend_from_slice(dead);
    }

    /// Adds a slot; whether it is new. One that does not exist (a damaged file may link to it) is
    /// not.
    pub(crate) fn insert(&mut self, slot: u32) -> bool {
        let Some(word) = self.words.get_mut(slot as usize / 64) else { return false };
        let bit = 1 << (slot % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visited_remembers_until_reset() {
        let mut visited = Visited::default();
        let dead = [0b100, !1];
        visited.reset(&dead);
        assert!(visited.insert(64) && visited.insert(0));
        assert!(!visited.insert(64) && !visited.insert(0));
        assert!(!visited.insert(2) && !visited.insert(65) && !visited.insert(1_000));
        visited.reset(&dead);
        assert!(visited.insert(64) && !visited.insert(2));
    }
}
