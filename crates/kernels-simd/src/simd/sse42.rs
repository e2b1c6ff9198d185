//! SSE4.2: 4 lanes, tails by the load that fits.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::{Simd, SimdI8, read_bytes};

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

/// Reads `count < 16` bytes, the others zero.
///
/// # Safety
/// SSE4.2 exists, `count < 16`, and `count` bytes are readable at `from`.
#[inline(always)]
pub(crate) unsafe fn load_bytes_partial(from: *const u8, count: usize) -> __m128i {
    // SAFETY: the caller's promises are the callees'.
    unsafe {
        let (low, high) = read_bytes(from, count);
        _mm_set_epi64x(high as i64, low as i64)
    }
}

impl Simd for Sse42 {
    type F32 = __m128;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m128, b: __m128, c: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_add_ps(_mm_mul_ps(a, b), c) }
    }
    #[inline(always)]
    fn min(self, x: __m128, y: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_min_ps(x, y) }
    }
    #[inline(always)]
    fn max(self, x: __m128, y: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_max_ps(x, y) }
    }
    #[inline(always)]
    fn first(self, count: usize, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let lanes = _mm_set_epi32(3, 2, 1, 0);
            let mask = _mm_cmplt_epi32(lanes, _mm_set1_epi32(count as i32));
            _mm_blendv_ps(b, a, _mm_castsi128_ps(mask))
        }
    }
    #[inline(always)]
    fn sum(self, a: __m128) -> f32 {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let pair = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    fn sum_4(self, [a, b, c, d]: [__m128; 4]) -> [f32; 4] {
        // SAFETY: the token proves SSE4.2; an array of four has the layout of a register.
        unsafe {
            let sums = _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d));
            core::mem::transmute::<__m128, [f32; 4]>(sums)
        }
    }
    #[inline(always)]
    fn min_lane(self, a: __m128) -> f32 {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let pair = _mm_min_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_min_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    fn max_lane(self, a: __m128) -> f32 {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let pair = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m128 {
        // SAFETY: the token proves SSE4.2; the caller promises 4 readable values.
        unsafe { _mm_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> __m128 {
        // SAFETY: the token proves SSE4.2; no branch reads more than `count` values.
        unsafe {
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
    }
}

impl SimdI8 for Sse42 {
    type I8 = __m128i;
    type I32 = __m128i;
    const BYTES: usize = 16;

    #[inline(always)]
    fn zero(self) -> __m128i {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_setzero_si128() }
    }
    #[inline(always)]
    fn dot_step(self, acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let low = _mm_madd_epi16(_mm_cvtepi8_epi16(a), _mm_cvtepi8_epi16(b));
            let (a, b) = (_mm_unpackhi_epi64(a, a), _mm_unpackhi_epi64(b, b));
            let high = _mm_madd_epi16(_mm_cvtepi8_epi16(a), _mm_cvtepi8_epi16(b));
            _mm_add_epi32(acc, _mm_add_epi32(low, high))
        }
    }
    #[inline(always)]
    fn l2_step(self, acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let low = _mm_sub_epi16(_mm_cvtepi8_epi16(a), _mm_cvtepi8_epi16(b));
            let (a, b) = (_mm_unpackhi_epi64(a, a), _mm_unpackhi_epi64(b, b));
            let high = _mm_sub_epi16(_mm_cvtepi8_epi16(a), _mm_cvtepi8_epi16(b));
            let squares = _mm_add_epi32(_mm_madd_epi16(low, low), _mm_madd_epi16(high, high));
            _mm_add_epi32(acc, squares)
        }
    }
    #[inline(always)]
    fn add_i32(self, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves SSE4.2.
        unsafe { _mm_add_epi32(a, b) }
    }
    #[inline(always)]
    fn sum_i32(self, a: __m128i) -> i32 {
        // SAFETY: the token proves SSE4.2.
        unsafe {
            let pair = _mm_add_epi32(a, _mm_shuffle_epi32::<0b01_00_11_10>(a));
            _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<0b10_11_00_01>(pair)))
        }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> __m128i {
        // SAFETY: the token proves SSE4.2; the caller promises 16 readable values.
        unsafe { _mm_loadu_si128(from.cast()) }
    }
    #[inline(always)]
    unsafe fn load_i8_partial(self, from: *const i8, count: usize) -> __m128i {
        // SAFETY: the token proves SSE4.2; the caller's promise is the callee's.
        unsafe { load_bytes_partial(from.cast(), count) }
    }
}
