//! NEON: 4 lanes, tails by the load that fits.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::aarch64::*;

use super::{Simd, SimdI8, read_bytes};

/// Proves NEON.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn new() -> Self {
        Neon(())
    }
}

impl Simd for Neon {
    type F32 = float32x4_t;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_f32(value) }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn min(self, x: float32x4_t, y: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON. (`fmin` would let a NaN through.)
        unsafe { vbslq_f32(vcltq_f32(x, y), x, y) }
    }
    #[inline(always)]
    fn max(self, x: float32x4_t, y: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vbslq_f32(vcgtq_f32(x, y), x, y) }
    }
    #[inline(always)]
    fn first(self, count: usize, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        const LANES: [u32; 4] = [0, 1, 2, 3];
        // SAFETY: the token proves NEON; the array has four values.
        unsafe {
            let mask = vcltq_u32(vld1q_u32(LANES.as_ptr()), vdupq_n_u32(count as u32));
            vbslq_f32(mask, a, b)
        }
    }
    #[inline(always)]
    fn sum(self, a: float32x4_t) -> f32 {
        // SAFETY: the token proves NEON.
        unsafe { vaddvq_f32(a) }
    }
    #[inline(always)]
    fn sum_4(self, [a, b, c, d]: [float32x4_t; 4]) -> [f32; 4] {
        let mut sums = [0.0; 4];
        // SAFETY: the token proves NEON; `sums` has room for four values.
        unsafe { vst1q_f32(sums.as_mut_ptr(), vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d))) };
        sums
    }
    #[inline(always)]
    fn min_lane(self, a: float32x4_t) -> f32 {
        // SAFETY: the token proves NEON.
        unsafe { vminvq_f32(a) }
    }
    #[inline(always)]
    fn max_lane(self, a: float32x4_t) -> f32 {
        // SAFETY: the token proves NEON.
        unsafe { vmaxvq_f32(a) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: the token proves NEON; the caller promises 4 readable values.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> float32x4_t {
        // SAFETY: the token proves NEON; no branch reads more than `count` values.
        unsafe {
            let zero = vdupq_n_f32(0.0);
            match count {
                0 => zero,
                1 => vld1q_lane_f32::<0>(from, zero),
                2 => vcombine_f32(vld1_f32(from), vget_low_f32(zero)),
                _ => vcombine_f32(
                    vld1_f32(from),
                    vld1_lane_f32::<0>(from.add(2), vget_low_f32(zero)),
                ),
            }
        }
    }
}

impl SimdI8 for Neon {
    type I8 = int8x16_t;
    type I32 = int32x4_t;
    const BYTES: usize = 16;

    #[inline(always)]
    fn zero(self) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_s32(0) }
    }
    #[inline(always)]
    fn dot_step(self, acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe {
            let low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
            let high = vmull_high_s8(a, b);
            vpadalq_s16(vpadalq_s16(acc, low), high)
        }
    }
    #[inline(always)]
    fn l2_step(self, acc: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe {
            let d = vreinterpretq_u8_s8(vabdq_s8(a, b));
            let low = vmull_u8(vget_low_u8(d), vget_low_u8(d));
            let high = vmull_high_u8(d, d);
            let acc = vpadalq_u16(vpadalq_u16(vreinterpretq_u32_s32(acc), low), high);
            vreinterpretq_s32_u32(acc)
        }
    }
    #[inline(always)]
    fn add_i32(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_s32(a, b) }
    }
    #[inline(always)]
    fn sum_i32(self, a: int32x4_t) -> i32 {
        // SAFETY: the token proves NEON.
        unsafe { vaddvq_s32(a) }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> int8x16_t {
        // SAFETY: the token proves NEON; the caller promises 16 readable values.
        unsafe { vld1q_s8(from) }
    }
    #[inline(always)]
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> int8x16_t {
        // SAFETY: the token proves NEON; the caller's promise is the callee's.
        unsafe {
            let (low, high) = read_bytes(from.cast(), count);
            vreinterpretq_s8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)))
        }
    }
}
