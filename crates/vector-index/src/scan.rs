//! Exact search over a set of vectors: all of them in the order of memory, or some by slot.

use crate::Scratch;
use crate::pool::pack;
use crate::store::Store;
use crate::stored::{Stored, is_dead};

/// Rows scored at a time: enough to amortise the call, few enough that their distances stay in the
/// first-level cache.
const BLOCK: usize = 256;

/// Up to this many results are kept in a sorted pool while scanning; more are collected whole and
/// selected from afterwards, because inserting into a long sorted array moves too much.
pub(crate) const POOL_LIMIT: usize = 512;

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
        let mut block = [0.0; BLOCK];
        let blocks = (0..n).step_by(BLOCK).map(|start| (start, BLOCK.min(n - start)));
        let pool = &mut walk.pool;
        pool.reset(keep.min(POOL_LIMIT));
        keys.clear();
        for (start, len) in blocks {
            let distances = &mut block[..len];
            store.distances_in_order(query, start, distances);
            let slots = (start..).map(|slot| slot as u32);
            if keep <= POOL_LIMIT {
                let mut bound = pool.bound();
                for (&distance, slot) in distances.iter().zip(slots) {
                    if distance < bound && allowed(slot) {
                        pool.offer(distance, slot);
                        bound = pool.bound();
                    }
                }
            } else {
                let all = distances.iter().zip(slots).filter(|&(_, slot)| allowed(slot));
                keys.extend(all.map(|(&distance, slot)| pack(distance, slot)));
            }
        }
        if keep > POOL_LIMIT {
            if keep < keys.len() {
                keys.select_nth_unstable(keep);
                keys.truncate(keep);
            }
            pool.replace(keys.drain(..));
        }
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
