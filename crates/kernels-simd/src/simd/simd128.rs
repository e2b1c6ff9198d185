//! WebAssembly SIMD128: 4 lanes, tails by the load that fits.
//!
//! WebAssembly has no run-time detection: a module that was built with `simd128` only loads where
//! it exists, so the token is there whenever this file is compiled.
#![allow(unsafe_code, reason = "raw loads; the cursor keeps them inside their slices")]

use core::arch::wasm32::*;

use super::{Simd, SimdI8, read_bytes};

/// Proves SIMD128.
#[derive(Clone, Copy)]
pub(crate) struct Simd128(());

impl Simd128 {
    #[inline]
    #[target_feature(enable = "simd128")]
    pub(crate) fn new() -> Self {
        Simd128(())
    }
}

impl Simd for Simd128 {
    type F32 = v128;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> v128 {
        f32x4_splat(value)
    }
    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: v128, b: v128) -> v128 {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    fn min(self, x: v128, y: v128) -> v128 {
        // `pmin(y, x)` is `x < y ? x : y`.
        f32x4_pmin(y, x)
    }
    #[inline(always)]
    fn max(self, x: v128, y: v128) -> v128 {
        // `pmax(y, x)` is `y < x ? x : y`.
        f32x4_pmax(y, x)
    }
    #[inline(always)]
    fn first(self, count: usize, a: v128, b: v128) -> v128 {
        let mask = u32x4_lt(u32x4(0, 1, 2, 3), u32x4_splat(count as u32));
        v128_bitselect(a, b, mask)
    }
    #[inline(always)]
    fn sum(self, a: v128) -> f32 {
        let pair = f32x4_add(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
        f32x4_extract_lane::<0>(pair) + f32x4_extract_lane::<1>(pair)
    }
    #[inline(always)]
    fn min_lane(self, a: v128) -> f32 {
        let pair = f32x4_pmin(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
        f32x4_extract_lane::<0>(f32x4_pmin(pair, i32x4_shuffle::<1, 0, 3, 2>(pair, pair)))
    }
    #[inline(always)]
    fn max_lane(self, a: v128) -> f32 {
        let pair = f32x4_pmax(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
        f32x4_extract_lane::<0>(f32x4_pmax(pair, i32x4_shuffle::<1, 0, 3, 2>(pair, pair)))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> v128 {
        // SAFETY: the caller promises 4 readable values.
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> v128 {
        // SAFETY: no branch reads more than `count` values.
        unsafe {
            match count {
                0 => f32x4_splat(0.0),
                1 => v128_load32_zero(from.cast()),
                2 => v128_load64_zero(from.cast()),
                _ => v128_load32_lane::<2>(v128_load64_zero(from.cast()), from.add(2).cast()),
            }
        }
    }
}

impl SimdI8 for Simd128 {
    type I8 = v128;
    type I32 = v128;
    const BYTES: usize = 16;

    #[inline(always)]
    fn zero(self) -> v128 {
        i32x4_splat(0)
    }
    #[inline(always)]
    fn dot_step(self, acc: v128, a: v128, b: v128) -> v128 {
        let low = i32x4_dot_i16x8(i16x8_extend_low_i8x16(a), i16x8_extend_low_i8x16(b));
        let high = i32x4_dot_i16x8(i16x8_extend_high_i8x16(a), i16x8_extend_high_i8x16(b));
        i32x4_add(acc, i32x4_add(low, high))
    }
    #[inline(always)]
    fn l2_step(self, acc: v128, a: v128, b: v128) -> v128 {
        let low = i16x8_sub(i16x8_extend_low_i8x16(a), i16x8_extend_low_i8x16(b));
        let high = i16x8_sub(i16x8_extend_high_i8x16(a), i16x8_extend_high_i8x16(b));
        i32x4_add(acc, i32x4_add(i32x4_dot_i16x8(low, low), i32x4_dot_i16x8(high, high)))
    }
    #[inline(always)]
    fn add_i32(self, a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }
    #[inline(always)]
    fn sum_i32(self, a: v128) -> i32 {
        let pair = i32x4_add(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
        i32x4_extract_lane::<0>(pair).wrapping_add(i32x4_extract_lane::<1>(pair))
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> v128 {
        // SAFETY: the caller promises 16 readable values.
        unsafe { v128_load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> v128 {
        // SAFETY: the caller's promise is the callee's.
        let (low, high) = unsafe { read_bytes(from.cast(), count) };
        u64x2(low, high)
    }
}
