//! AVX2 with FMA and F16C: 8 lanes, `f32` tails by mask.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

mod bytes;

use core::arch::x86_64::*;

use super::{Simd, read_bytes, read_half};

/// Proves AVX2, FMA, F16C, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
    pub(crate) fn new() -> Self {
        Avx2(())
    }
}

/// A window on this that starts `count` before the zeros is the mask of `count` lanes.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The first `count` lanes.
///
/// # Safety
/// AVX2 exists and `count <= 8`.
#[inline(always)]
unsafe fn mask(count: usize) -> __m256i {
    // SAFETY: the caller promises AVX2 and a window inside the array.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - count).cast()) }
}

/// The even and the odd ones of 16 `bf16`, which are the upper halves of `f32`s: one instruction
/// each, where widening them in order takes a shuffle as well.
///
/// # Safety
/// AVX2 exists.
#[inline(always)]
unsafe fn even_odd(bits: __m256i) -> [__m256; 2] {
    // SAFETY: the caller promises AVX2.
    unsafe {
        let upper = _mm256_set1_epi32(0xFFFF_0000_u32 as i32);
        let (even, odd) = (_mm256_slli_epi32::<16>(bits), _mm256_and_si256(bits, upper));
        [_mm256_castsi256_ps(even), _mm256_castsi256_ps(odd)]
    }
}

impl Simd for Avx2 {
    type F32 = __m256;
    type Mask = __m256;
    const LANES: usize = 8;
    const FUSED: bool = true;

    ops! {
        splat(value: f32) -> __m256 { _mm256_set1_ps(value) }
        add(a: __m256, b: __m256) -> __m256 { _mm256_add_ps(a, b) }
        sub(a: __m256, b: __m256) -> __m256 { _mm256_sub_ps(a, b) }
        mul(a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        div(a: __m256, b: __m256) -> __m256 { _mm256_div_ps(a, b) }
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        min(x: __m256, y: __m256) -> __m256 { _mm256_min_ps(x, y) }
        max(x: __m256, y: __m256) -> __m256 { _mm256_max_ps(x, y) }
        abs(a: __m256) -> __m256 { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
        copysign(a: __m256, sign: __m256) -> __m256 {
            let bit = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, a))
        }
        round(a: __m256) -> __m256 {
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        }
        pow2(k: __m256) -> __m256 {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
        }
        lt(a: __m256, b: __m256) -> __m256 { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
        le(a: __m256, b: __m256) -> __m256 { _mm256_cmp_ps::<_CMP_LE_OQ>(a, b) }
        select(mask: __m256, a: __m256, b: __m256) -> __m256 { _mm256_blendv_ps(b, a, mask) }
        bits(mask: __m256) -> u32 { _mm256_movemask_ps(mask) as u32 }
        first(count: usize, a: __m256, b: __m256) -> __m256 {
            _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask(count.min(8))))
        }
        sum(a: __m256) -> f32 {
            let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
        sum_4(vectors: [__m256; 4]) -> [f32; 4] {
            let [a, b, c, d] = vectors;
            let halves = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
            let high = _mm256_extractf128_ps::<1>(halves);
            let sums = _mm_add_ps(_mm256_castps256_ps128(halves), high);
            core::mem::transmute::<__m128, [f32; 4]>(sums)
        }
        min_lane(a: __m256) -> f32 {
            let half = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_min_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_min_ss(pair, _mm_movehdup_ps(pair)))
        }
        max_lane(a: __m256) -> f32 {
            let half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    memory! {
        load(from: *const f32) -> __m256 { _mm256_loadu_ps(from) }
        load_partial(from: *const f32, count: usize) -> __m256 {
            _mm256_maskload_ps(from, mask(count))
        }
        store(to: *mut f32, a: __m256) { _mm256_storeu_ps(to, a) }
        store_partial(to: *mut f32, a: __m256, count: usize) {
            _mm256_maskstore_ps(to, mask(count), a)
        }
        load_f16(from: *const u16) -> __m256 { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
        load_f16_partial(from: *const u16, count: usize) -> __m256 {
            let (low, high) = read_bytes(from.cast(), 2 * count);
            _mm256_cvtph_ps(_mm_set_epi64x(high as i64, low as i64))
        }
        load_bf16(from: *const u16) -> __m256 {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        }
        load_bf16_partial(from: *const u16, count: usize) -> __m256 {
            let (low, high) = read_bytes(from.cast(), 2 * count);
            let bits = _mm256_cvtepu16_epi32(_mm_set_epi64x(high as i64, low as i64));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        }
        load_bf16_pair(from: *const u16) -> [__m256; 2] {
            even_odd(_mm256_loadu_si256(from.cast()))
        }
        load_bf16_pair_partial(from: *const u16, count: usize) -> [__m256; 2] {
            let whole = count & 8;
            let (low, high) = read_bytes(from.add(whole).cast(), 2 * (count - whole));
            let last = _mm_set_epi64x(high as i64, low as i64);
            if whole == 0 {
                even_odd(_mm256_zextsi128_si256(last))
            } else {
                even_odd(_mm256_set_m128i(last, _mm_loadu_si128(from.cast())))
            }
        }
        load_i8(from: *const i8) -> __m256 {
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())))
        }
        load_transposed(from: *const u8, stride: usize) -> [__m256; 4] {
            // Each half of a register has four values of one place; they are exchanged in it.
            let mut rows = [_mm256_setzero_ps(); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let from = from.add(i * stride);
                let high = _mm_loadu_ps(from.add(4 * stride).cast());
                *row = _mm256_set_m128(high, _mm_loadu_ps(from.cast()));
            }
            let [a, b, c, d] = rows;
            let (ab, ab2) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd, cd2) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let (ab, cd) = (_mm256_castps_pd(ab), _mm256_castps_pd(cd));
            let (ab2, cd2) = (_mm256_castps_pd(ab2), _mm256_castps_pd(cd2));
            [
                _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)),
                _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)),
                _mm256_castpd_ps(_mm256_unpacklo_pd(ab2, cd2)),
                _mm256_castpd_ps(_mm256_unpackhi_pd(ab2, cd2)),
            ]
        }
        load_i8_partial(from: *const i8, count: usize) -> __m256 {
            let bytes = _mm_cvtsi64_si128(read_half(from.cast(), count) as i64);
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))
        }
    }
}
