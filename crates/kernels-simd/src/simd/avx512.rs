//! AVX-512 F, BW, VL and DQ: 16 lanes, tails by mask.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::{Simd, SimdI8};

/// Proves AVX-512 F, BW, VL, DQ, FMA, F16C, BMI2 and POPCNT.
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

/// The lowest `count` of 16 bits.
#[inline(always)]
fn mask16(count: usize) -> __mmask16 {
    // `count < 16`, so the shift loses nothing; it becomes one `bzhi`.
    ((1u32 << count) - 1) as __mmask16
}

impl Simd for Avx512 {
    type F32 = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn min(self, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_min_ps(x, y) }
    }
    #[inline(always)]
    fn max(self, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_max_ps(x, y) }
    }
    #[inline(always)]
    fn first(self, count: usize, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_mask_blend_ps(mask16(count), b, a) }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        // SAFETY: the token proves AVX-512 and all below it.
        unsafe {
            let half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let quarter =
                _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            let pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    fn sum_4(self, [a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX-512; an array of four has the layout of a register.
        unsafe {
            // Each step halves the lanes of every vector and joins two of them in one register.
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
    }
    #[inline(always)]
    fn min_lane(self, a: __m512) -> f32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_min_ps(a) }
    }
    #[inline(always)]
    fn max_lane(self, a: __m512) -> f32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_max_ps(a) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the token proves AVX-512; the caller promises 16 readable values.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: the token proves AVX-512; masked lanes are not read.
        unsafe { _mm512_maskz_loadu_ps(mask16(count), from) }
    }
}

impl SimdI8 for Avx512 {
    type I8 = __m256i;
    type I32 = __m512i;
    const BYTES: usize = 32;

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn dot_step(self, acc: __m512i, a: __m256i, b: __m256i) -> __m512i {
        // SAFETY: the token proves AVX-512 BW.
        unsafe {
            let (a, b) = (_mm512_cvtepi8_epi16(a), _mm512_cvtepi8_epi16(b));
            _mm512_add_epi32(acc, _mm512_madd_epi16(a, b))
        }
    }
    #[inline(always)]
    fn l2_step(self, acc: __m512i, a: __m256i, b: __m256i) -> __m512i {
        // SAFETY: the token proves AVX-512 BW.
        unsafe {
            let d = _mm512_sub_epi16(_mm512_cvtepi8_epi16(a), _mm512_cvtepi8_epi16(b));
            _mm512_add_epi32(acc, _mm512_madd_epi16(d, d))
        }
    }
    #[inline(always)]
    fn add_i32(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    fn sum_i32(self, a: __m512i) -> i32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_add_epi32(a) }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m256i {
        // SAFETY: the token proves AVX-512; the caller promises 32 readable values.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> __m256i {
        // SAFETY: the token proves AVX-512 BW and VL; masked lanes are not read.
        unsafe { _mm256_maskz_loadu_epi8(((1u64 << count) - 1) as __mmask32, from) }
    }
}
