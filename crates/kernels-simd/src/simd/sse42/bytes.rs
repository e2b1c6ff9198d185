//! Bytes with SSE4.2: widened to 16 bits in two halves.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::Sse42;
use crate::simd::{SimdBytes, read_bytes};

/// The two nibbles of each byte.
///
/// # Safety
/// SSE4.2 exists.
#[inline(always)]
unsafe fn nibbles(codes: __m128i) -> [__m128i; 2] {
    // SAFETY: the caller promises SSE4.2.
    unsafe {
        let low = _mm_set1_epi8(15);
        [_mm_and_si128(codes, low), _mm_and_si128(_mm_srli_epi16::<4>(codes), low)]
    }
}

/// The signed bytes as 16 bits each, in two halves.
///
/// # Safety
/// SSE4.2 exists.
#[inline(always)]
unsafe fn widen_i8(a: __m128i) -> [__m128i; 2] {
    // SAFETY: the caller promises SSE4.2.
    unsafe { [_mm_cvtepi8_epi16(a), _mm_cvtepi8_epi16(_mm_unpackhi_epi64(a, a))] }
}

/// The unsigned bytes as 16 bits each, in two halves.
///
/// # Safety
/// SSE4.2 exists.
#[inline(always)]
unsafe fn widen_u8(a: __m128i) -> [__m128i; 2] {
    // SAFETY: the caller promises SSE4.2.
    unsafe { [_mm_cvtepu8_epi16(a), _mm_unpackhi_epi8(a, _mm_setzero_si128())] }
}

/// `acc` plus the products of both halves.
///
/// # Safety
/// SSE4.2 exists.
#[inline(always)]
unsafe fn products(acc: __m128i, a: [__m128i; 2], b: [__m128i; 2]) -> __m128i {
    // SAFETY: the caller promises SSE4.2.
    unsafe {
        let sum = _mm_add_epi32(_mm_madd_epi16(a[0], b[0]), _mm_madd_epi16(a[1], b[1]));
        _mm_add_epi32(acc, sum)
    }
}

impl SimdBytes for Sse42 {
    type Step = __m128i;
    type Wide = __m128i;
    type I32 = __m128i;
    type Quads = [__m128i; 2];
    const STEP: usize = 16;
    const WIDE: usize = 16;

    ops! {
        zero() -> __m128i { _mm_setzero_si128() }
        add_i32(a: __m128i, b: __m128i) -> __m128i { _mm_add_epi32(a, b) }
        sub_i32(a: __m128i, b: __m128i) -> __m128i { _mm_sub_epi32(a, b) }
        sum_i32(a: __m128i) -> i32 {
            let pair = _mm_add_epi32(a, _mm_shuffle_epi32::<0b01_00_11_10>(a));
            _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<0b10_11_00_01>(pair)))
        }
        sum_i32_4(vectors: [__m128i; 4]) -> [i32; 4] {
            let [a, b, c, d] = vectors;
            let sums = _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, d));
            core::mem::transmute::<__m128i, [i32; 4]>(sums)
        }
        dot_i8(acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
            products(acc, widen_i8(a), widen_i8(b))
        }
        dot_u8(acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
            products(acc, widen_u8(a), widen_u8(b))
        }
        l2_i8(acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
            let ([a, c], [b, d]) = (widen_i8(a), widen_i8(b));
            let d = [_mm_sub_epi16(a, b), _mm_sub_epi16(c, d)];
            products(acc, d, d)
        }
        l2_u8(acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
            let ([a, c], [b, d]) = (widen_u8(a), widen_u8(b));
            let d = [_mm_sub_epi16(a, b), _mm_sub_epi16(c, d)];
            products(acc, d, d)
        }
        dot_u4(acc: __m128i, codes: __m128i, query: [__m128i; 2]) -> __m128i {
            let [low, high] = nibbles(codes);
            let low = _mm_maddubs_epi16(low, query[0]);
            let pairs = _mm_add_epi16(low, _mm_maddubs_epi16(high, query[1]));
            _mm_add_epi32(acc, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))
        }
        dot_u2(acc: __m128i, codes: __m128i, query: [__m128i; 4]) -> __m128i {
            let low = _mm_set1_epi8(3);
            let a = _mm_and_si128(codes, low);
            let b = _mm_and_si128(_mm_srli_epi16::<2>(codes), low);
            let c = _mm_and_si128(_mm_srli_epi16::<4>(codes), low);
            let d = _mm_and_si128(_mm_srli_epi16::<6>(codes), low);
            let ab = _mm_add_epi16(_mm_maddubs_epi16(a, query[0]), _mm_maddubs_epi16(b, query[1]));
            let cd = _mm_add_epi16(_mm_maddubs_epi16(c, query[2]), _mm_maddubs_epi16(d, query[3]));
            let pairs = _mm_add_epi16(ab, cd);
            _mm_add_epi32(acc, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))
        }
        quads(bytes: __m128i) -> [__m128i; 2] {
            // As 16 bits each, the even bytes and the odd ones.
            [_mm_srai_epi16::<8>(_mm_slli_epi16::<8>(bytes)), _mm_srai_epi16::<8>(bytes)]
        }
        dot_quads(acc: __m128i, x: i32, quads: [__m128i; 2]) -> __m128i {
            let x = _mm_set1_epi32(x);
            let even = _mm_and_si128(x, _mm_set1_epi16(255));
            let odd = _mm_srli_epi16::<8>(x);
            let acc = _mm_add_epi32(acc, _mm_madd_epi16(even, quads[0]));
            _mm_add_epi32(acc, _mm_madd_epi16(odd, quads[1]))
        }
        xor(a: __m128i, b: __m128i) -> __m128i { _mm_xor_si128(a, b) }
        and(a: __m128i, b: __m128i) -> __m128i { _mm_and_si128(a, b) }
        or(a: __m128i, b: __m128i) -> __m128i { _mm_or_si128(a, b) }
        count_ones(acc: __m128i, a: __m128i) -> __m128i {
            let table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
            let [low, high] = nibbles(a);
            let ones = _mm_add_epi8(_mm_shuffle_epi8(table, low), _mm_shuffle_epi8(table, high));
            _mm_add_epi32(acc, _mm_sad_epu8(ones, _mm_setzero_si128()))
        }
    }
    memory! {
        load_step(from: *const u8) -> __m128i { _mm_loadu_si128(from.cast()) }
        load_step_partial(from: *const u8, count: usize) -> __m128i {
            let (low, high) = read_bytes(from, count);
            _mm_set_epi64x(high as i64, low as i64)
        }
        load_wide(from: *const u8) -> __m128i { _mm_loadu_si128(from.cast()) }
        load_wide_partial(from: *const u8, count: usize) -> __m128i {
            let (low, high) = read_bytes(from, count);
            _mm_set_epi64x(high as i64, low as i64)
        }
        store_i32(to: *mut i32, a: __m128i) { _mm_storeu_si128(to.cast(), a) }
        gray(from: *const u8, to: *mut u8) -> bool {
            let mut lumas = [_mm_setzero_si128(); 4];
            for (i, luma) in lumas.iter_mut().enumerate() {
                let pixels = _mm_loadu_si128(from.add(16 * i).cast());
                let red_blue = _mm_and_si128(pixels, _mm_set1_epi16(255));
                let green = _mm_srli_epi16::<8>(pixels);
                *luma = _mm_add_epi32(
                    _mm_madd_epi16(red_blue, _mm_set1_epi32(29 << 16 | 77)),
                    _mm_add_epi32(
                        _mm_madd_epi16(green, _mm_set1_epi32(150)),
                        _mm_set1_epi32(128),
                    ),
                );
            }
            let [a, b, c, d] = lumas;
            let ab = _mm_srli_epi16::<8>(_mm_packus_epi32(a, b));
            let cd = _mm_srli_epi16::<8>(_mm_packus_epi32(c, d));
            _mm_storeu_si128(to.cast(), _mm_packus_epi16(ab, cd));
            true
        }
    }
}
