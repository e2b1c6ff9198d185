//! Exact search for many queries at once through a matrix product.
//!
//! A product fetches a row once for a whole block of queries, and so scores several times as many
//! pairs a second as scans do. It sums in another order than they, so its scores only say which rows
//! cannot be among the nearest. The few that can are scored as a scan would score them, and what is
//! found is what a scan finds, to the bit.

use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};

use crate::pool::Pool;
use crate::scan::POOL_LIMIT;
use crate::store::Query;
use crate::stored::{Stored, is_dead};
use crate::{Error, Metric, Neighbor};

/// Queries of a block: enough that rows are not waited for, few enough that the scores of a block of
/// rows stay in the second-level cache.
pub(crate) const QUERIES: usize = 96;
/// Rows of a block: as many as a product goes through together.
const ROWS: usize = 528;
/// Fewer queries or rows are not worth a product: a few columns cost it as much as many, and a scan of
/// a few rows finds them all in the caches.
const MIN_QUERIES: usize = 8;
const MIN_ROWS: usize = 1_024;
/// With fewer rows than this for each result, too many have to be scored again.
const ROWS_PER_RESULT: usize = 64;

/// A query of a block and what was found for it so far.
struct Search {
    query: Query,
    norm: f64,
    pool: Pool,
}

impl Stored {
    /// Whether [`nearest`](Self::nearest) is the faster way to answer so many queries.
    pub(crate) fn suits_product(&self, queries: usize, k: usize) -> bool {
        let many = queries >= MIN_QUERIES && self.slots() >= MIN_ROWS;
        let sparse = k <= POOL_LIMIT.min(self.slots() / ROWS_PER_RESULT);
        many && sparse && self.codes.floats().is_some()
    }

    /// Appends the `k` nearest to each of `queries`, at most [`QUERIES`] of them, to `results`. Finds
    /// nothing unless rows are `f32`.
    pub(crate) fn nearest(
        &self,
        dead: &[u64],
        queries: &[f32],
        k: usize,
        results: &mut Vec<Vec<Neighbor>>,
    ) -> Result<(), Error> {
        let Some((values, stride)) = self.codes.floats() else { return Ok(()) };
        let (n, dim, kernels) = (self.slots(), self.dim, Kernels::get());
        let mut searches = self.searches(queries, k)?;
        let count = searches.len();
        let columns: Vec<f32> =
            searches.iter().flat_map(|s| s.query.values.iter().copied()).collect();
        let columns = kernels.pack(Matrix::new(&columns, count, dim, dim).transposed());
        let mut scores = vec![0.0; ROWS.min(n) * count];
        let mut limits = vec![0.0; count];
        let mut room = GemmScratch::default();
        for start in (0..n).step_by(ROWS) {
            let norms = &self.norms[start..n.min(start + ROWS)];
            let rows = Matrix::new(&values[start * stride..], norms.len(), dim, stride);
            let scores = &mut scores[..norms.len() * count];
            let out = MatrixMut::new(scores, norms.len(), count, count);
            kernels.gemm(rows, &columns, out, Epilogue::default(), &mut room);
            let longest = norms.iter().copied().fold(0.0, f32::max);
            for (limit, search) in limits.iter_mut().zip(&searches) {
                *limit = self.limit(search, longest);
            }
            for ((slot, &norm), scores) in (start..).zip(norms).zip(scores.chunks_exact(count)) {
                let half = if self.metric == Metric::L2Squared { 0.5 * norm * norm } else { 0.0 };
                // For most rows no query passes, which this finds out without a branch for each.
                let pairs = || scores.iter().zip(&limits);
                if !pairs().fold(false, |any, (score, &limit)| any | (score - half > limit)) {
                    continue;
                }
                if is_dead(dead, slot as u32) {
                    continue;
                }
                for ((score, limit), search) in scores.iter().zip(&mut limits).zip(&mut searches) {
                    if score - half > *limit {
                        let mut distance = [0.0];
                        self.codes.distances_in_order(&mut search.query, slot, &mut distance);
                        search.pool.offer(distance[0], slot as u32);
                        *limit = self.limit(search, longest);
                    }
                }
            }
        }
        let neighbor = |(distance, slot)| Neighbor { id: self.id(slot), distance };
        results.extend(searches.iter().map(|search| search.pool.iter().map(neighbor).collect()));
        Ok(())
    }

    fn searches(&self, queries: &[f32], k: usize) -> Result<Vec<Search>, Error> {
        let one = |values| {
            let mut query = Query::new();
            self.prepare_query(values, &mut query)?;
            let squared: f64 = query.values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let mut pool = Pool::default();
            pool.reset(k.min(self.slots()));
            Ok(Search { query, norm: squared.sqrt(), pool })
        };
        queries.chunks_exact(self.dim).map(one).collect()
    }

    /// No row of at most the length `longest` whose score is not above this is nearer than what the
    /// search found. The score is the product `x·q` as computed, under [`Metric::L2Squared`] less
    /// `|x|²/2`, so that the distance is `|q|²` less twice the score.
    ///
    /// A sum of `n` products in any order is off by `n·ε·|x|·|q|` at most, for ε half of
    /// [`f32::EPSILON`], and a squared distance by `(n + 2)·ε·(|x| + |q|)²`. Here that is counted for
    /// score and distance, with twice the ε for terms of higher order, 16 operations for the few
    /// others, and a least normal number for each operation that may underflow.
    fn limit(&self, search: &Search, longest: f32) -> f32 {
        let n = self.dim as f64;
        let least = f64::from(f32::MIN_POSITIVE);
        let bound = f64::from(search.pool.bound());
        // The squares of a short vector may have underflowed when its length was computed.
        let longest = (f64::from(longest) * f64::from(longest) + n * least).sqrt();
        let (limit, scale) = match self.metric {
            Metric::Cosine => (1.0 - bound, 1.0),
            Metric::InnerProduct => (-bound, longest * search.norm),
            Metric::L2Squared => {
                let reach = longest + search.norm;
                ((search.norm * search.norm - bound) / 2.0, reach * reach / 2.0)
            }
        };
        (limit - (2.0 * n + 16.0) * (f64::from(f32::EPSILON) * scale + least)) as f32
    }
}
