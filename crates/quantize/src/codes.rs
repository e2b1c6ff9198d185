//! Codes for search: vectors as 8- or 4-bit numbers on a grid learned per dimension.
//!
//! Scalar quantisation for nearest-neighbour search differs from that of tensors in two ways. Each
//! dimension has its own range, because embeddings spread unevenly. And what is computed with codes
//! is always a query against many of them, so the ranges are folded into the query once, which
//! leaves an integer inner product per stored vector.

mod binary;

use edgekit_kernels_simd::Kernels;

use crate::error::check_values;
use crate::{Error, ErrorKind};
pub use binary::{BinaryCodec, Planes};

/// How many bits a code has, and thereby how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeBits {
    /// One byte a dimension, read as `i8`: codes −128 to 127.
    Eight,
    /// Half a byte a dimension: codes 0 to 15. Byte `j` of a row of `b` bytes holds dimension `j` in
    /// its low and dimension `j + b` in its high four bits.
    Four,
}

impl CodeBits {
    /// The lowest and the highest code.
    fn ends(self) -> (f32, f32) {
        match self {
            CodeBits::Eight => (-128.0, 127.0),
            CodeBits::Four => (0.0, 15.0),
        }
    }

    /// How many standard deviations around the mean the grid covers: where clipping and rounding a
    /// normal distribution to that many levels err least together (Max 1960, table of uniform
    /// quantisers).
    fn reach(self) -> f32 {
        match self {
            CodeBits::Eight => 3.94,
            CodeBits::Four => 2.68,
        }
    }
}

/// Values that are compared at once where the largest is looked for.
const LANES: usize = 16;

/// A grid per dimension: code `c` stands for `middle + step · (c − centre)`, with the centre halfway
/// between the lowest and the highest code.
///
/// ```
/// use edgekit_quantize::{CodeBits, ScalarCodec};
///
/// let rows = [[0.0_f32, 10.0], [1.0, 30.0], [0.5, 20.0]];
/// let codec = ScalarCodec::learn(CodeBits::Eight, 2, rows.iter().map(|row| row.as_slice()))?;
/// let (mut code, mut back) = ([0_u8; 2], [0.0; 2]);
/// codec.encode(&rows[0], &mut code);
/// codec.decode(&code, &mut back);
/// assert!((back[0] - 0.0).abs() < 0.01 && (back[1] - 10.0).abs() < 0.1);
/// # Ok::<(), edgekit_quantize::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarCodec {
    bits: CodeBits,
    middle: Vec<f32>,
    step: Vec<f32>,
}

/// A query with the ranges of a codec folded in: the inner product of the query and a stored vector
/// is `offset + scale · Σ folded · code` up to the rounding of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Folded {
    /// What every inner product has in common.
    pub offset: f32,
    /// What one unit of the integer inner product is worth.
    pub scale: f32,
}

impl ScalarCodec {
    /// Learns the grid from sample rows of `dim` values: per dimension from the smallest to the
    /// largest value, but not further than a normal distribution of the same mean and deviation
    /// deserves. Vectors encoded later are clipped to it.
    ///
    /// # Errors
    ///
    /// [`Empty`](ErrorKind::Empty) without rows or dimensions, [`Shape`](ErrorKind::Shape) for a row
    /// of another length, [`NotFinite`](ErrorKind::NotFinite) for NaN and infinities.
    pub fn learn<'a>(
        bits: CodeBits,
        dim: usize,
        rows: impl IntoIterator<Item = &'a [f32]>,
    ) -> Result<Self, Error> {
        let mut low = vec![f32::INFINITY; dim];
        let mut high = vec![f32::NEG_INFINITY; dim];
        let (mut sum, mut squares) = (vec![0.0_f64; dim], vec![0.0_f64; dim]);
        let mut first: &[f32] = &[];
        let mut n = 0_u32;
        for row in rows {
            check_values(row)?;
            if row.len() != dim {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("row {n} has {} values, the codec is for {dim}", row.len()),
                ));
            }
            if n == 0 {
                first = row;
            }
            for (d, &x) in row.iter().enumerate() {
                low[d] = low[d].min(x);
                high[d] = high[d].max(x);
                // Relative to the first row, so that squares of a far-off mean cancel nothing.
                let x = f64::from(x) - f64::from(first[d]);
                sum[d] += x;
                squares[d] += x * x;
            }
            n += 1;
        }
        if n == 0 || dim == 0 {
            return Err(Error::new(ErrorKind::Empty, "there are no rows to learn ranges from"));
        }
        let (first_code, last_code) = bits.ends();
        let n = f64::from(n);
        let (middle, step) = (0..dim)
            .map(|d| {
                let mean = sum[d] / n;
                let deviation = (squares[d] / n - mean * mean).max(0.0).sqrt() as f32;
                let mean = (f64::from(first[d]) + mean) as f32;
                let low = low[d].max(mean - bits.reach() * deviation);
                let high = high[d].min(mean + bits.reach() * deviation);
                (low / 2.0 + high / 2.0, (high / 2.0 - low / 2.0) * 2.0 / (last_code - first_code))
            })
            .unzip();
        Ok(ScalarCodec { bits, middle, step })
    }

    /// A codec from the parts of another: see [`middle`](Self::middle) and [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// [`Shape`](ErrorKind::Shape) unless both are equally long, [`Empty`](ErrorKind::Empty) if they
    /// hold nothing, [`NotFinite`](ErrorKind::NotFinite) for NaN, infinities and negative steps.
    pub fn from_parts(bits: CodeBits, middle: Vec<f32>, step: Vec<f32>) -> Result<Self, Error> {
        check_values(&middle)?;
        check_values(&step)?;
        if middle.len() != step.len() {
            let what = format!("{} middles and {} steps", middle.len(), step.len());
            return Err(Error::new(ErrorKind::Shape, what));
        }
        if let Some(bad) = step.iter().find(|step| **step < 0.0) {
            return Err(Error::new(ErrorKind::NotFinite, format!("step {bad} is negative")));
        }
        Ok(ScalarCodec { bits, middle, step })
    }

    /// How many bits a code has.
    pub fn bits(&self) -> CodeBits {
        self.bits
    }

    /// How many values a vector has.
    pub fn dim(&self) -> usize {
        self.middle.len()
    }

    /// The value in the middle of each dimension's range.
    pub fn middle(&self) -> &[f32] {
        &self.middle
    }

    /// The difference between neighbouring codes of each dimension; 0 where all values were equal.
    pub fn step(&self) -> &[f32] {
        &self.step
    }

    /// Bytes of one encoded vector.
    pub fn code_len(&self) -> usize {
        match self.bits {
            CodeBits::Eight => self.dim(),
            CodeBits::Four => self.dim().div_ceil(2),
        }
    }

    /// How many values a folded query has: one for each place of a row, those beyond the dimension
    /// are 0.
    pub fn folded_len(&self) -> usize {
        match self.bits {
            CodeBits::Eight => self.dim(),
            CodeBits::Four => 2 * self.code_len(),
        }
    }

    /// Writes the nearest codes of `row` into `out`; ties go to the even code, NaN to the lowest.
    ///
    /// # Panics
    ///
    /// If `row` is not [`dim`](Self::dim) or `out` not [`code_len`](Self::code_len) long.
    #[track_caller]
    pub fn encode(&self, row: &[f32], out: &mut [u8]) {
        assert_lengths(row.len(), self.dim(), out.len(), self.code_len());
        match self.bits {
            CodeBits::Eight => {
                // A loop over slices side by side, which the compiler vectorises; indices it does not.
                let (first, last) = self.bits.ends();
                let grid = self.middle.iter().zip(&self.step);
                for ((out, &x), (&middle, &step)) in out.iter_mut().zip(row).zip(grid) {
                    *out = nearest(x, middle, step, first, last) as u8;
                }
            }
            CodeBits::Four => {
                let bytes = out.len();
                for (j, out) in out.iter_mut().enumerate() {
                    let high = row.get(j + bytes).map_or(0, |&x| self.code(j + bytes, x) as u8);
                    *out = self.code(j, row[j]) as u8 | high << 4;
                }
            }
        }
    }

    /// Writes the values that `code` stands for into `out`.
    ///
    /// # Panics
    ///
    /// If `code` is not [`code_len`](Self::code_len) or `out` not [`dim`](Self::dim) long.
    #[track_caller]
    pub fn decode(&self, code: &[u8], out: &mut [f32]) {
        assert_lengths(out.len(), self.dim(), code.len(), self.code_len());
        let centre = self.centre();
        let grid = self.middle.iter().zip(&self.step);
        match self.bits {
            CodeBits::Eight => {
                for ((out, &code), (middle, step)) in out.iter_mut().zip(code).zip(grid) {
                    *out = middle + step * (f32::from(code as i8) - centre);
                }
            }
            CodeBits::Four => {
                let low = code.iter().map(|byte| byte & 15);
                let codes = low.chain(code.iter().map(|byte| byte >> 4));
                for ((out, code), (middle, step)) in out.iter_mut().zip(codes).zip(grid) {
                    *out = middle + step * (f32::from(code) - centre);
                }
            }
        }
    }

    /// `Σ (value − middle)²` of the vector that `code` stands for.
    ///
    /// # Panics
    ///
    /// If `code` is not [`code_len`](Self::code_len) long.
    #[track_caller]
    pub fn squared_length(&self, code: &[u8]) -> f32 {
        assert_lengths(self.dim(), self.dim(), code.len(), self.code_len());
        let centre = self.centre();
        let square = |(code, step): (f32, &f32)| {
            let about_middle = step * (code - centre);
            about_middle * about_middle
        };
        match self.bits {
            CodeBits::Eight => {
                code.iter().map(|&code| f32::from(code as i8)).zip(&self.step).map(square).sum()
            }
            CodeBits::Four => {
                let low = code.iter().map(|byte| byte & 15);
                let codes = low.chain(code.iter().map(|byte| byte >> 4)).map(f32::from);
                codes.zip(&self.step).map(square).sum()
            }
        }
    }

    /// Folds the steps into `query` and rounds it to `i8`, so that an integer inner product with
    /// codes ranks them. Where `about` is [`Origin::Middle`], the query is first taken relative to
    /// the middles, which is what squared Euclidean distances need: see [`Origin`].
    ///
    /// # Panics
    ///
    /// If `query` is not [`dim`](Self::dim) or `out` not [`folded_len`](Self::folded_len) long.
    #[track_caller]
    pub fn fold(&self, query: &[f32], about: Origin, out: &mut [i8]) -> Folded {
        assert_lengths(query.len(), self.dim(), out.len(), self.folded_len());
        let shift = if about == Origin::Middle { 1.0 } else { 0.0 };
        let weight = |q: f32, middle: f32, step: f32| (q - shift * middle) * step;
        let largest = self.largest(query, weight);
        let (scale, inverse) = if largest > f32::MIN_POSITIVE {
            (largest / 127.0, 127.0 / largest)
        } else {
            (0.0, 0.0)
        };
        let (values, padding) = out.split_at_mut(self.dim());
        padding.fill(0);
        let mut total = 0_i32;
        let grid = self.middle.iter().zip(&self.step);
        for ((out, &q), (&middle, &step)) in values.iter_mut().zip(query).zip(grid) {
            // Grids from anywhere may overflow; what is not a number rounds to some `i8`, and it is that
            // which is summed.
            *out = round((weight(q, middle, step) * inverse).clamp(-127.0, 127.0)) as i8;
            total += i32::from(*out);
        }
        let common = match about {
            Origin::Zero => Kernels::get().dot(query, &self.middle),
            Origin::Middle => 0.0,
        };
        Folded { offset: common - scale * self.centre() * total as f32, scale }
    }

    /// The largest magnitude of the weights of `query`; those that are no number do not count.
    fn largest(&self, query: &[f32], weight: impl Fn(f32, f32, f32) -> f32) -> f32 {
        let (queries, rest) = query.as_chunks::<LANES>();
        let (middles, middle) = self.middle.as_chunks::<LANES>();
        let (steps, step) = self.step.as_chunks::<LANES>();
        let greater = |max: f32, size: f32| if size > max { size } else { max };
        let mut largest = [0.0; LANES];
        for (query, (middle, step)) in queries.iter().zip(middles.iter().zip(steps)) {
            for i in 0..LANES {
                largest[i] = greater(largest[i], weight(query[i], middle[i], step[i]).abs());
            }
        }
        let rest = rest.iter().zip(middle.iter().zip(step));
        let rest = rest.map(|(&query, (&middle, &step))| weight(query, middle, step).abs());
        largest.into_iter().chain(rest).fold(0.0, greater)
    }

    fn centre(&self) -> f32 {
        let (first, last) = self.bits.ends();
        (first + last) / 2.0
    }

    fn code(&self, d: usize, x: f32) -> i32 {
        let (first, last) = self.bits.ends();
        nearest(x, self.middle[d], self.step[d], first, last)
    }
}

/// The code whose value is nearest to `x`; the one in the centre where all values were equal.
#[inline(always)]
fn nearest(x: f32, middle: f32, step: f32, first: f32, last: f32) -> i32 {
    let steps = if step > 0.0 { (x - middle) / step } else { 0.0 };
    let code = steps + (first + last) / 2.0;
    // As comparisons, which are one instruction each.
    let code = if code > first { code } else { first };
    round(if code < last { code } else { last })
}

/// What a folded query and the codes are taken relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The origin: the folded product estimates `Σ q · x`.
    Zero,
    /// The middles of the ranges: it estimates `Σ (q − middle) · (x − middle)`. Squared distances
    /// are the same from there, and the smaller numbers lose less by rounding.
    Middle,
}

/// Rounds a number of magnitude below 2²², ties to even: adding 1.5 · 2²³ leaves no fractional bits,
/// and the number in the lowest ones. Unlike `round` and a cast it vectorises everywhere.
fn round(x: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i32
}

#[track_caller]
fn assert_lengths(values: usize, dim: usize, codes: usize, code_len: usize) {
    assert!(
        values == dim && codes == code_len,
        "{values} values and {codes} codes, but the codec is for {dim} and {code_len}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, dim: usize) -> Vec<Vec<f32>> {
        let value = |i: usize, d: usize| {
            let x = ((i * dim + d) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((x >> 40) as f32 / (1 << 24) as f32 - 0.5) * (d % 7 + 1) as f32 + d as f32 * 0.1
        };
        (0..n).map(|i| (0..dim).map(|d| value(i, d)).collect()).collect()
    }

    fn learn(bits: CodeBits, rows: &[Vec<f32>]) -> ScalarCodec {
        ScalarCodec::learn(bits, rows[0].len(), rows.iter().map(Vec::as_slice)).unwrap()
    }

    #[test]
    fn values_come_back_within_half_a_step() {
        for bits in [CodeBits::Eight, CodeBits::Four] {
            for dim in [1, 2, 3, 16, 33] {
                let rows = rows(50, dim);
                let codec = learn(bits, &rows);
                for row in &rows {
                    let mut code = vec![0; codec.code_len()];
                    let mut back = vec![0.0; dim];
                    codec.encode(row, &mut code);
                    codec.decode(&code, &mut back);
                    for d in 0..dim {
                        let error = (back[d] - row[d]).abs();
                        let bound = codec.step()[d] * 0.51;
                        assert!(error <= bound, "{bits:?} dim {dim} value {d}: {error} > {bound}");
                    }
                }
            }
        }
    }

    #[test]
    fn folded_products_estimate_inner_products() {
        for (bits, tolerance) in [(CodeBits::Eight, 0.02), (CodeBits::Four, 0.02)] {
            let rows = rows(60, 33);
            let codec = learn(bits, &rows);
            let query: Vec<f32> = rows[7].iter().map(|x| x * 0.7 - 0.2).collect();
            for about in [Origin::Zero, Origin::Middle] {
                let mut folded = vec![0; codec.folded_len()];
                let Folded { offset, scale } = codec.fold(&query, about, &mut folded);
                for row in &rows {
                    let mut code = vec![0; codec.code_len()];
                    let mut back = vec![0.0; 33];
                    codec.encode(row, &mut code);
                    codec.decode(&code, &mut back);
                    let middle = |d: usize| match about {
                        Origin::Zero => 0.0,
                        Origin::Middle => codec.middle()[d],
                    };
                    let exact: f32 =
                        (0..33).map(|d| (query[d] - middle(d)) * (back[d] - middle(d))).sum();
                    let places = code.len();
                    let at = |p: usize| match bits {
                        CodeBits::Eight => i32::from(code[p] as i8),
                        CodeBits::Four => i32::from(code[p % places] >> (4 * (p / places)) & 15),
                    };
                    let integer: i32 =
                        folded.iter().enumerate().map(|(p, &f)| i32::from(f) * at(p)).sum();
                    let estimate = offset + scale * integer as f32;
                    let size: f32 = query.iter().map(|q| q * q).sum::<f32>().sqrt() * 12.0;
                    assert!(
                        (estimate - exact).abs() < tolerance * size,
                        "{bits:?} {about:?}: {estimate} instead of {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn outliers_are_clipped_and_constants_kept() {
        let mut rows: Vec<Vec<f32>> = rows(2_000, 2).into_iter().map(|r| vec![r[0], 3.0]).collect();
        rows[0][0] = 1_000.0;
        let codec = learn(CodeBits::Four, &rows);
        assert!(codec.step()[0] < 10.0, "one outlier does not stretch the grid over {:?}", codec);
        let (mut code, mut back) = (vec![0; codec.code_len()], vec![0.0; 2]);
        codec.encode(&[1e30, -7.0], &mut code);
        codec.decode(&code, &mut back);
        assert!(back[0].is_finite() && back[1] == 3.0, "{back:?}");
    }

    #[test]
    fn the_largest_weight_uses_the_whole_range_wherever_it_is() {
        for dim in [1, 2, 15, 16, 17, 33, 48] {
            let step = (0..dim).map(|d| 0.5 + d as f32).collect();
            let codec = ScalarCodec::from_parts(CodeBits::Eight, vec![0.1; dim], step).unwrap();
            for largest in 0..dim {
                let mut query: Vec<f32> = codec.step().iter().map(|step| 1.0 / step).collect();
                query[largest] *= -2.0;
                let mut folded = vec![0; dim];
                codec.fold(&query, Origin::Zero, &mut folded);
                for (d, &folded) in folded.iter().enumerate() {
                    let wanted = if d == largest { -127..=-127 } else { 63..=64 };
                    assert!(
                        wanted.contains(&folded),
                        "{folded} at {d} of {dim}, {largest} is largest"
                    );
                }
            }
        }
    }

    #[test]
    fn a_grid_that_overflows_folds_to_something() {
        for bits in [CodeBits::Eight, CodeBits::Four] {
            let codec = ScalarCodec::from_parts(bits, vec![0.0; 4], vec![1e38; 4]).unwrap();
            let mut folded = [1; 4];
            for about in [Origin::Zero, Origin::Middle] {
                codec.fold(&[1e19, -1e19, 1e19, 1e19], about, &mut folded);
                assert_eq!(folded, [0; 4], "an infinite weight times nothing is no number");
            }
        }
    }

    #[test]
    fn what_has_no_ranges_is_refused() {
        let learn = |rows: &[&[f32]]| {
            ScalarCodec::learn(CodeBits::Eight, 2, rows.iter().copied()).unwrap_err().kind()
        };
        assert_eq!(learn(&[]), ErrorKind::Empty);
        assert_eq!(learn(&[&[1.0]]), ErrorKind::Shape);
        assert_eq!(learn(&[&[1.0, f32::NAN]]), ErrorKind::NotFinite);
        let parts = |middle: &[f32], step: &[f32]| {
            ScalarCodec::from_parts(CodeBits::Four, middle.to_vec(), step.to_vec())
                .unwrap_err()
                .kind()
        };
        assert_eq!(parts(&[0.0], &[1.0, 1.0]), ErrorKind::Shape);
        assert_eq!(parts(&[0.0], &[-1.0]), ErrorKind::NotFinite);
        assert_eq!(parts(&[f32::INFINITY], &[1.0]), ErrorKind::NotFinite);
    }
}
