//! Matrices for products: a view with a stride that may be read transposed, and what is done to the
//! results on the way out.

use aligned_vec::AVec;

/// A matrix of `rows` × `cols` values in a slice, of which each row begins `stride` behind the last.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_step: usize,
    pub(crate) col_step: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix stored row by row.
    ///
    /// # Panics
    /// If `stride < cols`, or if `data` is shorter than the rows need.
    #[track_caller]
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        check(data.len(), rows, cols, stride);
        Matrix { data, rows, cols, row_step: stride, col_step: 1 }
    }

    /// The same values with rows and columns exchanged; nothing is moved.
    pub fn transposed(self) -> Self {
        Matrix {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_step: self.col_step,
            col_step: self.row_step,
        }
    }

    #[track_caller]
    pub(crate) fn by_rows(&self) {
        assert!(self.col_step == 1, "a transposed matrix: use the other of gemv, gemv_transposed");
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns there are.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

/// The matrix that a product is written to.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// A matrix stored row by row.
    ///
    /// # Panics
    /// If `stride < cols`, or if `data` is shorter than the rows need.
    #[track_caller]
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> Self {
        check(data.len(), rows, cols, stride);
        MatrixMut { data, rows, cols, stride }
    }
}

#[track_caller]
fn check(len: usize, rows: usize, cols: usize, stride: usize) {
    assert!(stride >= cols, "stride {stride} is less than {cols} columns: rows overlap");
    let needed = match rows.checked_sub(1) {
        None => Some(0),
        Some(before) => before.checked_mul(stride).and_then(|n| n.checked_add(cols)),
    };
    assert!(
        needed.is_some_and(|needed| needed <= len),
        "{len} values for {rows} rows of {cols} with stride {stride}"
    );
}

/// What becomes of a product before it is stored: `activation(alpha · A·B + beta · C + bias)`.
///
/// The default is the plain product `A·B`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// Factor of the product.
    pub alpha: f32,
    /// Factor of what `C` held; with 0 it is not read.
    pub beta: f32,
    /// One value for each column, or none at all.
    pub bias: Option<&'a [f32]>,
    /// Applied last.
    pub activation: Activation,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Epilogue { alpha: 1.0, beta: 0.0, bias: None, activation: Activation::Identity }
    }
}

/// An activation cheap enough to be fused into a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activation {
    /// The value itself.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
}

/// How sums of products of bytes become bytes again, one scale and one bias for each column:
/// `clamp(round(scale · sum + bias) + zero_point)`, rounded to nearest, ties to even.
#[derive(Clone, Copy, Debug)]
pub struct Requantize<'a> {
    /// A factor for each column: the scales of both operands over that of the result.
    pub scales: &'a [f32],
    /// Added to each column before it is rounded, in steps of the result.
    pub bias: &'a [f32],
    /// Which byte means 0 in the result.
    pub zero_point: i32,
}

/// Room for the operands in the order in which a product reads them.
///
/// It grows to what the largest product needs, about 1 MiB at most, and is used again after.
#[derive(Debug)]
pub struct GemmScratch {
    pub(crate) floats: AVec<f32>,
    pub(crate) bytes: AVec<u8>,
}

impl Default for GemmScratch {
    fn default() -> Self {
        GemmScratch { floats: AVec::new(64), bytes: AVec::new(64) }
    }
}

/// `room` with at least `len` values.
pub(crate) fn at_least<T: Copy + Default>(room: &mut AVec<T>, len: usize) -> &mut [T] {
    if room.len() < len {
        room.resize(len, T::default());
    }
    &mut room[..len]
}
