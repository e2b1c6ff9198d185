//! The stored vectors: one flat aligned array, their ids, and the distances between them.
//!
//! A vector lives in a *slot*, a dense number by which everything else in the crate refers to it.
//! Rows start at multiples of 64 bytes, so that a row never shares a cache line with the next and
//! wide loads never straddle one.

use aligned_vec::{AVec, ConstAlign};
use edgekit_kernels_simd::{Kernels, Rows};
use hashbrown::HashTable;

use crate::hash::mix64;
use crate::pool::MAX_IDS;
use crate::{Error, ErrorKind, Metric};

/// `f32`s in 64 bytes.
const LINE: usize = 16;

/// Vectors of one dimension under one metric, by slot.
pub(crate) struct Vectors {
    pub(crate) kernels: &'static Kernels,
    metric: Metric,
    dim: usize,
    stride: usize,
    data: AVec<f32, ConstAlign<64>>,
    /// Length of each vector as it was given.
    norms: Vec<f32>,
    /// The largest of them.
    max_norm: f32,
    /// External id of each slot.
    ids: Vec<u64>,
    /// Slot of each external id, hashed by the id.
    slots: HashTable<u32>,
}

impl Vectors {
    pub(crate) fn new(metric: Metric, dim: usize) -> Result<Self, Error> {
        if dim == 0 || dim > 1 << 20 {
            return Err(Error::new(
                ErrorKind::Config,
                format!("dim is {dim}; an index takes vectors of 1 to 1,048,576 values"),
            ));
        }
        Ok(Vectors {
            kernels: Kernels::get(),
            metric,
            dim,
            stride: dim.next_multiple_of(LINE),
            data: AVec::new(64),
            norms: Vec::new(),
            max_norm: 0.0,
            ids: Vec::new(),
            slots: HashTable::new(),
        })
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, slot: u32) -> u64 {
        self.ids[slot as usize]
    }

    pub(crate) fn slot(&self, id: u64) -> Option<u32> {
        self.slots.find(mix64(id), |&slot| self.ids[slot as usize] == id).copied()
    }

    /// Length of the vector in `slot` as it was given.
    pub(crate) fn norm(&self, slot: u32) -> f32 {
        self.norms[slot as usize]
    }

    /// The row of `slot` as it is stored, without its padding.
    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        let start = slot as usize * self.stride;
        &self.data[start..start + self.dim]
    }

    /// The vector as it was given, up to rounding.
    pub(crate) fn original(&self, slot: u32) -> Vec<f32> {
        let row = self.row(slot);
        match self.metric {
            Metric::Cosine => row.iter().map(|x| x * self.norm(slot)).collect(),
            Metric::InnerProduct | Metric::L2Squared => row.to_vec(),
        }
    }

    /// Bytes of heap memory in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.data.capacity() * 4
            + self.norms.capacity() * 4
            + self.ids.capacity() * 8
            + self.slots.allocation_size()
    }

    /// Makes room for `additional` more vectors at once.
    pub(crate) fn reserve(&mut self, additional: usize) {
        self.data.reserve_exact(additional * self.stride);
        self.norms.reserve_exact(additional);
        self.ids.reserve_exact(additional);
        let ids = &self.ids;
        self.slots.reserve(additional, |&slot| mix64(ids[slot as usize]));
    }

    /// Gives back the room that no vector uses.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.data.shrink_to_fit();
        self.norms.shrink_to_fit();
        self.ids.shrink_to_fit();
        let ids = &self.ids;
        self.slots.shrink_to_fit(|&slot| mix64(ids[slot as usize]));
    }

    /// Checks and stores a vector under a new id.
    pub(crate) fn push(&mut self, id: u64, vector: &[f32]) -> Result<u32, Error> {
        if vector.len() != self.dim {
            return Err(Error::dimension(self.dim, vector.len()));
        }
        if self.slot(id).is_some() {
            return Err(Error::new(
                ErrorKind::DuplicateId,
                format!("id {id} is in the index already; each id holds one vector"),
            ));
        }
        let slot = self.ids.len();
        if slot == MAX_IDS {
            return Err(Error::new(
                ErrorKind::Full,
                format!("the index holds {MAX_IDS} vectors, as many as it can address; split it"),
            ));
        }
        let start = slot * self.stride;
        self.data.resize(start + self.stride, 0.0);
        let row = &mut self.data[start..start + self.dim];
        match self.metric.prepare(self.kernels, vector, row) {
            Ok(norm) => {
                self.norms.push(norm);
                self.max_norm = self.max_norm.max(norm);
            }
            Err(error) => {
                self.data.truncate(start);
                return Err(error);
            }
        }
        self.ids.push(id);
        let Vectors { slots, ids, .. } = self;
        slots.insert_unique(mix64(id), slot as u32, |&slot| mix64(ids[slot as usize]));
        Ok(slot as u32)
    }

    /// Writes `query` into `out` the way rows are stored.
    pub(crate) fn prepare_query(
        &self,
        query: &[f32],
        out: &mut AVec<f32, ConstAlign<64>>,
    ) -> Result<(), Error> {
        if query.len() != self.dim {
            return Err(Error::dimension(self.dim, query.len()));
        }
        out.resize(self.dim, 0.0);
        self.metric.prepare(self.kernels, query, out)?;
        Ok(())
    }

    /// Distances from a prepared query to the rows in `slots`, into `out` (as long).
    pub(crate) fn distances(&self, query: &[f32], slots: &[u32], out: &mut [f32]) {
        let rows = Rows::new(&self.data, self.dim, self.stride);
        match self.metric {
            Metric::L2Squared => self.kernels.l2_squared_gather(query, rows, slots, out),
            Metric::Cosine | Metric::InnerProduct => {
                self.kernels.dot_gather(query, rows, slots, out);
                self.distances_from_dots(out);
            }
        }
    }

    /// Distances from a prepared query to the rows from `start` on, as many as `out` is long.
    pub(crate) fn distances_in_order(&self, query: &[f32], start: usize, out: &mut [f32]) {
        let data = &self.data[start * self.stride..(start + out.len()) * self.stride];
        let rows = Rows::new(data, self.dim, self.stride);
        match self.metric {
            Metric::L2Squared => self.kernels.l2_squared_many(query, rows, out),
            Metric::Cosine | Metric::InnerProduct => {
                self.kernels.dot_many(query, rows, out);
                self.distances_from_dots(out);
            }
        }
    }

    /// Distances by which a graph is built, from the row in `slot`. They rank as
    /// [`distances`](Self::distances) do and are never negative, which is what the slack of the
    /// diversity rule needs: under [`Metric::InnerProduct`] they are `L² − a·b` with L the length
    /// of the longest vector (between unit vectors, half the squared Euclidean distance).
    pub(crate) fn build_distances(&self, slot: u32, slots: &[u32], out: &mut [f32]) {
        self.distances(self.row(slot), slots, out);
        if self.metric == Metric::InnerProduct {
            let offset = self.max_norm * self.max_norm;
            out.iter_mut().for_each(|distance| *distance += offset);
        }
    }

    fn distances_from_dots(&self, dots: &mut [f32]) {
        let offset = if self.metric == Metric::Cosine { 1.0 } else { 0.0 };
        dots.iter_mut().for_each(|dot| *dot = offset - *dot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_vector_leaves_no_trace() {
        let mut vectors = Vectors::new(Metric::L2Squared, 3).unwrap();
        vectors.push(10, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            vectors.push(11, &[1.0, f32::NAN, 3.0]).unwrap_err().kind(),
            ErrorKind::NotFinite
        );
        assert_eq!(vectors.push(11, &[1.0]).unwrap_err().kind(), ErrorKind::Dimension);
        assert_eq!(vectors.push(10, &[1.0; 3]).unwrap_err().kind(), ErrorKind::DuplicateId);
        assert_eq!((vectors.len(), vectors.slot(11)), (1, None));
        assert_eq!(vectors.push(11, &[4.0, 5.0, 6.0]).unwrap(), 1);
        assert_eq!((vectors.row(1), vectors.id(1)), ([4.0, 5.0, 6.0].as_slice(), 11));
    }

    #[test]
    fn rows_are_aligned_and_found_again_by_id() {
        let mut vectors = Vectors::new(Metric::Cosine, 5).unwrap();
        for id in 0..100_u64 {
            vectors.push(id * 7, &[id as f32 + 1.0, 2.0, 0.0, -1.0, 3.0]).unwrap();
        }
        for id in 0..100_u64 {
            let slot = vectors.slot(id * 7).unwrap();
            assert_eq!(vectors.row(slot).as_ptr() as usize % 64, 0);
            let original = vectors.original(slot);
            assert!((original[0] - (id as f32 + 1.0)).abs() < 1e-4, "{original:?}");
        }
    }
}
