//! Products of matrices; those called `gemm_*` are the inner parts of what `product.rs` and
//! `byte_product.rs` make of them.

use super::{Rows, same_len};
use crate::kernels::gemm::{self, Columns, Last};
use crate::kernels::gemm_bytes;
use crate::matrix::{Matrix, MatrixMut};

family! {
    Products in products;

    /// Packs a group of columns.
    pub(crate) fn gemm_pack_columns(b: Matrix<'_>, packed: &mut [f32]) {
        check {} run gemm::pack_columns
    }
    /// Copies a transposed matrix row by row.
    pub(crate) fn gemm_pack_rows(a: Matrix<'_>, packed: &mut [f32], stride: usize) {
        check {} run gemm::pack_rows
    }
    /// Multiplies rows by a packed group of columns.
    pub(crate) fn gemm_multiply(
        a: Matrix<'_>,
        b: Columns<'_>,
        c: MatrixMut<'_>,
        last: Last,
        bias: &[f32],
    ) {
        check {} run gemm::multiply
    }
    /// Packs a group of columns of bytes.
    pub(crate) fn gemm_bytes_pack(b: Rows<'_, i8>, packed: &mut [u8]) {
        check {} run gemm_bytes::pack
    }
    /// Rounds values to bytes.
    pub(crate) fn gemm_round(
        values: &[f32],
        across: usize,
        step: f32,
        zero: i32,
        out: &mut [i8],
        stride: usize,
    ) {
        check {} run gemm_bytes::round
    }
    /// The matrix-vector product `y = alpha · A x + beta · y`; with `beta` 0, `y` is not read.
    ///
    /// `a` must be stored row by row: for a transposed one there is
    /// [`gemv_transposed`](super::Kernels::gemv_transposed). Out of cache it is as fast as memory. Error
    /// at most `(n + 4) · ε · (|alpha| Σ |aᵢⱼ xⱼ| + |beta · yᵢ|)` for `n` columns.
    ///
    /// # Panics
    /// If `x` has not `a`'s columns, `y` not its rows, or `a` is transposed.
    pub fn gemv(alpha: f32, a: Matrix<'_>, x: &[f32], beta: f32, y: &mut [f32]) {
        check { same_len(x.len(), a.cols); same_len(y.len(), a.rows); a.by_rows() } run gemm::gemv
    }
    /// The product with the transpose, `y = alpha · Aᵀ x + beta · y`; with `beta` 0, what `y` held
    /// does not matter. Error at most `(m + 4) · ε · (|alpha| Σ |aᵢⱼ xᵢ| + |beta · yⱼ|)` for `m` rows.
    ///
    /// # Panics
    /// If `x` has not `a`'s rows, `y` not its columns, or `a` is transposed already.
    pub fn gemv_transposed(alpha: f32, a: Matrix<'_>, x: &[f32], beta: f32, y: &mut [f32]) {
        check { same_len(x.len(), a.rows); same_len(y.len(), a.cols); a.by_rows() }
        run gemm::gemv_transposed
    }
}
