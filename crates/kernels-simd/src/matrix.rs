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

    /// The part of `rows` × `cols` whose corner is at `row` and `col`, inside of the matrix.
    #[inline(always)]
    pub(crate) fn part(self, row: usize, col: usize, rows: usize, cols: usize) -> Self {
        let start = row * self.row_step + col * self.col_step;
        Matrix { data: self.data.get(start..).unwrap_or(&[]), rows, cols, ..self }
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

    /// As [`Matrix::part`].
    #[inline(always)]
    pub(crate) fn part(
        &mut self,
        row: usize,
        col: usize,
        rows: usize,
        cols: usize,
    ) -> MatrixMut<'_> {
        let start = row * self.stride + col;
        let data = self.data.get_mut(start..).unwrap_or(&mut []);
        MatrixMut { data, rows, cols, stride: self.stride }
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

/// An activation that is fused into a product: applied while the values are in a near cache, or
/// still in registers.
///
/// Each but the first is the method of [`Kernels`](crate::Kernels) of that name, which states its
/// formula and error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// The value itself.
    #[default]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` where it is not negative, else `slope · x`.
    LeakyRelu {
        /// The slope below zero.
        slope: f32,
    },
    /// `x` where it is not negative, else `alpha · (e^x - 1)`.
    Elu {
        /// What it is less than zero at most.
        alpha: f32,
    },
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The exact GELU.
    Gelu,
    /// The tangent form of GELU.
    GeluTanh,
    /// `x · sigmoid(x)`.
    Silu,
    /// `ln(1 + e^x)`.
    Softplus,
}

/// How sums of products of bytes become bytes again, one scale and one bias for each column:
/// `clamp(round(activation(scale · sum + bias) / step) + zero_point)`, rounded to nearest, ties to
/// even.
///
/// Where the sum with its scale and bias, or the activation of that, is NaN, the byte is −128, as in
/// [`Kernels::quantize_i8`](crate::Kernels::quantize_i8): scales and biases are not looked through.
#[derive(Clone, Copy, Debug)]
pub struct Requantize<'a> {
    /// A factor for each column: the product of the scales of both operands.
    pub scales: &'a [f32],
    /// Added to each column.
    pub bias: &'a [f32],
    /// Applied to their sum.
    pub activation: Activation,
    /// The scale of the result: what one of its steps is worth. With 1, scales and biases are in
    /// steps.
    pub step: f32,
    /// Which byte means 0 in the result.
    pub zero_point: i32,
}

/// Room for the operands in the order in which a product reads them.
///
/// It grows to what the largest product needs and is used again after: for `f32` to 1 MiB at most,
/// for bytes with the length of a row. Products in parallel take as much for each thread.
#[derive(Debug)]
pub struct GemmScratch {
    /// Rows of `A`, and a group of columns of `B`.
    pub(crate) floats: [AVec<f32>; 2],
    /// Likewise, and a row of zeros.
    pub(crate) bytes: [AVec<u8>; 3],
    /// Sums of products of bytes that become bytes.
    pub(crate) sums: AVec<i32>,
    /// For further threads.
    #[cfg(feature = "rayon")]
    others: Vec<GemmScratch>,
}

#[cfg(feature = "rayon")]
impl GemmScratch {
    /// One for each of `count` threads.
    pub(crate) fn shares(&mut self, count: usize) -> &mut [GemmScratch] {
        if self.others.len() < count {
            self.others.resize_with(count, GemmScratch::default);
        }
        &mut self.others[..count]
    }
}

impl Default for GemmScratch {
    fn default() -> Self {
        GemmScratch {
            floats: [AVec::new(64), AVec::new(64)],
            bytes: [AVec::new(64), AVec::new(64), AVec::new(64)],
            sums: AVec::new(64),
            #[cfg(feature = "rayon")]
            others: Vec::new(),
        }
    }
}

/// `room` with at least `len` values.
pub(crate) fn at_least<T: Copy + Default>(room: &mut AVec<T>, len: usize) -> &mut [T] {
    if room.len() < len {
        room.resize(len, T::default());
    }
    &mut room[..len]
}

/// `total` in parts as equal as multiples of `unit` can be, none above `most`: where each begins and
/// how long it is. Of nothing there is one part, which is empty.
pub(crate) fn parts(
    total: usize,
    most: usize,
    unit: usize,
) -> impl Iterator<Item = (usize, usize)> + Clone {
    let count = total.div_ceil(most).max(1);
    let size = total.div_ceil(count).next_multiple_of(unit);
    (0..count).map(move |i| (i * size).min(total)).map(move |at| (at, size.min(total - at)))
}

/// The groups of columns that are packed together: where each begins and how wide it is.
pub(crate) fn groups(cols: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let next = move |&(at, across): &(usize, usize)| {
        let at = at + across;
        (at < cols).then(|| (at, group(cols - at)))
    };
    core::iter::successors((cols > 0).then(|| (0, group(cols))), next)
}

/// How wide the next group is when so many columns are left.
#[inline(always)]
pub(crate) fn group(left: usize) -> usize {
    match left {
        // Two halves keep more sums in registers than a whole and a rest.
        49..=64 => 32,
        _ if left < GROUP => left,
        _ => GROUP,
    }
}

/// Columns of a group at most: a multiple of the panels of every set.
pub(crate) const GROUP: usize = 48;
/// Columns that a group's room is a multiple of.
pub(crate) const UNIT: usize = 16;
