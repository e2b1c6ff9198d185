//! Distances of `f16` and `bf16`, the `half` crate's types, computed as `f32`.

use half::{bf16, f16};

use super::{Rows, same_len};
use crate::kernels::brain::Brains;
use crate::kernels::distance::{self, Cosines, Dot, Floats, L2};
use crate::kernels::{brain, many};
use crate::simd::{Bf16, F16};

family! {
    Halves in halves;

    /// The inner product `Σ aᵢ bᵢ` of IEEE binary16, multiplied and summed as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f16(a: &[f16], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F16, F16>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of IEEE binary16, as `f32`.
    ///
    /// Error at most `(n + 2) · ε` of the result.
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
    fn dot_f16_rows(query: &[f16], rows: Rows<'_, f16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<Dot, F16, F16>>
    }
    fn dot_f16_blocks(queries: Rows<'_, f16>, rows: Rows<'_, f16>, out: &mut [f32]) {
        check {} run many::blocks::<_, Floats<Dot, F16, F16>>
    }
    fn l2_squared_f16_rows(query: &[f16], rows: Rows<'_, f16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<L2, F16, F16>>
    }
    fn l2_squared_f16_blocks(queries: Rows<'_, f16>, rows: Rows<'_, f16>, out: &mut [f32]) {
        check {} run many::blocks::<_, Floats<L2, F16, F16>>
    }
    fn cosine_f16_rows(query: &[f16], rows: Rows<'_, f16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Cosines<F16, F16>>
    }
    /// The inner product `Σ aᵢ bᵢ` of bfloat16, multiplied and summed as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_bf16(a: &[bf16], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run brain::pair::<_, Dot>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of bfloat16, as `f32`.
    ///
    /// Error at most `(n + 2) · ε` of the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_bf16(a: &[bf16], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run brain::pair::<_, L2>
    }
    /// The cosine similarity `Σ aᵢ bᵢ / (‖a‖ · ‖b‖)` of bfloat16; as
    /// [`Kernels::cosine`](super::Kernels::cosine).
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_bf16(a: &[bf16], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::cosine::<_, Bf16, Bf16>
    }
    fn dot_bf16_rows(query: &[bf16], rows: Rows<'_, bf16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Brains<Dot>>
    }
    fn dot_bf16_blocks(queries: Rows<'_, bf16>, rows: Rows<'_, bf16>, out: &mut [f32]) {
        check {} run many::blocks::<_, Brains<Dot>>
    }
    fn l2_squared_bf16_rows(query: &[bf16], rows: Rows<'_, bf16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Brains<L2>>
    }
    fn l2_squared_bf16_blocks(queries: Rows<'_, bf16>, rows: Rows<'_, bf16>, out: &mut [f32]) {
        check {} run many::blocks::<_, Brains<L2>>
    }
    fn cosine_bf16_rows(query: &[bf16], rows: Rows<'_, bf16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Cosines<Bf16, Bf16>>
    }
}

in_numbers! {
    "the inner product", f16, 1 * f16 => f32: dot_f16_many, dot_f16_gather, dot_f16_rows, dot_f16_tile, dot_f16_blocks;
    "the squared Euclidean distance", f16, 1 * f16 => f32: l2_squared_f16_many, l2_squared_f16_gather, l2_squared_f16_rows, l2_squared_f16_tile, l2_squared_f16_blocks;
    "the cosine similarity", f16, 1 * f16 => f32: cosine_f16_many, cosine_f16_gather, cosine_f16_rows;
    "the inner product", bf16, 1 * bf16 => f32: dot_bf16_many, dot_bf16_gather, dot_bf16_rows, dot_bf16_tile, dot_bf16_blocks;
    "the squared Euclidean distance", bf16, 1 * bf16 => f32: l2_squared_bf16_many, l2_squared_bf16_gather, l2_squared_bf16_rows, l2_squared_bf16_tile, l2_squared_bf16_blocks;
    "the cosine similarity", bf16, 1 * bf16 => f32: cosine_bf16_many, cosine_bf16_gather, cosine_bf16_rows;
}
