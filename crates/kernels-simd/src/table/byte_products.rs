//! The inner part of products of bytes; `byte_product.rs` makes them of it.
#![allow(unsafe_code, reason = "makes the token of tiles, which no feature of the compiler proves")]

use super::Rows;
use crate::kernels::gemm_bytes;
use crate::simd::product::{Coding, Tile};

family! {
    bytes ByteProducts in byte_products;

    /// Multiplies rows of bytes by a packed group of columns.
    pub(crate) fn gemm_bytes_multiply(
        a: Rows<'_, u8>,
        coding: Coding<'_>,
        packed: &[u8],
        sums: Tile<'_, i32>,
    ) {
        check {} run gemm_bytes::multiply
    }

    /// The same for one or two rows, without tiles.
    pub(crate) fn gemm_bytes_few(
        a: Rows<'_, u8>,
        coding: Coding<'_>,
        packed: &[u8],
        sums: Tile<'_, i32>,
    ) {
        check {} run gemm_bytes::multiply_few
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512amx {
    use super::*;
    use crate::kernels::gemm_tiles;
    use crate::simd::avx512::amx::Avx512Amx;
    use crate::simd::avx512::vnni::Avx512Vnni;

    #[target_feature(
        enable = "avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
    )]
    fn gemm_bytes_multiply(
        a: Rows<'_, u8>,
        coding: Coding<'_>,
        packed: &[u8],
        sums: Tile<'_, i32>,
    ) {
        // SAFETY: this table is only handed out where tiles are permitted.
        let tiles = unsafe { Avx512Amx::new() };
        gemm_tiles::multiply((tiles, Avx512Vnni::<false>::new()), a, coding, packed, sums);
    }

    pub(in crate::table) const TABLE: ByteProducts =
        ByteProducts { gemm_bytes_multiply, ..super::avx512vnni::TABLE };
}
