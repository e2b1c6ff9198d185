//! Exact search over a set of vectors: all of them in the order of memory, or some by slot.

use crate::Scratch;
use crate::pool::{distance, pack};
use crate::store::Store;
use crate::stored::{Stored, is_dead};

/// Rows scored at a time: enough to amortise the call, few enough that their distances stay in the
/// first-level cache.
const BLOCK: usize = 1_024;

/// Distances that are compared with the bound together.
const CHUNK: usize = 16;

/// Parts of the first block, whose lowest distances say what bound will do.
const PARTS: usize = 64;

impl Stored {
    /// Leaves in the scratch's pool the `keep` nearest, by code, of the vectors that are `allowed`.
    /// It is asked only about those near enough.
    pub(crate) fn scan(
        &self,
        dead: &[u64],
        keep: usize,
        allowed: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) {
        self.scan_store(&self.codes, keep, |slot| !is_dead(dead, slot) && allowed(slot), scratch);
    }

    /// Leaves in the scratch's pool the `keep` nearest by the most exact rows there are.
    pub(crate) fn scan_exactly(&self, dead: &[u64], keep: usize, scratch: &mut Scratch) {
        self.scan_store(self.exact(), keep, |slot| !is_dead(dead, slot), scratch);
    }

    fn scan_store(
        &self,
        store: &Store,
        keep: usize,
        allowed: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) {
        let Scratch { query, walk, keys, .. } = scratch;
        let n = self.slots();
        let keep = keep.min(n);
        keys.clear();
        keys.reserve((2 * keep + BLOCK).min(n));
        if keep == 0 {
            return walk.pool.reset(0);
        }
        // What is not nearer than this is not among the nearest.
        let mut bound = f32::INFINITY;
        let mut block = [0.0; BLOCK];
        for start in (0..n).step_by(BLOCK) {
            let distances = &mut block[..BLOCK.min(n - start)];
            store.distances_in_order(query, start, distances);
            let chunks = || distances.chunks(CHUNK).zip((start as u32..).step_by(CHUNK));
            if start == 0 {
                let guess = guess(distances, keep);
                for (distances, start) in chunks() {
                    collect(distances, start, guess, &allowed, keys);
                }
                if keys.len() >= keep {
                    bound = guess;
                    continue;
                }
                // Too few of them are allowed.
                keys.clear();
            }
            for (distances, start) in chunks() {
                collect(distances, start, bound, &allowed, keys);
                if keys.len() >= 2 * keep {
                    let (_, &mut worst, _) = keys.select_nth_unstable(keep - 1);
                    keys.truncate(keep);
                    bound = distance(worst);
                }
            }
        }
        if keep < keys.len() {
            keys.select_nth_unstable(keep);
            keys.truncate(keep);
        }
        walk.pool.replace(keys.drain(..));
    }

    /// Leaves in the scratch's pool the `keep` nearest, by code, of the given vectors.
    pub(crate) fn scan_some(&self, keep: usize, some: &[u32], scratch: &mut Scratch) {
        let Scratch { query, walk, keys, .. } = scratch;
        let mut block = [0.0; BLOCK];
        keys.clear();
        for slots in some.chunks(BLOCK) {
            let distances = &mut block[..slots.len()];
            self.codes.distances(query, slots, distances);
            keys.extend(distances.iter().zip(slots).map(|(&d, &slot)| pack(d, slot)));
        }
        if keep < keys.len() {
            keys.select_nth_unstable(keep);
            keys.truncate(keep);
        }
        walk.pool.replace(keys.drain(..));
    }

    /// Leaves in the scratch's pool all vectors within `radius`, by the most exact rows there are.
    pub(crate) fn scan_range(&self, dead: &[u64], radius: f32, scratch: &mut Scratch) {
        let Scratch { query, walk, keys, .. } = scratch;
        let store = self.exact();
        let n = self.slots();
        let mut block = [0.0; BLOCK];
        keys.clear();
        for start in (0..n).step_by(BLOCK) {
            let distances = &mut block[..BLOCK.min(n - start)];
            store.distances_in_order(query, start, distances);
            let near = distances.iter().zip(start as u32..);
            let near = near.filter(|&(&d, slot)| d <= radius && !is_dead(dead, slot));
            keys.extend(near.map(|(&distance, slot)| pack(distance, slot)));
        }
        walk.pool.replace(keys.drain(..));
    }
}

/// A bound that at least `keep` of the distances are below, if there are so many parts: each part
/// has one that is at most its lowest. Nothing is below it otherwise.
fn guess(distances: &[f32], keep: usize) -> f32 {
    if keep > PARTS / 2 || distances.len() < 8 * PARTS {
        return f32::NEG_INFINITY;
    }
    let mut lowest = [f32::INFINITY; PARTS];
    for distances in distances.chunks_exact(PARTS) {
        for (lowest, &distance) in lowest.iter_mut().zip(distances) {
            *lowest = if distance < *lowest { distance } else { *lowest };
        }
    }
    let (_, &mut bound, _) = lowest.select_nth_unstable_by(keep - 1, f32::total_cmp);
    bound.next_up()
}

/// Appends to `keys` what is nearer than `bound` and `allowed`. Most chunks have nothing, which
/// one comparison of all shows; in the others no branch depends on a single distance.
fn collect(
    distances: &[f32],
    start: u32,
    bound: f32,
    allowed: impl Fn(u32) -> bool,
    keys: &mut Vec<u64>,
) {
    if !distances.iter().fold(false, |any, &distance| any | (distance < bound)) {
        return;
    }
    let (mut near, mut count) = ([0_u8; CHUNK], 0);
    for (at, &distance) in distances.iter().enumerate() {
        near[count] = at as u8;
        count += usize::from(distance < bound);
    }
    for &at in &near[..count] {
        let slot = start + u32::from(at);
        if allowed(slot) {
            keys.push(pack(distances[usize::from(at)], slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FlatIndex, Index, Metric, SearchParams};

    /// Against sorting everything: fewer rows than a block, several blocks, ties, more results than
    /// a bound is guessed for, and filters that pass nothing of what would be guessed from.
    #[test]
    fn a_scan_finds_what_sorting_finds() {
        let value = |id: u64| ((id * 37) % 1_500) as f32;
        let filters: [fn(u64) -> bool; 4] =
            [|_| true, |id| (id * 37) % 1_500 >= 200, |id| id % 50 == 3, |_| false];
        for n in [1, 511, 512, 1_024, 1_025, 3_000] {
            let mut index = FlatIndex::new(1, Metric::L2Squared).unwrap();
            for id in 0..n {
                index.insert(id, &[value(id)]).unwrap();
            }
            for passes in filters {
                let mut all: Vec<(f32, u64)> =
                    (0..n).filter(|&id| passes(id)).map(|id| (value(id).powi(2), id)).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                for k in [0, 1, 10, 32, 33, 600, n as usize + 1] {
                    let mut scratch = Scratch::new();
                    let params = SearchParams::default();
                    let found = index.search_filtered(&[0.0], k, &params, &passes, &mut scratch);
                    let found: Vec<_> =
                        found.unwrap().iter().map(|near| (near.distance, near.id)).collect();
                    assert_eq!(found, all[..k.min(all.len())], "{k} of {n}");
                }
            }
        }
    }
}
