//! Products of matrices of bytes, wrapped in `product.rs`, which finds them room.

use super::Rows;
use crate::kernels::gemm_bytes;
use crate::matrix::Requantize;

family! {
    bytes ByteProducts in byte_products;

    /// Signed by signed, into sums.
    pub(crate) fn gemm_i8_in(
        a: Rows<'_, i8>,
        b: Rows<'_, i8>,
        out: &mut [i32],
        scratch: &mut [u8],
    ) {
        check {} run gemm_bytes::gemm
    }
    /// Unsigned by signed, into sums.
    pub(crate) fn gemm_u8_i8_in(
        a: Rows<'_, u8>,
        b: Rows<'_, i8>,
        out: &mut [i32],
        scratch: &mut [u8],
    ) {
        check {} run gemm_bytes::gemm
    }
    /// Signed by signed, into bytes.
    pub(crate) fn gemm_i8_requantized_in(
        a: Rows<'_, i8>,
        b: Rows<'_, i8>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut [u8],
    ) {
        check {} run gemm_bytes::gemm_requantized
    }
    /// Unsigned by signed, into bytes.
    pub(crate) fn gemm_u8_i8_requantized_in(
        a: Rows<'_, u8>,
        b: Rows<'_, i8>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut [u8],
    ) {
        check {} run gemm_bytes::gemm_requantized
    }
}
