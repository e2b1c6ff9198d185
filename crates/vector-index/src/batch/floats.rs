//! Rows of `f32`: their products only rule out.
//!
//! A product sums in another order than a scan, so its scores only say which rows cannot be among the
//! nearest. The few that can are scored as a scan would score them.

use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};

use super::{ROWS, Search};
use crate::Metric;
use crate::stored::{Stored, is_dead};

impl Stored {
    /// Offers each search all `rows` that are near enough.
    pub(super) fn meet_floats(&self, dead: &[u64], rows: &[f32], searches: &mut [Search]) {
        let (n, count, dim, kernels) = (self.slots(), searches.len(), self.dim, Kernels::get());
        let stride = rows.len() / n;
        let columns: Vec<f32> =
            searches.iter().flat_map(|s| s.query.values.iter().copied()).collect();
        let columns = kernels.pack(Matrix::new(&columns, count, dim, dim).transposed());
        let lengths: Vec<f64> =
            searches.iter().map(|search| length(&search.query.values)).collect();
        let mut scores = vec![0.0; ROWS.min(n) * count];
        let mut limits = vec![0.0; count];
        let mut room = GemmScratch::default();
        for start in (0..n).step_by(ROWS) {
            let norms = &self.norms[start..n.min(start + ROWS)];
            let block = Matrix::new(&rows[start * stride..], norms.len(), dim, stride);
            let scores = &mut scores[..norms.len() * count];
            let out = MatrixMut::new(scores, norms.len(), count, count);
            kernels.gemm(block, &columns, out, Epilogue::default(), &mut room);
            let longest = norms.iter().copied().fold(0.0, f32::max);
            for ((limit, search), &length) in limits.iter_mut().zip(&*searches).zip(&lengths) {
                *limit = self.limit(search.pool.bound(), length, longest);
            }
            for ((slot, &norm), scores) in (start..).zip(norms).zip(scores.chunks_exact(count)) {
                let half = if self.metric == Metric::L2Squared { 0.5 * norm * norm } else { 0.0 };
                // For most rows no query passes, which this finds out without a branch for each.
                let near = |any, (score, &limit): (&f32, &f32)| any | (score - half > limit);
                if !scores.iter().zip(&limits).fold(false, near) || is_dead(dead, slot as u32) {
                    continue;
                }
                for (i, score) in scores.iter().enumerate() {
                    if score - half > limits[i] {
                        let Search { query, pool } = &mut searches[i];
                        let mut distance = [0.0];
                        self.codes.distances_in_order(query, slot, &mut distance);
                        pool.offer(distance[0], slot as u32);
                        limits[i] = self.limit(pool.bound(), lengths[i], longest);
                    }
                }
            }
        }
    }

    /// No row of at most the length `longest` whose score is not above this is nearer to a query of
    /// the given `length` than `bound`. The score is the product `x·q` as computed, under
    /// [`Metric::L2Squared`] less `|x|²/2`, so that the distance is `|q|²` less twice the score.
    ///
    /// A sum of `n` products in any order is off by `n·ε·|x|·|q|` at most, for ε half of
    /// [`f32::EPSILON`], and a squared distance by `(n + 2)·ε·(|x| + |q|)²`. Here that is counted for
    /// score and distance, with twice the ε for terms of higher order, 16 operations for the few
    /// others, and a least normal number for each operation that may underflow.
    fn limit(&self, bound: f32, length: f64, longest: f32) -> f32 {
        let n = self.dim as f64;
        let least = f64::from(f32::MIN_POSITIVE);
        let bound = f64::from(bound);
        // The squares of a short vector may have underflowed when its length was computed.
        let longest = (f64::from(longest) * f64::from(longest) + n * least).sqrt();
        let (limit, scale) = match self.metric {
            Metric::Cosine => (1.0 - bound, 1.0),
            Metric::InnerProduct => (-bound, longest * length),
            Metric::L2Squared => {
                let reach = longest + length;
                ((length * length - bound) / 2.0, reach * reach / 2.0)
            }
        };
        (limit - (2.0 * n + 16.0) * (f64::from(f32::EPSILON) * scale + least)) as f32
    }
}

fn length(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}
