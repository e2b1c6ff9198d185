//! Distances of bytes, which are exact.

use super::{Rows, gather_shape, many_shape, same_len, tile_shape};
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
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_i8_many(query: &[i8], rows: Rows<'_, i8>, out: &mut [i32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Score<DotI8>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_i8_gather(query: &[i8], rows: Rows<'_, i8>, ids: &[u32], out: &mut [i32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Score<DotI8>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_i8_many(query: &[i8], rows: Rows<'_, i8>, out: &mut [i32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Score<L2I8>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_i8_gather(query: &[i8], rows: Rows<'_, i8>, ids: &[u32], out: &mut [i32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Score<L2I8>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn cosine_i8_many(query: &[i8], rows: Rows<'_, i8>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, ByteCosines<DotI8>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn cosine_i8_gather(query: &[i8], rows: Rows<'_, i8>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, ByteCosines<DotI8>>
    }
    /// `out[q · rows.len() + r]` becomes the inner product of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every query against every row.
    pub fn dot_i8_tile(queries: Rows<'_, i8>, rows: Rows<'_, i8>, out: &mut [i32]) {
        check { tile_shape(queries.dim(), rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Score<DotI8>>
    }
    /// `out[q · rows.len() + r]` becomes the squared Euclidean distance of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every query against every row.
    pub fn l2_squared_i8_tile(queries: Rows<'_, i8>, rows: Rows<'_, i8>, out: &mut [i32]) {
        check { tile_shape(queries.dim(), rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Score<L2I8>>
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
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn dot_u8_many(query: &[u8], rows: Rows<'_, u8>, out: &mut [i32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Score<DotU8>>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_u8_gather(query: &[u8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [i32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Score<DotU8>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn l2_squared_u8_many(query: &[u8], rows: Rows<'_, u8>, out: &mut [i32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Score<L2U8>>
    }
    /// `out[i]` becomes the squared Euclidean distance of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn l2_squared_u8_gather(query: &[u8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [i32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Score<L2U8>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn cosine_u8_many(query: &[u8], rows: Rows<'_, u8>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, ByteCosines<DotU8>>
    }
    /// `out[i]` becomes the cosine similarity of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn cosine_u8_gather(query: &[u8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, ByteCosines<DotU8>>
    }
    /// `out[q · rows.len() + r]` becomes the inner product of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every query against every row.
    pub fn dot_u8_tile(queries: Rows<'_, u8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check { tile_shape(queries.dim(), rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Score<DotU8>>
    }
    /// `out[q · rows.len() + r]` becomes the squared Euclidean distance of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every query against every row.
    pub fn l2_squared_u8_tile(queries: Rows<'_, u8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check { tile_shape(queries.dim(), rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Score<L2U8>>
    }
}
