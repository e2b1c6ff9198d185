//! Distances of sets packed one bit an element.

use super::{Rows, same_len};
use crate::kernels::binary::{self, Hamming, Jaccard};
use crate::kernels::many;

family! {
    bits Binary in binary;

    /// The number of bits that differ.
    ///
    /// Exact if fewer than 2³² bits differ; beyond that the count wraps around.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
        check { same_len(a.len(), b.len()) } run binary::hamming
    }
    /// The Jaccard similarity `|a ∩ b| / |a ∪ b|` of sets packed one bit an element; 1 for two
    /// empty sets.
    ///
    /// The counts are exact for fewer than 2³² bits. Each is rounded to `f32`, and so is their quotient:
    /// the error is at most 3 ε of the result.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn jaccard(a: &[u8], b: &[u8]) -> f32 {
        check { same_len(a.len(), b.len()) } run binary::jaccard
    }
    fn hamming_rows(query: &[u8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [u32]) {
        check {} run many::rows::<_, Hamming>
    }
    fn hamming_blocks(queries: Rows<'_, u8>, rows: Rows<'_, u8>, out: &mut [u32]) {
        check {} run many::blocks::<_, Hamming>
    }
    fn jaccard_rows(query: &[u8], rows: Rows<'_, u8>, ids: Option<&[u32]>, out: &mut [f32]) {
        check {} run many::rows::<_, Jaccard>
    }
}

in_numbers! {
    "the number of bits that differ", u8, 1 * u8 => u32: hamming_many, hamming_gather, hamming_rows, hamming_tile, hamming_blocks;
    "the Jaccard similarity", u8, 1 * u8 => f32: jaccard_many, jaccard_gather, jaccard_rows;
}
