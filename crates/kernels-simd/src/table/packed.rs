//! `i8` queries against packed codes of 4 and 2 bits, for quantised search.

use super::{Rows, packed_len};
use crate::kernels::many;
use crate::kernels::packed::{Crumbs, Nibbles};

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
        check { packed_len(query.len(), 2, row.len()) } run Nibbles::one
    }
    fn dot_i8_u4_rows(query: &[i8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [i32]) {
        check {} run many::rows::<_, Nibbles>
    }
    fn dot_i8_u4_blocks(queries: Rows<'_, i8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check {} run many::blocks::<_, Nibbles>
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
        check { packed_len(query.len(), 4, row.len()) } run Crumbs::one
    }
    fn dot_i8_u2_rows(query: &[i8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [i32]) {
        check {} run many::rows::<_, Crumbs>
    }
    fn dot_i8_u2_blocks(queries: Rows<'_, i8>, rows: Rows<'_, u8>, out: &mut [i32]) {
        check {} run many::blocks::<_, Crumbs>
    }
}

in_numbers! {
    "the inner product", i8, 2 * u8 => i32: dot_i8_u4_many, dot_i8_u4_gather, dot_i8_u4_rows, dot_i8_u4_tile, dot_i8_u4_blocks;
    "the inner product", i8, 4 * u8 => i32: dot_i8_u2_many, dot_i8_u2_gather, dot_i8_u2_rows, dot_i8_u2_tile, dot_i8_u2_blocks;
}
