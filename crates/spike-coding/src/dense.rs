//! Multi-head softmax attention on the float kernels: the dense twin of spike attention.

use edgekit_kernels_simd::{Kernels, Rows};

use crate::energy::Operations;
use crate::{Error, ErrorKind};

/// Causal scaled dot-product attention with several heads (Vaswani and others, 2017), without
/// projections: outᵢ = Σ softmax(qᵢ · kⱼ / √d) vⱼ over j ≤ i, head by head.
#[derive(Clone)]
pub struct DenseAttention {
    kernels: &'static Kernels,
    width: usize,
    heads: usize,
    scores: Vec<f32>,
}

impl std::fmt::Debug for DenseAttention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DenseAttention")
            .field("isa", &self.kernels.isa())
            .field("width", &self.width)
            .field("heads", &self.heads)
            .finish_non_exhaustive()
    }
}

impl DenseAttention {
    /// Attention over tokens of `width` values in `heads` heads, each `width / heads` wide: 64 in 4
    /// is usual here.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] unless `heads` divides `width` and neither is 0.
    pub fn new(width: usize, heads: usize) -> Result<Self, Error> {
        if width == 0 || heads == 0 || !width.is_multiple_of(heads) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("width {width} in {heads} heads: the heads must divide the width"),
            ));
        }
        Ok(DenseAttention { kernels: Kernels::get(), width, heads, scores: Vec::new() })
    }

    /// Attends from every token to itself and those before it; all slices are rows of `width`.
    /// Returns how many operations that was, counted. O(n² · width); allocates only when there are
    /// more tokens than ever before.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the slices differ in length or end within a row.
    pub fn attend(
        &mut self,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        out: &mut [f32],
    ) -> Result<Operations, Error> {
        let lengths = [queries.len(), keys.len(), values.len(), out.len()];
        if lengths.iter().any(|&l| l != lengths[0] || !l.is_multiple_of(self.width)) {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("{lengths:?} values: all must be equal and whole rows of {}", self.width),
            ));
        }
        let n = queries.len() / self.width;
        let head = self.width / self.heads;
        let scale = 1.0 / (head as f32).sqrt();
        let mut operations = Operations::default();
        self.scores.resize(n, 0.0);
        out.fill(0.0);
        for token in 0..n {
            let seen = token + 1;
            for first in (0..self.width).step_by(head) {
                let columns = token * self.width + first..token * self.width + first + head;
                let scores = &mut self.scores[..seen];
                let end = token * self.width + first + head;
                let rows = Rows::new(&keys[first..end], head, self.width);
                self.kernels.dot_many(&queries[columns.clone()], rows, scores);
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut total = 0.0;
                for score in scores.iter_mut() {
                    *score = ((*score - max) * scale).exp();
                    total += *score;
                }
                let out = &mut out[columns];
                for (j, score) in scores.iter().enumerate() {
                    let weight = score / total;
                    let value = &values[j * self.width + first..][..head];
                    for (out, value) in out.iter_mut().zip(value) {
                        *out += weight * value;
                    }
                }
                let (seen, head) = (seen as u64, head as u64);
                operations.float_multiplications += seen * (2 * head + 1);
                operations.float_additions += seen * (2 * head + 2);
                operations.exponentials += seen;
                operations.float_divisions += seen;
            }
        }
        Ok(operations)
    }
}
