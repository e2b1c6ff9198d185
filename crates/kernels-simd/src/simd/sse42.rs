//! SSE4.2: 4 lanes, tails by the load that fits.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

mod bytes;

use core::arch::x86_64::*;

use super::{Simd, read_half};

/// Proves SSE4.2 and POPCNT.
#[derive(Clone, Copy)]
pub(crate) struct Sse42(());

impl Sse42 {
    #[inline]
    #[target_feature(enable = "sse4.2,popcnt")]
    pub(crate) fn new() -> Self {
        Sse42(())
    }
}

/// The values of four binary16 in the low 64 bits; there is no instruction for it before F16C.
///
/// # Safety
/// SSE4.1 exists.
#[inline(always)]
unsafe fn from_f16(halves: __m128i) -> __m128 {
    // SAFETY: the caller promises SSE4.1.
    unsafe {
        let bits = _mm_cvtepu16_epi32(halves);
        let magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7FFF));
        let sign = _mm_slli_epi32::<16>(_mm_xor_si128(bits, magnitude));
        // As an f32 the shifted bits are 2¹¹² too small, denormals included.
        let scale = _mm_castsi128_ps(_mm_set1_epi32(0x7780_0000));
        let value = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32::<13>(magnitude)), scale);
        // Infinities and NaNs keep their mantissa and get the largest exponent.
        let special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7BFF));
        let exponent = _mm_and_si128(special, _mm_set1_epi32(0x7F80_0000));
        _mm_or_ps(value, _mm_castsi128_ps(_mm_or_si128(sign, exponent)))
    }
}

impl Simd for Sse42 {
    type F32 = __m128;
    type Mask = __m128;
    const LANES: usize = 4;
    const FUSED: bool = false;

    ops! {
        splat(value: f32) -> __m128 { _mm_set1_ps(value) }
        add(a: __m128, b: __m128) -> __m128 { _mm_add_ps(a, b) }
        sub(a: __m128, b: __m128) -> __m128 { _mm_sub_ps(a, b) }
        mul(a: __m128, b: __m128) -> __m128 { _mm_mul_ps(a, b) }
        div(a: __m128, b: __m128) -> __m128 { _mm_div_ps(a, b) }
        mul_add(a: __m128, b: __m128, c: __m128) -> __m128 { _mm_add_ps(_mm_mul_ps(a, b), c) }
        min(x: __m128, y: __m128) -> __m128 { _mm_min_ps(x, y) }
        max(x: __m128, y: __m128) -> __m128 { _mm_max_ps(x, y) }
        abs(a: __m128) -> __m128 { _mm_andnot_ps(_mm_set1_ps(-0.0), a) }
        copysign(a: __m128, sign: __m128) -> __m128 {
            let bit = _mm_set1_ps(-0.0);
            _mm_or_ps(_mm_and_ps(bit, sign), _mm_andnot_ps(bit, a))
        }
        round(a: __m128) -> __m128 {
            _mm_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        }
        pow2(k: __m128) -> __m128 {
            let biased = _mm_add_epi32(_mm_cvtps_epi32(k), _mm_set1_epi32(127));
            _mm_castsi128_ps(_mm_slli_epi32::<23>(biased))
        }
        lt(a: __m128, b: __m128) -> __m128 { _mm_cmplt_ps(a, b) }
        le(a: __m128, b: __m128) -> __m128 { _mm_cmple_ps(a, b) }
        select(mask: __m128, a: __m128, b: __m128) -> __m128 { _mm_blendv_ps(b, a, mask) }
        bits(mask: __m128) -> u32 { _mm_movemask_ps(mask) as u32 }
        first(count: usize, a: __m128, b: __m128) -> __m128 {
            let lanes = _mm_set_epi32(3, 2, 1, 0);
            let mask = _mm_cmplt_epi32(lanes, _mm_set1_epi32(count as i32));
            _mm_blendv_ps(b, a, _mm_castsi128_ps(mask))
        }
        sum(a: __m128) -> f32 {
            let pair = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
        sum_4(vectors: [__m128; 4]) -> [f32; 4] {
            let [a, b, c, d] = vectors;
            let sums = _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d));
            core::mem::transmute::<__m128, [f32; 4]>(sums)
        }
        min_lane(a: __m128) -> f32 {
            let pair = _mm_min_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_min_ss(pair, _mm_movehdup_ps(pair)))
        }
        max_lane(a: __m128) -> f32 {
            let pair = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    memory! {
        load(from: *const f32) -> __m128 { _mm_loadu_ps(from) }
        load_partial(from: *const f32, count: usize) -> __m128 {
            match count {
                0 => _mm_setzero_ps(),
                1 => _mm_load_ss(from),
                2 => _mm_castpd_ps(_mm_load_sd(from.cast())),
                _ => {
                    let two = _mm_castpd_ps(_mm_load_sd(from.cast()));
                    _mm_movelh_ps(two, _mm_load_ss(from.add(2)))
                }
            }
        }
        store(to: *mut f32, a: __m128) { _mm_storeu_ps(to, a) }
        store_partial(to: *mut f32, a: __m128, count: usize) {
            if count >= 2 {
                _mm_store_sd(to.cast(), _mm_castps_pd(a));
            }
            if count == 3 {
                _mm_store_ss(to.add(2), _mm_movehl_ps(a, a));
            } else if count == 1 {
                _mm_store_ss(to, a);
            }
        }
        load_f16(from: *const u16) -> __m128 { from_f16(_mm_loadl_epi64(from.cast())) }
        load_f16_partial(from: *const u16, count: usize) -> __m128 {
            from_f16(_mm_cvtsi64_si128(read_half(from.cast(), 2 * count) as i64))
        }
        load_bf16(from: *const u16) -> __m128 {
            let bits = _mm_cvtepu16_epi32(_mm_loadl_epi64(from.cast()));
            _mm_castsi128_ps(_mm_slli_epi32::<16>(bits))
        }
        load_bf16_partial(from: *const u16, count: usize) -> __m128 {
            let halves = _mm_cvtsi64_si128(read_half(from.cast(), 2 * count) as i64);
            _mm_castsi128_ps(_mm_slli_epi32::<16>(_mm_cvtepu16_epi32(halves)))
        }
        load_i8(from: *const i8) -> __m128 {
            let bytes = _mm_cvtsi32_si128(from.cast::<i32>().read_unaligned());
            _mm_cvtepi32_ps(_mm_cvtepi8_epi32(bytes))
        }
        load_transposed(from: *const u8, stride: usize) -> [__m128; 4] {
            let mut rows = [_mm_setzero_ps(); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = _mm_loadu_ps(from.add(i * stride).cast());
            }
            let [a, b, c, d] = &mut rows;
            _MM_TRANSPOSE4_PS(a, b, c, d);
            rows
        }
        load_i8_partial(from: *const i8, count: usize) -> __m128 {
            let bytes = _mm_cvtsi64_si128(read_half(from.cast(), count) as i64);
            _mm_cvtepi32_ps(_mm_cvtepi8_epi32(bytes))
        }
    }
}
