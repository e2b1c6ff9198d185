//! How rows are stored, from `f32` down to four bits, and how a query is scored against them.

use aligned_vec::{AVec, ConstAlign};
use edgekit_kernels_simd::{Kernels, Rows};
use edgekit_quantize::{BinaryCodec, CodeBits, Origin, Planes, ScalarCodec};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::room::Room;
use crate::slab::Slab;
use crate::{Error, ErrorKind, Metric};

/// What an index stores of each vector, and so what a search reads.
///
/// Fewer bits make an index smaller and a search faster, because less memory is read, and distances
/// less exact. What the codes of [`Int8`](Storage::Int8) and [`Int4`](Storage::Int4) confuse can be
/// put right by keeping the [`Originals`]: the walk uses the codes, the nearest few are scored again
/// with the originals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Storage {
    /// Four bytes a value: exact.
    #[default]
    F32,
    /// Two bytes a value, 11 significant bits; values beyond ±65,504 are refused. Below 6.1e-5 bits are
    /// lost one after the other, and values up to 3.0e-8 become 0; a vector of which nothing else is
    /// left is refused.
    F16,
    /// Two bytes a value, 8 significant bits and the range of `f32`.
    Bf16,
    /// One byte a value on a grid learned per dimension from a sample; up to 131,071 values.
    Int8(Originals),
    /// Half a byte a value on such a grid: for re-ranking, not on its own.
    Int4(Originals),
    /// One bit a value, and 8 bytes a vector: signs after a rotation, from which distances are
    /// estimated without bias. Smallest; its many candidates need re-ranking more than all others.
    Binary(Originals),
}

/// Whether the vectors themselves are kept beside their codes, to score the nearest few exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Originals {
    /// Only codes: smallest. Results carry the codes' distances.
    None,
    /// In half precision, which orders results as `f32` does on all but near ties; with the limits of
    /// [`Storage::F16`].
    #[default]
    F16,
    /// As given.
    F32,
}

impl Storage {
    pub(crate) fn originals(self) -> Originals {
        match self {
            Storage::Int8(originals) | Storage::Int4(originals) | Storage::Binary(originals) => {
                originals
            }
            Storage::F32 | Storage::F16 | Storage::Bf16 => Originals::None,
        }
    }

    /// How many of the nearest by code a scan scores again to find the `k` nearest.
    pub(crate) fn shortlist(self, k: usize) -> usize {
        match self {
            Storage::Int8(_) => k.saturating_add(k.div_ceil(5)),
            Storage::Int4(_) => k.saturating_mul(2),
            Storage::Binary(_) => k.saturating_mul(10),
            Storage::F32 | Storage::F16 | Storage::Bf16 => k,
        }
    }

    /// How many candidates a walk keeps at least, and how many of them it scores again at most: with
    /// one bit all, so that a wider beam is also a longer shortlist.
    pub(crate) fn beam(self, k: usize) -> (usize, usize) {
        match self {
            Storage::Binary(_) => (k.saturating_mul(4), usize::MAX),
            _ => (k, self.shortlist(k)),
        }
    }
}

/// A query made ready for a store.
pub(crate) struct Query {
    /// As rows are: of unit length under cosine.
    pub(crate) values: AVec<f32, ConstAlign<64>>,
    pub(crate) folded: AVec<i8, ConstAlign<64>>,
    /// `distance = bias + gain · integer product` for codes.
    pub(crate) bias: f32,
    pub(crate) gain: f32,
    products: Vec<i32>,
    /// For binary codes: the planes, how their products are read, and Hamming distances.
    planes: AVec<u8, ConstAlign<64>>,
    split: Option<Planes>,
    differing: Vec<u32>,
    /// Holds a decoded row, or the query rotated.
    pub(crate) buffer: Vec<f32>,
}

impl Query {
    pub(crate) fn new() -> Self {
        Query {
            values: AVec::new(64),
            folded: AVec::new(64),
            bias: 0.0,
            gain: 0.0,
            products: Vec::new(),
            planes: AVec::new(64),
            split: None,
            differing: Vec::new(),
            buffer: Vec::new(),
        }
    }
}

/// Rows of one kind, by slot.
pub(crate) struct Store {
    kernels: &'static Kernels,
    metric: Metric,
    dim: usize,
    /// Elements from one row to the next.
    stride: usize,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    F32(Slab<f32>),
    F16(Slab<f16>),
    Bf16(Slab<bf16>),
    Int8(ScalarCodec, Slab<i8>, Squares),
    Int4(ScalarCodec, Slab<u8>, Squares),
    Binary(BinaryCodec, Slab<u8>),
}

/// The same for the rows of every kind.
macro_rules! rows {
    ($body:expr, $slab:ident => $do:expr) => {
        match $body {
            Body::F32($slab) => $do,
            Body::F16($slab) => $do,
            Body::Bf16($slab) => $do,
            Body::Int8(_, $slab, _) => $do,
            Body::Int4(_, $slab, _) => $do,
            Body::Binary(_, $slab) => $do,
        }
    };
}

/// Squared length of each decoded row about the middles of its codec, which squared Euclidean
/// distances add; empty under other metrics.
pub(crate) type Squares = Slab<f32>;

impl Store {
    pub(crate) fn new(metric: Metric, dim: usize, body: Body) -> Self {
        let (size, len) = match &body {
            Body::F32(_) => (4, dim),
            Body::F16(_) | Body::Bf16(_) => (2, dim),
            Body::Int8(codec, ..) | Body::Int4(codec, ..) => (1, codec.code_len()),
            Body::Binary(codec, _) => (1, codec.code_len()),
        };
        let stride = len.next_multiple_of(64 / size);
        Store { kernels: Kernels::get(), metric, dim, stride, body }
    }

    /// Whether a prepared row is within the range of what is stored.
    pub(crate) fn check(&self, row: &[f32]) -> Result<(), Error> {
        const MAX: f32 = f16::MAX.to_f32_const();
        let rounded: fn(f32) -> f32 = match self.body {
            Body::F16(_) => |x| f16::from_f32(x).to_f32(),
            Body::Bf16(_) => |x| bf16::from_f32(x).to_f32(),
            _ => return Ok(()),
        };
        let largest = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        if matches!(self.body, Body::F16(_)) && largest > MAX {
            return Err(Error::new(
                ErrorKind::NotFinite,
                format!("{largest} is beyond the range of f16 (±65,504); scale the data down"),
            ));
        }
        if largest > 0.0 && rounded(largest) == 0.0 {
            return Err(Error::new(
                ErrorKind::Underflow,
                format!(
                    "no value is beyond {largest}, which would be stored as 0; scale the data up"
                ),
            ));
        }
        Ok(())
    }

    /// Stores a checked row in `slot`, which is at most one behind the last.
    pub(crate) fn set(&mut self, slot: usize, row: &[f32]) {
        let (dim, stride) = (self.dim, self.stride);
        match &mut self.body {
            Body::F32(slab) => slab.set_row(slot, stride, |out| out[..dim].copy_from_slice(row)),
            Body::F16(slab) => {
                slab.set_row(slot, stride, |out| out[..dim].convert_from_f32_slice(row));
            }
            Body::Bf16(slab) => {
                slab.set_row(slot, stride, |out| out[..dim].convert_from_f32_slice(row));
            }
            Body::Int8(codec, slab, squares) => slab.set_row(slot, stride, |out| {
                let codes = bytemuck::cast_slice_mut(&mut out[..dim]);
                codec.encode(row, codes);
                set_square(self.metric, codec, codes, slot, squares);
            }),
            Body::Int4(codec, slab, squares) => slab.set_row(slot, stride, |out| {
                let codes = &mut out[..codec.code_len()];
                codec.encode(row, codes);
                set_square(self.metric, codec, codes, slot, squares);
            }),
            Body::Binary(codec, slab) => {
                slab.set_row(slot, stride, |out| codec.encode(row, &mut out[..codec.code_len()]));
            }
        }
    }

    /// The rows of `order`, in that order; see [`Slab::picked`].
    pub(crate) fn picked(&self, order: &[u32], room: Option<&Room>) -> Self {
        let stride = self.stride;
        let squares = usize::from(self.metric == Metric::L2Squared);
        let body = match &self.body {
            Body::F32(slab) => Body::F32(slab.picked(stride, order, room)),
            Body::F16(slab) => Body::F16(slab.picked(stride, order, room)),
            Body::Bf16(slab) => Body::Bf16(slab.picked(stride, order, room)),
            Body::Int8(codec, slab, lengths) => Body::Int8(
                codec.clone(),
                slab.picked(stride, order, room),
                lengths.picked(squares, order, room),
            ),
            Body::Int4(codec, slab, lengths) => Body::Int4(
                codec.clone(),
                slab.picked(stride, order, room),
                lengths.picked(squares, order, room),
            ),
            Body::Binary(codec, slab) => {
                Body::Binary(codec.clone(), slab.picked(stride, order, room))
            }
        };
        Store { body, ..*self }
    }

    /// Bytes of room that so many rows take at most, squares included.
    pub(crate) fn room_bytes(&self, slots: usize) -> u64 {
        fn size<T>(_: &Slab<T>) -> usize {
            size_of::<T>()
        }
        let size = rows!(&self.body, slab => size(slab));
        Room::bytes(slots, self.stride * size) + Room::bytes(slots, 4)
    }

    /// Another view of the same rows, which sees them grow.
    pub(crate) fn reader(&self) -> Self {
        let body = match &self.body {
            Body::F32(slab) => Body::F32(slab.reader()),
            Body::F16(slab) => Body::F16(slab.reader()),
            Body::Bf16(slab) => Body::Bf16(slab.reader()),
            Body::Int8(codec, slab, squares) => {
                Body::Int8(codec.clone(), slab.reader(), squares.reader())
            }
            Body::Int4(codec, slab, squares) => {
                Body::Int4(codec.clone(), slab.reader(), squares.reader())
            }
            Body::Binary(codec, slab) => Body::Binary(codec.clone(), slab.reader()),
        };
        Store { body, ..*self }
    }

    /// Forgets the rows from `slot` on.
    pub(crate) fn truncate(&mut self, slot: usize) {
        let len = slot * self.stride;
        rows!(&mut self.body, slab => slab.owned().truncate(len));
        if let Some(squares) = self.squares_mut() {
            squares.owned().truncate(slot);
        }
    }

    /// Moves the row of `from` to `to`.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        let (source, target) = (from * self.stride..(from + 1) * self.stride, to * self.stride);
        rows!(&mut self.body, slab => slab.owned().copy_within(source, target));
        if let Some(squares) = self.squares_mut().filter(|squares| !squares.is_empty()) {
            squares.owned().copy_within(from..=from, to);
        }
    }

    /// The row in `slot` as `f32`, without its padding: borrowed where it is one, else decoded
    /// into `buffer` (`dim` long).
    pub(crate) fn row<'a>(&'a self, slot: u32, buffer: &'a mut [f32]) -> &'a [f32] {
        let start = slot as usize * self.stride;
        match &self.body {
            Body::F32(slab) => return &slab[start..start + self.dim],
            Body::F16(slab) => slab[start..start + self.dim].convert_to_f32_slice(buffer),
            Body::Bf16(slab) => slab[start..start + self.dim].convert_to_f32_slice(buffer),
            Body::Int8(codec, slab, _) => {
                codec.decode(bytemuck::cast_slice(&slab[start..start + self.dim]), buffer);
            }
            Body::Int4(codec, slab, _) => {
                codec.decode(&slab[start..start + codec.code_len()], buffer);
            }
            Body::Binary(codec, slab) => {
                codec.decode(&slab[start..start + codec.code_len()], buffer);
            }
        }
        buffer
    }

    /// Makes `query`, whose values are set, ready for this store.
    pub(crate) fn aim(&self, query: &mut Query) {
        let origin = if self.metric == Metric::L2Squared { Origin::Middle } else { Origin::Zero };
        if let Body::Binary(codec, _) = &self.body {
            query.planes.resize(codec.planes_len(), 0);
            let Query { values, planes, buffer, .. } = &mut *query;
            query.split = Some(codec.split_in(values, origin, planes, buffer));
            let own = query.values.iter().zip(codec.middle()).map(|(q, m)| (q - m) * (q - m));
            query.bias = if origin == Origin::Middle { own.sum() } else { self.offset() };
            return;
        }
        let (Body::Int8(codec, ..) | Body::Int4(codec, ..)) = &self.body else { return };
        query.folded.resize(codec.folded_len(), 0);
        let folded = codec.fold(&query.values, origin, &mut query.folded);
        match self.metric {
            Metric::L2Squared => {
                // |q − x|² about the middles: |q|² − 2 q·x, and |x|² which is stored.
                let own = self.kernels.l2_squared(&query.values, codec.middle());
                query.bias = own - 2.0 * folded.offset;
                query.gain = -2.0 * folded.scale;
            }
            Metric::Cosine | Metric::InnerProduct => {
                query.bias = self.offset() - folded.offset;
                query.gain = -folded.scale;
            }
        }
    }

    /// Distances from a query that was aimed here to the rows in `slots`, into `out` (as long).
    pub(crate) fn distances(&self, query: &mut Query, slots: &[u32], out: &mut [f32]) {
        let kernels = self.kernels;
        let l2 = self.metric == Metric::L2Squared;
        match &self.body {
            Body::F32(slab) => {
                let rows = Rows::new(slab, self.dim, self.stride);
                if l2 {
                    kernels.l2_squared_gather(&query.values, rows, slots, out);
                } else {
                    kernels.dot_gather(&query.values, rows, slots, out);
                }
                self.finish(out);
            }
            Body::F16(slab) => {
                let rows = Rows::new(slab, self.dim, self.stride);
                if l2 {
                    kernels.l2_squared_f32_f16_gather(&query.values, rows, slots, out);
                } else {
                    kernels.dot_f32_f16_gather(&query.values, rows, slots, out);
                }
                self.finish(out);
            }
            Body::Bf16(slab) => {
                let rows = Rows::new(slab, self.dim, self.stride);
                if l2 {
                    kernels.l2_squared_f32_bf16_gather(&query.values, rows, slots, out);
                } else {
                    kernels.dot_f32_bf16_gather(&query.values, rows, slots, out);
                }
                self.finish(out);
            }
            Body::Int8(_, slab, squares) => {
                let products = room(&mut query.products, slots.len());
                let rows = Rows::new(slab, self.dim, self.stride);
                kernels.dot_i8_gather(&query.folded, rows, slots, products);
                query.scale(squares, slots.iter().map(|&slot| slot as usize), out);
            }
            Body::Int4(codec, slab, squares) => {
                let products = room(&mut query.products, slots.len());
                let rows = Rows::new(slab, codec.code_len(), self.stride);
                kernels.dot_i8_u4_gather(&query.folded, rows, slots, products);
                query.scale(squares, slots.iter().map(|&slot| slot as usize), out);
            }
            Body::Binary(codec, slab) => {
                let rows = Rows::new(slab, codec.sign_len(), self.stride);
                query.differ(codec, slots.len(), |plane, differing| {
                    kernels.hamming_gather(plane, rows, slots, differing);
                });
                let codes = slots.iter().map(|&slot| &slab[slot as usize * self.stride..]);
                query.guess(codec, l2, codes, out);
            }
        }
    }

    /// Distances to the rows from `start` on, as many as `out` is long.
    pub(crate) fn distances_in_order(&self, query: &mut Query, start: usize, out: &mut [f32]) {
        let kernels = self.kernels;
        let l2 = self.metric == Metric::L2Squared;
        let span = start * self.stride..(start + out.len()) * self.stride;
        match &self.body {
            Body::F32(slab) => {
                let rows = Rows::new(&slab[span], self.dim, self.stride);
                if l2 {
                    kernels.l2_squared_many(&query.values, rows, out);
                } else {
                    kernels.dot_many(&query.values, rows, out);
                }
                self.finish(out);
            }
            Body::F16(slab) => {
                let rows = Rows::new(&slab[span], self.dim, self.stride);
                if l2 {
                    kernels.l2_squared_f32_f16_many(&query.values, rows, out);
                } else {
                    kernels.dot_f32_f16_many(&query.values, rows, out);
                }
                self.finish(out);
            }
            Body::Bf16(slab) => {
                let rows = Rows::new(&slab[span], self.dim, self.stride);
                if l2 {
                    kernels.l2_squared_f32_bf16_many(&query.values, rows, out);
                } else {
                    kernels.dot_f32_bf16_many(&query.values, rows, out);
                }
                self.finish(out);
            }
            Body::Int8(_, slab, squares) => {
                let products = room(&mut query.products, out.len());
                let rows = Rows::new(&slab[span], self.dim, self.stride);
                kernels.dot_i8_many(&query.folded, rows, products);
                query.scale(squares, start.., out);
            }
            Body::Int4(codec, slab, squares) => {
                let products = room(&mut query.products, out.len());
                let rows = Rows::new(&slab[span], codec.code_len(), self.stride);
                kernels.dot_i8_u4_many(&query.folded, rows, products);
                query.scale(squares, start.., out);
            }
            Body::Binary(codec, slab) => {
                let span = &slab[span];
                let rows = Rows::new(span, codec.sign_len(), self.stride);
                query.differ(codec, out.len(), |plane, differing| {
                    kernels.hamming_many(plane, rows, differing);
                });
                query.guess(codec, l2, span.chunks_exact(self.stride), out);
            }
        }
    }

    /// Distances between rows given as `f32`: from `row` to those in `others`, `stride` apart.
    pub(crate) fn distances_between(
        &self,
        row: &[f32],
        others: &[f32],
        stride: usize,
        out: &mut [f32],
    ) {
        let rows = Rows::new(others, self.dim, stride);
        match self.metric {
            Metric::L2Squared => self.kernels.l2_squared_many(row, rows, out),
            Metric::Cosine | Metric::InnerProduct => self.kernels.dot_many(row, rows, out),
        }
        self.finish(out);
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        let elements = additional * self.stride;
        rows!(&mut self.body, slab => slab.owned().reserve_exact(elements));
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        rows!(&mut self.body, slab => slab.owned().shrink_to_fit());
        if let Some(squares) = self.squares_mut() {
            squares.owned().shrink_to_fit();
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let squares = match &self.body {
            Body::Int8(.., squares) | Body::Int4(.., squares) => squares.memory_bytes(),
            _ => 0,
        };
        squares + rows!(&self.body, slab => slab.memory_bytes())
    }

    pub(crate) fn is_mapped(&self) -> bool {
        rows!(&self.body, slab => slab.is_mapped())
    }

    /// All rows as they lie in memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        rows!(&self.body, slab => bytemuck::cast_slice(slab))
    }

    fn squares_mut(&mut self) -> Option<&mut Squares> {
        match &mut self.body {
            Body::Int8(.., squares) | Body::Int4(.., squares) => Some(squares),
            Body::F32(_) | Body::F16(_) | Body::Bf16(_) | Body::Binary(..) => None,
        }
    }

    /// Turns inner products into distances; squared distances are ready.
    fn finish(&self, out: &mut [f32]) {
        if self.metric != Metric::L2Squared {
            let offset = self.offset();
            out.iter_mut().for_each(|dot| *dot = offset - *dot);
        }
    }

    fn offset(&self) -> f32 {
        if self.metric == Metric::Cosine { 1.0 } else { 0.0 }
    }
}

impl Query {
    /// Takes the values of a row.
    pub(crate) fn take(&mut self, rows: &Store, slot: u32) {
        let Query { values, buffer, .. } = self;
        values.resize(rows.dim, 0.0);
        buffer.resize(rows.dim, 0.0);
        values.copy_from_slice(rows.row(slot, buffer));
    }

    /// Leaves the products of the planes with `n` rows' signs in `products`; `hamming` compares a
    /// plane with each.
    fn differ(&mut self, codec: &BinaryCodec, n: usize, hamming: impl Fn(&[u8], &mut [u32])) {
        let Query { planes, differing, products, .. } = self;
        differing.resize(n, 0);
        products.clear();
        products.resize(n, 0);
        for (plane, bits) in planes.chunks_exact(codec.sign_len()).enumerate() {
            hamming(bits, differing);
            for (product, &differing) in products.iter_mut().zip(&*differing) {
                *product += (codec.bits() as i32 - 2 * differing as i32) << plane;
            }
        }
    }

    /// Turns the products of planes and signs into distances, with the factors of each code.
    fn guess<'a>(
        &self,
        codec: &BinaryCodec,
        l2: bool,
        codes: impl Iterator<Item = &'a [u8]>,
        out: &mut [f32],
    ) {
        let Query { bias, products, split, .. } = self;
        let Some(split) = split else { return };
        for ((out, &product), code) in out.iter_mut().zip(products).zip(codes) {
            let (factor, square) = codec.factors(code);
            let dot = split.estimate(product, factor);
            *out = if l2 { bias + square - 2.0 * dot } else { bias - dot };
        }
    }

    /// Turns integer products into distances.
    fn scale(&self, squares: &[f32], slots: impl Iterator<Item = usize>, out: &mut [f32]) {
        let Query { bias, gain, products, .. } = self;
        let scaled = out.iter_mut().zip(products);
        if squares.is_empty() {
            scaled.for_each(|(out, &product)| *out = bias + gain * product as f32);
        } else {
            for ((out, &product), slot) in scaled.zip(slots) {
                *out = bias + gain * product as f32 + squares[slot];
            }
        }
    }
}

/// The first `len` of `values`, which grow to that and never shrink: a walk asks for a few more or
/// less at each step.
pub(crate) fn room<T: Copy + Default>(values: &mut Vec<T>, len: usize) -> &mut [T] {
    if values.len() < len {
        values.resize(len, T::default());
    }
    &mut values[..len]
}

fn set_square(
    metric: Metric,
    codec: &ScalarCodec,
    codes: &[u8],
    slot: usize,
    squares: &mut Squares,
) {
    if metric != Metric::L2Squared {
        return;
    }
    let square = codec.squared_length(codes);
    squares.set_row(slot, 1, |row| row[0] = square);
}

/// The codec's bits as the kind of codes that a store of it holds.
pub(crate) fn codes(codec: ScalarCodec) -> Body {
    match codec.bits() {
        CodeBits::Eight => Body::Int8(codec, Slab::new(), Slab::new()),
        CodeBits::Four => Body::Int4(codec, Slab::new(), Slab::new()),
    }
}
