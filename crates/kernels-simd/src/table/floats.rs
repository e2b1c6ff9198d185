//! Distances of `f32`.

use super::{Rows, gather_shape, many_shape, same_len, tile_shape};
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
    /// 0 if a norm is 0, which includes vectors so small that their squares vanish (norms below
    /// about 1e-22). Norms above 1.8e19 overflow: scale such vectors first.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine::<_, F32, F32>
    }
    /// The cosine similarity of vectors whose norms are known already; pass 1 for vectors of unit
    /// length. Clamped to [-1, 1]; 0 if the product of the norms is 0.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_with_norms(a: &[f32], b: &[f32], norm_a: f32, norm_b: f32) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine_with_norms
    }
    /// The Euclidean norm `√ Σ aᵢ²`.
    pub fn norm(a: &[f32]) -> f32 {
        check {} run distance::norm
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_many(query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Score<Dot, F32, F32>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_gather(query: &[f32], rows: Rows<'_, f32>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Score<Dot, F32, F32>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_many(query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Score<L2, F32, F32>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_gather(query: &[f32], rows: Rows<'_, f32>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Score<L2, F32, F32>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn cosine_many(query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Cosines<F32, F32>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn cosine_gather(query: &[f32], rows: Rows<'_, f32>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Cosines<F32, F32>>
    }
    /// `out[q · rows.len() + r]` becomes the inner product of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every query against every row.
    pub fn dot_tile(queries: Rows<'_, f32>, rows: Rows<'_, f32>, out: &mut [f32]) {
        check { tile_shape(queries.dim(), rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Score<Dot, F32, F32>>
    }
    /// `out[q · rows.len() + r]` becomes the squared Euclidean distance of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every query against every row.
    pub fn l2_squared_tile(queries: Rows<'_, f32>, rows: Rows<'_, f32>, out: &mut [f32]) {
        check { tile_shape(queries.dim(), rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Score<L2, F32, F32>>
    }
}
