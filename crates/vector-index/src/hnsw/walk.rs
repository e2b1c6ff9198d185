//! How the graph is walked: greedily through the upper layers, with a beam in the one that counts.
//!
//! Distances come from a closure that scores many slots at once: the unvisited neighbours of a node
//! are gathered first and scored together, so that their rows are fetched while others are summed.

use super::links::Links;
use crate::scratch::{Visited, Walk};

impl Links {
    /// Walks the layers from `from` down to the one above `to`, starting at `entry`, and leaves in
    /// `walk.pool` where to start in layer `to`. `dead` are slots that must not be visited.
    pub(super) fn descend(
        &self,
        entry: u32,
        from: usize,
        to: usize,
        dead: &[u64],
        walk: &mut Walk,
        mut score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let Walk { pool, distances, .. } = walk;
        pool.reset(1);
        distances.resize(1, 0.0);
        score(&[entry], distances);
        pool.offer(distances[0], entry);
        for layer in (to + 1..=from).rev() {
            self.beam(layer, 1, dead, walk, &mut score);
        }
    }

    /// Leaves in `walk.pool` the `ef` nearest nodes that a best-first walk of `layer` finds, which
    /// starts from the nodes that are in the pool before.
    pub(super) fn beam(
        &self,
        layer: usize,
        ef: usize,
        dead: &[u64],
        walk: &mut Walk,
        score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let gather = |node, visited: &mut Visited, slots: &mut Vec<u32>| {
            slots.extend(self.neighbors(node, layer).filter(|&slot| visited.insert(slot)));
        };
        walk.run(ef, dead, gather, score);
    }

    /// Like [`beam`](Self::beam) in the bottom layer, but only nodes that `passes` are scored and
    /// kept. Those that do not are looked through: their neighbours that pass take their place, as
    /// far as there is room for a node's usual number of links (as in ACORN, Patel and others
    /// 2024).
    pub(super) fn filtered_beam(
        &self,
        ef: usize,
        dead: &[u64],
        walk: &mut Walk,
        hidden: &mut Vec<u32>,
        passes: impl Fn(u32) -> bool,
        score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let wanted = self.width(0);
        let gather = |node, visited: &mut Visited, slots: &mut Vec<u32>| {
            hidden.clear();
            for slot in self.neighbors(node, 0).filter(|&slot| visited.insert(slot)) {
                if passes(slot) {
                    slots.push(slot);
                } else {
                    hidden.push(slot);
                }
            }
            for &through in &*hidden {
                if slots.len() >= wanted {
                    break;
                }
                for slot in self.neighbors(through, 0) {
                    if passes(slot) && visited.insert(slot) {
                        slots.push(slot);
                    }
                }
            }
        };
        walk.run(ef, dead, gather, score);
    }
}

impl Walk {
    /// Best-first search: expands the nearest node of the pool until all `ef` are expanded.
    fn run(
        &mut self,
        ef: usize,
        dead: &[u64],
        mut gather: impl FnMut(u32, &mut Visited, &mut Vec<u32>),
        mut score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let Walk { pool, visited, slots, distances } = self;
        pool.restart(ef);
        visited.reset(dead);
        pool.iter().for_each(|(_, slot)| {
            visited.insert(slot);
        });
        while let Some(node) = pool.next_unexpanded() {
            slots.clear();
            gather(node, visited, slots);
            distances.resize(slots.len(), 0.0);
            score(slots, distances);
            let mut bound = pool.bound();
            for (&distance, &slot) in distances.iter().zip(&*slots) {
                if distance <= bound {
                    pool.offer(distance, slot);
                    bound = pool.bound();
                }
            }
        }
    }
}
