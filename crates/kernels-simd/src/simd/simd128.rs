//! WebAssembly SIMD128: 4 lanes, tails by the load that fits.
//!
//! WebAssembly has no run-time detection: a module that was built with `simd128` only loads where
//! it exists, so the token is there whenever this file is compiled.
#![allow(unsafe_code, reason = "raw loads; the cursor keeps them inside their slices")]

mod bytes;

use core::arch::wasm32::*;

use super::{Simd, read_half};

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

/// The values of four binary16 in the low 64 bits; there is no instruction for it.
#[inline(always)]
fn from_f16(halves: v128) -> v128 {
    let bits = u32x4_extend_low_u16x8(halves);
    let magnitude = v128_and(bits, i32x4_splat(0x7FFF));
    let sign = i32x4_shl(v128_xor(bits, magnitude), 16);
    // As an f32 the shifted bits are 2¹¹² too small, denormals included.
    let value = f32x4_mul(i32x4_shl(magnitude, 13), i32x4_splat(0x7780_0000));
    // Infinities and NaNs keep their mantissa and get the largest exponent.
    let special = i32x4_gt(magnitude, i32x4_splat(0x7BFF));
    v128_or(value, v128_or(sign, v128_and(special, i32x4_splat(0x7F80_0000))))
}

impl Simd for Simd128 {
    type F32 = v128;
    type Mask = v128;
    const LANES: usize = 4;
    const FUSED: bool = false;

    ops! {
        splat(value: f32) -> v128 { f32x4_splat(value) }
        add(a: v128, b: v128) -> v128 { f32x4_add(a, b) }
        sub(a: v128, b: v128) -> v128 { f32x4_sub(a, b) }
        mul(a: v128, b: v128) -> v128 { f32x4_mul(a, b) }
        div(a: v128, b: v128) -> v128 { f32x4_div(a, b) }
        mul_add(a: v128, b: v128, c: v128) -> v128 { f32x4_add(f32x4_mul(a, b), c) }
        // `pmin(y, x)` is `x < y ? x : y`.
        min(x: v128, y: v128) -> v128 { f32x4_pmin(y, x) }
        max(x: v128, y: v128) -> v128 { f32x4_pmax(y, x) }
        abs(a: v128) -> v128 { f32x4_abs(a) }
        copysign(a: v128, sign: v128) -> v128 { v128_bitselect(sign, a, i32x4_splat(i32::MIN)) }
        round(a: v128) -> v128 { f32x4_nearest(a) }
        pow2(k: v128) -> v128 {
            i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(k), i32x4_splat(127)), 23)
        }
        lt(a: v128, b: v128) -> v128 { f32x4_lt(a, b) }
        le(a: v128, b: v128) -> v128 { f32x4_le(a, b) }
        select(mask: v128, a: v128, b: v128) -> v128 { v128_bitselect(a, b, mask) }
        bits(mask: v128) -> u32 { u32::from(i32x4_bitmask(mask)) }
        first(count: usize, a: v128, b: v128) -> v128 {
            let mask = u32x4_lt(u32x4(0, 1, 2, 3), u32x4_splat(count as u32));
            v128_bitselect(a, b, mask)
        }
        sum(a: v128) -> f32 {
            let pair = f32x4_add(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
            f32x4_extract_lane::<0>(pair) + f32x4_extract_lane::<1>(pair)
        }
        sum_4(vectors: [v128; 4]) -> [f32; 4] {
            let [a, b, c, d] = vectors;
            let ab = f32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
            let cd = f32x4_add(i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
            let low = i32x4_shuffle::<0, 1, 4, 5>(ab, cd);
            let high = i32x4_shuffle::<2, 3, 6, 7>(ab, cd);
            let sums = f32x4_add(low, high);
            [
                f32x4_extract_lane::<0>(sums),
                f32x4_extract_lane::<1>(sums),
                f32x4_extract_lane::<2>(sums),
                f32x4_extract_lane::<3>(sums),
            ]
        }
        min_lane(a: v128) -> f32 {
            let pair = f32x4_pmin(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
            f32x4_extract_lane::<0>(f32x4_pmin(pair, i32x4_shuffle::<1, 0, 3, 2>(pair, pair)))
        }
        max_lane(a: v128) -> f32 {
            let pair = f32x4_pmax(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
            f32x4_extract_lane::<0>(f32x4_pmax(pair, i32x4_shuffle::<1, 0, 3, 2>(pair, pair)))
        }
    }
    memory! {
        load(from: *const f32) -> v128 { v128_load(from.cast()) }
        load_partial(from: *const f32, count: usize) -> v128 {
            match count {
                0 => f32x4_splat(0.0),
                1 => v128_load32_zero(from.cast()),
                2 => v128_load64_zero(from.cast()),
                _ => v128_load32_lane::<2>(v128_load64_zero(from.cast()), from.add(2).cast()),
            }
        }
        store(to: *mut f32, a: v128) { v128_store(to.cast(), a) }
        store_partial(to: *mut f32, a: v128, count: usize) {
            if count >= 2 {
                v128_store64_lane::<0>(a, to.cast());
            }
            if count == 3 {
                v128_store32_lane::<2>(a, to.add(2).cast());
            } else if count == 1 {
                v128_store32_lane::<0>(a, to.cast());
            }
        }
        load_f16(from: *const u16) -> v128 { from_f16(v128_load64_zero(from.cast())) }
        load_f16_partial(from: *const u16, count: usize) -> v128 {
            from_f16(u64x2(read_half(from.cast(), 2 * count), 0))
        }
        load_bf16(from: *const u16) -> v128 {
            i32x4_shl(u32x4_extend_low_u16x8(v128_load64_zero(from.cast())), 16)
        }
        load_bf16_partial(from: *const u16, count: usize) -> v128 {
            i32x4_shl(u32x4_extend_low_u16x8(u64x2(read_half(from.cast(), 2 * count), 0)), 16)
        }
        load_i8(from: *const i8) -> v128 {
            let wide = i16x8_extend_low_i8x16(v128_load32_zero(from.cast()));
            f32x4_convert_i32x4(i32x4_extend_low_i16x8(wide))
        }
        load_i8_partial(from: *const i8, count: usize) -> v128 {
            let wide = i16x8_extend_low_i8x16(u64x2(read_half(from.cast(), count), 0));
            f32x4_convert_i32x4(i32x4_extend_low_i16x8(wide))
        }
    }
}
