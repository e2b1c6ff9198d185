//! Lengths, offsets and values that the checks go through.

use edgekit_kernels_simd::Kernels;
use half::{bf16, f16};

/// Every length up to 257, and primes up to 4,099.
pub(crate) fn lengths() -> impl Iterator<Item = usize> {
    (0..=257).chain([263, 509, 521, 1021, 1031, 2039, 2053, 4093, 4099])
}

/// A generator of test values (xorshift64*, Vigna 2016).
pub(crate) struct Values(u64);

impl Values {
    pub(crate) fn new(seed: u64) -> Self {
        Values(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Evenly in [-1, 1).
    pub(crate) fn f32(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn f32s(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.f32()).collect()
    }

    pub(crate) fn of<T: Poison>(&mut self, n: usize) -> Vec<T> {
        (0..n).map(|_| T::any(self)).collect()
    }
}

/// Calls `check` with every table, length and offset, and with slices of that length which begin
/// that many elements behind a 64-byte boundary, between values that must not be read.
pub(crate) fn each_pair<A: Poison, B: Poison>(mut check: impl FnMut(&Kernels, &[A], &[B])) {
    let mut values = Values::new(1);
    for n in lengths() {
        let x: Vec<A> = (0..n).map(|_| A::any(&mut values)).collect();
        let y: Vec<B> = (0..n).map(|_| B::any(&mut values)).collect();
        for offset in 0..=15 {
            let a = Placed::new(&x, offset);
            let b = Placed::new(&y, 15 - offset);
            for kernels in Kernels::available() {
                check(kernels, a.get(), b.get());
            }
        }
    }
}

/// An element: what is around slices of it, which a kernel that reads it would sum, and any value.
pub(crate) trait Poison: Copy {
    const POISON: Self;
    fn any(values: &mut Values) -> Self;
}
impl Poison for f32 {
    const POISON: f32 = f32::NAN;
    fn any(values: &mut Values) -> f32 {
        values.f32()
    }
}
impl Poison for f16 {
    const POISON: f16 = f16::NAN;
    fn any(values: &mut Values) -> f16 {
        f16::from_f32(values.f32())
    }
}
impl Poison for bf16 {
    const POISON: bf16 = bf16::NAN;
    fn any(values: &mut Values) -> bf16 {
        bf16::from_f32(values.f32())
    }
}
impl Poison for i8 {
    const POISON: i8 = 77;
    fn any(values: &mut Values) -> i8 {
        (values.next() >> 56) as i8
    }
}
impl Poison for u8 {
    const POISON: u8 = 177;
    fn any(values: &mut Values) -> u8 {
        (values.next() >> 56) as u8
    }
}

/// A copy of a slice that begins `offset` elements behind a 64-byte boundary, between poison.
pub(crate) struct Placed<T> {
    room: aligned_vec::AVec<T>,
    start: usize,
    len: usize,
}

impl<T: Poison> Placed<T> {
    pub(crate) fn new(values: &[T], offset: usize) -> Self {
        let start = 64 + offset;
        let mut room = aligned_vec::AVec::with_capacity(64, start + values.len() + 64);
        (0..start).for_each(|_| room.push(T::POISON));
        values.iter().for_each(|&value| room.push(value));
        (0..64).for_each(|_| room.push(T::POISON));
        Placed { room, start, len: values.len() }
    }

    pub(crate) fn get(&self) -> &[T] {
        &self.room[self.start..self.start + self.len]
    }

    pub(crate) fn get_mut(&mut self) -> &mut [T] {
        &mut self.room[self.start..self.start + self.len]
    }

    /// The poison on both sides.
    pub(crate) fn around(&self) -> impl Iterator<Item = &T> {
        self.room[..self.start].iter().chain(&self.room[self.start + self.len..])
    }
}

/// Panics unless `got` is within `bound` of `want`, or both are NaN or the same infinity.
#[track_caller]
pub(crate) fn assert_close(kernels: &Kernels, n: usize, got: f32, want: f64, bound: f64) {
    let same = f64::from(got) == want || (got.is_nan() && want.is_nan());
    assert!(
        same || (f64::from(got) - want).abs() <= bound,
        "{}: n = {n}: {got} instead of {want}, allowed {bound:e}",
        kernels.isa()
    );
}

/// The unit of rounding of `f32`.
pub(crate) const EPSILON: f64 = f32::EPSILON as f64 / 2.0;

/// The inner product, its magnitude and the squared distance in `f64`.
pub(crate) fn sums<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for (&x, &y) in a.iter().zip(b) {
        let (x, y): (f64, f64) = (x.into(), y.into());
        sums[0] += x * y;
        sums[1] += (x * y).abs();
        sums[2] += (x - y) * (x - y);
    }
    sums
}
