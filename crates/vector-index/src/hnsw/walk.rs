//! How the graph is walked: greedily through the upper layers, with a beam in the one that counts.
//!
//! Distances come from a closure that scores many slots at once: the unvisited neighbours of a node
//! are gathered first and scored together, so that their rows are fetched while others are summed.

use super::links::Links;
use crate::scratch::Walk;

impl Links {
    /// Walks the layers from `from` down to the one above `to`, starting at `entry`, and leaves in
    /// `walk.pool` where to start in layer `to`.
    pub(super) fn descend(
        &self,
        entry: u32,
        from: usize,
        to: usize,
        walk: &mut Walk,
        score: impl Fn(&[u32], &mut [f32]),
    ) {
        let Walk { pool, distances, .. } = walk;
        pool.reset(1);
        distances.resize(1, 0.0);
        score(&[entry], distances);
        pool.offer(distances[0], entry);
        for layer in (to + 1..=from).rev() {
            self.beam(layer, 1, walk, &score);
        }
    }

    /// Leaves in `walk.pool` the `ef` nearest nodes that a best-first walk of `layer` finds, which
    /// starts from the nodes that are in the pool before.
    pub(super) fn beam(
        &self,
        layer: usize,
        ef: usize,
        walk: &mut Walk,
        score: impl Fn(&[u32], &mut [f32]),
    ) {
        let Walk { pool, visited, slots, distances } = walk;
        pool.restart(ef);
        visited.reset(self.len());
        pool.iter().for_each(|(_, slot)| {
            visited.insert(slot);
        });
        while let Some(node) = pool.next_unexpanded() {
            slots.clear();
            slots.extend(self.neighbors(node, layer).filter(|&slot| visited.insert(slot)));
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
