//! Products of `f32` matrices as methods: they check shapes, go through the blocks, and find room in
//! the caller's scratch.

use aligned_vec::AVec;

use crate::isa::Isa;
use crate::kernels::gemm::{Columns, Last};
use crate::matrix::{
    Activation, Epilogue, GROUP, GemmScratch, Matrix, MatrixMut, UNIT, at_least, groups, parts,
};
use crate::table::Kernels;

/// Steps of a block at most: so many of a tile's rows take a quarter of a first-level cache, and the
/// columns stream past them. The same for every product, so that a result depends neither on how many
/// rows there are nor on whether the columns were packed.
const STEPS: usize = 384;
/// Columns of a block at most, which with its steps is 800 KiB for the second-level cache.
const COLS: usize = 11 * GROUP;
/// Rows that are copied together if they are not stored as rows, and that get their activation while
/// they are in a near cache; a multiple of the rows of every set's tiles.
const STRIP: usize = 48;
/// For so few rows, packing columns takes longer than reading them where they are.
const PLAIN_ROWS: usize = 96;

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

    /// The groups of columns from `col` on in the block of `depth` steps at `step`.
    fn block(&self, step: usize, depth: usize, col: usize, across: usize) -> &[f32] {
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
        self.shapes(a, b, &c, epilogue);
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
            let room;
            (room, rest) = rest.split_at_mut(depth * b.cols.next_multiple_of(UNIT));
            self.pack_groups(b.part(step, 0, depth, b.cols), room);
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

    #[track_caller]
    pub(crate) fn shapes(
        &self,
        a: Matrix<'_>,
        b: RightOperand<'_>,
        c: &MatrixMut<'_>,
        epilogue: Epilogue<'_>,
    ) {
        let (inner, n) = match b {
            RightOperand::Plain(b) => (b.rows, b.cols),
            RightOperand::Packed(b) => {
                same_set(self.isa(), b.isa);
                (b.rows, b.cols)
            }
        };
        let (m, k) = (a.rows, a.cols);
        assert!(inner == k, "{m} × {k} by {inner} × {n}: the inner dimensions differ");
        let (rows, cols) = (c.rows, c.cols);
        assert!((rows, cols) == (m, n), "a result of {rows} × {cols} for a product of {m} × {n}");
        if let Some(bias) = epilogue.bias {
            assert!(bias.len() == n, "{} biases for {n} columns", bias.len());
        }
    }

    pub(crate) fn product(
        &self,
        a: Matrix<'_>,
        b: RightOperand<'_>,
        mut c: MatrixMut<'_>,
        epilogue: Epilogue<'_>,
        scratch: &mut GemmScratch,
    ) {
        let (rows, cols, steps) = (c.rows, c.cols, a.cols);
        let [room_a, room_b] = &mut scratch.floats;
        let few = match b {
            RightOperand::Plain(b) => rows <= PLAIN_ROWS && b.col_step == 1,
            RightOperand::Packed(_) => false,
        };
        // Only whole registers can be read where they are; the columns behind them are packed.
        let whole = if few { cols / UNIT * UNIT } else { cols };
        let columns = blocks(whole).chain((whole < cols).then_some((whole, cols - whole)));
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
            for (col, across) in columns.clone() {
                let b = match b {
                    RightOperand::Packed(b) => Columns::Packed(b.block(step, depth, col, across)),
                    RightOperand::Plain(b) => {
                        let b = b.part(step, col, depth, across);
                        if few && across % UNIT == 0 {
                            Columns::Plain(b.data, b.row_step)
                        } else {
                            let room = at_least(room_b, depth * across.next_multiple_of(UNIT));
                            self.pack_groups(b, room);
                            Columns::Packed(room)
                        }
                    }
                };
                let bias = bias.get(col..col + across).unwrap_or(&[]);
                for (row, height) in parts(rows, STRIP, STRIP) {
                    let a = self.by_rows(a.part(row, step, height, depth), room_a);
                    self.gemm_multiply(a, b, c.part(row, col, height, across), last, bias);
                    if activation == Activation::Identity {
                        continue;
                    }
                    for row in row..row + height {
                        let start = row * c.stride + col;
                        self.activate(activation, &mut c.data[start..start + across]);
                    }
                }
            }
        }
    }

    /// Packs a block of columns group by group.
    fn pack_groups(&self, b: Matrix<'_>, mut packed: &mut [f32]) {
        for (col, across) in groups(b.cols) {
            let room;
            (room, packed) = packed.split_at_mut(b.rows * across.next_multiple_of(UNIT));
            self.gemm_pack_columns(b.part(0, col, b.rows, across), room);
        }
    }

    /// `a` where it is if its rows are stored as such, otherwise a copy of which that is true.
    fn by_rows<'a>(&self, a: Matrix<'a>, room: &'a mut AVec<f32>) -> Matrix<'a> {
        if a.col_step == 1 {
            return a;
        }
        // An odd number of cache lines spreads the rows over the sets of a cache.
        let stride = (a.cols.div_ceil(UNIT) | 1) * UNIT;
        let room = at_least(room, a.rows * stride);
        self.gemm_pack_rows(a, room, stride);
        Matrix { data: room, rows: a.rows, cols: a.cols, row_step: stride, col_step: 1 }
    }
}

/// The blocks of columns: where each begins and how wide it is, whole groups all.
fn blocks(cols: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    // What would be left over for a block of its own must not be part of a divided group.
    let width = |left: usize| if left > COLS + UNIT { COLS } else { left };
    let next = move |&(at, across): &(usize, usize)| {
        let at = at + across;
        (at < cols).then(|| (at, width(cols - at)))
    };
    core::iter::successors((cols > 0).then(|| (0, width(cols))), next)
}

#[track_caller]
pub(crate) fn same_set(ours: Isa, theirs: Isa) {
    assert!(ours == theirs, "an operand packed for {theirs}, multiplied by {ours}");
}
