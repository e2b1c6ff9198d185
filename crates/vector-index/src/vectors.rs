//! The stored vectors: their rows, their ids, and which slots are in use.
//!
//! A vector lives in a *slot*, a small number by which everything else in the crate refers to it.

use std::ops::Deref;
use std::sync::OnceLock;

use edgekit_quantize::{BinaryCodec, CodeBits, ScalarCodec};
use hashbrown::HashTable;

use crate::hash::mix64;
use crate::pool::MAX_IDS;
use crate::room::Room;
use crate::slab::Slab;
use crate::store::{Body, Store, codes};
use crate::stored::{Stored, is_dead};
use crate::{Error, ErrorKind, Metric, Originals, Storage};

/// Draws the rotation of binary codes. It is the same for all indexes, so that a file need not say.
pub(crate) const ROTATION: u64 = 0;

/// Vectors by slot, and what only changes need to know of them.
pub(crate) struct Vectors {
    pub(crate) stored: Stored,
    /// The largest norm there ever was.
    pub(crate) max_norm: f32,
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

impl Deref for Vectors {
    type Target = Stored;

    fn deref(&self) -> &Stored {
        &self.stored
    }
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
            Storage::Binary(_) => {
                let rows = sample_rows(metric, dim, sample)?;
                let codec = BinaryCodec::learn(dim, ROTATION, rows.chunks_exact(dim));
                Body::Binary(codec.map_err(refused)?, Slab::new())
            }
        };
        let originals = match storage.originals() {
            Originals::None => None,
            Originals::F16 => Some(Body::F16(Slab::new())),
            Originals::F32 => Some(Body::F32(Slab::new())),
        };
        let (norms, ids) = (Slab::new(), Slab::new());
        Ok(Vectors::from(Stored::new(metric, dim, storage, codes, originals, norms, ids)))
    }

    /// The vectors of `order` in that order, no slot free; see [`Stored::picked`].
    pub(crate) fn picked(&self, order: &[u32], room: Option<&Room>) -> Self {
        let picked = Vectors::from(self.stored.picked(order, room));
        Vectors { max_norm: self.max_norm, ..picked }
    }

    /// How many vectors there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len() - self.free.len()
    }

    /// Whether some of them lie in a mapped file, so that none can be changed.
    pub(crate) fn is_mapped(&self) -> bool {
        self.ids.is_mapped() || self.originals.as_ref().is_some_and(Store::is_mapped)
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

    pub(crate) fn slot(&self, id: u64) -> Option<u32> {
        self.table().find(mix64(id), |&slot| self.ids[slot as usize] == id).copied()
    }

    /// A bit for each slot that must not be visited.
    pub(crate) fn dead(&self) -> &[u64] {
        &self.dead
    }

    pub(crate) fn is_dead(&self, slot: u32) -> bool {
        is_dead(&self.dead, slot)
    }

    /// The slots in use.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> {
        self.stored.live(&self.dead)
    }

    /// Marks a slot as free that was read as such from a file.
    pub(crate) fn set_free(&mut self, slot: u32) {
        self.dead[slot as usize / 64] |= 1 << (slot % 64);
        self.free.push(slot);
    }

    /// Bytes of heap memory in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.stored.memory_bytes()
            + self.slots.get().map_or(0, HashTable::allocation_size)
            + (self.dead.capacity() * 8 + self.free.capacity() * 4)
    }

    /// Bytes of heap memory in use by ids, their table, and lengths.
    pub(crate) fn id_bytes(&self) -> usize {
        let table = self.slots.get().map_or(0, HashTable::allocation_size);
        self.ids.memory_bytes() + self.norms.memory_bytes() + table
    }

    /// Makes room for `additional` more vectors at once.
    pub(crate) fn reserve(&mut self, additional: usize) {
        if self.is_mapped() {
            return;
        }
        let stored = &mut self.stored;
        stored.codes.reserve(additional);
        if let Some(originals) = &mut stored.originals {
            originals.reserve(additional);
        }
        stored.norms.owned().reserve_exact(additional);
        stored.ids.owned().reserve_exact(additional);
        let (table, ids) = self.table_mut();
        table.reserve(additional, |&slot| mix64(ids[slot as usize]));
    }

    /// Gives back the room that no vector uses.
    pub(crate) fn shrink_to_fit(&mut self) {
        if self.is_mapped() {
            return;
        }
        let stored = &mut self.stored;
        stored.codes.shrink_to_fit();
        if let Some(originals) = &mut stored.originals {
            originals.shrink_to_fit();
        }
        stored.norms.owned().shrink_to_fit();
        stored.ids.owned().shrink_to_fit();
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
        // A row that others may be reading is not written over.
        let reused = if self.ids.is_growing() { None } else { self.free.last().copied() };
        let slot = reused.map_or(self.ids.len(), |slot| slot as usize);
        if slot == MAX_IDS {
            return Err(Error::new(
                ErrorKind::Full,
                format!("the index holds {MAX_IDS} vectors, as many as it can address; split it"),
            ));
        }
        let norm = self.check(vector)?;
        let stored = &mut self.stored;
        stored.codes.set(slot, &self.prepared);
        if let Some(originals) = &mut stored.originals {
            originals.set(slot, &self.prepared);
        }
        // Ids last: that there is one says that the rest is there.
        stored.norms.set_row(slot, 1, |row| row[0] = norm);
        stored.ids.set_row(slot, 1, |row| row[0] = id);
        self.max_norm = self.max_norm.max(norm);
        if reused.is_some() {
            self.free.pop();
        } else if slot.is_multiple_of(64) {
            self.dead.push(!0);
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
        if norm == f32::INFINITY {
            return Err(Error::new(
                ErrorKind::NotFinite,
                "the vector's length is beyond the range of f32; scale the data down",
            ));
        }
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
            self.stored.codes.copy(last, at);
            if let Some(originals) = &mut self.stored.originals {
                originals.copy(last, at);
            }
            let (table, _) = self.table_mut();
            if let Some(entry) = table.find_mut(mix64(moved), |&slot| slot as usize == last) {
                *entry = slot;
            }
        }
        let stored = &mut self.stored;
        stored.codes.truncate(last);
        if let Some(originals) = &mut stored.originals {
            originals.truncate(last);
        }
        swap_remove(&mut stored.norms, at);
        swap_remove(&mut stored.ids, at);
        self.dead[last / 64] |= 1 << (last % 64);
        self.dead.truncate(last.div_ceil(64));
    }

    /// The length of a vector where it decides about links, which is under
    /// [`Metric::InnerProduct`]; 0 elsewhere.
    pub(crate) fn lift_length(&self, slot: u32) -> f32 {
        match self.metric {
            Metric::InnerProduct => self.norms[slot as usize],
            Metric::Cosine | Metric::L2Squared => 0.0,
        }
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
        (table, &self.stored.ids)
    }
}

impl From<Stored> for Vectors {
    /// All of what is stored, no slot free.
    fn from(stored: Stored) -> Self {
        let n = stored.slots();
        let mut dead = vec![0_u64; n.div_ceil(64)];
        if let Some(last) = dead.last_mut().filter(|_| !n.is_multiple_of(64)) {
            *last = !0 << (n % 64);
        }
        Vectors {
            prepared: vec![0.0; stored.dim],
            stored,
            max_norm: 0.0,
            slots: OnceLock::new(),
            free: Vec::new(),
            dead,
        }
    }
}

fn swap_remove<T: bytemuck::Pod>(slab: &mut Slab<T>, at: usize) {
    let values = slab.owned();
    values[at] = values[values.len() - 1];
    values.truncate(values.len() - 1);
}

/// Refuses codes so long that the sum of their products may not fit an `i32`. Four bits fit at any
/// dimension that an index takes: 2²⁰ · 15 · 127 < 2³¹.
pub(crate) fn check_sums(bits: CodeBits, dim: usize) -> Result<(), Error> {
    const EIGHT: usize = 131_071;
    if bits == CodeBits::Eight && dim > EIGHT {
        return Err(Error::new(
            ErrorKind::Config,
            format!("dim is {dim}; `Int8` takes up to {EIGHT} values, `Int4` and `F16` any number"),
        ));
    }
    Ok(())
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
    check_sums(bits, dim)?;
    let rows = sample_rows(metric, dim, sample)?;
    ScalarCodec::learn(bits, dim, rows.chunks_exact(dim)).map_err(refused)
}

/// The sample as its rows would be stored.
fn sample_rows(metric: Metric, dim: usize, sample: &[f32]) -> Result<Vec<f32>, Error> {
    if sample.is_empty() || !sample.len().is_multiple_of(dim) {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} values are no sample of vectors of {dim}; codes learn from a few hundred",
                sample.len()
            ),
        ));
    }
    let mut rows = vec![0.0; sample.len()];
    for (row, out) in sample.chunks_exact(dim).zip(rows.chunks_exact_mut(dim)) {
        metric.prepare(row, out)?;
    }
    Ok(rows)
}

fn refused(error: edgekit_quantize::Error) -> Error {
    Error::new(ErrorKind::Config, error.to_string())
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
