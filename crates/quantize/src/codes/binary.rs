//! One bit a dimension, with an estimate of inner products that is not biased.
//!
//! After RaBitQ (Gao and Long, SIGMOD 2024, <https://arxiv.org/abs/2405.12497>): a vector is taken
//! relative to the mean, rotated, and only the signs are kept, with two numbers that say how long it
//! was and how much of it the signs caught. Dividing by the latter is what makes the estimate right
//! on average over rotations; its error falls with the square root of the dimension.

use std::f32::consts::FRAC_1_SQRT_2;

use super::Origin;
use crate::error::check_values;
use crate::{Error, ErrorKind};

/// Bits of a rotated query's values: with four, rounding adds little to what the signs lose.
const PLANES: usize = 4;

/// Bytes behind the signs of a code: two `f32`, little endian.
const FACTORS: usize = 8;

/// Rounds of signs and Hadamard transforms in the rotation.
const ROUNDS: u64 = 3;

/// Vectors as signs of their rotated differences from a mean.
///
/// A code is [`sign_len`](Self::sign_len) bytes of signs, 8 dimensions each, and 8 bytes of factors.
/// A query is compared as four bit-planes of as many bytes: the Hamming distances `hᵢ` of its planes
/// to the signs make `Σ 2ⁱ · (bits − 2 hᵢ)`, from which [`Planes::estimate`] makes an inner product.
///
/// ```
/// use edgekit_quantize::{BinaryCodec, Origin};
///
/// let rows: Vec<Vec<f32>> =
///     (0..50).map(|i| (0..64).map(|d| ((i * 64 + d) as f32 * 0.7).sin()).collect()).collect();
/// let codec = BinaryCodec::learn(64, 1, rows.iter().map(Vec::as_slice))?;
/// let mut code = vec![0; codec.code_len()];
/// codec.encode(&rows[3], &mut code);
/// let mut planes = vec![0; codec.planes_len()];
/// let query = codec.split(&rows[3], Origin::Zero, &mut planes);
/// let distances: Vec<u32> = planes
///     .chunks(codec.sign_len())
///     .map(|plane| plane.iter().zip(&code).map(|(a, b)| (a ^ b).count_ones()).sum())
///     .collect();
/// let exact: f32 = rows[3].iter().map(|x| x * x).sum();
/// let estimate = query.estimate(codec.weigh(&distances), codec.factors(&code).0);
/// assert!((estimate / exact - 1.0).abs() < 0.3);
/// # Ok::<(), edgekit_quantize::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryCodec {
    middle: Vec<f32>,
    seed: u64,
}

/// What turns products of planes and signs into inner products.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planes {
    offset: f32,
    scale: f32,
}

impl Planes {
    /// The inner product that a product of planes and signs (see [`BinaryCodec::weigh`]) and a
    /// code's factor estimate.
    pub fn estimate(&self, product: i32, factor: f32) -> f32 {
        self.offset + self.scale * factor * product as f32
    }
}

impl BinaryCodec {
    /// Learns the mean from sample rows of `dim` values; `seed` draws the rotation.
    ///
    /// # Errors
    ///
    /// [`Empty`](ErrorKind::Empty) without rows or dimensions, [`Shape`](ErrorKind::Shape) for a row
    /// of another length, [`NotFinite`](ErrorKind::NotFinite) for NaN and infinities.
    pub fn learn<'a>(
        dim: usize,
        seed: u64,
        rows: impl IntoIterator<Item = &'a [f32]>,
    ) -> Result<Self, Error> {
        let mut sums = vec![0.0_f64; dim];
        let mut n = 0_u32;
        for row in rows {
            check_values(row)?;
            if row.len() != dim {
                let what = format!("row {n} has {} values, the codec is for {dim}", row.len());
                return Err(Error::new(ErrorKind::Shape, what));
            }
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
            n += 1;
        }
        if n == 0 || dim == 0 {
            return Err(Error::new(ErrorKind::Empty, "there are no rows to learn a mean from"));
        }
        let middle = sums.iter().map(|sum| (sum / f64::from(n)) as f32).collect();
        Ok(BinaryCodec { middle, seed })
    }

    /// A codec from the [`middle`](Self::middle) and the seed of another.
    ///
    /// # Errors
    ///
    /// [`Empty`](ErrorKind::Empty) if there are no values, [`NotFinite`](ErrorKind::NotFinite) for
    /// NaN and infinities.
    pub fn from_parts(middle: Vec<f32>, seed: u64) -> Result<Self, Error> {
        check_values(&middle)?;
        Ok(BinaryCodec { middle, seed })
    }

    /// How many values a vector has.
    pub fn dim(&self) -> usize {
        self.middle.len()
    }

    /// What vectors are taken relative to.
    pub fn middle(&self) -> &[f32] {
        &self.middle
    }

    /// Signs of a code: the dimension rounded up to a multiple of 64.
    pub fn bits(&self) -> usize {
        self.dim().next_multiple_of(64)
    }

    /// Bytes of a code's signs, and of each plane of a query.
    pub fn sign_len(&self) -> usize {
        self.bits() / 8
    }

    /// Bytes of one encoded vector.
    pub fn code_len(&self) -> usize {
        self.sign_len() + FACTORS
    }

    /// Bytes of a query's planes, one behind the other, from the lowest.
    pub fn planes_len(&self) -> usize {
        PLANES * self.sign_len()
    }

    /// Writes the code of `row` into `out`. `O(d log d)`.
    ///
    /// # Panics
    ///
    /// If `row` is not [`dim`](Self::dim) or `out` not [`code_len`](Self::code_len) long.
    #[track_caller]
    pub fn encode(&self, row: &[f32], out: &mut [u8]) {
        super::assert_lengths(row.len(), self.dim(), out.len(), self.code_len());
        let rotated = self.rotated(row, 1.0);
        let (signs, factors) = out.split_at_mut(self.sign_len());
        for (byte, values) in signs.iter_mut().zip(rotated.chunks_exact(8)) {
            *byte =
                values.iter().enumerate().fold(0, |byte, (i, &x)| byte | u8::from(x >= 0.0) << i);
        }
        let square: f32 = rotated.iter().map(|x| x * x).sum();
        let caught: f32 = rotated.iter().map(|x| x.abs()).sum();
        // |o| / ⟨signs, o / |o|⟩ with signs of unit length; the root cancels one of the scale's.
        let factor = if caught > 0.0 { square / caught } else { 0.0 };
        factors[..4].copy_from_slice(&factor.to_le_bytes());
        factors[4..].copy_from_slice(&square.to_le_bytes());
    }

    /// Writes into `out` the vector nearest to what was encoded of all that have these signs.
    ///
    /// # Panics
    ///
    /// If `code` is not [`code_len`](Self::code_len) or `out` not [`dim`](Self::dim) long.
    #[track_caller]
    pub fn decode(&self, code: &[u8], out: &mut [f32]) {
        super::assert_lengths(out.len(), self.dim(), code.len(), self.code_len());
        let (factor, square) = self.factors(code);
        // The mean magnitude: what signs of unit length caught, divided by the root of their number.
        let size = if factor > 0.0 { square / factor / self.bits() as f32 } else { 0.0 };
        let sign = |i: usize| if code[i / 8] >> (i % 8) & 1 == 1 { size } else { -size };
        let mut values: Vec<f32> = (0..self.bits()).map(sign).collect();
        for round in (0..ROUNDS).rev() {
            let (block, n) = (block(values.len()), values.len());
            if block < n {
                hadamard(&mut values[n - block..]);
            }
            hadamard(&mut values[..block]);
            self.flip(round, &mut values);
        }
        out.iter_mut().zip(values).zip(&self.middle).for_each(|((out, x), m)| *out = x + m);
    }

    /// A code's factor for [`Planes::estimate`], and the squared length of what was encoded,
    /// relative to the mean.
    ///
    /// # Panics
    ///
    /// If `code` is not [`code_len`](Self::code_len) long.
    #[inline]
    #[track_caller]
    pub fn factors(&self, code: &[u8]) -> (f32, f32) {
        let factors = &code[self.sign_len()..self.code_len()];
        let number = |at: usize| f32::from_le_bytes(std::array::from_fn(|i| factors[at + i]));
        (number(0), number(4))
    }

    /// Rotates and rounds `query` into bit-planes. Where `about` is [`Origin::Middle`], the query is
    /// taken relative to the mean, and so is the estimate. `O(d log d)`.
    ///
    /// # Panics
    ///
    /// If `query` is not [`dim`](Self::dim) or `planes` not [`planes_len`](Self::planes_len) long.
    #[track_caller]
    pub fn split(&self, query: &[f32], about: Origin, planes: &mut [u8]) -> Planes {
        self.split_in(query, about, planes, &mut Vec::new())
    }

    /// [`split`](Self::split) that leaves the rotated query in `rotated`, and so allocates nothing
    /// once that has the room.
    ///
    /// # Panics
    ///
    /// As `split`.
    #[track_caller]
    pub fn split_in(
        &self,
        query: &[f32],
        about: Origin,
        planes: &mut [u8],
        rotated: &mut Vec<f32>,
    ) -> Planes {
        super::assert_lengths(query.len(), self.dim(), planes.len(), self.planes_len());
        self.rotate(query, if about == Origin::Middle { 1.0 } else { 0.0 }, rotated);
        let largest = rotated.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        // Odd numbers up to 15, as sums of powers of two of either sign.
        const LAST: f32 = ((1 << PLANES) - 1) as f32;
        let (step, inverse) =
            if largest > f32::MIN_POSITIVE { (largest / LAST, LAST / largest) } else { (0.0, 0.0) };
        let len = self.sign_len();
        planes.fill(0);
        for (i, x) in rotated.iter().enumerate() {
            let level = super::round(((x * inverse + LAST) / 2.0).clamp(0.0, LAST)) as u32;
            for plane in 0..PLANES {
                planes[plane * len + i / 8] |= ((level >> plane & 1) as u8) << (i % 8);
            }
        }
        let offset = match about {
            Origin::Zero => query.iter().zip(&self.middle).map(|(q, m)| q * m).sum(),
            Origin::Middle => 0.0,
        };
        Planes { offset, scale: step }
    }

    /// The product of planes and signs, from the Hamming distances of each plane to the signs.
    ///
    /// # Panics
    ///
    /// Unless there is a distance for each of the four planes.
    pub fn weigh(&self, distances: &[u32]) -> i32 {
        assert_eq!(distances.len(), PLANES, "a query has four planes");
        let bits = self.bits() as i32;
        (0..).zip(distances).map(|(plane, &far)| (bits - 2 * far as i32) << plane).sum()
    }

    /// `row − origin · middle`, rotated: signs, then Hadamard transforms of the largest power of two
    /// from the front and from the back, three times.
    fn rotated(&self, row: &[f32], origin: f32) -> Vec<f32> {
        let mut values = Vec::new();
        self.rotate(row, origin, &mut values);
        values
    }

    fn rotate(&self, row: &[f32], origin: f32, values: &mut Vec<f32>) {
        values.clear();
        values.resize(self.bits(), 0.0);
        let centred = row.iter().zip(&self.middle).map(|(x, m)| x - origin * m);
        values.iter_mut().zip(centred).for_each(|(value, x)| *value = x);
        for round in 0..ROUNDS {
            self.flip(round, values);
            let (block, n) = (block(values.len()), values.len());
            hadamard(&mut values[..block]);
            // Over all of them, the second would undo the first.
            if block < n {
                hadamard(&mut values[n - block..]);
            }
        }
    }

    /// Flips the signs that the seed draws for a round.
    fn flip(&self, round: u64, values: &mut [f32]) {
        for (word, values) in (0..).zip(values.chunks_mut(64)) {
            let draw = mix64(mix64(self.seed ^ round << 32) ^ word);
            for (i, value) in values.iter_mut().enumerate() {
                *value = f32::from_bits(value.to_bits() ^ ((draw >> i & 1) as u32) << 31);
            }
        }
    }
}

/// The largest power of two that is not more than `n`.
fn block(n: usize) -> usize {
    1 << n.ilog2()
}

/// The orthonormal Walsh–Hadamard transform, its own inverse; as many values as a power of two.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = ((*a + *b) * FRAC_1_SQRT_2, (*a - *b) * FRAC_1_SQRT_2);
            }
        }
        half *= 2;
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
fn mix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: u64, dim: usize) -> Vec<f32> {
        let value = |d: u64| (mix64(seed << 32 | d) >> 40) as f32 / (1 << 24) as f32 - 0.4;
        (0..dim as u64).map(value).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    }

    fn estimate(codec: &BinaryCodec, query: &[f32], row: &[f32], about: Origin) -> f64 {
        let (mut code, mut planes) = (vec![9; codec.code_len()], vec![9; codec.planes_len()]);
        codec.encode(row, &mut code);
        let split = codec.split(query, about, &mut planes);
        let differ =
            |plane: &[u8]| plane.iter().zip(&code).map(|(a, b)| (a ^ b).count_ones()).sum();
        let distances: Vec<u32> = planes.chunks(codec.sign_len()).map(differ).collect();
        split.estimate(codec.weigh(&distances), codec.factors(&code).0).into()
    }

    #[test]
    fn rotations_keep_lengths_and_are_undone() {
        for dim in [1, 3, 64, 65, 100, 384, 1_000] {
            let codec = BinaryCodec::from_parts(row(1, dim), 7).unwrap();
            let vector = row(2, dim);
            let centred: Vec<f32> = vector.iter().zip(codec.middle()).map(|(x, m)| x - m).collect();
            let rotated = codec.rotated(&vector, 1.0);
            let (before, after) = (dot(&centred, &centred), dot(&rotated, &rotated));
            assert!((after / before - 1.0).abs() < 1e-5, "dim {dim}: {before} became {after}");
            let (mut code, mut back) = (vec![0; codec.code_len()], vec![0.0; dim]);
            codec.encode(&vector, &mut code);
            codec.decode(&code, &mut back);
            let error: Vec<f32> = back.iter().zip(&vector).map(|(a, b)| a - b).collect();
            // Signs catch 2/π of a squared length that a rotation has spread evenly.
            let lost = dot(&error, &error) / before;
            assert!(lost < 0.6, "dim {dim}: {lost} of the squared length is lost");
            assert!((f64::from(codec.factors(&code).1) / before - 1.0).abs() < 1e-5);
        }
    }

    /// The mean over rotations is the inner product, which it would miss by a fifth without the
    /// factor; a single estimate strays by about `|q| |o| · 0.75 / √d`.
    #[test]
    fn estimates_are_right_on_average_over_rotations() {
        for dim in [64, 128, 384] {
            let (query, vector) = (row(3, dim), row(4, dim));
            let exact = dot(&query, &vector);
            for about in [Origin::Zero, Origin::Middle] {
                let middle = row(5, dim);
                let relative =
                    |v: &[f32]| -> Vec<f32> { v.iter().zip(&middle).map(|(x, m)| x - m).collect() };
                let exact = match about {
                    Origin::Zero => exact,
                    Origin::Middle => dot(&relative(&query), &relative(&vector)),
                };
                let size = (dot(&query, &query) * dot(&vector, &vector)).sqrt();
                let rounds = 400;
                let (mut sum, mut squares) = (0.0, 0.0);
                for seed in 0..rounds {
                    let codec = BinaryCodec::from_parts(middle.clone(), seed).unwrap();
                    let error = estimate(&codec, &query, &vector, about) - exact;
                    sum += error / size;
                    squares += (error / size) * (error / size);
                }
                let n = rounds as f64;
                let (bias, spread) = (sum / n, (squares / n).sqrt());
                assert!(bias.abs() < 4.0 * spread / n.sqrt(), "{dim} {about:?}: off by {bias}");
                let bound = 1.2 * 0.75 * 1.5 / (dim as f64).sqrt();
                assert!(spread < bound, "{dim} {about:?}: strays by {spread}, not {bound}");
            }
        }
    }

    #[test]
    fn a_vector_in_the_middle_and_a_query_of_zeros() {
        let codec = BinaryCodec::learn(5, 1, [&[1.0; 5][..], &[3.0; 5]]).unwrap();
        assert_eq!(codec.middle(), [2.0; 5]);
        assert_eq!(estimate(&codec, &[1.0; 5], &[2.0; 5], Origin::Zero), 10.0);
        assert_eq!(estimate(&codec, &[0.0; 5], &[9.0; 5], Origin::Zero), 0.0);
        let (mut code, mut back) = (vec![0; codec.code_len()], [0.0; 5]);
        codec.encode(&[2.0; 5], &mut code);
        codec.decode(&code, &mut back);
        assert_eq!(back, [2.0; 5]);
    }

    #[test]
    fn what_has_no_mean_is_refused() {
        let learn =
            |rows: &[&[f32]]| BinaryCodec::learn(2, 0, rows.iter().copied()).unwrap_err().kind();
        assert_eq!(learn(&[]), ErrorKind::Empty);
        assert_eq!(learn(&[&[1.0]]), ErrorKind::Shape);
        assert_eq!(learn(&[&[1.0, f32::NAN]]), ErrorKind::NotFinite);
        assert_eq!(BinaryCodec::from_parts(vec![], 0).unwrap_err().kind(), ErrorKind::Empty);
    }
}
