//! The proof tokens: having one proves that its instructions exist on this CPU.
//!
//! A token is a zero-sized value that only a `#[target_feature]` function can make (its `new` is such
//! a function), so that the compiler itself refuses a wrapper which enables less than its token
//! uses. Kernels are safe generic code over [`Simd`] and [`SimdBytes`] and touch memory through
//! [`Cursor`] and [`map`](map::map) alone; what is unsafe stays in this directory and in `table/mod.rs`.
//!
//! Everything here is `#[inline(always)]`: a helper that is not inlined falls out of its caller's
//! feature context and becomes a call per vector, which the assembly check reports.
#![allow(unsafe_code, reason = "declares the raw loads that the cursor makes safe")]

/// Writes a token's operations, which read and write no memory.
macro_rules! ops {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty { $($body:tt)* })*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $ty),*) -> $ret {
            // SAFETY: the token proves that the instructions exist.
            #[allow(unused_unsafe, reason = "on WebAssembly, and for one lane, they are all safe")]
            unsafe {
                $($body)*
            }
        }
    )*};
}

/// Writes a token's loads and stores.
macro_rules! memory {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? { $($body:tt)* })*) => {$(
        #[inline(always)]
        unsafe fn $name(self, $($arg: $ty),*) $(-> $ret)? {
            // SAFETY: the token proves that the instructions exist; the caller promises that the
            // elements exist, and no more than those are touched.
            #[allow(unused_unsafe, reason = "where a partial access cannot happen")]
            unsafe {
                $($body)*
            }
        }
    )*};
}

pub(crate) mod cursor;
pub(crate) mod loader;
pub(crate) mod map;
pub(crate) mod product;
pub(crate) mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
// The lanes of its reinterpreting casts are numbered for little-endian memory.
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub(crate) mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod simd128;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sse42;

pub(crate) use cursor::Cursor;
pub(crate) use loader::{
    Bf16, Bf16Pair, F16, F32, I8AsF32, Loader, StepI8, StepU8, WideI8, WideU8,
};
pub(crate) use map::{
    Map, gray, map, map_and_sum, map_sum, update, update_2, update_3, update_5, update_and_sum,
};

/// Vectors of `f32`.
pub(crate) trait Simd: Copy {
    /// A register of [`Simd::LANES`] lanes.
    type F32: Copy;
    /// A truth for each lane.
    type Mask: Copy;
    /// Lanes in a register.
    const LANES: usize;
    /// Whether [`Simd::mul_add`] rounds once.
    const FUSED: bool;

    /// All lanes `value`.
    fn splat(self, value: f32) -> Self::F32;
    /// Lane-wise `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Lane-wise `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Lane-wise `a · b`.
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Lane-wise `a / b`.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Lane-wise `a · b + c`; fused where the set has the instruction, otherwise rounded twice
    /// (a library call for the fused result would be 17 times slower).
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// Lane-wise `if x < y { x } else { y }`: a NaN in `x` is passed over.
    fn min(self, x: Self::F32, y: Self::F32) -> Self::F32;
    /// Lane-wise `if x > y { x } else { y }`: a NaN in `x` is passed over.
    fn max(self, x: Self::F32, y: Self::F32) -> Self::F32;
    /// The magnitude of each lane.
    fn abs(self, a: Self::F32) -> Self::F32;
    /// The magnitude of `a` with the sign of `sign`.
    fn copysign(self, a: Self::F32, sign: Self::F32) -> Self::F32;
    /// The nearest integer, ties to even; for magnitudes below 2²².
    fn round(self, a: Self::F32) -> Self::F32;
    /// `2^k` for integral `k` from -126 to 127.
    fn pow2(self, k: Self::F32) -> Self::F32;
    /// `a · 2^k` for integral `k` from -252 to 254, rounded once more where the result is denormal.
    #[inline(always)]
    fn mul_pow2(self, a: Self::F32, k: Self::F32) -> Self::F32 {
        let half = self.round(self.mul(k, self.splat(0.5)));
        self.mul(self.mul(a, self.pow2(half)), self.pow2(self.sub(k, half)))
    }
    /// Lane-wise `a < b`, false where one is NaN.
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// Lane-wise `a <= b`, false where one is NaN.
    fn le(self, a: Self::F32, b: Self::F32) -> Self::Mask;
    /// `a` where the mask is true, else `b`.
    fn select(self, mask: Self::Mask, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The mask as bits, lane 0 the lowest.
    fn bits(self, mask: Self::Mask) -> u32;
    /// The first `count` lanes of `a`, the others of `b`.
    fn first(self, count: usize, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The sum of all lanes.
    fn sum(self, a: Self::F32) -> f32;
    /// The sums of all lanes of each; cheaper than four [`Simd::sum`]s where lanes can be transposed.
    fn sum_4(self, vectors: [Self::F32; 4]) -> [f32; 4];
    /// The smallest lane, none being NaN.
    fn min_lane(self, a: Self::F32) -> f32;
    /// The largest lane, none being NaN.
    fn max_lane(self, a: Self::F32) -> f32;

    // The loads and stores below share one contract.
    //
    // # Safety
    // The whole ones touch `LANES` elements, the partial ones `count < LANES` and nothing behind
    // them: so many must exist at the pointer. Lanes that a partial load does not read are zero.

    #[allow(clippy::missing_safety_doc, reason = "above, once for all of them")]
    unsafe fn load(self, from: *const f32) -> Self::F32;
    unsafe fn load_partial(self, from: *const f32, count: usize) -> Self::F32;
    unsafe fn store(self, to: *mut f32, a: Self::F32);
    unsafe fn store_partial(self, to: *mut f32, a: Self::F32, count: usize);
    /// From the bits of IEEE binary16.
    unsafe fn load_f16(self, from: *const u16) -> Self::F32;
    unsafe fn load_f16_partial(self, from: *const u16, count: usize) -> Self::F32;
    /// From the bits of bfloat16.
    unsafe fn load_bf16(self, from: *const u16) -> Self::F32;
    unsafe fn load_bf16_partial(self, from: *const u16, count: usize) -> Self::F32;
    /// Two registers from the bits of bfloat16, in whatever order is quickest: the same for all loads
    /// of a length.
    #[inline(always)]
    unsafe fn load_bf16_pair(self, from: *const u16) -> [Self::F32; 2] {
        // SAFETY: the caller promises two registers' elements.
        unsafe { [self.load_bf16(from), self.load_bf16(from.add(Self::LANES))] }
    }
    /// Likewise with `count < 2 · LANES` elements.
    #[inline(always)]
    unsafe fn load_bf16_pair_partial(self, from: *const u16, count: usize) -> [Self::F32; 2] {
        // SAFETY: the caller promises `count` elements, and each load touches what is its own.
        unsafe {
            if count < Self::LANES {
                [self.load_bf16_partial(from, count), self.splat(0.0)]
            } else {
                let rest = count - Self::LANES;
                let second = self.load_bf16_partial(from.add(Self::LANES), rest);
                [self.load_bf16(from), second]
            }
        }
    }
    unsafe fn load_i8(self, from: *const i8) -> Self::F32;
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> Self::F32;

    /// Four values, wherever they begin, from each of `LANES` places `stride` bytes apart: the first
    /// of all of them, then the second and so on.
    ///
    /// # Safety
    /// 16 bytes are readable at each of the places.
    #[inline(always)]
    unsafe fn load_transposed(self, from: *const u8, stride: usize) -> [Self::F32; 4] {
        const { assert!(Self::LANES <= 4) };
        let mut lanes = [[0.0; 4]; 4];
        for i in 0..Self::LANES {
            // SAFETY: the caller promises 16 bytes at each place.
            let four = unsafe { from.add(i * stride).cast::<[f32; 4]>().read_unaligned() };
            for (lanes, value) in lanes.iter_mut().zip(four) {
                lanes[i] = value;
            }
        }
        let mut found = [self.splat(0.0); 4];
        for (found, lanes) in found.iter_mut().zip(&lanes) {
            // SAFETY: a register is no more than four lanes.
            *found = unsafe { self.load(lanes.as_ptr()) };
        }
        found
    }
}

/// Vectors of bytes that are multiplied into sums of `i32`, exact modulo 2³².
///
/// A product of bytes is worth `step - bias`: sets whose instruction multiplies unsigned by signed
/// bytes shift one factor by 128 and count in `bias` what that added. In the others `bias` is zero.
pub(crate) trait SimdBytes: Copy {
    /// The bytes that one multiplying step consumes, signed or unsigned.
    type Step: Copy;
    /// A whole register of bytes.
    type Wide: Copy;
    /// A register of partial sums.
    type I32: Copy;
    /// Lanes of four bytes, made ready to be multiplied.
    type Quads: Copy;
    /// Bytes in a step.
    const STEP: usize;
    /// Bytes in a whole register.
    const WIDE: usize;

    /// No sum yet.
    fn zero(self) -> Self::I32;
    /// Lane-wise `a + b`.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Lane-wise `a - b`.
    fn sub_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The sum of all lanes.
    fn sum_i32(self, a: Self::I32) -> i32;
    /// The sums of all lanes of each.
    fn sum_i32_4(self, vectors: [Self::I32; 4]) -> [i32; 4];
    /// `acc + a · b` of signed bytes, the products spread over the lanes in any order.
    fn dot_i8(self, acc: Self::I32, a: Self::Step, b: Self::Step) -> Self::I32;
    /// What `dot_i8` added too much; depends on `b` alone.
    #[inline(always)]
    fn dot_i8_bias(self, acc: Self::I32, _b: Self::Step) -> Self::I32 {
        acc
    }
    /// `acc + a · b` of unsigned bytes.
    fn dot_u8(self, acc: Self::I32, a: Self::Step, b: Self::Step) -> Self::I32;
    /// What `dot_u8` added too much; depends on `b` alone.
    #[inline(always)]
    fn dot_u8_bias(self, acc: Self::I32, _b: Self::Step) -> Self::I32 {
        acc
    }
    /// `acc + (a - b)²` of signed bytes.
    fn l2_i8(self, acc: Self::I32, a: Self::Step, b: Self::Step) -> Self::I32;
    /// `acc + (a - b)²` of unsigned bytes.
    fn l2_u8(self, acc: Self::I32, a: Self::Step, b: Self::Step) -> Self::I32;
    /// `acc + low · q₀ + high · q₁` where a code byte holds two unsigned nibbles.
    fn dot_u4(self, acc: Self::I32, codes: Self::Wide, query: [Self::Wide; 2]) -> Self::I32;
    /// Likewise with four unsigned pairs of bits, the lowest first.
    fn dot_u2(self, acc: Self::I32, codes: Self::Wide, query: [Self::Wide; 4]) -> Self::I32;
    /// Lanes of four signed bytes, made ready to be multiplied.
    fn quads(self, bytes: Self::Wide) -> Self::Quads;
    /// `acc` plus, in each lane, the products of its four bytes with the four unsigned bytes of `x`, in
    /// the order of memory, less 128 on NEON, whose instruction multiplies signed bytes.
    fn dot_quads(self, acc: Self::I32, x: i32, quads: Self::Quads) -> Self::I32;
    /// Bit-wise `a ^ b`.
    fn xor(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// Bit-wise `a & b`.
    fn and(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// Bit-wise `a | b`.
    fn or(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// `acc` plus the number of ones.
    fn count_ones(self, acc: Self::I32, a: Self::Wide) -> Self::I32;

    // As with `Simd`: the whole ones read `STEP` or `WIDE` bytes, the partial ones `count`.
    //
    // # Safety
    // So many bytes must exist at the pointer; `count` is less than a whole.

    unsafe fn load_step(self, from: *const u8) -> Self::Step;
    unsafe fn load_step_partial(self, from: *const u8, count: usize) -> Self::Step;
    unsafe fn load_wide(self, from: *const u8) -> Self::Wide;
    unsafe fn load_wide_partial(self, from: *const u8, count: usize) -> Self::Wide;
    /// Writes all lanes: `WIDE / 4` of them.
    unsafe fn store_i32(self, to: *mut i32, a: Self::I32);
    /// `(77 R + 150 G + 29 B + 128) >> 8` of `WIDE` pixels of four bytes, and `true`; or `false` and
    /// nothing, where what the compiler makes of a plain loop is as quick.
    ///
    /// # Safety
    /// `4 · WIDE` bytes are readable at `from` and `WIDE` writable at `to`.
    #[inline(always)]
    unsafe fn gray(self, _from: *const u8, _to: *mut u8) -> bool {
        false
    }
}

/// Asks for the first cache lines of a slice that will be read soon; changes no result.
///
/// Six lines at most, because the hardware follows a run that it has seen begin. Does nothing on
/// processors without such an instruction.
#[inline(always)]
pub fn prefetch<T>(slice: &[T]) {
    const LINE: usize = 64;
    let bytes = size_of_val(slice).min(6 * LINE);
    let mut at = 0;
    while at < bytes {
        prefetch_line(slice.as_ptr().cast::<u8>().wrapping_add(at));
        at += LINE;
    }
}

/// Asks for one cache line, which need not exist.
#[inline(always)]
pub(crate) fn prefetch_line<T>(line: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and faults on no address; SSE is part of x86-64.
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
}

/// Reads `count <= 16` bytes as two little-endian halves with reads that overlap, the others zero.
///
/// # Safety
/// `count <= 16`, and `count` bytes are readable at `from`.
#[inline(always)]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_feature = "simd128"))]
pub(crate) unsafe fn read_bytes(from: *const u8, count: usize) -> (u64, u64) {
    // SAFETY: every branch reads only inside the `count` bytes that the caller promises.
    unsafe {
        if count > 8 {
            let low = u64::from_le(from.cast::<u64>().read_unaligned());
            let last = u64::from_le(from.add(count - 8).cast::<u64>().read_unaligned());
            // What of the last eight bytes was read already is shifted out.
            (low, last >> (8 * (16 - count)))
        } else {
            (read_half(from, count), 0)
        }
    }
}

/// Reads `count <= 8` bytes as a little-endian number, the others zero.
///
/// # Safety
/// `count <= 8`, and `count` bytes are readable at `from`.
#[inline(always)]
pub(crate) unsafe fn read_half(from: *const u8, count: usize) -> u64 {
    // SAFETY: every branch reads only inside the `count` bytes that the caller promises.
    unsafe {
        if count >= 4 {
            let low = u64::from(u32::from_le(from.cast::<u32>().read_unaligned()));
            let last = from.add(count - 4).cast::<u32>().read_unaligned();
            let last = u64::from(u32::from_le(last));
            low | (last << (8 * (count - 4)))
        } else if count > 0 {
            let first = u64::from(*from);
            let middle = u64::from(*from.add(count / 2)) << (8 * (count / 2));
            let last = u64::from(*from.add(count - 1)) << (8 * (count - 1));
            first | middle | last
        } else {
            0
        }
    }
}
