//! What a search reads: rows by slot, their ids, and which of them count.

use crate::pool::{Pool, pack};
use crate::room::Room;
use crate::slab::Slab;
use crate::store::{Body, Query, Store};
use crate::{Error, Metric, Neighbor, Scratch, Storage};

/// Rows of one dimension under one metric, by slot. Which slots may be visited is said by a set of
/// *dead* ones, a bit each, which comes separately: a shared index has one for each search.
pub(crate) struct Stored {
    pub(crate) metric: Metric,
    pub(crate) dim: usize,
    pub(crate) storage: Storage,
    /// What searches read.
    pub(crate) codes: Store,
    /// What the nearest few are scored again with.
    pub(crate) originals: Option<Store>,
    /// Length of each vector as it was given.
    pub(crate) norms: Slab<f32>,
    /// External id of each slot.
    pub(crate) ids: Slab<u64>,
}

/// Whether a slot is among the dead ones, or is none: a damaged file may link anywhere, and what came after
/// their set was made is not in it.
pub(crate) fn is_dead(dead: &[u64], slot: u32) -> bool {
    dead.get(slot as usize / 64).is_none_or(|word| word >> (slot % 64) & 1 == 1)
}

impl Stored {
    pub(crate) fn new(
        metric: Metric,
        dim: usize,
        storage: Storage,
        codes: Body,
        originals: Option<Body>,
        norms: Slab<f32>,
        ids: Slab<u64>,
    ) -> Self {
        let codes = Store::new(metric, dim, codes);
        let originals = originals.map(|body| Store::new(metric, dim, body));
        Stored { metric, dim, storage, codes, originals, norms, ids }
    }

    /// How many slots there are, dead ones included.
    pub(crate) fn slots(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, slot: u32) -> u64 {
        self.ids[slot as usize]
    }

    /// The slots that are not dead.
    pub(crate) fn live<'a>(&self, dead: &'a [u64]) -> impl Iterator<Item = u32> + use<'a> {
        (0..self.slots() as u32).filter(move |&slot| !is_dead(dead, slot))
    }

    /// The most exact rows there are.
    pub(crate) fn exact(&self) -> &Store {
        self.originals.as_ref().unwrap_or(&self.codes)
    }

    /// The vector as it was given, as exactly as it is stored.
    pub(crate) fn original(&self, slot: u32) -> Vec<f32> {
        let mut values = vec![0.0; self.dim];
        let row = self.exact().row(slot, &mut values).to_vec();
        match self.metric {
            Metric::Cosine => row.iter().map(|x| x * self.norms[slot as usize]).collect(),
            Metric::InnerProduct | Metric::L2Squared => row,
        }
    }

    /// The rows of `order`, in that order: with no spare room, or in arrays that others can read while
    /// they grow.
    pub(crate) fn picked(&self, order: &[u32], room: Option<&Room>) -> Self {
        Stored {
            codes: self.codes.picked(order, room),
            originals: self.originals.as_ref().map(|store| store.picked(order, room)),
            norms: self.norms.picked(1, order, room),
            ids: self.ids.picked(1, order, room),
            ..*self
        }
    }

    /// Bytes of room that so many slots take at most.
    pub(crate) fn room_bytes(&self, slots: usize) -> u64 {
        let originals = self.originals.as_ref().map_or(0, |store| store.room_bytes(slots));
        self.codes.room_bytes(slots) + originals + Room::bytes(slots, 4) + Room::bytes(slots, 8)
    }

    /// Another view of the same rows, which sees them grow.
    pub(crate) fn reader(&self) -> Self {
        Stored {
            codes: self.codes.reader(),
            originals: self.originals.as_ref().map(Store::reader),
            norms: self.norms.reader(),
            ids: self.ids.reader(),
            ..*self
        }
    }

    /// Bytes of heap memory in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.codes.memory_bytes()
            + self.originals.as_ref().map_or(0, Store::memory_bytes)
            + self.norms.memory_bytes()
            + self.ids.memory_bytes()
    }

    /// Checks `query` and makes it ready to be scored against codes.
    pub(crate) fn prepare_query(&self, query: &[f32], out: &mut Query) -> Result<(), Error> {
        if query.len() != self.dim {
            return Err(Error::dimension(self.dim, query.len()));
        }
        out.values.resize(self.dim, 0.0);
        self.metric.prepare(query, &mut out.values)?;
        self.codes.aim(out);
        Ok(())
    }

    /// Turns the candidates in the scratch's pool into its results: the `k` nearest, scored again
    /// with the originals if there are any.
    pub(crate) fn finish(&self, k: usize, scratch: &mut Scratch) {
        self.rescore(self.storage.beam(k).1, scratch);
        self.report(k, scratch);
    }

    /// Turns all candidates in the scratch's pool into its results, scored again if possible.
    pub(crate) fn finish_all(&self, scratch: &mut Scratch) {
        self.rescore(usize::MAX, scratch);
        self.report(usize::MAX, scratch);
    }

    /// Turns the nearest `k` in the scratch's pool into its results.
    pub(crate) fn report(&self, k: usize, scratch: &mut Scratch) {
        let Scratch { walk, results, .. } = scratch;
        results.clear();
        let neighbor = |(distance, slot)| Neighbor { id: self.id(slot), distance };
        results.extend(walk.pool.iter().take(k).map(neighbor));
    }

    fn rescore(&self, shortlist: usize, scratch: &mut Scratch) {
        let Scratch { query, walk, .. } = scratch;
        if let Some(originals) = &self.originals {
            let (slots, distances) = (&mut walk.slots, &mut walk.distances);
            rerank(originals, query, &mut walk.pool, shortlist, slots, distances);
        }
    }
}

/// Scores the nearest `shortlist` of the pool with the originals and leaves only them there.
pub(crate) fn rerank(
    originals: &Store,
    query: &mut Query,
    pool: &mut Pool,
    shortlist: usize,
    slots: &mut Vec<u32>,
    distances: &mut Vec<f32>,
) {
    slots.clear();
    slots.extend(pool.iter().take(shortlist).map(|(_, slot)| slot));
    distances.resize(slots.len(), 0.0);
    originals.distances(query, slots, distances);
    pool.replace(distances.iter().zip(&*slots).map(|(&distance, &slot)| pack(distance, slot)));
}
