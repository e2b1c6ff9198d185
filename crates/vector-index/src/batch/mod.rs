//! Exact search for many queries at once through a matrix product.
//!
//! A product fetches a row once for a whole block of queries, and so scores several times as many
//! pairs a second as scans do. What it finds is what a scan finds, to the bit.

mod codes;
mod floats;

use crate::pool::Pool;
use crate::store::{Body, Query};
use crate::stored::{Stored, rerank};
use crate::{Error, Neighbor};

/// Queries of a block: enough that rows are not waited for, few enough that the scores of a block of
/// rows stay in the second-level cache.
pub(crate) const QUERIES: usize = 96;
/// Rows of a block: as many as a product goes through together.
const ROWS: usize = 528;
/// Fewer queries or rows are not worth a product: a few columns cost it as much as many, and a scan of
/// a few rows finds them all in the caches. Scans of codes are so much faster than those of `f32` that
/// they take more to beat.
const MIN_QUERIES: usize = 8;
const MIN_CODE_QUERIES: usize = 16;
const MIN_ROWS: usize = 1_024;
/// With fewer `f32` rows than this for each result, too many have to be scored again.
const ROWS_PER_RESULT: usize = 64;
/// More results than this are too many for a sorted pool: inserting into it moves too much.
const POOL_LIMIT: usize = 512;
/// Longer rows may overflow a product of bytes.
const MAX_CODE_DIM: usize = 1 << 16;

/// A query of a block and the nearest of what it has met so far.
struct Search {
    query: Query,
    pool: Pool,
}

impl Stored {
    /// Whether [`nearest`](Self::nearest) is the faster way to answer so many queries.
    pub(crate) fn suits_product(&self, queries: usize, k: usize) -> bool {
        let fits = match &self.codes.body {
            Body::F32(_) => queries >= MIN_QUERIES && k <= self.slots() / ROWS_PER_RESULT,
            Body::Int8(..) | Body::Int4(..) => {
                queries >= MIN_CODE_QUERIES && self.dim <= MAX_CODE_DIM
            }
            Body::F16(_) | Body::Bf16(_) | Body::Binary(..) => false,
        };
        fits && self.slots() >= MIN_ROWS && self.storage.shortlist(k) <= POOL_LIMIT
    }

    /// Appends the `k` nearest to each of `queries`, at most [`QUERIES`] of them, to `results`. Only
    /// where a product [suits](Self::suits_product).
    pub(crate) fn nearest(
        &self,
        dead: &[u64],
        queries: &[f32],
        k: usize,
        results: &mut Vec<Vec<Neighbor>>,
    ) -> Result<(), Error> {
        let mut searches = self.searches(queries, self.storage.shortlist(k))?;
        match &self.codes.body {
            Body::Int8(_, rows, squares) => {
                self.meet_codes(dead, codes::Rows::Eight(rows), squares, &mut searches);
            }
            Body::Int4(_, rows, squares) => {
                self.meet_codes(dead, codes::Rows::Four(rows), squares, &mut searches);
            }
            Body::F32(rows) => self.meet_floats(dead, rows, &mut searches),
            Body::F16(_) | Body::Bf16(_) | Body::Binary(..) => {
                debug_assert!(false, "rows that no product is made of");
            }
        }
        let (mut slots, mut distances) = (Vec::new(), Vec::new());
        for Search { query, pool } in &mut searches {
            if let Some(originals) = &self.originals {
                rerank(originals, query, pool, usize::MAX, &mut slots, &mut distances);
            }
            let neighbor = |(distance, slot)| Neighbor { id: self.id(slot), distance };
            results.push(pool.iter().take(k).map(neighbor).collect());
        }
        Ok(())
    }

    fn searches(&self, queries: &[f32], keep: usize) -> Result<Vec<Search>, Error> {
        let one = |values| {
            let mut query = Query::new();
            self.prepare_query(values, &mut query)?;
            let mut pool = Pool::default();
            pool.reset(keep.min(self.slots()));
            Ok(Search { query, pool })
        };
        queries.chunks_exact(self.dim).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::hash::mix64;
    use crate::vectors::Vectors;
    use crate::{Metric, Originals, Scratch, Storage};

    /// A flat index has no free slots, but what a scan honours a product does.
    #[test]
    fn free_slots_are_not_found() {
        let value = |i: u64, d: u64| (mix64(i * 100 + d) >> 40) as f32 / (1 << 24) as f32;
        let vector = |i: u64| (0..6).map(|d| value(i, d)).collect::<Vec<f32>>();
        let all: Vec<f32> = (0..1_200).flat_map(vector).collect();
        for storage in [Storage::F32, Storage::Int8(Originals::F16), Storage::Int4(Originals::None)]
        {
            let mut vectors = Vectors::new(Metric::L2Squared, 6, storage, &all).unwrap();
            for (id, row) in (0..).zip(all.chunks_exact(6)) {
                vectors.push(id, row).unwrap();
            }
            (0..1_200).step_by(3).for_each(|slot| vectors.free(slot));
            let (queries, mut many) = (&all[..6 * 40], Vec::new());
            assert!(vectors.suits_product(40, 5));
            vectors.nearest(vectors.dead(), queries, 5, &mut many).unwrap();
            let mut scratch = Scratch::new();
            for (query, found) in queries.chunks_exact(6).zip(&many) {
                assert!(found.iter().all(|near| !near.id.is_multiple_of(3)), "{storage:?}");
                vectors.prepare_query(query, &mut scratch.query).unwrap();
                vectors.scan(vectors.dead(), storage.shortlist(5), |_| true, &mut scratch);
                vectors.finish(5, &mut scratch);
                assert_eq!(*found, scratch.results, "{storage:?}");
            }
        }
    }
}
