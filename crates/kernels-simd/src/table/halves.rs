//! Distances of `f16` and `bf16`, the `half` crate's types, computed as `f32`.

use half::{bf16, f16};

use super::{Rows, gather_shape, many_shape, same_len};
use crate::kernels::distance::{self, Cosines, Dot, Floats, L2};
use crate::kernels::many;
use crate::simd::{Bf16, F16};

family! {
    Halves in halves;

    /// The inner product `Σ aᵢ bᵢ` of IEEE binary16, multiplied and summed as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|` with the ε of `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f16(a: &[f16], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F16, F16>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of IEEE binary16, as `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f16(a: &[f16], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F16, F16>
    }
    /// The cosine similarity `Σ aᵢ bᵢ / (‖a‖ · ‖b‖)` of IEEE binary16; as
    /// [`Kernels::cosine`](super::Kernels::cosine).
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_f16(a: &[f16], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine::<_, F16, F16>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_f16_many(query: &[f16], rows: Rows<'_, f16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<Dot, F16, F16>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_f16_gather(query: &[f16], rows: Rows<'_, f16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<Dot, F16, F16>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_f16_many(query: &[f16], rows: Rows<'_, f16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<L2, F16, F16>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_f16_gather(query: &[f16], rows: Rows<'_, f16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<L2, F16, F16>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn cosine_f16_many(query: &[f16], rows: Rows<'_, f16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Cosines<F16, F16>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn cosine_f16_gather(query: &[f16], rows: Rows<'_, f16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Cosines<F16, F16>>
    }
    /// The inner product `Σ aᵢ bᵢ` of bfloat16, multiplied and summed as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|` with the ε of `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_bf16(a: &[bf16], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, Bf16, Bf16>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of bfloat16, as `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_bf16(a: &[bf16], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, Bf16, Bf16>
    }
    /// The cosine similarity `Σ aᵢ bᵢ / (‖a‖ · ‖b‖)` of bfloat16; as
    /// [`Kernels::cosine`](super::Kernels::cosine).
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_bf16(a: &[bf16], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine::<_, Bf16, Bf16>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_bf16_many(query: &[bf16], rows: Rows<'_, bf16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<Dot, Bf16, Bf16>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_bf16_gather(query: &[bf16], rows: Rows<'_, bf16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<Dot, Bf16, Bf16>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_bf16_many(query: &[bf16], rows: Rows<'_, bf16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<L2, Bf16, Bf16>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_bf16_gather(query: &[bf16], rows: Rows<'_, bf16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<L2, Bf16, Bf16>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn cosine_bf16_many(query: &[bf16], rows: Rows<'_, bf16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Cosines<Bf16, Bf16>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn cosine_bf16_gather(query: &[bf16], rows: Rows<'_, bf16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Cosines<Bf16, Bf16>>
    }
}
