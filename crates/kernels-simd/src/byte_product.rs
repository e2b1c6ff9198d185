//! Products of matrices of bytes as methods: they check shapes, go through the blocks, and find room
//! in the caller's scratch.

use aligned_vec::AVec;

use crate::isa::Isa;
use crate::matrix::{Activation, GROUP, GemmScratch, Requantize, UNIT, at_least, parts};
use crate::product::same_set;
use crate::rows::Rows;
use crate::simd::product::{Coding, TILE_COLUMNS, Tile, as_bytes, fill_tiles, tile_depth};
use crate::table::{Dequantize, Kernels};

/// Bytes of rows that are made ready together, which fit the second-level cache.
const BLOCK: usize = 512 * 1024;
/// Rows whose sums become bytes while they are in the first-level cache.
const ACTIVE_ROWS: usize = 96;
/// A multiple of the rows of every set's blocks.
const ROWS_UNIT: usize = 32;

/// Rows of signed bytes, one for each column of a result, in the order in which a product reads
/// them, packed once for many products.
///
/// They belong to the instruction set that packed them.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedWeights {
    data: AVec<u8>,
    /// What a product of bytes of the other sign has too much.
    excess: AVec<i32>,
    len: usize,
    dim: usize,
    isa: Isa,
}

impl PackedWeights {
    /// How many rows there are, each for a column of the result.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes of heap memory.
    pub fn bytes(&self) -> usize {
        self.data.len() + 4 * self.excess.len()
    }
}

/// The right operand of a product of bytes, which is packed on the way or was before: worth it where
/// the same weights are multiplied by few rows again and again.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// A row for each column of the result.
    Plain(Rows<'a, i8>),
    /// Such rows that were packed by [`Kernels::pack_weights`].
    Packed(&'a PackedWeights),
}

impl<'a> From<Rows<'a, i8>> for Weights<'a> {
    fn from(rows: Rows<'a, i8>) -> Self {
        Weights::Plain(rows)
    }
}

impl<'a> From<&'a PackedWeights> for Weights<'a> {
    fn from(packed: &'a PackedWeights) -> Self {
        Weights::Packed(packed)
    }
}

impl Kernels {
    /// The product of signed bytes, `out[i · b.len() + j] = Σ aᵢₖ bⱼₖ`: `b` has a row for each column
    /// of the result, as the weights of a layer have for each output, and may be
    /// [packed](Kernels::pack_weights).
    ///
    /// Exact for up to 131,071 steps, and the same on every instruction set.
    ///
    /// # Panics
    /// If the dimensions differ, if `out` has not room for every row of `a` against each of `b`, or if
    /// `b` was packed by the table of another set.
    #[track_caller]
    pub fn gemm_i8<'b>(
        &self,
        a: Rows<'_, i8>,
        b: impl Into<Weights<'b>>,
        out: &mut [i32],
        scratch: &mut GemmScratch,
    ) {
        self.byte_product(Left::Signed(a), b.into(), Output::Sums(out), scratch);
    }

    /// Likewise with unsigned bytes in `a`. Exact for up to 65,793 steps.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8`].
    #[track_caller]
    pub fn gemm_u8_i8<'b>(
        &self,
        a: Rows<'_, u8>,
        b: impl Into<Weights<'b>>,
        out: &mut [i32],
        scratch: &mut GemmScratch,
    ) {
        self.byte_product(Left::Unsigned(a), b.into(), Output::Sums(out), scratch);
    }

    /// [`Kernels::gemm_i8`], of which each sum is made a byte again while it is in the first-level
    /// cache.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8`], or if `requantize` has not a scale and a bias for each row of `b`, its
    /// step is not above 0, or its zero point is no byte.
    #[track_caller]
    pub fn gemm_i8_requantized<'b>(
        &self,
        a: Rows<'_, i8>,
        b: impl Into<Weights<'b>>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut GemmScratch,
    ) {
        self.byte_product(Left::Signed(a), b.into(), Output::Bytes(out, requantize), scratch);
    }

    /// [`Kernels::gemm_u8_i8`], of which each sum is made a byte again while it is in the first-level
    /// cache.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8_requantized`].
    #[track_caller]
    pub fn gemm_u8_i8_requantized<'b>(
        &self,
        a: Rows<'_, u8>,
        b: impl Into<Weights<'b>>,
        requantize: Requantize<'_>,
        out: &mut [i8],
        scratch: &mut GemmScratch,
    ) {
        self.byte_product(Left::Unsigned(a), b.into(), Output::Bytes(out, requantize), scratch);
    }

    /// [`Kernels::gemm_i8`], of which each sum becomes the value that it stands for, and that value
    /// its activation, while it is in the first-level cache.
    ///
    /// # Panics
    /// As [`Kernels::gemm_i8`], or if `meaning` has not a map for each row of `a` and a channel for each
    /// of `b`.
    #[track_caller]
    pub fn gemm_i8_dequantized<'b>(
        &self,
        a: Rows<'_, i8>,
        b: impl Into<Weights<'b>>,
        meaning: Dequantize<'_>,
        activation: Activation,
        out: &mut [f32],
        scratch: &mut GemmScratch,
    ) {
        let out = Output::Values(out, meaning, activation);
        self.byte_product(Left::Signed(a), b.into(), out, scratch);
    }

    /// Packs the right operand of products of bytes.
    ///
    /// It takes as much room as `b`, its rows and their values rounded up to multiples of 16 and 4,
    /// or of as much as a tile takes in one step.
    pub fn pack_weights(&self, b: Rows<'_, i8>) -> PackedWeights {
        let (len, dim) = (b.len(), b.dim());
        let depth = self.depth(dim);
        let (mut data, mut excess) = (AVec::new(64), AVec::new(64));
        let packed = at_least(&mut data, len.next_multiple_of(UNIT) * depth);
        let sums = at_least(&mut excess, len);
        let mut scratch = AVec::new(64);
        for (col, across) in self.groups(len) {
            let group = &mut packed[group_range(col, across, depth)];
            self.gemm_bytes_pack(b.part(col, across), group);
            let other = if self.quad_shift() == 0 { 128 } else { 0 };
            self.excess(other, group, depth, &mut scratch, &mut sums[col..col + across]);
        }
        PackedWeights { data, excess, len, dim, isa: self.isa() }
    }

    /// Whether products of many bytes go through tiles.
    fn has_tiles(&self) -> bool {
        self.isa() == Isa::Avx512Amx
    }

    /// The groups of columns that are packed together: where each begins and how wide it is.
    fn groups(&self, cols: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let most = if self.has_tiles() { TILE_COLUMNS } else { GROUP };
        let mut at = 0;
        core::iter::from_fn(move || {
            let across = match cols - at {
                // Two halves keep more sums in registers than a whole and a rest.
                49..=64 => 32,
                left => left.min(most),
            };
            at += across;
            (across > 0).then_some((at - across, across))
        })
    }

    /// Bytes of a row of `dim` that the set multiplies.
    fn depth(&self, dim: usize) -> usize {
        dim.next_multiple_of(if self.has_tiles() { tile_depth(dim) } else { 4 })
    }

    /// By what the instruction that this set multiplies with makes its unsigned bytes signed.
    fn quad_shift(&self) -> u8 {
        match self.isa() {
            Isa::Neon | Isa::NeonDotprod => 128,
            _ => 0,
        }
    }

    /// The product of a row of zeros, which are `zero` as unsigned bytes.
    fn excess(&self, zero: u8, packed: &[u8], depth: usize, room: &mut AVec<u8>, to: &mut [i32]) {
        let zeros = at_least(room, depth);
        zeros.fill(zero);
        let to = whole(to, 1, to.len());
        self.gemm_bytes_multiply(Rows::new(zeros, depth, depth), Coding::Unsigned, packed, to);
    }

    fn multiply_bytes(
        &self,
        a: Rows<'_, u8>,
        coding: Coding<'_>,
        packed: &[u8],
        sums: Tile<'_, i32>,
    ) {
        match coding {
            Coding::Unsigned | Coding::Shifted(_) if sums.rows <= 2 => {
                self.gemm_bytes_few(a, coding, packed, sums);
            }
            _ => self.gemm_bytes_multiply(a, coding, packed, sums),
        }
    }

    #[track_caller]
    pub(crate) fn byte_product(
        &self,
        a: Left<'_>,
        b: Weights<'_>,
        mut out: Output<'_>,
        scratch: &mut GemmScratch,
    ) {
        self.check(a, b, &out);
        let (rows, cols, depth) = (a.len(), b.len(), self.depth(b.dim()));
        if rows == 0 {
            return;
        }
        let [room_a, room_b, room_zeros] = &mut scratch.bytes;
        let most = (BLOCK / depth).clamp(ROWS_UNIT, 4096) / ROWS_UNIT * ROWS_UNIT;
        for (row, height) in parts(rows, most, ROWS_UNIT) {
            let (left, shift) = self.left(a, row, height, depth, room_a);
            for (col, across) in self.groups(cols) {
                let packed = match b {
                    Weights::Packed(b) => &b.data[group_range(col, across, depth)],
                    Weights::Plain(b) => {
                        let room = at_least(room_b, depth * across.next_multiple_of(UNIT));
                        self.gemm_bytes_pack(b.part(col, across), room);
                        room
                    }
                };
                let mut room = [0; GROUP];
                let coding = match shift {
                    None => Coding::Signed,
                    Some(shift) if shift == self.quad_shift() => Coding::Unsigned,
                    Some(shift) => Coding::Shifted(if let Weights::Packed(b) = b {
                        &b.excess[col..col + across]
                    } else {
                        self.excess(shift, packed, depth, room_zeros, &mut room[..across]);
                        &room[..across]
                    }),
                };
                match &mut out {
                    Output::Sums(out) => {
                        let data = &mut out[row * cols + col..];
                        let to = Tile { data, stride: cols, rows: height, cols: across };
                        self.multiply_bytes(left, coding, packed, to);
                    }
                    Output::Values(out, meaning, activation) => {
                        let out = &mut out[row * cols + col..];
                        for (part, height) in parts(height, ACTIVE_ROWS, ROWS_UNIT) {
                            let sums = at_least(&mut scratch.sums, height * across);
                            let to = whole(sums, height, across);
                            self.multiply_bytes(left.part(part, height), coding, packed, to);
                            let first = row + part;
                            let meaning = meaning.part(first..first + height, col..col + across);
                            self.values(sums, meaning, *activation, &mut out[part * cols..], cols);
                        }
                    }
                    Output::Bytes(out, requantize) => {
                        let out = &mut out[row * cols + col..];
                        for (row, height) in parts(height, ACTIVE_ROWS, ROWS_UNIT) {
                            let sums = at_least(&mut scratch.sums, height * across);
                            let to = whole(sums, height, across);
                            self.multiply_bytes(left.part(row, height), coding, packed, to);
                            let values = at_least(&mut scratch.floats[0], height * across);
                            let meaning = Dequantize {
                                row_scales: &[1.0; ACTIVE_ROWS][..height],
                                zero_points: &[0; ACTIVE_ROWS][..height],
                                scales: &requantize.scales[col..col + across],
                                code_sums: &[0; GROUP][..across],
                                bias: &requantize.bias[col..col + across],
                            };
                            self.values(sums, meaning, requantize.activation, values, across);
                            let (step, zero) = (requantize.step, requantize.zero_point);
                            let out = &mut out[row * cols..];
                            self.gemm_round(values, across, step, zero, out, cols);
                        }
                    }
                }
            }
        }
    }

    /// What sums stand for, and its activation, in rows `stride` apart.
    fn values(
        &self,
        sums: &[i32],
        meaning: Dequantize<'_>,
        activation: Activation,
        out: &mut [f32],
        stride: usize,
    ) {
        self.gemm_dequantize(sums, meaning, activation, out, stride);
        let (rows, across) = (meaning.row_scales.len(), meaning.scales.len());
        match activation {
            Activation::Identity | Activation::Relu => {}
            _ if across == stride => self.activate(activation, &mut out[..rows * across]),
            _ => {
                let rows = out.chunks_mut(stride).take(rows);
                rows.for_each(|row| self.activate(activation, &mut row[..across]));
            }
        }
    }

    /// Some rows of the left operand as this set multiplies them, `depth` bytes in each, and what zero
    /// is in them, unless they have signs. They stay where they are, if they are such rows there.
    fn left<'a>(
        &self,
        a: Left<'a>,
        row: usize,
        rows: usize,
        depth: usize,
        room: &'a mut AVec<u8>,
    ) -> (Rows<'a, u8>, Option<u8>) {
        let signed = self.has_tiles() && fill_tiles(rows, depth);
        let shift = match a {
            Left::Unsigned(a) if a.dim() == depth => return (a.part(row, rows), Some(0)),
            Left::Signed(a) if a.dim() == depth && signed => {
                let a = a.part(row, rows);
                return (Rows::new(as_bytes(a.data()), a.dim(), a.stride()), None);
            }
            Left::Unsigned(a) => {
                copy(a.part(row, rows), at_least(room, rows * depth), depth, |x| x);
                Some(0)
            }
            Left::Signed(a) => {
                let sign = if signed { 0 } else { 128 };
                let to = at_least(room, rows * depth);
                copy(a.part(row, rows), to, depth, |x| x as u8 ^ sign);
                (!signed).then_some(sign)
            }
        };
        (Rows::new(&room[..rows * depth], depth, depth), shift)
    }

    #[track_caller]
    pub(crate) fn check(&self, a: Left<'_>, b: Weights<'_>, out: &Output<'_>) {
        if let Weights::Packed(b) = b {
            same_set(self.isa(), b.isa);
        }
        assert!(a.dim() == b.dim(), "rows of dimension {} by rows of {}", a.dim(), b.dim());
        let (rows, n) = (a.len(), b.len());
        let room = match out {
            Output::Sums(out) => out.len(),
            Output::Bytes(out, requantize) => {
                channels(*requantize, n);
                out.len()
            }
            Output::Values(out, meaning, _) => {
                meaning.check(rows, n);
                out.len()
            }
        };
        assert!(rows.checked_mul(n) == Some(room), "room for {room} results of {rows} by {n} rows");
    }
}

/// Where a group of columns is among all that are packed.
fn group_range(col: usize, across: usize, depth: usize) -> core::ops::Range<usize> {
    col * depth..(col + across.next_multiple_of(UNIT)) * depth
}

impl Weights<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Weights::Plain(b) => b.len(),
            Weights::Packed(b) => b.len,
        }
    }

    fn dim(&self) -> usize {
        match self {
            Weights::Plain(b) => b.dim(),
            Weights::Packed(b) => b.dim,
        }
    }
}

/// The left operand.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    Signed(Rows<'a, i8>),
    Unsigned(Rows<'a, u8>),
}

impl<'a> Left<'a> {
    #[cfg(feature = "rayon")]
    pub(crate) fn part(&self, rows: core::ops::Range<usize>) -> Self {
        match self {
            Left::Signed(a) => Left::Signed(a.part(rows.start, rows.len())),
            Left::Unsigned(a) => Left::Unsigned(a.part(rows.start, rows.len())),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Left::Signed(a) => a.len(),
            Left::Unsigned(a) => a.len(),
        }
    }

    pub(crate) fn dim(&self) -> usize {
        match self {
            Left::Signed(a) => a.dim(),
            Left::Unsigned(a) => a.dim(),
        }
    }
}

/// Against the zeros of the right operand beyond its end, any byte will do behind a row's.
fn copy<T: Copy>(from: Rows<'_, T>, to: &mut [u8], stride: usize, f: impl Fn(T) -> u8) {
    for (i, to) in to.chunks_exact_mut(stride).enumerate() {
        for (to, from) in to.iter_mut().zip(from.at(i)) {
            *to = f(*from);
        }
    }
}

/// Sums of whole rows, below each other.
fn whole(sums: &mut [i32], rows: usize, cols: usize) -> Tile<'_, i32> {
    Tile { data: sums, stride: cols, rows, cols }
}

/// Where the sums go.
pub(crate) enum Output<'a> {
    Sums(&'a mut [i32]),
    Values(&'a mut [f32], Dequantize<'a>, Activation),
    Bytes(&'a mut [i8], Requantize<'a>),
}

#[track_caller]
fn channels(requantize: Requantize<'_>, channels: usize) {
    let (scales, bias) = (requantize.scales.len(), requantize.bias.len());
    assert!(scales == channels, "{scales} scales for {channels} channels");
    assert!(bias == channels, "{bias} biases for {channels} channels");
    let (zero, step) = (requantize.zero_point, requantize.step);
    assert!((-128..=127).contains(&zero), "zero point {zero} is not within [-128, 127]");
    assert!(step > 0.0, "a step of {step} is not above 0");
}
