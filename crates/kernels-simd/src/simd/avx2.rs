//! AVX2 with FMA: 8 lanes, `f32` tails by mask.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::sse42::load_bytes_partial;
use super::{Simd, SimdI8};

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

#[inline(always)]
fn mask(_: Avx2, count: usize) -> __m256i {
    // SAFETY: the token proves AVX2; `count <= 8` lanes keep the window inside the array.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - count.min(8)).cast()) }
}

impl Simd for Avx2 {
    type F32 = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the token proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn min(self, x: __m256, y: __m256) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_min_ps(x, y) }
    }
    #[inline(always)]
    fn max(self, x: __m256, y: __m256) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_max_ps(x, y) }
    }
    #[inline(always)]
    fn first(self, count: usize, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask(self, count))) }
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        // SAFETY: the token proves AVX2 and all below it.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    fn sum_4(self, [a, b, c, d]: [__m256; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX2; an array of four has the layout of a register.
        unsafe {
            let halves = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
            let high = _mm256_extractf128_ps::<1>(halves);
            let sums = _mm_add_ps(_mm256_castps256_ps128(halves), high);
            core::mem::transmute::<__m128, [f32; 4]>(sums)
        }
    }
    #[inline(always)]
    fn min_lane(self, a: __m256) -> f32 {
        // SAFETY: the token proves AVX2 and all below it.
        unsafe {
            let half = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_min_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_min_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    fn max_lane(self, a: __m256) -> f32 {
        // SAFETY: the token proves AVX2 and all below it.
        unsafe {
            let half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the token proves AVX2; the caller promises 8 readable values.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> __m256 {
        // SAFETY: the token proves AVX2; masked lanes are not read.
        unsafe { _mm256_maskload_ps(from, mask(self, count)) }
    }
}

impl SimdI8 for Avx2 {
    type I8 = __m128i;
    type I32 = __m256i;
    const BYTES: usize = 16;

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    fn dot_step(self, acc: __m256i, a: __m128i, b: __m128i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe {
            let (a, b) = (_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
            _mm256_add_epi32(acc, _mm256_madd_epi16(a, b))
        }
    }
    #[inline(always)]
    fn l2_step(self, acc: __m256i, a: __m128i, b: __m128i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe {
            let d = _mm256_sub_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
            _mm256_add_epi32(acc, _mm256_madd_epi16(d, d))
        }
    }
    #[inline(always)]
    fn add_i32(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    fn sum_i32(self, a: __m256i) -> i32 {
        // SAFETY: the token proves AVX2 and all below it.
        unsafe {
            let half = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            let pair = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
            _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<0b10_11_00_01>(pair)))
        }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m128i {
        // SAFETY: the token proves AVX2; the caller promises 16 readable values.
        unsafe { _mm_loadu_si128(from.cast()) }
    }
    #[inline(always)]
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> __m128i {
        // SAFETY: the token proves SSE4.2; the caller's promise is the callee's.
        unsafe { load_bytes_partial(from.cast(), count) }
    }
}
