//! Matrix products with the rows of the result shared among rayon's threads. A row's sums do not depend
//! on which other rows there are, so the results are the same to the bit.

use core::ops::Range;

use crate::byte_product::{Left, Output};
use crate::matrix::{Epilogue, GemmScratch, Matrix, MatrixMut, Requantize};
use crate::rows::Rows;
use crate::{Kernels, RightOperand, Weights};

/// Rows of a share are a multiple of the rows that a block of registers holds; blocks of tiles, which
/// hold 32, may end in a part.
const ROWS_UNIT: usize = 24;
/// Multiplications that are worth handing to another thread: tens of microseconds.
const WORTH: usize = 1 << 22;

impl Kernels {
    /// [`Kernels::gemm`] on the threads of the current rayon pool, with the same results.
    ///
    /// Each thread takes some of the rows, and packs `b` for itself unless it [was](Kernels::pack)
    /// before. `scratch` grows to what that takes for each.
    ///
    /// # Panics
    /// As [`Kernels::gemm`].
    #[track_caller]
    pub fn gemm_parallel<'b>(
        &self,
        a: Matrix<'_>,
        b: impl Into<RightOperand<'b>>,
        c: MatrixMut<'_>,
        epilogue: Epilogue<'_>,
        scratch: &mut GemmScratch,
    ) {
        let b = b.into();
        self.shapes(a, b, &c, epilogue);
        let (rows, cols, stride) = (c.rows, c.cols, c.stride);
        let scratch = scratch.shares(shares(rows, a.cols, cols));
        share(0..rows, c.data, stride, scratch, &|rows, data, scratch| {
            let a = a.part(rows.start, 0, rows.len(), a.cols);
            let c = MatrixMut { data, rows: rows.len(), cols, stride };
            self.product(a, b, c, epilogue, scratch);
        });
    }

    /// [`Kernels::gemm_i8`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8`].
    #[track_caller]
    pub fn gemm_i8_parallel<'b>(
        &self,
        a: Rows<'_, i8>,
        b: impl Into<Weights<'b>>,
        out: &mut [i32],
        scratch: &mut GemmScratch,
    ) {
        let b = b.into();
        self.check(Left::Signed(a), b, &Output::Sums(out));
        let parts = scratch.shares(shares(a.len(), a.dim(), b.len()));
        share(0..a.len(), out, b.len(), parts, &|rows, out, scratch| {
            self.gemm_i8(a.part(rows.start, rows.len()), b, out, scratch);
        });
    }

    /// [`Kernels::gemm_u8_i8`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::gemm_u8_i8`].
    #[track_caller]
    pub fn gemm_u8_i8_parallel<'b>(
        &self,
        a: Rows<'_, u8>,
        b: impl Into<Weights<'b>>,
        out: &mut [i32],
        scratch: &mut GemmScratch,
    ) {
        let b = b.into();
        self.check(Left::Unsigned(a), b, &Output::Sums(out));
        let parts = scratch.shares(shares(a.len(), a.dim(), b.len()));
        share(0..a.len(), out, b.len(), parts, &|rows, out, scratch| {
            self.gemm_u8_i8(a.part(rows.start, rows.len()), b, out, scratch);
        });
    }

    /// [`Kernels::gemm_i8_requantized`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8_requantized`].
    #[track_caller]
    pub fn gemm_i8_requantized_parallel<'b>(
        &self,
        a: Rows<'_, i8>,
        b: impl Into<Weights<'b>>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut GemmScratch,
    ) {
        let b = b.into();
        self.check(Left::Signed(a), b, &Output::Bytes(out, requantize));
        let parts = scratch.shares(shares(a.len(), a.dim(), b.len()));
        share(0..a.len(), out, b.len(), parts, &|rows, out, scratch| {
            let a = a.part(rows.start, rows.len());
            self.gemm_i8_requantized(a, b, requantize, out, scratch);
        });
    }

    /// [`Kernels::gemm_u8_i8_requantized`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::gemm_u8_i8_requantized`].
    #[track_caller]
    pub fn gemm_u8_i8_requantized_parallel<'b>(
        &self,
        a: Rows<'_, u8>,
        b: impl Into<Weights<'b>>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut GemmScratch,
    ) {
        let b = b.into();
        self.check(Left::Unsigned(a), b, &Output::Bytes(out, requantize));
        let parts = scratch.shares(shares(a.len(), a.dim(), b.len()));
        share(0..a.len(), out, b.len(), parts, &|rows, out, scratch| {
            let a = a.part(rows.start, rows.len());
            self.gemm_u8_i8_requantized(a, b, requantize, out, scratch);
        });
    }
}

/// How many shares to make of the rows of a product: one for each thread, since each packs the right
/// operand again, and none too small to be worth handing over.
fn shares(rows: usize, steps: usize, cols: usize) -> usize {
    let work = rows.saturating_mul(steps).saturating_mul(cols);
    let most = rows.div_ceil(ROWS_UNIT).min(rayon::current_num_threads());
    (work / WORTH).clamp(1, most.max(1))
}

/// Calls `work` for shares of the rows, as many as there are scratches, each with its part of `out`,
/// where rows begin `stride` apart.
fn share<T: Send>(
    rows: Range<usize>,
    out: &mut [T],
    stride: usize,
    scratch: &mut [GemmScratch],
    work: &(impl Fn(Range<usize>, &mut [T], &mut GemmScratch) + Sync),
) {
    if let [scratch] = scratch {
        return work(rows, out, scratch);
    }
    let (one, other) = scratch.split_at_mut(scratch.len() / 2);
    let first = rows.len() * one.len() / (one.len() + other.len());
    let middle = rows.start + first.next_multiple_of(ROWS_UNIT).min(rows.len());
    // Behind the last row there may be less than a stride.
    let (above, below) = out.split_at_mut(((middle - rows.start) * stride).min(out.len()));
    rayon::join(
        || share(rows.start..middle, above, stride, one, work),
        || share(middle..rows.end, below, stride, other, work),
    );
}
