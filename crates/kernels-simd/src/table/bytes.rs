//! Distances of bytes, which are exact.

use super::{Rows, same_len};
use crate::kernels::bytes::{self, ByteCosines, Bytes as Score, DotI8, DotU8, L2I8, L2U8};
use crate::kernels::many;

family! {
    bytes Bytes in bytes;

    /// The inner product of signed bytes, the same on every instruction set.
    ///
    /// Exact for up to 131,071 elements whatever their values; beyond that it may wrap around like
    /// [`i32::wrapping_add`].
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
        check { same_len(a.len(), b.len()) } run bytes::pair::<_, DotI8>
    }
    /// The squared Euclidean distance of signed bytes, the same on every instruction set.
    ///
    /// Exact for up to 33,025 elements whatever their values; beyond that it may wrap around like
    /// [`i32::wrapping_add`].
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_i8(a: &[i8], b: &[i8]) -> i32 {
        check { same_len(a.len(), b.len()) } run bytes::pair::<_, L2I8>
    }
    /// The cosine similarity of signed bytes, clamped to [-1, 1]; 0 if a norm is 0.
    ///
    /// The sums are exact for up to 131,071 elements, and the result is within 4 ε.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_i8(a: &[i8], b: &[i8]) -> f32 {
        check { same_len(a.len(), b.len()) } run bytes::cosine::<_, DotI8>
    }
    fn dot_i8_rows(query: &[i8], rows: Rows<'_, i8>, ids: Option<&[u32]>, out: &mut [i32]) {
        check {} run many::rows::<_, Score<DotI8>>
    }
    fn dot_i8_blocks(queries: Rows<'_, i8>, rows: Rows<'_, i8>, out: &mut [i32]) {
        check {} run many::blocks::<_, Score<DotI8>>
    }
    fn l2_squared_i8_rows(query: &[i8], rows: Rows<'_, i8>, ids: Option<&[u32]>, out: &mut [i32]) {
        check {} run many::rows::<_, Score<L2I8>>
    }
    fn l2_squared_i8_blocks(queries: Rows<'_, i8>, rows: Rows<'_, i8>, out: &mut [i32]) {
        check {} run many::blocks::<_, Score<L2I8>>
    }
    fn cosine_i8_rows(query: &[i8], rows: Rows<'_, i8>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, ByteCosines<DotI8>>
    }
    /// The inner product of unsigned bytes, the same on every instruction set.
    ///
    /// Exact for up to 33,025 elements whatever their values; beyond that it may wrap around like
    /// [`i32::wrapping_add`].
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn dot_u8(a: &[u8], b: &[u8]) -> i32 {
        check { same_len(a.len(), b.len()) } run bytes::pair::<_, DotU8>
    }
    /// The squared Euclidean distance of unsigned bytes, the same on every instruction set.
    ///
    /// Exact for up to 33,025 elements whatever their values; beyond that it may wrap around like
    /// [`i32::wrapping_add`].
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn l2_squared_u8(a: &[u8], b: &[u8]) -> i32 {
        check { same_len(a.len(), b.len()) } run bytes::pair::<_, L2U8>
    }
    /// The cosine similarity of unsigned bytes, clamped to [-1, 1]; 0 if a norm is 0.
    ///
    /// The sums are exact for up to 33,025 elements, and the result is within 4 ε.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn cosine_u8(a: &[u8], b: &[u8]) -> f32 {
        check { same_len(a.len(), b.len()) } run bytes::cosine::<_, DotU8>
    }
    fn dot_u8_rows(query: &[u8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [i32]) {
        check {} run many::rows::<_, Score<DotU8>>
    }
    fn dot_u8_blocks(queries: Rows<'_, u8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check {} run many::blocks::<_, Score<DotU8>>
    }
    fn l2_squared_u8_rows(query: &[u8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [i32]) {
        check {} run many::rows::<_, Score<L2U8>>
    }
    fn l2_squared_u8_blocks(queries: Rows<'_, u8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check {} run many::blocks::<_, Score<L2U8>>
    }
    fn cosine_u8_rows(query: &[u8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, ByteCosines<DotU8>>
    }
}

in_numbers! {
    "the inner product", i8, 1 * i8 => i32: dot_i8_many, dot_i8_gather, dot_i8_rows, dot_i8_tile, dot_i8_blocks;
    "the squared Euclidean distance", i8, 1 * i8 => i32: l2_squared_i8_many, l2_squared_i8_gather, l2_squared_i8_rows, l2_squared_i8_tile, l2_squared_i8_blocks;
    "the cosine similarity", i8, 1 * i8 => f32: cosine_i8_many, cosine_i8_gather, cosine_i8_rows;
    "the inner product", u8, 1 * u8 => i32: dot_u8_many, dot_u8_gather, dot_u8_rows, dot_u8_tile, dot_u8_blocks;
    "the squared Euclidean distance", u8, 1 * u8 => i32: l2_squared_u8_many, l2_squared_u8_gather, l2_squared_u8_rows, l2_squared_u8_tile, l2_squared_u8_blocks;
    "the cosine similarity", u8, 1 * u8 => f32: cosine_u8_many, cosine_u8_gather, cosine_u8_rows;
}
