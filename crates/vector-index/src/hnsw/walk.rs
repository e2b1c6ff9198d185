//! How the graph is walked: greedily through the upper layers, with a beam in the one that counts.
//!
//! Distances come from a closure that scores many slots at once: the unvisited neighbours of a node
//! are gathered first and scored together, so that their rows are fetched while others are summed.

use std::collections::VecDeque;

use crate::pool::Beam;
use crate::scratch::{Visited, Walk};
use crate::store::room;

/// How many nodes that do not pass are looked through for each that does, at most, as a multiple of
/// a node's links.
const HOPS: usize = 4;

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

    /// Walks the layers from `from` down to the one above `to`, starting at `entry`, and leaves in
    /// `walk.pool` where to start in layer `to`. `dead` are slots that must not be visited.
    fn descend(
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
        // What was visited and is not the nearest cannot become it in another layer.
        let mut dead = Some(dead);
        for layer in (to + 1..=from).rev() {
            self.layer_beam(layer, 1.into(), dead.take(), walk, &mut score);
        }
    }

    /// Leaves in `walk.pool` the `ef` nearest nodes that a best-first walk of `layer` finds, which
    /// starts from the nodes that are in the pool before.
    fn beam(
        &self,
        layer: usize,
        ef: usize,
        dead: &[u64],
        walk: &mut Walk,
        score: impl FnMut(&[u32], &mut [f32]),
    ) {
        self.layer_beam(layer, ef.into(), Some(dead), walk, score);
    }

    /// [`beam`](Self::beam) that may keep more than it expands, or without `dead` one that goes on with
    /// what was visited so far.
    fn layer_beam(
        &self,
        layer: usize,
        beam: Beam,
        dead: Option<&[u64]>,
        walk: &mut Walk,
        score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let width = self.width(layer);
        let gather = |node, visited: &mut Visited, slots: &mut Vec<u32>| {
            // Whether a neighbour was visited cannot be predicted: each is written, and the next
            // written over it if it was.
            let unvisited = room(slots, width);
            let mut len = 0;
            for slot in self.neighbors(node, layer) {
                unvisited[len] = slot;
                len += usize::from(visited.insert(slot));
            }
            len
        };
        walk.run(beam, dead, gather, |node| self.prefetch(node, layer), score);
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
        walk.run(ef.into(), Some(dead), gather, |node| self.prefetch(node, 0), score);
    }
}

impl Walk {
    /// Best-first search: expands the nearest node of the pool until all are expanded that shall be.
    /// `gather` leaves at the front of the slots those to score next, and says how many.
    fn run(
        &mut self,
        beam: Beam,
        dead: Option<&[u64]>,
        mut gather: impl FnMut(u32, &mut Visited, &mut Vec<u32>) -> usize,
        prefetch: impl Fn(u32),
        mut score: impl FnMut(&[u32], &mut [f32]),
    ) {
        let Walk { pool, visited, slots, distances, near } = self;
        pool.restart(beam);
        if let Some(dead) = dead {
            visited.reset(dead);
        }
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
            let (near, bound) = (room(near, count), pool.bound());
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
