//! The index of a large shelf: an HNSW graph that ranks by an upper bound of similarity × confidence.

use edgekit_vector_index::{
    HnswConfig, HnswIndex, Index, Method, Metric, Neighbor, Scratch, SearchParams,
};
use rustc_hash::FxHashMap;

use crate::config::BankConfig;
use crate::pattern::unit;
use crate::shelf::Entry;
use crate::{Error, ErrorKind};

/// Confidence is rounded up to multiples of this part, so that small changes of it leave the graph
/// alone.
const LEVELS: f32 = 16.0;

/// Each pattern is in the index as its direction × its *level*, its confidence rounded up. The inner
/// product with a query of length 1 is then similarity × level: never below similarity × confidence
/// (where that is positive), and at most a sixteenth of the similarity above it.
#[derive(Debug)]
pub(crate) struct Graph {
    index: HnswIndex,
    /// Of each slot, its pattern's id and level.
    live: Vec<Live>,
    /// Slot and level of each id.
    places: FxHashMap<u64, (u32, u16)>,
    /// What decay has left of levels: confidence ≤ level / 16 × scale.
    scale: f32,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    id: u64,
    level: u16,
}

impl Graph {
    pub(crate) fn new(config: &BankConfig) -> Result<Self, Error> {
        let index = HnswIndex::new(config.dim, settings(config)).map_err(from_index)?;
        Ok(Graph { index, live: Vec::new(), places: FxHashMap::default(), scale: 1.0 })
    }

    /// What [`Graph::restore`] takes: the scale and the bytes of the index.
    pub(crate) fn saved(&self) -> Result<(f32, Vec<u8>), Error> {
        let mut bytes = Vec::new();
        self.index.write_to(&mut bytes).map_err(from_index)?;
        Ok((self.scale, bytes))
    }

    /// The graph of these patterns, slot by slot, from what was saved of it. Reads it once and
    /// believes it only if every pattern's direction is in it at some level.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] if it is damaged or the graph of other patterns.
    pub(crate) fn restore(
        config: &BankConfig,
        entries: &[Entry],
        scale: f32,
        bytes: Vec<u8>,
    ) -> Result<Self, Error> {
        let bad = |what: String| Err(Error::new(ErrorKind::Format, what));
        let index = HnswIndex::from_bytes(bytes).map_err(from_index)?;
        let fits = index.dim() == config.dim
            && index.config() == &settings(config)
            && index.len() == entries.len()
            && (scale > 0.0 && scale <= 1.0);
        if !fits {
            return bad(format!(
                "a graph of {} patterns at scale {scale} for a bank of {}, or of other settings",
                index.len(),
                entries.len()
            ));
        }
        let mut graph = Graph { index, live: Vec::new(), places: FxHashMap::default(), scale };
        for (slot, entry) in entries.iter().enumerate() {
            let direction = unit(&entry.pattern.centroid)?;
            let vector = graph.index.vector(entry.id).unwrap_or_default();
            // The direction has length 1, so the vector has that of its level.
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            let level = (length * LEVELS).round() as u16;
            if level == 0 || scaled(&direction, level) != vector {
                return bad(format!("pattern {} is not in the graph as it is", entry.id));
            }
            graph.places.insert(entry.id, (slot as u32, level));
            graph.live.push(Live { id: entry.id, level });
        }
        for (slot, entry) in entries.iter().enumerate() {
            // Only what a level no longer bounds moves.
            let confidence = entry.pattern.confidence;
            if graph.level(confidence) > graph.live[slot].level {
                graph.update(slot as u32, &unit(&entry.pattern.centroid)?, confidence, true)?;
            }
        }
        Ok(graph)
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        self.index.reserve(additional);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.index.memory_bytes() + self.live.capacity() * 16 + self.places.capacity() * 17
    }

    /// Adds the pattern of the next slot.
    pub(crate) fn insert(
        &mut self,
        id: u64,
        direction: &[f32],
        confidence: f32,
    ) -> Result<(), Error> {
        let level = self.level(confidence);
        self.index.insert(id, &scaled(direction, level)).map_err(from_index)?;
        self.places.insert(id, (self.live.len() as u32, level));
        self.live.push(Live { id, level });
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
        let level = self.level(confidence);
        let live = &mut self.live[slot as usize];
        // A level that is one too high still bounds, and saves moving a confidence that wavers.
        if !moved && (level == live.level || level + 1 == live.level) {
            return Ok(());
        }
        self.index.upsert(live.id, &scaled(direction, level)).map_err(from_index)?;
        live.level = level;
        self.places.insert(live.id, (slot, level));
        Ok(())
    }

    /// Removes a slot; the last one takes its number.
    pub(crate) fn swap_remove(&mut self, slot: u32) -> Result<(), Error> {
        let gone = self.live[slot as usize];
        self.index.remove(gone.id).map_err(from_index)?;
        self.live.swap_remove(slot as usize);
        self.places.remove(&gone.id);
        if let Some(moved) = self.live.get(slot as usize) {
            self.places.insert(moved.id, (slot, moved.level));
        }
        Ok(())
    }

    pub(crate) fn decay(&mut self, factor: f32) {
        self.scale *= factor;
    }

    /// Whether levels have lost their meaning and it is time for a new graph.
    pub(crate) fn is_worn(&self) -> bool {
        self.scale < 0.01
    }

    pub(crate) fn search<'s>(
        &self,
        query: &[f32],
        count: usize,
        ef: usize,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        // The shelf has decided already that there are too many to scan.
        let params = SearchParams { ef, method: Method::Graph };
        self.index.search(query, count, &params, scratch).map_err(from_index)
    }

    /// The largest score that this neighbour or one after it can have.
    pub(crate) fn bound(&self, neighbor: &Neighbor) -> f32 {
        -neighbor.distance * self.scale
    }

    /// Slot and similarity of a neighbour.
    pub(crate) fn resolve(&self, neighbor: &Neighbor) -> Option<(u32, f32)> {
        let &(slot, level) = self.places.get(&neighbor.id)?;
        Some((slot, -neighbor.distance * LEVELS / f32::from(level)))
    }

    fn level(&self, confidence: f32) -> u16 {
        // A cast saturates; confidences are at most 1 and the scale at least 0.01.
        ((confidence / self.scale * LEVELS).ceil() as u16).max(1)
    }

    /// Whether every slot is in the index, under a level that bounds its confidence.
    #[cfg(test)]
    pub(crate) fn is_consistent(&self, confidences: &[f32]) -> bool {
        self.live.len() == confidences.len()
            && self.places.len() == self.live.len()
            && self.index.len() == self.live.len()
            && self.live.iter().zip(confidences).enumerate().all(|(slot, (live, &confidence))| {
                self.places.get(&live.id) == Some(&(slot as u32, live.level))
                    && self.index.contains(live.id)
                    && confidence <= f32::from(live.level) / LEVELS * self.scale * 1.0001
            })
    }
}

fn settings(config: &BankConfig) -> HnswConfig {
    HnswConfig {
        metric: Metric::InnerProduct,
        m: config.m,
        ef_construction: config.ef_construction,
        seed: config.seed,
        ..HnswConfig::default()
    }
}

fn scaled(direction: &[f32], level: u16) -> Vec<f32> {
    let factor = f32::from(level) / LEVELS;
    direction.iter().map(|x| x * factor).collect()
}

pub(crate) fn from_index(error: edgekit_vector_index::Error) -> Error {
    let kind = match error.kind() {
        edgekit_vector_index::ErrorKind::Config => ErrorKind::Config,
        edgekit_vector_index::ErrorKind::Full => ErrorKind::Full,
        edgekit_vector_index::ErrorKind::Dimension => ErrorKind::Dimension,
        edgekit_vector_index::ErrorKind::Format => ErrorKind::Format,
        _ => ErrorKind::Value,
    };
    Error::new(kind, error.to_string())
}
