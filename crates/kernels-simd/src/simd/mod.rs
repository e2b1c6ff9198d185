//! The proof tokens: having one proves that its instructions exist on this CPU.
//!
//! A token is a zero-sized value that only a `#[target_feature]` function can make (its `new` is such
//! a function), so that the compiler itself refuses a wrapper which enables less than its token
//! uses. Kernels are safe generic code over [`Simd`] and read memory through [`Cursor`] alone; what
//! is unsafe stays in this directory and in `table.rs`.
//!
//! Everything here is `#[inline(always)]`: a helper that is not inlined falls out of its caller's
//! feature context and becomes a call per vector, which the assembly check reports.
#![allow(unsafe_code, reason = "declares the raw loads that the cursor makes safe")]

pub(crate) mod cursor;
pub(crate) mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod simd128;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sse42;

pub(crate) use cursor::{Cursor, F32, I8};

/// Vectors of `f32`.
pub(crate) trait Simd: Copy {
    /// A register of [`Simd::LANES`] lanes.
    type F32: Copy;
    /// Lanes in a register.
    const LANES: usize;

    /// All lanes `value`.
    fn splat(self, value: f32) -> Self::F32;
    /// Lane-wise `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Lane-wise `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Lane-wise `a · b + c`; fused where the set has the instruction, otherwise rounded twice
    /// (a library call for the fused result would be 17 times slower).
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// Lane-wise `if x < y { x } else { y }`: a NaN in `x` is passed over.
    fn min(self, x: Self::F32, y: Self::F32) -> Self::F32;
    /// Lane-wise `if x > y { x } else { y }`: a NaN in `x` is passed over.
    fn max(self, x: Self::F32, y: Self::F32) -> Self::F32;
    /// The first `count` lanes of `a`, the others of `b`.
    fn first(self, count: usize, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The sum of all lanes.
    fn sum(self, a: Self::F32) -> f32;
    /// The sums of all lanes of each; cheaper than four [`Simd::sum`]s where lanes can be transposed.
    #[inline(always)]
    fn sum_4(self, [a, b, c, d]: [Self::F32; 4]) -> [f32; 4] {
        [self.sum(a), self.sum(b), self.sum(c), self.sum(d)]
    }
    /// The smallest lane, none being NaN.
    fn min_lane(self, a: Self::F32) -> f32;
    /// The largest lane, none being NaN.
    fn max_lane(self, a: Self::F32) -> f32;

    /// Reads a register.
    ///
    /// # Safety
    /// `LANES` values are readable at `from`.
    unsafe fn load(self, from: *const f32) -> Self::F32;
    /// Reads `count` lanes and nothing behind them; the others are zero.
    ///
    /// # Safety
    /// `count < LANES`, and `count` values are readable at `from`.
    unsafe fn load_partial(self, from: *const f32, count: usize) -> Self::F32;
}

/// Vectors of `i8` that are multiplied into sums of `i32`, exact modulo 2³².
pub(crate) trait SimdI8: Copy {
    /// The bytes that one step consumes.
    type I8: Copy;
    /// A register of partial sums.
    type I32: Copy;
    /// Bytes in a step.
    const BYTES: usize;

    /// No sum yet.
    fn zero(self) -> Self::I32;
    /// `acc + a · b`, the products spread over the lanes in any order.
    fn dot_step(self, acc: Self::I32, a: Self::I8, b: Self::I8) -> Self::I32;
    /// `acc + (a - b)²`, likewise.
    fn l2_step(self, acc: Self::I32, a: Self::I8, b: Self::I8) -> Self::I32;
    /// Lane-wise `a + b`.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The sum of all lanes.
    fn sum_i32(self, a: Self::I32) -> i32;

    /// Reads a step's bytes.
    ///
    /// # Safety
    /// `BYTES` values are readable at `from`.
    unsafe fn load_i8(self, from: *const i8) -> Self::I8;
    /// Reads `count` bytes and nothing behind them; the others are zero.
    ///
    /// # Safety
    /// `count < BYTES`, and `count` values are readable at `from`.
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> Self::I8;
}

/// Asks for the first cache lines of a slice that will be read soon.
///
/// Four lines, because the hardware prefetcher follows a run that it has seen begin.
#[inline(always)]
pub(crate) fn prefetch<T>(slice: &[T]) {
    const LINE: usize = 64;
    let bytes = size_of_val(slice).min(4 * LINE);
    let mut at = 0;
    while at < bytes {
        let line = slice.as_ptr().cast::<u8>().wrapping_add(at);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing; SSE is part of x86-64.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(line.cast());
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: a prefetch reads nothing and faults on no address.
        unsafe {
            core::arch::asm!(
                "prfm pldl1keep, [{line}]",
                line = in(reg) line,
                options(nostack, preserves_flags, readonly)
            );
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = line;
        at += LINE;
    }
}

/// Reads `count < 16` bytes as two little-endian halves with reads that overlap, the others zero.
///
/// # Safety
/// `count < 16`, and `count` bytes are readable at `from`.
#[inline(always)]
pub(crate) unsafe fn read_bytes(from: *const u8, count: usize) -> (u64, u64) {
    // SAFETY: every branch reads only inside the `count` bytes that the caller promises.
    unsafe {
        if count >= 8 {
            let low = from.cast::<u64>().read_unaligned();
            let last = from.add(count - 8).cast::<u64>().read_unaligned();
            // What of the last eight bytes was read already is shifted out, in two steps because
            // a shift by the 64 that `count == 8` asks for does not exist.
            (low, last >> (8 * (16 - count) - 1) >> 1)
        } else if count >= 4 {
            let low = u64::from(from.cast::<u32>().read_unaligned());
            let last = u64::from(from.add(count - 4).cast::<u32>().read_unaligned());
            (low | (last << (8 * (count - 4))), 0)
        } else if count > 0 {
            let first = u64::from(*from);
            let middle = u64::from(*from.add(count / 2)) << (8 * (count / 2));
            let last = u64::from(*from.add(count - 1)) << (8 * (count - 1));
            (first | middle | last, 0)
        } else {
            (0, 0)
        }
    }
}
