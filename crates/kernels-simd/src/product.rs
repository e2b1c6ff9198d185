//! Products of `f32` matrices as methods: they check shapes, go through the blocks, and find room in
//! the caller's scratch.

use aligned_vec::AVec;

use crate::isa::Isa;
use crate::kernels::gemm::{Columns, Last};
use crate::matrix::{
    Activation, Epilogue, GROUP, GemmScratch, Matrix, MatrixMut, UNIT, at_least, groups, parts,
};
use crate::table::Kernels;

/// Steps of a block at most: a group of columns of so many rows about fits the first-level cache.
const STEPS: usize = 256;
/// Rows of a block at most, which fits the second-level cache, and what they are a multiple of.
const ROWS: usize = 528;
const ROWS_UNIT: usize = 24;
/// For so few rows, packing columns takes longer than reading them where they are.
const PLAIN_ROWS: usize = 64;
/// Rows so many values apart fall into the same set of a first-level cache.
const CROWDED: usize = 1024;
/// Rows that get their activation together, while they are in the first-level cache.
const ACTIVE_ROWS: usize = 72;

/// A matrix in the order in which a product reads its right operand, packed once for many products.
///
/// It belongs to the instruction set that packed it.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    data: AVec<f32>,
    rows: usize,
    cols: usize,
    isa: Isa,
}

impl PackedMatrix {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns there are.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The group of columns at `col` in the block of `depth` steps at `step`.
    fn group(&self, step: usize, depth: usize, col: usize, across: usize) -> &[f32] {
        let start = step * self.cols.next_multiple_of(UNIT) + depth * col;
        &self.data[start..start + depth * across.next_multiple_of(UNIT)]
    }
}

/// The right operand of a product, which is packed on the way or was before: worth it where the same
/// matrix, such as the weights of a layer, is multiplied by few rows again and again.
#[derive(Clone, Copy, Debug)]
pub enum RightOperand<'a> {
    /// A matrix as it is.
    Plain(Matrix<'a>),
    /// One that was packed by [`Kernels::pack`].
    Packed(&'a PackedMatrix),
}

impl<'a> From<Matrix<'a>> for RightOperand<'a> {
    fn from(matrix: Matrix<'a>) -> Self {
        RightOperand::Plain(matrix)
    }
}

impl<'a> From<&'a PackedMatrix> for RightOperand<'a> {
    fn from(packed: &'a PackedMatrix) -> Self {
        RightOperand::Packed(packed)
    }
}

impl Kernels {
    /// The matrix product `C = activation(alpha · A·B + beta · C + bias)`.
    ///
    /// Either operand may be [transposed](Matrix::transposed), and `b` a matrix or a
    /// [packed](Kernels::pack) one. Error at most `(k + 3) · ε` of the sum of magnitudes, for `k`
    /// columns of `A`, to which the activation adds its own. Takes `2 · m · n · k` operations; nothing
    /// is allocated once `scratch` has grown.
    ///
    /// # Panics
    /// If the shapes do not fit each other, with both of them, or if `b` was packed by the table of
    /// another set.
    #[track_caller]
    pub fn gemm<'b>(
        &self,
        a: Matrix<'_>,
        b: impl Into<RightOperand<'b>>,
        c: MatrixMut<'_>,
        epilogue: Epilogue<'_>,
        scratch: &mut GemmScratch,
    ) {
        let b = b.into();
        let shape = match b {
            RightOperand::Plain(b) => (b.rows, b.cols),
            RightOperand::Packed(b) => {
                same_set(self.isa(), b.isa);
                (b.rows, b.cols)
            }
        };
        shapes(a, shape, &c, epilogue);
        self.product(a, b, c, epilogue, scratch);
    }

    /// Packs a right operand for [`Kernels::gemm`].
    ///
    /// It takes as much room as `b`, its columns rounded up to a multiple of 16.
    pub fn pack(&self, b: Matrix<'_>) -> PackedMatrix {
        let len = b.rows * b.cols.next_multiple_of(UNIT);
        let mut data = AVec::new(64);
        let mut rest = at_least(&mut data, len);
        for (step, depth) in parts(b.rows, STEPS, 1) {
            for (col, across) in groups(b.cols) {
                let room;
                (room, rest) =
                    core::mem::take(&mut rest).split_at_mut(depth * across.next_multiple_of(UNIT));
                self.gemm_pack_columns(b.part(step, col, depth, across), room);
            }
        }
        PackedMatrix { data, rows: b.rows, cols: b.cols, isa: self.isa() }
    }

    /// Applies an activation to each value, in place.
    pub fn activate(&self, activation: Activation, x: &mut [f32]) {
        match activation {
            Activation::Identity => {}
            Activation::Relu => self.relu_in_place(x),
            Activation::LeakyRelu { slope } => self.leaky_relu_in_place(x, slope),
            Activation::Elu { alpha } => self.elu_in_place(x, alpha),
            Activation::Sigmoid => self.sigmoid_in_place(x),
            Activation::Tanh => self.tanh_in_place(x),
            Activation::Gelu => self.gelu_in_place(x),
            Activation::GeluTanh => self.gelu_tanh_in_place(x),
            Activation::Silu => self.silu_in_place(x),
            Activation::Softplus => self.softplus_in_place(x),
        }
    }

    fn product(
        &self,
        a: Matrix<'_>,
        b: RightOperand<'_>,
        mut c: MatrixMut<'_>,
        epilogue: Epilogue<'_>,
        scratch: &mut GemmScratch,
    ) {
        let (rows, cols, steps) = (c.rows, c.cols, a.cols);
        let [room_a, room_b] = &mut scratch.floats;
        for (step, depth) in parts(steps, STEPS, 1) {
            let is_last = step + depth == steps;
            let last = Last {
                alpha: epilogue.alpha,
                beta: if step == 0 { epilogue.beta } else { 1.0 },
                relu: is_last && epilogue.activation == Activation::Relu,
            };
            // What is left to do once the sums are complete.
            let activation = match epilogue.activation {
                Activation::Relu => Activation::Identity,
                _ if !is_last => Activation::Identity,
                other => other,
            };
            let bias = if is_last { epilogue.bias.unwrap_or(&[]) } else { &[] };
            for (row, height) in parts(rows, ROWS, ROWS_UNIT) {
                let a = self.by_rows(a.part(row, step, height, depth), room_a);
                for (col, across) in groups(cols) {
                    let b = match b {
                        RightOperand::Packed(b) => {
                            Columns::Packed(b.group(step, depth, col, across))
                        }
                        RightOperand::Plain(b) => {
                            let b = b.part(step, col, depth, across);
                            if height <= PLAIN_ROWS && b.col_step == 1 && across % UNIT == 0 {
                                Columns::Plain(b.data, b.row_step)
                            } else {
                                let room = at_least(room_b, depth * GROUP);
                                self.gemm_pack_columns(b, room);
                                Columns::Packed(room)
                            }
                        }
                    };
                    let bias = bias.get(col..col + across).unwrap_or(&[]);
                    let mut c = c.part(row, col, height, across);
                    if activation == Activation::Identity {
                        self.gemm_multiply(a, b, c, last, bias);
                        continue;
                    }
                    for (row, height) in parts(height, ACTIVE_ROWS, ROWS_UNIT) {
                        let a = a.part(row, 0, height, depth);
                        self.gemm_multiply(a, b, c.part(row, 0, height, across), last, bias);
                        for row in row..row + height {
                            let start = row * c.stride;
                            self.activate(activation, &mut c.data[start..start + across]);
                        }
                    }
                }
            }
        }
    }

    /// `a` where it is if its rows are stored as such and do not push each other out of the caches,
    /// otherwise a copy of which both is true.
    fn by_rows<'a>(&self, a: Matrix<'a>, room: &'a mut AVec<f32>) -> Matrix<'a> {
        let crowded = a.rows > PLAIN_ROWS && a.row_step.is_multiple_of(CROWDED);
        if a.col_step == 1 && !crowded {
            return a;
        }
        // An odd number of cache lines spreads the rows over the sets of a cache.
        let stride = (a.cols.div_ceil(UNIT) | 1) * UNIT;
        let room = at_least(room, a.rows * stride);
        if a.col_step == 1 {
            for (i, to) in room.chunks_exact_mut(stride).enumerate() {
                to[..a.cols].copy_from_slice(&a.data[i * a.row_step..][..a.cols]);
            }
        } else {
            self.gemm_pack_rows(a, room, stride);
        }
        Matrix { data: room, rows: a.rows, cols: a.cols, row_step: stride, col_step: 1 }
    }
}

#[track_caller]
pub(crate) fn same_set(ours: Isa, theirs: Isa) {
    assert!(ours == theirs, "an operand packed for {theirs}, multiplied by {ours}");
}

#[track_caller]
fn shapes(a: Matrix<'_>, b: (usize, usize), c: &MatrixMut<'_>, epilogue: Epilogue<'_>) {
    let (m, k, n) = (a.rows, a.cols, b.1);
    assert!(b.0 == k, "{m} × {k} by {} × {n}: the inner dimensions differ", b.0);
    let (rows, cols) = (c.rows, c.cols);
    assert!((rows, cols) == (m, n), "a result of {rows} × {cols} for a product of {m} × {n}");
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() == n, "{} biases for {n} columns", bias.len());
    }
}
