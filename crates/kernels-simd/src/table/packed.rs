//! `i8` queries against packed codes of 4 and 2 bits, for quantised search.

use super::{Rows, gather_shape, many_shape, packed_len, tile_shape};
use crate::kernels::many;
use crate::kernels::packed::{self, Crumbs, Nibbles};

family! {
    bytes Packed in packed;

    /// The inner product of an `i8` query and a row of packed unsigned 4-bit codes.
    ///
    /// Byte `j` of a row holds the code of dimension `j` in its low and that of dimension `j +
    /// row.len()` in its high four bits, so that a query has `2 · row.len()` values: pad it with a
    /// 0 if the dimension is odd. Scales and offsets are the caller's: fold a per-dimension scale
    /// into the query before it is quantised.
    ///
    /// Exact for up to 1,118,481 dimensions and the same on every instruction set.
    ///
    /// # Panics
    /// Unless `query` has 2 values for each byte of `row`.
    pub fn dot_i8_u4(query: &[i8], row: &[u8]) -> i32 {
        check { packed_len(query.len(), 2, row.len()) } run packed::one::<_, Nibbles>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not 2 values for each byte of a row, or `out` not their number.
    pub fn dot_i8_u4_many(query: &[i8], rows: Rows<'_, u8>, out: &mut [i32]) {
        check { many_shape(query.len(), 2 * rows.dim(), rows.len(), out.len()) } run many::many::<_, Nibbles>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not 2 values for each byte of a row, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_i8_u4_gather(query: &[i8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [i32]) {
        check { gather_shape(query.len(), 2 * rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Nibbles>
    }
    /// `out[q · rows.len() + r]` becomes the inner product of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the queries have not 2 values for each byte of a row, or `out` has not room for every query against every row.
    pub fn dot_i8_u4_tile(queries: Rows<'_, i8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check { tile_shape(queries.dim(), 2 * rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Nibbles>
    }
    /// The inner product of an `i8` query and a row of packed unsigned 2-bit codes.
    ///
    /// Byte `j` of a row holds the codes of dimensions `j`, `j + row.len()`, `j + 2 · row.len()`
    /// and `j + 3 · row.len()`, the first in its lowest two bits, so that a query has `4 ·
    /// row.len()` values: pad it with zeros.
    ///
    /// Exact for up to 5,592,405 dimensions and the same on every instruction set.
    ///
    /// # Panics
    /// Unless `query` has 4 values for each byte of `row`.
    pub fn dot_i8_u2(query: &[i8], row: &[u8]) -> i32 {
        check { packed_len(query.len(), 4, row.len()) } run packed::one::<_, Crumbs>
    }
    /// `out[i]` becomes the inner product of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not 4 values for each byte of a row, or `out` not their number.
    pub fn dot_i8_u2_many(query: &[i8], rows: Rows<'_, u8>, out: &mut [i32]) {
        check { many_shape(query.len(), 4 * rows.dim(), rows.len(), out.len()) } run many::many::<_, Crumbs>
    }
    /// `out[i]` becomes the inner product of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not 4 values for each byte of a row, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn dot_i8_u2_gather(query: &[i8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [i32]) {
        check { gather_shape(query.len(), 4 * rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Crumbs>
    }
    /// `out[q · rows.len() + r]` becomes the inner product of query `q` and row `r`.
    ///
    /// Four queries go through the rows together: a row is read from memory once for them.
    ///
    /// # Panics
    /// If the queries have not 4 values for each byte of a row, or `out` has not room for every query against every row.
    pub fn dot_i8_u2_tile(queries: Rows<'_, i8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check { tile_shape(queries.dim(), 4 * rows.dim(), queries.len(), rows.len(), out.len()) } run many::tile::<_, Crumbs>
    }
}
