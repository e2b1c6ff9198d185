//! An `f32` query against stored vectors of fewer bits, for ranking candidates again.

use half::{bf16, f16};

use super::{Rows, gather_shape, many_shape, same_len};
use crate::kernels::distance::{self, Dot, Floats, L2};
use crate::kernels::many;
use crate::simd::{Bf16, F16, F32, I8AsF32};

family! {
    Mixed in mixed;

    /// The inner product `Σ aᵢ bᵢ` of an `f32` query and a stored `f16` vector, as `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f32_f16(a: &[f32], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, F16>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_f32_f16_many(query: &[f32], rows: Rows<'_, f16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<Dot, F32, F16>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_f32_f16_gather(query: &[f32], rows: Rows<'_, f16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<Dot, F32, F16>>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of an `f32` query and a stored `f16` vector,
    /// as `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f32_f16(a: &[f32], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, F16>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_f32_f16_many(query: &[f32], rows: Rows<'_, f16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<L2, F32, F16>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_f32_f16_gather(query: &[f32], rows: Rows<'_, f16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<L2, F32, F16>>
    }
    /// The inner product `Σ aᵢ bᵢ` of an `f32` query and a stored `bf16` vector, as `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f32_bf16(a: &[f32], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, Bf16>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_f32_bf16_many(query: &[f32], rows: Rows<'_, bf16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<Dot, F32, Bf16>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_f32_bf16_gather(query: &[f32], rows: Rows<'_, bf16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<Dot, F32, Bf16>>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of an `f32` query and a stored `bf16` vector,
    /// as `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f32_bf16(a: &[f32], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, Bf16>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_f32_bf16_many(query: &[f32], rows: Rows<'_, bf16>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<L2, F32, Bf16>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_f32_bf16_gather(query: &[f32], rows: Rows<'_, bf16>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<L2, F32, Bf16>>
    }
    /// The inner product `Σ aᵢ bᵢ` of an `f32` query and a stored `i8` vector, as `f32`.
    ///
    /// The rows' scale is the caller's: fold it into the query, or multiply the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f32_i8(a: &[f32], b: &[i8]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, I8AsF32>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_f32_i8_many(query: &[f32], rows: Rows<'_, i8>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<Dot, F32, I8AsF32>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_f32_i8_gather(query: &[f32], rows: Rows<'_, i8>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<Dot, F32, I8AsF32>>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of an `f32` query and a stored `i8` vector, as
    /// `f32`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f32_i8(a: &[f32], b: &[i8]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, I8AsF32>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_f32_i8_many(query: &[f32], rows: Rows<'_, i8>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Floats<L2, F32, I8AsF32>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_f32_i8_gather(query: &[f32], rows: Rows<'_, i8>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Floats<L2, F32, I8AsF32>>
    }
}
