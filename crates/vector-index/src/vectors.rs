//! The stored vectors: their rows, their ids, and which slots are in use.
//!
//! A vector lives in a *slot*, a small number by which everything else in the crate refers to it.

use std::sync::OnceLock;

use edgekit_quantize::{CodeBits, ScalarCodec};
use hashbrown::HashTable;

use crate::hash::mix64;
use crate::pool::{MAX_IDS, Pool, pack};
use crate::slab::Slab;
use crate::store::{Body, Query, Store, codes};
use crate::{Error, ErrorKind, Metric, Neighbor, Originals, Scratch, Storage};

/// Vectors of one dimension under one metric, by slot.
pub(crate) struct Vectors {
    pub(crate) metric: Metric,
    pub(crate) dim: usize,
    pub(crate) storage: Storage,
    /// What searches read.
    pub(crate) codes: Store,
    /// What the nearest few are scored again with.
    pub(crate) originals: Option<Store>,
    /// Length of each vector as it was given.
    pub(crate) norms: Slab<f32>,
    /// The largest there ever was.
    pub(crate) max_norm: f32,
    /// External id of each slot.
    pub(crate) ids: Slab<u64>,
    /// Slot of each external id, hashed by the id. Made when first asked for, so that opening a
    /// file does not read all ids.
    slots: OnceLock<HashTable<u32>>,
    /// Slots to be used again.
    pub(crate) free: Vec<u32>,
    /// A bit for each slot that must not be visited: those that are free, and, so that a damaged
    /// link is never followed, those beyond the last up to a multiple of 64.
    dead: Vec<u64>,
    /// Holds a row while it is checked and encoded.
    prepared: Vec<f32>,
}

impl Vectors {
    /// An empty set; `sample` is what the ranges of codes are learned from.
    pub(crate) fn new(
        metric: Metric,
        dim: usize,
        storage: Storage,
        sample: &[f32],
    ) -> Result<Self, Error> {
        check_dim(dim)?;
        let codes = match storage {
            Storage::F32 => Body::F32(Slab::new()),
            Storage::F16 => Body::F16(Slab::new()),
            Storage::Bf16 => Body::Bf16(Slab::new()),
            Storage::Int8(_) => codes(learn(metric, dim, CodeBits::Eight, sample)?),
            Storage::Int4(_) => codes(learn(metric, dim, CodeBits::Four, sample)?),
        };
        let originals = match storage.originals() {
            Originals::None => None,
            Originals::F16 => Some(Body::F16(Slab::new())),
            Originals::F32 => Some(Body::F32(Slab::new())),
        };
        Ok(Vectors::from_parts(metric, dim, storage, codes, originals, Slab::new(), Slab::new()))
    }

    /// A set whose rows are there already, with no slot free.
    pub(crate) fn from_parts(
        metric: Metric,
        dim: usize,
        storage: Storage,
        codes: Body,
        originals: Option<Body>,
        norms: Slab<f32>,
        ids: Slab<u64>,
    ) -> Self {
        let n = ids.len();
        let mut dead = vec![0_u64; n.div_ceil(64)];
        if let Some(last) = dead.last_mut().filter(|_| !n.is_multiple_of(64)) {
            *last = !0 << (n % 64);
        }
        Vectors {
            metric,
            dim,
            storage,
            codes: Store::new(metric, dim, codes),
            originals: originals.map(|body| Store::new(metric, dim, body)),
            max_norm: 0.0,
            norms,
            ids,
            slots: OnceLock::new(),
            free: Vec::new(),
            dead,
            prepared: vec![0.0; dim],
        }
    }

    /// How many vectors there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len() - self.free.len()
    }

    /// How many slots there are, free ones included.
    pub(crate) fn slots(&self) -> usize {
        self.ids.len()
    }

    /// Whether they lie in a mapped file, and so cannot be changed.
    pub(crate) fn is_mapped(&self) -> bool {
        self.ids.is_mapped()
    }

    /// Refuses a change while they lie in a mapped file.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        if self.is_mapped() {
            return Err(Error::new(
                ErrorKind::ReadOnly,
                "the index is a mapped file; `read` the file to change it",
            ));
        }
        Ok(())
    }

    pub(crate) fn id(&self, slot: u32) -> u64 {
        self.ids[slot as usize]
    }

    pub(crate) fn slot(&self, id: u64) -> Option<u32> {
        self.table().find(mix64(id), |&slot| self.ids[slot as usize] == id).copied()
    }

    /// A bit for each slot that must not be visited.
    pub(crate) fn dead(&self) -> &[u64] {
        &self.dead
    }

    pub(crate) fn is_dead(&self, slot: u32) -> bool {
        self.dead[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    /// The slots in use.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> {
        (0..self.ids.len() as u32).filter(|&slot| !self.is_dead(slot))
    }

    /// Marks a slot as free that was read as such from a file.
    pub(crate) fn set_free(&mut self, slot: u32) {
        self.dead[slot as usize / 64] |= 1 << (slot % 64);
        self.free.push(slot);
    }

    /// The most exact row there is of `slot`; see [`Store::row`].
    pub(crate) fn row<'a>(&'a self, slot: u32, buffer: &'a mut [f32]) -> &'a [f32] {
        self.originals.as_ref().unwrap_or(&self.codes).row(slot, buffer)
    }

    /// The vector as it was given, as exactly as it is stored.
    pub(crate) fn original(&self, slot: u32) -> Vec<f32> {
        let mut values = vec![0.0; self.dim];
        let row = self.row(slot, &mut values).to_vec();
        match self.metric {
            Metric::Cosine => row.iter().map(|x| x * self.norms[slot as usize]).collect(),
            Metric::InnerProduct | Metric::L2Squared => row,
        }
    }

    /// Bytes of heap memory in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.codes.memory_bytes()
            + self.originals.as_ref().map_or(0, Store::memory_bytes)
            + self.norms.memory_bytes()
            + self.ids.memory_bytes()
            + self.slots.get().map_or(0, HashTable::allocation_size)
            + (self.dead.capacity() * 8 + self.free.capacity() * 4)
    }

    /// Makes room for `additional` more vectors at once.
    pub(crate) fn reserve(&mut self, additional: usize) {
        if self.is_mapped() {
            return;
        }
        self.codes.reserve(additional);
        if let Some(originals) = &mut self.originals {
            originals.reserve(additional);
        }
        self.norms.owned().reserve_exact(additional);
        self.ids.owned().reserve_exact(additional);
        let (table, ids) = self.table_mut();
        table.reserve(additional, |&slot| mix64(ids[slot as usize]));
    }

    /// Gives back the room that no vector uses.
    pub(crate) fn shrink_to_fit(&mut self) {
        if self.is_mapped() {
            return;
        }
        self.codes.shrink_to_fit();
        if let Some(originals) = &mut self.originals {
            originals.shrink_to_fit();
        }
        self.norms.owned().shrink_to_fit();
        self.ids.owned().shrink_to_fit();
        let (table, ids) = self.table_mut();
        table.shrink_to_fit(|&slot| mix64(ids[slot as usize]));
    }

    /// Checks and stores a vector under a new id, in a free slot if there is one.
    pub(crate) fn push(&mut self, id: u64, vector: &[f32]) -> Result<u32, Error> {
        if self.slot(id).is_some() {
            return Err(Error::new(
                ErrorKind::DuplicateId,
                format!("id {id} is in the index already; `upsert` replaces what it holds"),
            ));
        }
        let slot = self.free.last().map_or(self.ids.len(), |&slot| slot as usize);
        if slot == MAX_IDS {
            return Err(Error::new(
                ErrorKind::Full,
                format!("the index holds {MAX_IDS} vectors, as many as it can address; split it"),
            ));
        }
        let norm = self.check(vector)?;
        self.codes.set(slot, &self.prepared);
        if let Some(originals) = &mut self.originals {
            originals.set(slot, &self.prepared);
        }
        self.max_norm = self.max_norm.max(norm);
        if self.free.pop().is_some() {
            self.norms.owned()[slot] = norm;
            self.ids.owned()[slot] = id;
        } else {
            self.norms.owned().push(norm);
            self.ids.owned().push(id);
            if slot.is_multiple_of(64) {
                self.dead.push(!0);
            }
        }
        self.dead[slot / 64] &= !(1 << (slot % 64));
        let (table, ids) = self.table_mut();
        table.insert_unique(mix64(id), slot as u32, |&slot| mix64(ids[slot as usize]));
        Ok(slot as u32)
    }

    /// Checks that a vector can be stored, leaves it prepared, and returns its length.
    pub(crate) fn check(&mut self, vector: &[f32]) -> Result<f32, Error> {
        self.check_writable()?;
        if vector.len() != self.dim {
            return Err(Error::dimension(self.dim, vector.len()));
        }
        let norm = self.metric.prepare(vector, &mut self.prepared)?;
        self.codes.check(&self.prepared)?;
        if let Some(originals) = &self.originals {
            originals.check(&self.prepared)?;
        }
        Ok(norm)
    }

    /// Frees a slot to be used again. Its row stays readable until then.
    pub(crate) fn free(&mut self, slot: u32) {
        self.forget(slot);
        self.set_free(slot);
    }

    /// Removes a slot by moving the last one into it, so that rows stay dense.
    pub(crate) fn swap_remove(&mut self, slot: u32) {
        self.forget(slot);
        let (at, last) = (slot as usize, self.ids.len() - 1);
        if at != last {
            let moved = self.ids[last];
            self.codes.copy(last, at);
            if let Some(originals) = &mut self.originals {
                originals.copy(last, at);
            }
            let (table, _) = self.table_mut();
            if let Some(entry) = table.find_mut(mix64(moved), |&slot| slot as usize == last) {
                *entry = slot;
            }
        }
        self.codes.truncate(last);
        if let Some(originals) = &mut self.originals {
            originals.truncate(last);
        }
        swap_remove(&mut self.norms, at);
        swap_remove(&mut self.ids, at);
        self.dead[last / 64] |= 1 << (last % 64);
        self.dead.truncate(last.div_ceil(64));
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

    /// Makes the vector in `slot` a query.
    pub(crate) fn query_of(&self, slot: u32, out: &mut Query) {
        out.values.resize(self.dim, 0.0);
        let mut buffer = std::mem::take(&mut out.buffer);
        buffer.resize(self.dim, 0.0);
        out.values.copy_from_slice(self.row(slot, &mut buffer));
        out.buffer = buffer;
        self.codes.aim(out);
    }

    /// What building adds to distances so that they are never negative, which the slack of the
    /// diversity rule needs: under [`Metric::InnerProduct`], `L²` with L the length of the longest
    /// vector; `L² − a·b` is half the squared Euclidean distance between unit vectors.
    pub(crate) fn build_offset(&self) -> f32 {
        match self.metric {
            Metric::InnerProduct => self.max_norm * self.max_norm,
            Metric::Cosine | Metric::L2Squared => 0.0,
        }
    }

    /// Turns the candidates in the scratch's pool into its results: the `k` nearest, scored again
    /// with the originals if there are any.
    pub(crate) fn finish(&self, k: usize, scratch: &mut Scratch) {
        let Scratch { query, walk, .. } = scratch;
        if let Some(originals) = &self.originals {
            rerank(
                originals,
                query,
                &mut walk.pool,
                self.storage.shortlist(k),
                &mut walk.slots,
                &mut walk.distances,
            );
        }
        self.report(k, scratch);
    }

    /// Turns all candidates in the scratch's pool into its results, scored again if possible.
    pub(crate) fn finish_all(&self, scratch: &mut Scratch) {
        let Scratch { query, walk, .. } = scratch;
        if let Some(originals) = &self.originals {
            rerank(
                originals,
                query,
                &mut walk.pool,
                usize::MAX,
                &mut walk.slots,
                &mut walk.distances,
            );
        }
        self.report(usize::MAX, scratch);
    }

    /// Turns the nearest `k` in the scratch's pool into its results.
    pub(crate) fn report(&self, k: usize, scratch: &mut Scratch) {
        let Scratch { walk, results, .. } = scratch;
        results.clear();
        let neighbor = |(distance, slot)| Neighbor { id: self.id(slot), distance };
        results.extend(walk.pool.iter().take(k).map(neighbor));
    }

    /// Removes a slot's id from the table.
    fn forget(&mut self, slot: u32) {
        let id = self.id(slot);
        let (table, _) = self.table_mut();
        if let Ok(entry) = table.find_entry(mix64(id), |&other| other == slot) {
            entry.remove();
        }
    }

    fn table(&self) -> &HashTable<u32> {
        self.slots.get_or_init(|| {
            let mut table = HashTable::with_capacity(self.len());
            for slot in self.live() {
                let hash = |&slot: &u32| mix64(self.ids[slot as usize]);
                table.insert_unique(hash(&slot), slot, hash);
            }
            table
        })
    }

    fn table_mut(&mut self) -> (&mut HashTable<u32>, &[u64]) {
        self.table();
        let table = self.slots.get_mut().expect("the line above made it");
        (table, &self.ids)
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

fn swap_remove<T: bytemuck::Pod>(slab: &mut Slab<T>, at: usize) {
    let values = slab.owned();
    values[at] = values[values.len() - 1];
    values.truncate(values.len() - 1);
}

pub(crate) fn check_dim(dim: usize) -> Result<(), Error> {
    if dim == 0 || dim > 1 << 20 {
        return Err(Error::new(
            ErrorKind::Config,
            format!("dim is {dim}; an index takes vectors of 1 to 1,048,576 values"),
        ));
    }
    Ok(())
}

fn learn(metric: Metric, dim: usize, bits: CodeBits, sample: &[f32]) -> Result<ScalarCodec, Error> {
    if sample.is_empty() || !sample.len().is_multiple_of(dim) {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} values are no sample of vectors of {dim}; codes learn their ranges from a few hundred",
                sample.len()
            ),
        ));
    }
    let mut rows = vec![0.0; sample.len()];
    for (row, out) in sample.chunks_exact(dim).zip(rows.chunks_exact_mut(dim)) {
        metric.prepare(row, out)?;
    }
    ScalarCodec::learn(bits, dim, rows.chunks_exact(dim))
        .map_err(|error| Error::new(ErrorKind::Config, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty(dim: usize, storage: Storage) -> Vectors {
        let sample: Vec<f32> = (0..10 * dim).map(|i| (i % 7) as f32 - 3.0).collect();
        Vectors::new(Metric::L2Squared, dim, storage, &sample).unwrap()
    }

    #[test]
    fn a_refused_vector_leaves_no_trace() {
        for storage in [Storage::F32, Storage::F16, Storage::Int8(Originals::F16)] {
            let mut vectors = empty(3, storage);
            vectors.push(10, &[1.0, 2.0, 3.0]).unwrap();
            let kind = |result: Result<u32, Error>| result.unwrap_err().kind();
            assert_eq!(kind(vectors.push(11, &[1.0, f32::NAN, 3.0])), ErrorKind::NotFinite);
            assert_eq!(kind(vectors.push(11, &[1.0])), ErrorKind::Dimension);
            assert_eq!(kind(vectors.push(10, &[1.0; 3])), ErrorKind::DuplicateId);
            if storage != Storage::F32 {
                assert_eq!(kind(vectors.push(11, &[1e6; 3])), ErrorKind::NotFinite);
            }
            assert_eq!((vectors.len(), vectors.slot(11)), (1, None));
            assert_eq!(vectors.push(11, &[3.0, -3.0, 0.0]).unwrap(), 1);
            assert_eq!((vectors.original(1)[1], vectors.id(1)), (-3.0, 11));
        }
    }

    #[test]
    fn slots_are_found_moved_and_used_again() {
        for storage in [Storage::F32, Storage::Bf16, Storage::Int8(Originals::F32)] {
            let mut vectors = empty(2, storage);
            for id in 0..100_u64 {
                vectors.push(id * 7, &[(id % 7) as f32 - 3.0, 1.0]).unwrap();
            }
            vectors.swap_remove(vectors.slot(7 * 3).unwrap());
            assert_eq!((vectors.len(), vectors.slot(21)), (99, None));
            vectors.free(vectors.slot(7 * 50).unwrap());
            assert_eq!((vectors.len(), vectors.slots(), vectors.slot(350)), (98, 99, None));
            assert!(vectors.is_dead(50) && vectors.live().count() == 98);
            assert_eq!(vectors.push(1, &[2.0, 2.0]).unwrap(), 50);
            for id in (0..100_u64).filter(|id| ![3, 50].contains(id)) {
                let slot = vectors.slot(id * 7).unwrap();
                assert_eq!(vectors.original(slot)[0], (id % 7) as f32 - 3.0, "{storage:?} {id}");
            }
        }
    }
}
