//! Matrix products as methods: they check shapes and find room in the caller's scratch.

use crate::kernels::{gemm, gemm_bytes};
use crate::matrix::{Epilogue, GemmScratch, Matrix, MatrixMut, Requantize, at_least};
use crate::rows::Rows;
use crate::table::Kernels;

impl Kernels {
    /// The matrix product `C = activation(alpha · A·B + beta · C + bias)`.
    ///
    /// Either operand may be [transposed](Matrix::transposed). Error at most `(k + 3) · ε` of the sum
    /// of magnitudes, for `k` columns of `A`. Takes `2 · m · n · k` operations; nothing is allocated
    /// once `scratch` has grown.
    ///
    /// # Panics
    /// If the shapes do not fit each other, with both of them.
    #[track_caller]
    pub fn gemm(
        &self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        c: MatrixMut<'_>,
        epilogue: Epilogue<'_>,
        scratch: &mut GemmScratch,
    ) {
        let (m, k, n) = (a.rows, a.cols, b.cols);
        assert!(b.rows == k, "{m} × {k} by {} × {n}: the inner dimensions differ", b.rows);
        let (rows, cols) = (c.rows, c.cols);
        assert!((rows, cols) == (m, n), "a result of {rows} × {cols} for a product of {m} × {n}");
        if let Some(bias) = epilogue.bias {
            assert!(bias.len() == n, "{} biases for {n} columns", bias.len());
        }
        let room = at_least(&mut scratch.floats, gemm::scratch_len(m, k));
        self.gemm_in(a, b, c, epilogue, room);
    }

    /// The product of signed bytes, `out[i · b.len() + j] = Σ aᵢₖ bⱼₖ`: `b` has a row for each column
    /// of the result, as the weights of a layer have for each output.
    ///
    /// Exact for up to 131,071 steps, and the same on every instruction set.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every row of `a` against each of `b`.
    #[track_caller]
    pub fn gemm_i8(
        &self,
        a: Rows<'_, i8>,
        b: Rows<'_, i8>,
        out: &mut [i32],
        scratch: &mut GemmScratch,
    ) {
        shape(a, b, out.len());
        let room = at_least(&mut scratch.bytes, gemm_bytes::scratch_len(a.len(), a.dim()));
        self.gemm_i8_in(a, b, out, room);
    }

    /// Likewise with unsigned bytes in `a`. Exact for up to 65,793 steps.
    ///
    /// # Panics
    /// If the dimensions differ, or `out` has not room for every row of `a` against each of `b`.
    #[track_caller]
    pub fn gemm_u8_i8(
        &self,
        a: Rows<'_, u8>,
        b: Rows<'_, i8>,
        out: &mut [i32],
        scratch: &mut GemmScratch,
    ) {
        shape(a, b, out.len());
        let room = at_least(&mut scratch.bytes, gemm_bytes::scratch_len(a.len(), a.dim()));
        self.gemm_u8_i8_in(a, b, out, room);
    }

    /// [`Kernels::gemm_i8`], of which each sum is made a byte again while it is in a register.
    ///
    /// # Panics
    /// If the dimensions differ, `out` has not room, `requantize` has not a scale and a bias for each
    /// row of `b`, or its zero point is no byte.
    #[track_caller]
    pub fn gemm_i8_requantized(
        &self,
        a: Rows<'_, i8>,
        b: Rows<'_, i8>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut GemmScratch,
    ) {
        shape(a, b, out.len());
        channels(requantize, b.len());
        let room = at_least(&mut scratch.bytes, gemm_bytes::scratch_len(a.len(), a.dim()));
        self.gemm_i8_requantized_in(a, b, requantize, out, room);
    }

    /// [`Kernels::gemm_u8_i8`], of which each sum is made a byte again while it is in a register.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8_requantized`].
    #[track_caller]
    pub fn gemm_u8_i8_requantized(
        &self,
        a: Rows<'_, u8>,
        b: Rows<'_, i8>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut GemmScratch,
    ) {
        shape(a, b, out.len());
        channels(requantize, b.len());
        let room = at_least(&mut scratch.bytes, gemm_bytes::scratch_len(a.len(), a.dim()));
        self.gemm_u8_i8_requantized_in(a, b, requantize, out, room);
    }
}

#[track_caller]
fn shape<T>(a: Rows<'_, T>, b: Rows<'_, i8>, out: usize) {
    assert!(a.dim() == b.dim(), "rows of dimension {} by rows of {}", a.dim(), b.dim());
    let (m, n) = (a.len(), b.len());
    assert!(m.checked_mul(n) == Some(out), "room for {out} results of {m} by {n} rows");
}

#[track_caller]
fn channels(requantize: Requantize<'_>, channels: usize) {
    let (scales, bias) = (requantize.scales.len(), requantize.bias.len());
    assert!(scales == channels, "{scales} scales for {channels} channels");
    assert!(bias == channels, "{bias} biases for {channels} channels");
    let zero = requantize.zero_point;
    assert!((-128..=127).contains(&zero), "zero point {zero} is not within [-128, 127]");
}
