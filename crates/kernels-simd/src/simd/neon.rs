//! NEON: 4 lanes, tails by the load that fits.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

mod bytes;
pub(crate) mod dotprod;

use core::arch::aarch64::*;

use super::{Simd, read_half};

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
    type Mask = uint32x4_t;
    const LANES: usize = 4;
    const FUSED: bool = true;

    ops! {
        splat(value: f32) -> float32x4_t { vdupq_n_f32(value) }
        add(a: float32x4_t, b: float32x4_t) -> float32x4_t { vaddq_f32(a, b) }
        sub(a: float32x4_t, b: float32x4_t) -> float32x4_t { vsubq_f32(a, b) }
        mul(a: float32x4_t, b: float32x4_t) -> float32x4_t { vmulq_f32(a, b) }
        div(a: float32x4_t, b: float32x4_t) -> float32x4_t { vdivq_f32(a, b) }
        mul_add(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
            vfmaq_f32(c, a, b)
        }
        // `fmin` and `fmax` would let a NaN through.
        min(x: float32x4_t, y: float32x4_t) -> float32x4_t { vbslq_f32(vcltq_f32(x, y), x, y) }
        max(x: float32x4_t, y: float32x4_t) -> float32x4_t { vbslq_f32(vcgtq_f32(x, y), x, y) }
        abs(a: float32x4_t) -> float32x4_t { vabsq_f32(a) }
        copysign(a: float32x4_t, sign: float32x4_t) -> float32x4_t {
            vbslq_f32(vdupq_n_u32(1 << 31), sign, a)
        }
        round(a: float32x4_t) -> float32x4_t { vrndnq_f32(a) }
        pow2(k: float32x4_t) -> float32x4_t {
            let biased = vaddq_s32(vcvtq_s32_f32(k), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
        }
        lt(a: float32x4_t, b: float32x4_t) -> uint32x4_t { vcltq_f32(a, b) }
        le(a: float32x4_t, b: float32x4_t) -> uint32x4_t { vcleq_f32(a, b) }
        select(mask: uint32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
            vbslq_f32(mask, a, b)
        }
        bits(mask: uint32x4_t) -> u32 {
            const PLACES: [u32; 4] = [1, 2, 4, 8];
            vaddvq_u32(vandq_u32(mask, vld1q_u32(PLACES.as_ptr())))
        }
        first(count: usize, a: float32x4_t, b: float32x4_t) -> float32x4_t {
            const LANES: [u32; 4] = [0, 1, 2, 3];
            let mask = vcltq_u32(vld1q_u32(LANES.as_ptr()), vdupq_n_u32(count as u32));
            vbslq_f32(mask, a, b)
        }
        sum(a: float32x4_t) -> f32 { vaddvq_f32(a) }
        sum_4(vectors: [float32x4_t; 4]) -> [f32; 4] {
            let [a, b, c, d] = vectors;
            let mut sums = [0.0; 4];
            vst1q_f32(sums.as_mut_ptr(), vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
            sums
        }
        min_lane(a: float32x4_t) -> f32 { vminvq_f32(a) }
        max_lane(a: float32x4_t) -> f32 { vmaxvq_f32(a) }
    }
    memory! {
        load(from: *const f32) -> float32x4_t { vld1q_f32(from) }
        load_partial(from: *const f32, count: usize) -> float32x4_t {
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
        store(to: *mut f32, a: float32x4_t) { vst1q_f32(to, a) }
        store_partial(to: *mut f32, a: float32x4_t, count: usize) {
            if count >= 2 {
                vst1_f32(to, vget_low_f32(a));
            }
            if count == 3 {
                vst1q_lane_f32::<2>(to.add(2), a);
            } else if count == 1 {
                vst1q_lane_f32::<0>(to, a);
            }
        }
        load_f16(from: *const u16) -> float32x4_t {
            vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)))
        }
        load_f16_partial(from: *const u16, count: usize) -> float32x4_t {
            vcvt_f32_f16(vreinterpret_f16_u64(vcreate_u64(read_half(from.cast(), 2 * count))))
        }
        load_bf16(from: *const u16) -> float32x4_t {
            vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from)))
        }
        load_bf16_partial(from: *const u16, count: usize) -> float32x4_t {
            let bits = vreinterpret_u16_u64(vcreate_u64(read_half(from.cast(), 2 * count)));
            vreinterpretq_f32_u32(vshll_n_u16::<16>(bits))
        }
        load_i8(from: *const i8) -> float32x4_t {
            let bytes = u64::from(from.cast::<u32>().read_unaligned());
            let wide = vmovl_s8(vreinterpret_s8_u64(vcreate_u64(bytes)));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)))
        }
        load_i8_partial(from: *const i8, count: usize) -> float32x4_t {
            let bytes = vreinterpret_s8_u64(vcreate_u64(read_half(from.cast(), count)));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))))
        }
    }
}
