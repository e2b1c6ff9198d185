//! Products of matrices of bytes in tiles, of columns that are packed as for lanes of four.

use super::{gemm, gemm_bytes};
use crate::rows::Rows;
use crate::simd::avx512::amx::Avx512Amx;
use crate::simd::avx512::vnni::Avx512Vnni;
use crate::simd::product::{Coding, Tile, fill_tiles};

/// Multiplies rows of bytes, whole steps of tiles in each, by a packed group of columns; lanes of four
/// multiply those few that fill no tile, unless they have signs.
#[inline(always)]
pub(crate) fn multiply(
    (tiles, lanes): (Avx512Amx, Avx512Vnni),
    a: Rows<'_, u8>,
    coding: Coding<'_>,
    packed: &[u8],
    sums: Tile<'_, i32>,
) {
    let signed = match coding {
        Coding::Signed => true,
        Coding::Unsigned if fill_tiles(sums.rows, a.dim()) => false,
        _ => return gemm_bytes::multiply(lanes, a, coding, packed, sums),
    };
    let width = gemm::panel_width(16, sums.cols);
    tiles.product(a, signed, (packed, width), sums);
}
