//! Distances of `f32`.

use super::{Rows, same_len};
use crate::kernels::distance::{self, Cosines, Dot, Floats as Score, L2};
use crate::kernels::many;
use crate::simd::F32;

family! {
    Floats in floats;

    /// The inner product `Σ aᵢ bᵢ`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|`. 0 for empty slices; NaN and infinities spread as in the
    /// sum.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, F32>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²`.
    ///
    /// Error at most `(n + 2) · ε` of the result. 0 for empty slices.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, F32>
    }
    /// The cosine similarity `Σ aᵢ bᵢ / (‖a‖ · ‖b‖)`, in one pass, clamped to [-1, 1].
    ///
    /// Error at most `(2n + 6) · ε` for norms from 1e-15 to 1.8e19. The squares of less vanish, down to a
    /// norm of 0, which gives 0; those of more overflow. [Normalise](super::Kernels::normalize) such
    /// vectors first.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine::<_, F32, F32>
    }
    /// The cosine similarity of vectors whose norms are known already; pass 1 for vectors of unit
    /// length. Clamped to [-1, 1]; 0 if the product of the norms is 0.
    ///
    /// Error at most `(n + 2) · ε · Σ |aᵢ bᵢ| / (norm_a · norm_b)`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_with_norms(a: &[f32], b: &[f32], norm_a: f32, norm_b: f32) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine_with_norms
    }
    /// The Euclidean norm `√ Σ aᵢ²`.
    ///
    /// Error at most `(n / 2 + 2) · ε` of the result for norms from 1e-15 to 1.8e19: the squares of
    /// less vanish, those of more overflow. [`Kernels::normalize`](super::Kernels::normalize) knows no
    /// such limits.
    pub fn norm(a: &[f32]) -> f32 {
        check {} run distance::norm
    }
    fn dot_rows(query: &[f32], rows: Rows<'_, f32>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Score<Dot, F32, F32>>
    }
    fn dot_blocks(queries: Rows<'_, f32>, rows: Rows<'_, f32>, out: &mut [f32]) {
        check {} run many::blocks::<_, Score<Dot, F32, F32>>
    }
    fn l2_squared_rows(query: &[f32], rows: Rows<'_, f32>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Score<L2, F32, F32>>
    }
    fn l2_squared_blocks(queries: Rows<'_, f32>, rows: Rows<'_, f32>, out: &mut [f32]) {
        check {} run many::blocks::<_, Score<L2, F32, F32>>
    }
    fn cosine_rows(query: &[f32], rows: Rows<'_, f32>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Cosines<F32, F32>>
    }
}

in_numbers! {
    "the inner product", f32, 1 * f32 => f32: dot_many, dot_gather, dot_rows, dot_tile, dot_blocks;
    "the squared Euclidean distance", f32, 1 * f32 => f32: l2_squared_many, l2_squared_gather, l2_squared_rows, l2_squared_tile, l2_squared_blocks;
    "the cosine similarity", f32, 1 * f32 => f32: cosine_many, cosine_gather, cosine_rows;
}
