//! The inner part of products of bytes; `byte_product.rs` makes them of it.

use super::Rows;
use crate::kernels::gemm_bytes;
use crate::simd::product::Tile;

family! {
    bytes ByteProducts in byte_products;

    /// Multiplies rows of unsigned bytes by a packed group of columns.
    pub(crate) fn gemm_bytes_multiply(
        a: Rows<'_, u8>,
        packed: &[u8],
        sums: Tile<'_, i32>,
        excess: &[i32],
    ) {
        check {} run gemm_bytes::multiply
    }
}
