//! Exact search: every vector is scored.

use crate::batch::QUERIES;
use crate::index::{check_radius, one_by_one};
use crate::scratch::Scratch;
use crate::vectors::Vectors;
use crate::{Error, Filter, Index, Metric, Neighbor, SearchParams, Storage};

/// An index that scores every stored vector, one after the other in memory, and so is never wrong.
///
/// Costs: `O(n · dim)` a search, limited by the speed of memory once the vectors outgrow the
/// caches; the bytes of its [`Storage`] (rows rounded up to 64) plus about 20 a vector; inserting is
/// a copy. Up to a few thousand vectors nothing is faster, and beyond that it is the yardstick for
/// what is. With [`Storage::Int8`] or [`Storage::Int4`] and originals it scans the codes, four to
/// eight times less memory, and scores the nearest few again.
///
/// ```
/// use edgekit_vector_index::{FlatIndex, Index, Metric, Scratch, SearchParams};
///
/// let mut index = FlatIndex::new(2, Metric::L2Squared)?;
/// index.insert(7, &[0.0, 1.0])?;
/// index.insert(8, &[3.0, 1.0])?;
/// let mut scratch = Scratch::new();
/// let found = index.search(&[2.0, 1.0], 1, &SearchParams::default(), &mut scratch)?;
/// assert_eq!((found[0].id, found[0].distance), (8, 1.0));
/// # Ok::<(), edgekit_vector_index::Error>(())
/// ```
pub struct FlatIndex {
    pub(crate) vectors: Vectors,
}

impl FlatIndex {
    /// An empty index of vectors of `dim` values, stored as `f32`.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) unless `dim` is 1 to 1,048,576.
    pub fn new(dim: usize, metric: Metric) -> Result<Self, Error> {
        FlatIndex::trained(dim, metric, Storage::F32, &[])
    }

    /// An empty index with another [`Storage`], whose codes learn their ranges from `sample`: some
    /// vectors like those to come, one behind the other. A few hundred are enough; storage without
    /// codes needs none.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`Config`](crate::ErrorKind::Config) if codes have no sample of
    /// whole vectors and beyond 131,071 dimensions with [`Storage::Int8`],
    /// [`NotFinite`](crate::ErrorKind::NotFinite) if it cannot be stored.
    pub fn trained(
        dim: usize,
        metric: Metric,
        storage: Storage,
        sample: &[f32],
    ) -> Result<Self, Error> {
        Ok(FlatIndex { vectors: Vectors::new(metric, dim, storage, sample)? })
    }

    /// What is stored of each vector.
    pub fn storage(&self) -> Storage {
        self.vectors.storage
    }

    /// The ids of all vectors, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.vectors.live().map(|slot| self.vectors.id(slot))
    }
}

impl Index for FlatIndex {
    fn metric(&self) -> Metric {
        self.vectors.metric
    }

    fn dim(&self) -> usize {
        self.vectors.dim
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn contains(&self, id: u64) -> bool {
        self.vectors.slot(id).is_some()
    }

    fn vector(&self, id: u64) -> Option<Vec<f32>> {
        self.vectors.slot(id).map(|slot| self.vectors.original(slot))
    }

    fn insert(&mut self, id: u64, vector: &[f32]) -> Result<(), Error> {
        self.vectors.push(id, vector).map(|_| ())
    }

    fn remove(&mut self, id: u64) -> Result<bool, Error> {
        self.vectors.check_writable()?;
        let slot = self.vectors.slot(id);
        if let Some(slot) = slot {
            self.vectors.swap_remove(slot);
        }
        Ok(slot.is_some())
    }

    fn upsert(&mut self, id: u64, vector: &[f32]) -> Result<(), Error> {
        self.vectors.check(vector)?;
        self.remove(id)?;
        self.insert(id, vector)
    }

    fn search_filtered<'s>(
        &self,
        query: &[f32],
        k: usize,
        _: &SearchParams,
        filter: &Filter<'_>,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        let vectors = &self.vectors;
        vectors.prepare_query(query, &mut scratch.query)?;
        let allowed = |slot| filter(vectors.id(slot));
        vectors.scan(vectors.dead(), vectors.storage.shortlist(k), allowed, scratch);
        vectors.finish(k, scratch);
        Ok(&scratch.results)
    }

    fn search_range<'s>(
        &self,
        query: &[f32],
        radius: f32,
        _: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        check_radius(radius)?;
        self.vectors.prepare_query(query, &mut scratch.query)?;
        self.vectors.scan_range(self.vectors.dead(), radius, scratch);
        self.vectors.report(usize::MAX, scratch);
        Ok(&scratch.results)
    }

    fn search_many(
        &self,
        queries: &[f32],
        k: usize,
        params: &SearchParams,
        scratch: &mut Scratch,
    ) -> Result<Vec<Vec<Neighbor>>, Error> {
        let vectors = &self.vectors;
        let whole = queries.len().is_multiple_of(self.dim());
        if !whole || !vectors.suits_product(queries.len() / self.dim(), k) {
            return one_by_one(self, queries, k, params, scratch);
        }
        let mut results = Vec::with_capacity(queries.len() / self.dim());
        for block in queries.chunks(QUERIES * self.dim()) {
            vectors.nearest(vectors.dead(), block, k, &mut results)?;
        }
        Ok(results)
    }

    fn reserve(&mut self, additional: usize) {
        self.vectors.reserve(additional);
    }

    fn shrink_to_fit(&mut self) {
        self.vectors.shrink_to_fit();
    }

    fn memory_bytes(&self) -> usize {
        self.vectors.memory_bytes()
    }
}

impl std::fmt::Debug for FlatIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlatIndex")
            .field("metric", &self.metric())
            .field("dim", &self.dim())
            .field("storage", &self.vectors.storage)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
