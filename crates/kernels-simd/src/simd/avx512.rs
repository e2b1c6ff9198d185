//! AVX-512 F, BW, VL and DQ: 16 lanes, tails by mask.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

pub(crate) mod amx;
mod bytes;
pub(crate) mod vnni;

use core::arch::x86_64::*;

use super::Simd;

/// Proves AVX-512 F, BW, VL, DQ, FMA, F16C, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    #[inline]
    #[target_feature(
        enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
    )]
    pub(crate) fn new() -> Self {
        Avx512(())
    }
}

/// The lowest `count < 16` of 16 bits; one `bzhi`.
#[inline(always)]
fn mask16(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

/// The even and the odd ones of 32 `bf16`, which are the upper halves of `f32`s: one instruction
/// each, where widening them in order takes a shuffle as well.
///
/// # Safety
/// AVX-512 F exists.
#[inline(always)]
unsafe fn even_odd(bits: __m512i) -> [__m512; 2] {
    // SAFETY: the caller promises AVX-512 F.
    unsafe {
        let upper = _mm512_set1_epi32(0xFFFF_0000_u32 as i32);
        let (even, odd) = (_mm512_slli_epi32::<16>(bits), _mm512_and_si512(bits, upper));
        [_mm512_castsi512_ps(even), _mm512_castsi512_ps(odd)]
    }
}

impl Simd for Avx512 {
    type F32 = __m512;
    type Mask = __mmask16;
    const LANES: usize = 16;
    const FUSED: bool = true;

    ops! {
        splat(value: f32) -> __m512 { _mm512_set1_ps(value) }
        add(a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        sub(a: __m512, b: __m512) -> __m512 { _mm512_sub_ps(a, b) }
        mul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        div(a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        min(x: __m512, y: __m512) -> __m512 { _mm512_min_ps(x, y) }
        max(x: __m512, y: __m512) -> __m512 { _mm512_max_ps(x, y) }
        abs(a: __m512) -> __m512 { _mm512_abs_ps(a) }
        copysign(a: __m512, sign: __m512) -> __m512 {
            let bit = _mm512_set1_epi32(i32::MIN);
            let (a, sign) = (_mm512_castps_si512(a), _mm512_castps_si512(sign));
            // 0xCA is `bit ? sign : a`.
            _mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0xCA>(bit, sign, a))
        }
        round(a: __m512) -> __m512 { _mm512_roundscale_ps::<0>(a) }
        pow2(k: __m512) -> __m512 {
            _mm512_scalef_ps(_mm512_set1_ps(1.0), k)
        }
        mul_pow2(a: __m512, k: __m512) -> __m512 { _mm512_scalef_ps(a, k) }
        lt(a: __m512, b: __m512) -> __mmask16 { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
        le(a: __m512, b: __m512) -> __mmask16 { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b) }
        select(mask: __mmask16, a: __m512, b: __m512) -> __m512 {
            _mm512_mask_blend_ps(mask, b, a)
        }
        bits(mask: __mmask16) -> u32 { u32::from(mask) }
        first(count: usize, a: __m512, b: __m512) -> __m512 {
            _mm512_mask_blend_ps(mask16(count), b, a)
        }
        sum(a: __m512) -> f32 {
            let half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            let pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
        sum_4(vectors: [__m512; 4]) -> [f32; 4] {
            // Each step halves the lanes of every vector and joins two of them in one register.
            let [a, b, c, d] = vectors;
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
            let high = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
            let quarters = _mm512_add_ps(low, high);
            let upper = _mm512_extractf32x8_ps::<1>(quarters);
            let halves = _mm256_add_ps(_mm512_castps512_ps256(quarters), upper);
            let upper = _mm256_extractf128_ps::<1>(halves);
            let sums = _mm_add_ps(_mm256_castps256_ps128(halves), upper);
            core::mem::transmute::<__m128, [f32; 4]>(sums)
        }
        min_lane(a: __m512) -> f32 { _mm512_reduce_min_ps(a) }
        max_lane(a: __m512) -> f32 { _mm512_reduce_max_ps(a) }
    }
    memory! {
        load(from: *const f32) -> __m512 { _mm512_loadu_ps(from) }
        load_partial(from: *const f32, count: usize) -> __m512 {
            _mm512_maskz_loadu_ps(mask16(count), from)
        }
        store(to: *mut f32, a: __m512) { _mm512_storeu_ps(to, a) }
        store_partial(to: *mut f32, a: __m512, count: usize) {
            _mm512_mask_storeu_ps(to, mask16(count), a)
        }
        load_f16(from: *const u16) -> __m512 {
            _mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))
        }
        load_f16_partial(from: *const u16, count: usize) -> __m512 {
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask16(count), from.cast()))
        }
        load_bf16(from: *const u16) -> __m512 {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        }
        load_bf16_partial(from: *const u16, count: usize) -> __m512 {
            let bits = _mm256_maskz_loadu_epi16(mask16(count), from.cast());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
        }
        load_bf16_pair(from: *const u16) -> [__m512; 2] {
            even_odd(_mm512_loadu_si512(from.cast()))
        }
        load_bf16_pair_partial(from: *const u16, count: usize) -> [__m512; 2] {
            let mask = ((1u64 << count) - 1) as __mmask32;
            even_odd(_mm512_maskz_loadu_epi16(mask, from.cast()))
        }
        load_i8(from: *const i8) -> __m512 {
            _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())))
        }
        load_transposed(from: *const u8, stride: usize) -> [__m512; 4] {
            // Each quarter of a register has four values of one place; they are exchanged in it.
            let mut rows = [_mm512_setzero_ps(); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let from = from.add(i * stride);
                *row = _mm512_castps128_ps512(_mm_loadu_ps(from.cast()));
                *row = _mm512_insertf32x4::<1>(*row, _mm_loadu_ps(from.add(4 * stride).cast()));
                *row = _mm512_insertf32x4::<2>(*row, _mm_loadu_ps(from.add(8 * stride).cast()));
                *row = _mm512_insertf32x4::<3>(*row, _mm_loadu_ps(from.add(12 * stride).cast()));
            }
            let [a, b, c, d] = rows;
            let (ab, ab2) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd, cd2) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            let (ab2, cd2) = (_mm512_castps_pd(ab2), _mm512_castps_pd(cd2));
            [
                _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
                _mm512_castpd_ps(_mm512_unpacklo_pd(ab2, cd2)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(ab2, cd2)),
            ]
        }
        load_i8_partial(from: *const i8, count: usize) -> __m512 {
            let bytes = _mm_maskz_loadu_epi8(mask16(count), from);
            _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))
        }
    }
}
