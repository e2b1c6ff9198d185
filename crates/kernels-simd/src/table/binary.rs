//! Distances of sets packed one bit an element.

use super::{Rows, gather_shape, many_shape, same_len};
use crate::kernels::binary::{self, Hamming, Jaccard};
use crate::kernels::many;

family! {
    bytes Binary in binary;

    /// The number of bits that differ.
    ///
    /// Exact for up to 2³² bits.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
        check { same_len(a.len(), b.len()) } run binary::hamming
    }
    /// The Jaccard similarity `|a ∩ b| / |a ∪ b|` of sets packed one bit an element; 1 for two
    /// empty sets.
    ///
    /// The counts are exact for up to 2³² bits, the result is their rounded quotient.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn jaccard(a: &[u8], b: &[u8]) -> f32 {
        check { same_len(a.len(), b.len()) } run binary::jaccard
    }
    /// `out[i]` becomes the number of bits that differ between `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn hamming_many(query: &[u8], rows: Rows<'_, u8>, out: &mut [u32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Hamming>
    }
    /// `out[i]` becomes the number of bits that differ between `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn hamming_gather(query: &[u8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [u32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Hamming>
    }
    /// `out[i]` becomes the Jaccard similarity of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, or `out` not their number.
    pub fn jaccard_many(query: &[u8], rows: Rows<'_, u8>, out: &mut [f32]) {
        check { many_shape(query.len(), rows.dim(), rows.len(), out.len()) } run many::many::<_, Jaccard>
    }
    /// `out[i]` becomes the Jaccard similarity of `query` and row `ids[i]`.
    ///
    /// Four rows are read at a time while the next four are fetched from memory.
    ///
    /// # Panics
    /// If `query` has not the rows' dimension, `out` not the length of `ids`, or an id is not below
    /// the number of rows.
    pub fn jaccard_gather(query: &[u8], rows: Rows<'_, u8>, ids: &[u32], out: &mut [f32]) {
        check { gather_shape(query.len(), rows.dim(), rows.len(), ids, out.len()) } run many::gather::<_, Jaccard>
    }
}
