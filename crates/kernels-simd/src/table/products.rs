//! Products of `f32` matrices; `gemm` is wrapped in `product.rs`, which finds it room.

use super::same_len;
use crate::kernels::gemm;
use crate::matrix::{Epilogue, Matrix, MatrixMut};

family! {
    Products in products;

    /// The product itself, with as much scratch as it needs.
    pub(crate) fn gemm_in(
        a: Matrix<'_>,
        b: Matrix<'_>,
        c: MatrixMut<'_>,
        epilogue: Epilogue<'_>,
        scratch: &mut [f32],
    ) {
        check {} run gemm::gemm
    }
    /// The matrix-vector product `y = alpha · A x + beta · y`; with `beta` 0, `y` is not read.
    ///
    /// `a` must be stored row by row: for a transposed one there is
    /// [`gemv_transposed`](super::Kernels::gemv_transposed). Out of cache it is as fast as memory.
    ///
    /// # Panics
    /// If `x` has not `a`'s columns, `y` not its rows, or `a` is transposed.
    pub fn gemv(alpha: f32, a: Matrix<'_>, x: &[f32], beta: f32, y: &mut [f32]) {
        check { same_len(x.len(), a.cols); same_len(y.len(), a.rows); a.by_rows() } run gemm::gemv
    }
    /// The product with the transpose, `y = alpha · Aᵀ x + beta · y`; with `beta` 0, what `y` held
    /// does not matter.
    ///
    /// # Panics
    /// If `x` has not `a`'s rows, `y` not its columns, or `a` is transposed already.
    pub fn gemv_transposed(alpha: f32, a: Matrix<'_>, x: &[f32], beta: f32, y: &mut [f32]) {
        check { same_len(x.len(), a.rows); same_len(y.len(), a.cols); a.by_rows() }
        run gemm::gemv_transposed
    }
}
