//! The index of a large shelf: an HNSW graph that ranks by an upper bound of similarity × confidence.

use edgekit_vector_index::{HnswConfig, HnswIndex, Index, Metric, Neighbor, Scratch, SearchParams};
use rustc_hash::FxHashMap;

use crate::bank::BankConfig;
use crate::{Error, ErrorKind};

/// Confidence is rounded up to multiples of this part, so that small changes of it leave the graph
/// alone.
const LEVELS: f32 = 16.0;

/// Each pattern is in the index as its direction × its *level*, its confidence rounded up. The inner
/// product with a query of length 1 is then similarity × level: never below similarity × confidence
/// (where that is positive), and at most a sixteenth of the similarity above it.
///
/// Every insertion has a ticket of its own. What was removed or moved stays in the graph as a dead
/// node, which searches still walk over, until so much is dead that the graph is made anew.
#[derive(Debug)]
pub(crate) struct Graph {
    index: HnswIndex,
    /// Of each slot, its present ticket and level.
    live: Vec<Live>,
    /// Slot and level of each ticket that is not dead.
    tickets: FxHashMap<u64, (u32, u16)>,
    next_ticket: u64,
    /// What decay has left of levels: confidence ≤ level / 16 × scale.
    scale: f32,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    ticket: u64,
    level: u16,
}

impl Graph {
    pub(crate) fn new(config: &BankConfig) -> Result<Self, Error> {
        let hnsw = HnswConfig {
            metric: Metric::InnerProduct,
            m: config.m,
            ef_construction: config.ef_construction,
            seed: config.seed,
            ..HnswConfig::default()
        };
        let index = HnswIndex::new(config.dim, hnsw).map_err(from_index)?;
        let (live, tickets) = (Vec::new(), FxHashMap::default());
        Ok(Graph { index, live, tickets, next_ticket: 0, scale: 1.0 })
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        self.index.reserve(additional);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.index.memory_bytes() + self.live.capacity() * 16 + self.tickets.capacity() * 17
    }

    /// Adds the pattern of the next slot.
    pub(crate) fn insert(
        &mut self,
        slot: u32,
        direction: &[f32],
        confidence: f32,
    ) -> Result<(), Error> {
        let live = self.place(slot, direction, confidence)?;
        self.live.push(live);
        Ok(())
    }

    /// Takes note of a pattern's new confidence, and of its new direction if it `moved`.
    pub(crate) fn update(
        &mut self,
        slot: u32,
        direction: &[f32],
        confidence: f32,
        moved: bool,
    ) -> Result<(), Error> {
        let old = self.live[slot as usize];
        let level = self.level(confidence);
        // A level that is one too high still bounds, and saves moving a confidence that wavers.
        if !moved && (level == old.level || level + 1 == old.level) {
            return Ok(());
        }
        self.live[slot as usize] = self.place(slot, direction, confidence)?;
        self.tickets.remove(&old.ticket);
        Ok(())
    }

    /// Removes a slot; the last one takes its number.
    pub(crate) fn swap_remove(&mut self, slot: u32) {
        let gone = self.live.swap_remove(slot as usize);
        self.tickets.remove(&gone.ticket);
        if let Some(moved) = self.live.get(slot as usize) {
            self.tickets.insert(moved.ticket, (slot, moved.level));
        }
    }

    pub(crate) fn decay(&mut self, factor: f32) {
        self.scale *= factor;
    }

    /// Whether it is time for a new graph: more dead than alive, or levels that have lost their
    /// meaning.
    pub(crate) fn is_worn(&self) -> bool {
        self.index.len() > 2 * self.live.len() + 64 || self.scale < 0.01
    }

    pub(crate) fn search<'s>(
        &self,
        query: &[f32],
        count: usize,
        ef: usize,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        let params = SearchParams { ef, ..SearchParams::default() };
        self.index.search(query, count, &params, scratch).map_err(from_index)
    }

    /// The largest score that this neighbour or one after it can have.
    pub(crate) fn bound(&self, neighbor: &Neighbor) -> f32 {
        -neighbor.distance * self.scale
    }

    /// The slot of a ticket, unless it is dead.
    pub(crate) fn slot(&self, ticket: u64) -> Option<u32> {
        self.tickets.get(&ticket).map(|&(slot, _)| slot)
    }

    /// The cosine of a live neighbour.
    pub(crate) fn similarity(&self, neighbor: &Neighbor) -> f32 {
        let level = self.tickets.get(&neighbor.id).map_or(1, |&(_, level)| level);
        -neighbor.distance * LEVELS / f32::from(level)
    }

    fn level(&self, confidence: f32) -> u16 {
        // A cast saturates; confidences are at most 1 and the scale at least 0.01.
        ((confidence / self.scale * LEVELS).ceil() as u16).max(1)
    }

    fn place(&mut self, slot: u32, direction: &[f32], confidence: f32) -> Result<Live, Error> {
        let level = self.level(confidence);
        let factor = f32::from(level) / LEVELS;
        let scaled: Vec<f32> = direction.iter().map(|x| x * factor).collect();
        let ticket = self.next_ticket;
        self.index.insert(ticket, &scaled).map_err(from_index)?;
        self.next_ticket += 1;
        self.tickets.insert(ticket, (slot, level));
        Ok(Live { ticket, level })
    }

    /// Whether every slot has its ticket and a level that bounds its confidence.
    #[cfg(test)]
    pub(crate) fn is_consistent(&self, confidences: &[f32]) -> bool {
        self.live.len() == confidences.len()
            && self.tickets.len() == self.live.len()
            && self.live.iter().zip(confidences).enumerate().all(|(slot, (live, &confidence))| {
                self.tickets.get(&live.ticket) == Some(&(slot as u32, live.level))
                    && self.index.contains(live.ticket)
                    && confidence <= f32::from(live.level) / LEVELS * self.scale * 1.0001
            })
    }
}

pub(crate) fn from_index(error: edgekit_vector_index::Error) -> Error {
    let kind = match error.kind() {
        edgekit_vector_index::ErrorKind::Config => ErrorKind::Config,
        edgekit_vector_index::ErrorKind::Full => ErrorKind::Full,
        edgekit_vector_index::ErrorKind::Dimension => ErrorKind::Dimension,
        _ => ErrorKind::Value,
    };
    Error::new(kind, error.to_string())
}
