//! Codes of eight and four bits: their products are the very scores of a scan, since integers sum to
//! the same in any order.

use edgekit_kernels_simd::{self as kernels_simd, GemmScratch, Kernels};

use super::{ROWS, Search};
use crate::stored::{Stored, is_dead};

/// Queries that are looked at together for one that a row is near to: that takes no branch for each,
/// and where one is found, few others have to be gone through.
const GROUP: usize = 16;

/// All rows, padded to one length.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    Eight(&'a [i8]),
    Four(&'a [u8]),
}

impl Stored {
    /// Offers each search all `rows` that are near enough by code. `squares` are what rows add to
    /// their distances, if anything.
    pub(super) fn meet_codes(
        &self,
        dead: &[u64],
        rows: Rows<'_>,
        squares: &[f32],
        searches: &mut [Search],
    ) {
        let (n, count) = (self.slots(), searches.len());
        let mut products = Products::new(rows, n, searches);
        let biases: Vec<f32> = searches.iter().map(|search| search.query.bias).collect();
        let gains: Vec<f32> = searches.iter().map(|search| search.query.gain).collect();
        let mut bounds: Vec<f32> = searches.iter().map(|search| search.pool.bound()).collect();
        for start in (0..n).step_by(ROWS) {
            let block = products.of(start, ROWS.min(n - start));
            for (slot, products) in (start..).zip(block.chunks_exact(count)) {
                let square = if squares.is_empty() { 0.0 } else { squares[slot] };
                for (group, products) in products.chunks(GROUP).enumerate() {
                    let members = group * GROUP..group * GROUP + products.len();
                    let terms = biases[members.clone()].iter().zip(&gains[members.clone()]);
                    // In the order of a scan's sum.
                    let distances = products.iter().zip(terms);
                    let distances = distances
                        .map(|(&product, (bias, gain))| bias + gain * product as f32 + square);
                    let pairs = distances.clone().zip(&bounds[members.clone()]);
                    if !pairs.fold(false, |any, (distance, &bound)| any | (distance < bound))
                        || is_dead(dead, slot as u32)
                    {
                        continue;
                    }
                    for (distance, i) in distances.zip(members) {
                        if distance < bounds[i] {
                            let pool = &mut searches[i].pool;
                            pool.offer(distance, slot as u32);
                            bounds[i] = pool.bound();
                        }
                    }
                }
            }
        }
    }
}

/// Makes the products of blocks of rows with all queries.
struct Products<'a> {
    rows: Rows<'a>,
    /// Bytes from one row to the next.
    stride: usize,
    /// Values of a row.
    width: usize,
    queries: kernels_simd::PackedWeights,
    /// A block of rows of four bits as bytes.
    unpacked: Vec<u8>,
    room: GemmScratch,
    out: Vec<i32>,
}

impl<'a> Products<'a> {
    /// For `n` rows and at least one query.
    fn new(rows: Rows<'a>, n: usize, searches: &[Search]) -> Self {
        let folded: Vec<i8> =
            searches.iter().flat_map(|search| search.query.folded.iter().copied()).collect();
        let width = folded.len() / searches.len();
        let bytes = match rows {
            Rows::Eight(rows) => rows.len(),
            Rows::Four(rows) => rows.len(),
        };
        Products {
            rows,
            stride: bytes / n,
            width,
            queries: Kernels::get().pack_weights(kernels_simd::Rows::new(&folded, width, width)),
            unpacked: Vec::new(),
            room: GemmScratch::default(),
            out: vec![0; ROWS.min(n) * searches.len()],
        }
    }

    /// Of `len` rows from `start` on: those of a row with all queries beside each other.
    fn of(&mut self, start: usize, len: usize) -> &[i32] {
        let Products { rows, stride, width, queries, unpacked, room, out } = self;
        let (stride, width) = (*stride, *width);
        let span = start * stride..(start + len) * stride;
        let out = &mut out[..len * queries.len()];
        match rows {
            Rows::Eight(rows) => {
                let rows = kernels_simd::Rows::new(&rows[span], width, stride);
                Kernels::get().gemm_i8(rows, &*queries, out, room);
            }
            Rows::Four(rows) => {
                unpacked.resize(len * width, 0);
                let codes = rows[span].chunks_exact(stride);
                for (codes, out) in codes.zip(unpacked.chunks_exact_mut(width)) {
                    let (low, high) = out.split_at_mut(width / 2);
                    low.iter_mut().zip(codes).for_each(|(low, code)| *low = code & 15);
                    high.iter_mut().zip(codes).for_each(|(high, code)| *high = code >> 4);
                }
                let rows = kernels_simd::Rows::new(unpacked, width, width);
                Kernels::get().gemm_u8_i8(rows, &*queries, out, room);
            }
        }
        out
    }
}
