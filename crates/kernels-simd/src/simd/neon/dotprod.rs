//! Bytes with the arm64 extension `dotprod`: four products into each sum with one instruction.
//!
//! Its intrinsics are not stable yet, so the two instructions are written out.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::aarch64::*;
use core::arch::asm;

use crate::simd::{SimdBytes, read_bytes};

/// Proves NEON and its extension `dotprod`.
#[derive(Clone, Copy)]
pub(crate) struct NeonDotprod(());

impl NeonDotprod {
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub(crate) fn new() -> Self {
        NeonDotprod(())
    }
}

/// `acc` plus products of signed bytes.
///
/// # Safety
/// The extension exists.
#[inline(always)]
unsafe fn sdot(mut acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller promises the instruction, which touches only these registers.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {acc:v}.4s, {a:v}.16b, {b:v}.16b",
            acc = inout(vreg) acc,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    acc
}

/// `acc` plus products of unsigned bytes.
///
/// # Safety
/// The extension exists.
#[inline(always)]
unsafe fn udot(mut acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: the caller promises the instruction, which touches only these registers.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "udot {acc:v}.4s, {a:v}.16b, {b:v}.16b",
            acc = inout(vreg) acc,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    acc
}

impl SimdBytes for NeonDotprod {
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
        dot_i8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t { sdot(acc, a, b) }
        dot_u8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t { udot(acc, a, b) }
        l2_i8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
            let d = vabdq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
            let d = vreinterpretq_u8_s8(d);
            udot(acc, d, d)
        }
        l2_u8(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
            let d = vabdq_u8(a, b);
            udot(acc, d, d)
        }
        dot_u4(acc: int32x4_t, codes: uint8x16_t, query: [uint8x16_t; 2]) -> int32x4_t {
            let acc = sdot(acc, vandq_u8(codes, vdupq_n_u8(15)), query[0]);
            sdot(acc, vshrq_n_u8::<4>(codes), query[1])
        }
        dot_u2(acc: int32x4_t, codes: uint8x16_t, query: [uint8x16_t; 4]) -> int32x4_t {
            let low = vdupq_n_u8(3);
            let acc = sdot(acc, vandq_u8(codes, low), query[0]);
            let acc = sdot(acc, vandq_u8(vshrq_n_u8::<2>(codes), low), query[1]);
            let acc = sdot(acc, vandq_u8(vshrq_n_u8::<4>(codes), low), query[2]);
            sdot(acc, vshrq_n_u8::<6>(codes), query[3])
        }
        quads(bytes: uint8x16_t) -> uint8x16_t { bytes }
        dot_quads(acc: int32x4_t, x: i32, quads: uint8x16_t) -> int32x4_t {
            let x = vreinterpretq_u8_s32(vdupq_n_s32(x));
            sdot(acc, veorq_u8(x, vdupq_n_u8(128)), quads)
        }
        xor(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t { veorq_u8(a, b) }
        and(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t { vandq_u8(a, b) }
        or(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t { vorrq_u8(a, b) }
        count_ones(acc: int32x4_t, a: uint8x16_t) -> int32x4_t {
            udot(acc, vcntq_u8(a), vdupq_n_u8(1))
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
