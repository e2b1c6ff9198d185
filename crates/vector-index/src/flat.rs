//! Exact search: every vector is scored.

use crate::pool::{distance, id, pack};
use crate::scratch::Scratch;
use crate::vectors::Vectors;
use crate::{Error, Index, Metric, Neighbor, SearchParams};

/// Rows scored at a time: enough to amortise the call, few enough that their distances stay in the
/// first-level cache.
const BLOCK: usize = 256;

/// Up to this many results are kept in a sorted pool while scanning; more are collected whole and
/// selected from afterwards, because inserting into a long sorted array moves too much.
const POOL_LIMIT: usize = 512;

/// An index that scores every stored vector, one after the other in memory, and so is never wrong.
///
/// Costs: `O(n · dim)` a search, limited by the speed of memory once the vectors outgrow the
/// caches; `4 · dim` bytes (rounded up to 64) plus about 20 a vector; inserting is a copy. Up to a
/// few thousand vectors nothing is faster, and beyond that it is the yardstick for what is.
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
    vectors: Vectors,
}

impl FlatIndex {
    /// An empty index of vectors of `dim` values.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) unless `dim` is 1 to 1,048,576.
    pub fn new(dim: usize, metric: Metric) -> Result<Self, Error> {
        Ok(FlatIndex { vectors: Vectors::new(metric, dim)? })
    }
}

impl Index for FlatIndex {
    fn metric(&self) -> Metric {
        self.vectors.metric()
    }

    fn dim(&self) -> usize {
        self.vectors.dim()
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

    fn search<'s>(
        &self,
        query: &[f32],
        k: usize,
        _: &SearchParams,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Neighbor], Error> {
        let vectors = &self.vectors;
        vectors.prepare_query(query, &mut scratch.query)?;
        let n = vectors.len();
        let k = k.min(n);
        scratch.results.clear();
        let mut block = [0.0; BLOCK];
        let blocks = (0..n).step_by(BLOCK).map(|start| (start, BLOCK.min(n - start)));
        if k <= POOL_LIMIT {
            let pool = &mut scratch.walk.pool;
            pool.reset(k);
            for (start, len) in blocks {
                let distances = &mut block[..len];
                vectors.distances_in_order(&scratch.query, start, distances);
                let mut bound = pool.bound();
                for (i, &distance) in distances.iter().enumerate() {
                    if distance < bound {
                        pool.offer(distance, (start + i) as u32);
                        bound = pool.bound();
                    }
                }
            }
            let found = pool.iter();
            scratch.results.extend(found.map(|(d, s)| Neighbor { id: vectors.id(s), distance: d }));
        } else {
            let keys = &mut scratch.keys;
            keys.clear();
            for (start, len) in blocks {
                let distances = &mut block[..len];
                vectors.distances_in_order(&scratch.query, start, distances);
                keys.extend(
                    distances.iter().enumerate().map(|(i, &d)| pack(d, (start + i) as u32)),
                );
            }
            if k < n {
                keys.select_nth_unstable(k);
                keys.truncate(k);
            }
            keys.sort_unstable();
            let found = keys.iter();
            scratch
                .results
                .extend(found.map(|&e| Neighbor { id: vectors.id(id(e)), distance: distance(e) }));
        }
        Ok(&scratch.results)
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
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
