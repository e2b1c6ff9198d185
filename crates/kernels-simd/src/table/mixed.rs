//! An `f32` query against stored vectors of fewer bits, for ranking candidates again.

use half::{bf16, f16};

use super::{Rows, same_len};
use crate::kernels::distance::{self, Dot, Floats, L2};
use crate::kernels::many;
use crate::simd::{Bf16, F16, F32, I8AsF32};

family! {
    Mixed in mixed;

    /// The inner product `Σ aᵢ bᵢ` of an `f32` query and a stored `f16` vector, as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f32_f16(a: &[f32], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, F16>
    }
    fn dot_f32_f16_rows(query: &[f32], rows: Rows<'_, f16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<Dot, F32, F16>>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of an `f32` query and a stored `f16` vector,
    /// as `f32`.
    ///
    /// Error at most `(n + 2) · ε` of the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f32_f16(a: &[f32], b: &[f16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, F16>
    }
    fn l2_squared_f32_f16_rows(query: &[f32], rows: Rows<'_, f16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<L2, F32, F16>>
    }
    /// The inner product `Σ aᵢ bᵢ` of an `f32` query and a stored `bf16` vector, as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f32_bf16(a: &[f32], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, Bf16>
    }
    fn dot_f32_bf16_rows(query: &[f32], rows: Rows<'_, bf16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<Dot, F32, Bf16>>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of an `f32` query and a stored `bf16` vector,
    /// as `f32`.
    ///
    /// Error at most `(n + 2) · ε` of the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f32_bf16(a: &[f32], b: &[bf16]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, Bf16>
    }
    fn l2_squared_f32_bf16_rows(query: &[f32], rows: Rows<'_, bf16>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<L2, F32, Bf16>>
    }
    /// The inner product `Σ aᵢ bᵢ` of an `f32` query and a stored `i8` vector, as `f32`.
    ///
    /// Error at most `n · ε · Σ |aᵢ bᵢ|`.
    ///
    /// The rows' scale is the caller's: fold it into the query, or multiply the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_f32_i8(a: &[f32], b: &[i8]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, Dot, F32, I8AsF32>
    }
    fn dot_f32_i8_rows(query: &[f32], rows: Rows<'_, i8>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<Dot, F32, I8AsF32>>
    }
    /// The squared Euclidean distance `Σ (aᵢ - bᵢ)²` of an `f32` query and a stored `i8` vector, as
    /// `f32`.
    ///
    /// Error at most `(n + 2) · ε` of the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_f32_i8(a: &[f32], b: &[i8]) -> f32 {
        check { same_len(a.len(), b.len()) } run distance::pair::<_, L2, F32, I8AsF32>
    }
    fn l2_squared_f32_i8_rows(query: &[f32], rows: Rows<'_, i8>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Floats<L2, F32, I8AsF32>>
    }
}

in_numbers! {
    "the inner product", f32, 1 * f16 => f32: dot_f32_f16_many, dot_f32_f16_gather, dot_f32_f16_rows;
    "the squared Euclidean distance", f32, 1 * f16 => f32: l2_squared_f32_f16_many, l2_squared_f32_f16_gather, l2_squared_f32_f16_rows;
    "the inner product", f32, 1 * bf16 => f32: dot_f32_bf16_many, dot_f32_bf16_gather, dot_f32_bf16_rows;
    "the squared Euclidean distance", f32, 1 * bf16 => f32: l2_squared_f32_bf16_many, l2_squared_f32_bf16_gather, l2_squared_f32_bf16_rows;
    "the inner product", f32, 1 * i8 => f32: dot_f32_i8_many, dot_f32_i8_gather, dot_f32_i8_rows;
    "the squared Euclidean distance", f32, 1 * i8 => f32: l2_squared_f32_i8_many, l2_squared_f32_i8_gather, l2_squared_f32_i8_rows;
}
