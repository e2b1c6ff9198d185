//! Bytes with NEON: products of 16 bits, added in pairs.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::aarch64::*;

use super::Neon;
use crate::simd::{SimdBytes, read_bytes};

/// Signed products of both halves, each pair of them below 2¹⁵ in magnitude by the caller's choice.
///
/// # Safety
/// NEON exists.
#[inline(always)]
unsafe fn products(a: uint8x16_t, b: uint8x16_t) -> [int16x8_t; 2] {
    // SAFETY: the caller promises NEON.
    unsafe {
        let (a, b) = (vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
        [vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)]
    }
}

/// `acc` plus the squares of unsigned bytes.
///
/// # Safety
/// NEON exists.
#[inline(always)]
unsafe fn squares(acc: int32x4_t, d: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller promises NEON.
    unsafe {
        let low = vmull_u8(vget_low_u8(d), vget_low_u8(d));
        let acc = vpadalq_u16(vreinterpretq_u32_s32(acc), low);
        vreinterpretq_s32_u32(vpadalq_u16(acc, vmull_high_u8(d, d)))
    }
}

impl SimdBytes for Neon {
    type Step = uint8x16_t;
    type Wide = uint8x16_t;
    type I32 = int32x4_t;
    type Quads = uint8x16_t;
    const STEP: usize = 16;
    const WIDE: usize = 16;

    ops! {
        zero() -> int32x4_t { vdupq_n_s32(0) }
        add_i32(a: int32x4_t, b: int32x4_t) -> int32x4_t { vaddq_s32(a, b) }
        sub_i32(a: int32x4_t, b: int32x4_t) -> int32x4_t { vsubq_s32(a, b) }
        sum_i32(a: int32x4_t) -> i32 { vaddvq_s32(a) }
        sum_i32_4(vectors: [int32x4_t; 4]) -> [i32; 4] {
            let [a, b, c, d] = vectors;
            let mut sums = [0; 4];
            vst1q_s32(sums.as_mut_ptr(), vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
            sums
        }
        dot_i8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
            let [low, high] = products(a, b);
            vpadalq_s16(vpadalq_s16(acc, low), high)
        }
        dot_u8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
            let low = vmull_u8(vget_low_u8(a), vget_low_u8(b));
            let acc = vpadalq_u16(vreinterpretq_u32_s32(acc), low);
            vreinterpretq_s32_u32(vpadalq_u16(acc, vmull_high_u8(a, b)))
        }
        l2_i8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
            let d = vabdq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
            squares(acc, vreinterpretq_u8_s8(d))
        }
        l2_u8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
            squares(acc, vabdq_u8(a, b))
        }
        dot_u4(acc: int32x4_t, codes: uint8x16_t, query: [uint8x16_t; 2]) -> int32x4_t {
            let [a, b] = products(vandq_u8(codes, vdupq_n_u8(15)), query[0]);
            let [c, d] = products(vshrq_n_u8::<4>(codes), query[1]);
            vpadalq_s16(vpadalq_s16(acc, vaddq_s16(a, c)), vaddq_s16(b, d))
        }
        dot_u2(acc: int32x4_t, codes: uint8x16_t, query: [uint8x16_t; 4]) -> int32x4_t {
            let low = vdupq_n_u8(3);
            let [a, b] = products(vandq_u8(codes, low), query[0]);
            let [c, d] = products(vandq_u8(vshrq_n_u8::<2>(codes), low), query[1]);
            let [e, f] = products(vandq_u8(vshrq_n_u8::<4>(codes), low), query[2]);
            let [g, h] = products(vshrq_n_u8::<6>(codes), query[3]);
            let even = vaddq_s16(vaddq_s16(a, c), vaddq_s16(e, g));
            let odd = vaddq_s16(vaddq_s16(b, d), vaddq_s16(f, h));
            vpadalq_s16(vpadalq_s16(acc, even), odd)
        }
        quads(bytes: uint8x16_t) -> uint8x16_t { bytes }
        dot_quads(acc: int32x4_t, x: i32, quads: uint8x16_t) -> int32x4_t {
            let x = vreinterpretq_u8_s32(vdupq_n_s32(x));
            let [low, high] = products(veorq_u8(x, vdupq_n_u8(128)), quads);
            vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))
        }
        xor(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t { veorq_u8(a, b) }
        and(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t { vandq_u8(a, b) }
        or(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t { vorrq_u8(a, b) }
        count_ones(acc: int32x4_t, a: uint8x16_t) -> int32x4_t {
            let pairs = vpaddlq_u8(vcntq_u8(a));
            vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(acc), pairs))
        }
    }
    memory! {
        load_step(from: *const u8) -> uint8x16_t { vld1q_u8(from) }
        load_step_partial(from: *const u8, count: usize) -> uint8x16_t {
            let (low, high) = read_bytes(from, count);
            vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)))
        }
        load_wide(from: *const u8) -> uint8x16_t { vld1q_u8(from) }
        load_wide_partial(from: *const u8, count: usize) -> uint8x16_t {
            let (low, high) = read_bytes(from, count);
            vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)))
        }
        store_i32(to: *mut i32, a: int32x4_t) { vst1q_s32(to, a) }
    }
}
