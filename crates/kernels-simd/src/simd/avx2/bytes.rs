//! Bytes with AVX2: widened to 16 bits, 16 a step.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::Avx2;
use crate::simd::{SimdBytes, read_bytes};

/// The two nibbles of each byte.
///
/// # Safety
/// AVX2 exists.
#[inline(always)]
unsafe fn nibbles(codes: __m256i) -> [__m256i; 2] {
    // SAFETY: the caller promises AVX2.
    unsafe {
        let low = _mm256_set1_epi8(15);
        [_mm256_and_si256(codes, low), _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low)]
    }
}

impl SimdBytes for Avx2 {
    type Step = __m128i;
    type Wide = __m256i;
    type I32 = __m256i;
    type Quads = [__m256i; 2];
    const STEP: usize = 16;
    const WIDE: usize = 32;

    ops! {
        zero() -> __m256i { _mm256_setzero_si256() }
        add_i32(a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi32(a, b) }
        sub_i32(a: __m256i, b: __m256i) -> __m256i { _mm256_sub_epi32(a, b) }
        sum_i32(a: __m256i) -> i32 {
            let half = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            let pair = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
            _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<0b10_11_00_01>(pair)))
        }
        sum_i32_4(vectors: [__m256i; 4]) -> [i32; 4] {
            let [a, b, c, d] = vectors;
            let halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
            let upper = _mm256_extracti128_si256::<1>(halves);
            let sums = _mm_add_epi32(_mm256_castsi256_si128(halves), upper);
            core::mem::transmute::<__m128i, [i32; 4]>(sums)
        }
        dot_i8(acc: __m256i, a: __m128i, b: __m128i) -> __m256i {
            let (a, b) = (_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
            _mm256_add_epi32(acc, _mm256_madd_epi16(a, b))
        }
        dot_u8(acc: __m256i, a: __m128i, b: __m128i) -> __m256i {
            let (a, b) = (_mm256_cvtepu8_epi16(a), _mm256_cvtepu8_epi16(b));
            _mm256_add_epi32(acc, _mm256_madd_epi16(a, b))
        }
        l2_i8(acc: __m256i, a: __m128i, b: __m128i) -> __m256i {
            let d = _mm256_sub_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
            _mm256_add_epi32(acc, _mm256_madd_epi16(d, d))
        }
        l2_u8(acc: __m256i, a: __m128i, b: __m128i) -> __m256i {
            let d = _mm256_sub_epi16(_mm256_cvtepu8_epi16(a), _mm256_cvtepu8_epi16(b));
            _mm256_add_epi32(acc, _mm256_madd_epi16(d, d))
        }
        dot_u4(acc: __m256i, codes: __m256i, query: [__m256i; 2]) -> __m256i {
            let [low, high] = nibbles(codes);
            let low = _mm256_maddubs_epi16(low, query[0]);
            let pairs = _mm256_add_epi16(low, _mm256_maddubs_epi16(high, query[1]));
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
        dot_u2(acc: __m256i, codes: __m256i, query: [__m256i; 4]) -> __m256i {
            let low = _mm256_set1_epi8(3);
            let a = _mm256_and_si256(codes, low);
            let b = _mm256_and_si256(_mm256_srli_epi16::<2>(codes), low);
            let c = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low);
            let d = _mm256_and_si256(_mm256_srli_epi16::<6>(codes), low);
            let ab = _mm256_add_epi16(
                _mm256_maddubs_epi16(a, query[0]),
                _mm256_maddubs_epi16(b, query[1]),
            );
            let cd = _mm256_add_epi16(
                _mm256_maddubs_epi16(c, query[2]),
                _mm256_maddubs_epi16(d, query[3]),
            );
            let pairs = _mm256_add_epi16(ab, cd);
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
        quads(bytes: __m256i) -> [__m256i; 2] {
            // As 16 bits each, the even bytes and the odd ones.
            [_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes)), _mm256_srai_epi16::<8>(bytes)]
        }
        dot_quads(acc: __m256i, x: i32, quads: [__m256i; 2]) -> __m256i {
            let x = _mm256_set1_epi32(x);
            let even = _mm256_and_si256(x, _mm256_set1_epi16(255));
            let odd = _mm256_srli_epi16::<8>(x);
            let acc = _mm256_add_epi32(acc, _mm256_madd_epi16(even, quads[0]));
            _mm256_add_epi32(acc, _mm256_madd_epi16(odd, quads[1]))
        }
        xor(a: __m256i, b: __m256i) -> __m256i { _mm256_xor_si256(a, b) }
        and(a: __m256i, b: __m256i) -> __m256i { _mm256_and_si256(a, b) }
        or(a: __m256i, b: __m256i) -> __m256i { _mm256_or_si256(a, b) }
        count_ones(acc: __m256i, a: __m256i) -> __m256i {
            let table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
            let table = _mm256_broadcastsi128_si256(table);
            let [low, high] = nibbles(a);
            let (low, high) = (_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
            let ones = _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256());
            _mm256_add_epi32(acc, ones)
        }
    }
    memory! {
        load_step(from: *const u8) -> __m128i { _mm_loadu_si128(from.cast()) }
        load_step_partial(from: *const u8, count: usize) -> __m128i {
            let (low, high) = read_bytes(from, count);
            _mm_set_epi64x(high as i64, low as i64)
        }
        load_wide(from: *const u8) -> __m256i { _mm256_loadu_si256(from.cast()) }
        load_wide_partial(from: *const u8, count: usize) -> __m256i {
            let whole = count & 16;
            let (low, high) = read_bytes(from.add(whole), count - whole);
            let last = _mm_set_epi64x(high as i64, low as i64);
            if whole == 0 {
                _mm256_zextsi128_si256(last)
            } else {
                _mm256_set_m128i(last, _mm_loadu_si128(from.cast()))
            }
        }
        store_i32(to: *mut i32, a: __m256i) { _mm256_storeu_si256(to.cast(), a) }
        gray(from: *const u8, to: *mut u8) -> bool {
            let mut lumas = [_mm256_setzero_si256(); 4];
            for (i, luma) in lumas.iter_mut().enumerate() {
                let pixels = _mm256_loadu_si256(from.add(32 * i).cast());
                let red_blue = _mm256_and_si256(pixels, _mm256_set1_epi16(255));
                let green = _mm256_srli_epi16::<8>(pixels);
                *luma = _mm256_add_epi32(
                    _mm256_madd_epi16(red_blue, _mm256_set1_epi32(29 << 16 | 77)),
                    _mm256_add_epi32(
                        _mm256_madd_epi16(green, _mm256_set1_epi32(150)),
                        _mm256_set1_epi32(128),
                    ),
                );
            }
            let [a, b, c, d] = lumas;
            let ab = _mm256_srli_epi16::<8>(_mm256_packus_epi32(a, b));
            let cd = _mm256_srli_epi16::<8>(_mm256_packus_epi32(c, d));
            // Packing takes turns in each half of a register: four bytes of each of the four.
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            let gray = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
            _mm256_storeu_si256(to.cast(), gray);
            true
        }
    }
}
