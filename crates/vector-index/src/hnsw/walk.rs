//! How the graph is walked: greedily through the upper layers, with a beam in the one that counts.
//!
//! Distances come from a closure that scores many slots at once: the unvisited neighbours of a node
//! are gathered first and scored together, so that their rows are fetched while others are summed.

use std::collections::VecDeque;

use crate::pool::{Beam, distance, id, pack};
use crate::scratch::{Visited, Walk};
use crate::store::room;

/// How many nodes that do not pass are looked through for each that does, at most, as a multiple of
/// a node's links.
const HOPS: usize = 4;

/// Candidates that are compared with one bound. Once those within it are offered, it is lower: at the
/// first node, whose neighbours fill the pool, one bound for all offers every one of them.
const CHUNK: usize = 16;

/// What is walked.
pub(crate) trait Graph {
    /// How many links a node may have in `layer`.
    fn width(&self, layer: usize) -> usize;

    /// The highest layer of a node.
    fn level(&self, node: u32) -> usize;

    /// The links of a node in a layer it takes part in.
    fn neighbors(&self, node: u32, layer: usize) -> impl Iterator<Item = u32>;

    /// Has the links of a node fetched that will probably be asked for soon.
    fn prefetch(&self, node: u32, layer: usize);

    /// Walks greedily from `entry` through the layers from `from` down to the one above `to`, and leaves
    /// in `walk.pool` where to start in layer `to`. `dead` are slots that must not be visited.
    ///
    /// It finds what a [`beam`](Self::beam) of one would, and keeps no pool for that.
    fn descend(
        &self,
        entry: u32,
        from: usize,
        to: usize,
        dead: &[u64],
        walk: &mut Walk,
        mut score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let Walk { pool, visited, slots, distances, .. } = walk;
        // What was visited and is not the nearest cannot become it in another layer.
        visited.reset(dead);
        visited.insert(entry);
        score(&[entry], room(distances, 1));
        let mut nearest = pack(distances[0], entry);
        for layer in (to + 1..=from).rev() {
            loop {
                let node = id(nearest);
                let count = self.gather(node, layer, visited, slots);
                // Where the walk goes on, unless something nearer is found now.
                self.prefetch(node, layer - 1);
                let (slots, distances) = (&slots[..count], room(distances, count));
                score(slots, distances);
                let scored = distances.iter().zip(slots).map(|(&far, &slot)| pack(far, slot));
                let found = scored.fold(nearest, u64::min);
                if found == nearest {
                    break;
                }
                nearest = found;
            }
        }
        pool.reset(1);
        pool.offer(distance(nearest), id(nearest));
    }

    /// Leaves in `walk.pool` the nearest nodes that a best-first walk of `layer` finds, which starts
    /// from the nodes that are in the pool before.
    fn beam(
        &self,
        layer: usize,
        beam: impl Into<Beam>,
        dead: &[u64],
        walk: &mut Walk,
        score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let gather = |node, visited: &mut Visited, slots: &mut Vec<u32>| {
            self.gather(node, layer, visited, slots)
        };
        walk.run(beam.into(), dead, gather, |node| self.prefetch(node, layer), score);
    }

    /// Visits the neighbours of a node: leaves those that were not before at the front of `slots`, and
    /// says how many.
    fn gather(
        &self,
        node: u32,
        layer: usize,
        visited: &mut Visited,
        slots: &mut Vec<u32>,
    ) -> usize {
        // Which they are cannot be predicted: each is written, and the next written over it if it was
        // visited.
        let unvisited = room(slots, self.width(layer));
        let mut len = 0;
        for slot in self.neighbors(node, layer) {
            unvisited[len] = slot;
            len += usize::from(visited.insert(slot));
        }
        len
    }

    /// Like [`beam`](Self::beam) in the bottom layer, but only nodes that `passes` are scored and
    /// kept. Those that do not are looked through, nearest hops first, until about as many that
    /// pass are found as a node has links (after ACORN, Patel and others 2024, which looks one hop
    /// far); what is not looked through yet waits in `hidden` for the next node.
    fn filtered_beam(
        &self,
        ef: usize,
        dead: &[u64],
        walk: &mut Walk,
        hidden: &mut VecDeque<u32>,
        passes: impl Fn(u32) -> bool,
        score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let wanted = self.width(0);
        hidden.clear();
        let gather = |node, visited: &mut Visited, slots: &mut Vec<u32>| {
            let mut look = |node, hidden: &mut VecDeque<u32>, slots: &mut Vec<u32>| {
                for slot in self.neighbors(node, 0).filter(|&slot| visited.insert(slot)) {
                    if passes(slot) {
                        slots.push(slot);
                    } else {
                        hidden.push_back(slot);
                    }
                }
            };
            slots.clear();
            look(node, hidden, slots);
            for _ in 0..HOPS * wanted {
                if slots.len() >= wanted {
                    break;
                }
                let Some(through) = hidden.pop_front() else { break };
                look(through, hidden, slots);
            }
            slots.len()
        };
        walk.run(ef.into(), dead, gather, |node| self.prefetch(node, 0), score);
    }
}

impl Walk {
    /// Best-first search: expands the nearest node of the pool until all are expanded that shall be.
    /// `gather` leaves at the front of the slots those to score next, and says how many.
    fn run(
        &mut self,
        beam: Beam,
        dead: &[u64],
        mut gather: impl FnMut(u32, &mut Visited, &mut Vec<u32>) -> usize,
        prefetch: impl Fn(u32),
        mut score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let Walk { pool, visited, slots, distances, near } = self;
        pool.restart(beam);
        visited.reset(dead);
        pool.iter().for_each(|(_, slot)| {
            visited.insert(slot);
        });
        while let Some(node) = pool.next_unexpanded() {
            let count = gather(node, visited, slots);
            // Unless something nearer is found now, this one is next.
            pool.peek().into_iter().for_each(&prefetch);
            let (slots, distances) = (&slots[..count], room(distances, count));
            score(slots, distances);
            // Nor can it be predicted which of them are near enough.
            let near = room(near, CHUNK.min(count));
            for (distances, slots) in distances.chunks(CHUNK).zip(slots.chunks(CHUNK)) {
                let bound = pool.bound();
                let mut len = 0;
                for (&distance, &slot) in distances.iter().zip(slots) {
                    near[len] = (distance, slot);
                    len += usize::from(distance <= bound);
                }
                for &(distance, slot) in &near[..len] {
                    pool.offer(distance, slot);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::hash::mix64;
    use crate::{HnswConfig, HnswIndex, Index, Metric, Scratch};

    use super::*;

    /// Against a beam of one in each layer, with some of the nodes removed.
    #[test]
    fn a_greedy_descent_ends_where_a_beam_of_one_does() {
        let value = |i: u64, d: u64| (mix64(i * 100 + d) >> 40) as f32 / (1 << 24) as f32;
        let vector = |i: u64| (0..6).map(|d| value(i, d)).collect::<Vec<f32>>();
        let config = HnswConfig { metric: Metric::L2Squared, m: 4, ..HnswConfig::default() };
        let mut index = HnswIndex::new(6, config).unwrap();
        (0..1_000).for_each(|id| index.insert(id, &vector(id)).unwrap());
        (0..1_000).step_by(7).for_each(|id| assert!(index.remove(id).unwrap()));
        let HnswIndex { vectors, links, entry: Some(entry), .. } = &index else { panic!() };
        let top = links.level(*entry);
        assert!(top > 2, "{top} layers are walked greedily");
        let Scratch { mut query, walk: mut greedy, .. } = Scratch::new();
        let mut slow = Walk::default();
        let mut moved = 0;
        for i in 2_000..2_100 {
            vectors.prepare_query(&vector(i), &mut query).unwrap();
            let mut score = |slots: &[u32], out: &mut [f32]| {
                vectors.codes.distances(&mut query, slots, out);
            };
            for to in 0..=top {
                links.descend(*entry, top, to, vectors.dead(), &mut greedy, &mut score);
                let mut far = [0.0];
                score(&[*entry], &mut far);
                slow.pool.reset(1);
                slow.pool.offer(far[0], *entry);
                for layer in (to + 1..=top).rev() {
                    links.beam(layer, 1, vectors.dead(), &mut slow, &mut score);
                }
                let ends = [&greedy, &slow].map(|walk| walk.pool.iter().collect::<Vec<_>>());
                assert_eq!(ends[0], ends[1], "query {i}, down to layer {to}");
                moved += usize::from(ends[0][0].1 != *entry);
            }
        }
        assert!(moved > 200, "{moved} descents led anywhere");
    }
}
