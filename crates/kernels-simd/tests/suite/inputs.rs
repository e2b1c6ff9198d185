//! Lengths, offsets and values that the checks go through.

use edgekit_kernels_simd::Kernels;

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

    pub(crate) fn i8s(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| (self.next() >> 56) as i8).collect()
    }
}

/// Calls `check` with every table, length and offset, and with slices of that length which begin
/// that many elements behind a 64-byte boundary. The values around the slices are NaN.
pub(crate) fn each_pair(mut check: impl FnMut(&Kernels, &[f32], &[f32])) {
    let mut values = Values::new(1);
    for n in lengths() {
        let (x, y) = (values.f32s(n), values.f32s(n));
        for offset in 0..=15 {
            let a = Placed::new(&x, offset);
            let b = Placed::new(&y, 15 - offset);
            for kernels in Kernels::available() {
                check(kernels, a.get(), b.get());
            }
        }
    }
}

/// Likewise, with bytes. What is around the slices is 77, which a kernel that reads it would sum.
pub(crate) fn each_pair_of_bytes(mut check: impl FnMut(&Kernels, &[i8], &[i8])) {
    let mut values = Values::new(2);
    for n in lengths() {
        let (x, y) = (values.i8s(n), values.i8s(n));
        for offset in 0..=15 {
            let a = Placed::new(&x, offset);
            let b = Placed::new(&y, 15 - offset);
            for kernels in Kernels::available() {
                check(kernels, a.get(), b.get());
            }
        }
    }
}

/// A value that a kernel must not read.
pub(crate) trait Poison: Copy {
    const POISON: Self;
}
impl Poison for f32 {
    const POISON: f32 = f32::NAN;
}
impl Poison for i8 {
    const POISON: i8 = 77;
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
