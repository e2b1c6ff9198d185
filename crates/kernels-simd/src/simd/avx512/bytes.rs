//! Bytes with AVX-512 BW: widened to 16 bits, 32 a step.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::Avx512;
use crate::simd::SimdBytes;

/// The lowest `count < 64` of 64 bits.
#[inline(always)]
pub(super) fn mask64(count: usize) -> __mmask64 {
    (1u64 << count) - 1
}

/// The sums of the lanes of each.
///
/// # Safety
/// AVX-512 F exists.
#[inline(always)]
pub(super) unsafe fn sum_4([a, b, c, d]: [__m512i; 4]) -> [i32; 4] {
    // SAFETY: the caller promises AVX-512 F; an array of four has the layout of a register.
    unsafe {
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let (low, high) = (_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let quarters = _mm512_add_epi32(low, high);
        let upper = _mm512_extracti64x4_epi64::<1>(quarters);
        let halves = _mm256_add_epi32(_mm512_castsi512_si256(quarters), upper);
        let upper = _mm256_extracti128_si256::<1>(halves);
        let sums = _mm_add_epi32(_mm256_castsi256_si128(halves), upper);
        core::mem::transmute::<__m128i, [i32; 4]>(sums)
    }
}

/// The second byte of each lane of all four, whose upper halves are zero, in order.
///
/// # Safety
/// AVX-512 BW exists.
#[inline(always)]
pub(super) unsafe fn second_bytes([a, b, c, d]: [__m512i; 4]) -> __m512i {
    // SAFETY: the caller promises AVX-512 BW.
    unsafe {
        let ab = _mm512_srli_epi16::<8>(_mm512_packus_epi32(a, b));
        let cd = _mm512_srli_epi16::<8>(_mm512_packus_epi32(c, d));
        // Packing takes turns in each quarter of a register: four bytes of each of the four.
        let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        _mm512_permutexvar_epi32(order, _mm512_packus_epi16(ab, cd))
    }
}

/// The two nibbles of each byte.
///
/// # Safety
/// AVX-512 BW exists.
#[inline(always)]
pub(super) unsafe fn nibbles(codes: __m512i) -> [__m512i; 2] {
    // SAFETY: the caller promises AVX-512 BW.
    unsafe {
        let low = _mm512_set1_epi8(15);
        [_mm512_and_si512(codes, low), _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low)]
    }
}

/// The four pairs of bits of each byte.
///
/// # Safety
/// AVX-512 BW exists.
#[inline(always)]
pub(super) unsafe fn crumbs(codes: __m512i) -> [__m512i; 4] {
    // SAFETY: the caller promises AVX-512 BW.
    unsafe {
        let low = _mm512_set1_epi8(3);
        [
            _mm512_and_si512(codes, low),
            _mm512_and_si512(_mm512_srli_epi16::<2>(codes), low),
            _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low),
            _mm512_and_si512(_mm512_srli_epi16::<6>(codes), low),
        ]
    }
}

/// `acc` plus the ones of each byte, which a table of nibbles counts.
///
/// # Safety
/// AVX-512 BW exists.
#[inline(always)]
pub(super) unsafe fn count_ones(acc: __m512i, a: __m512i) -> __m512i {
    // SAFETY: the caller promises AVX-512 BW.
    unsafe {
        let table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
        let table = _mm512_broadcast_i32x4(table);
        let [low, high] = nibbles(a);
        let ones =
            _mm512_add_epi8(_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high));
        _mm512_add_epi32(acc, _mm512_sad_epu8(ones, _mm512_setzero_si512()))
    }
}

impl SimdBytes for Avx512 {
    type Step = __m256i;
    type Wide = __m512i;
    type I32 = __m512i;
    type Quads = [__m512i; 2];
    const STEP: usize = 32;
    const WIDE: usize = 64;

    ops! {
        zero() -> __m512i { _mm512_setzero_si512() }
        add_i32(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        sub_i32(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi32(a, b) }
        sum_i32(a: __m512i) -> i32 { _mm512_reduce_add_epi32(a) }
        sum_i32_4(vectors: [__m512i; 4]) -> [i32; 4] { sum_4(vectors) }
        dot_i8(acc: __m512i, a: __m256i, b: __m256i) -> __m512i {
            let (a, b) = (_mm512_cvtepi8_epi16(a), _mm512_cvtepi8_epi16(b));
            _mm512_add_epi32(acc, _mm512_madd_epi16(a, b))
        }
        dot_u8(acc: __m512i, a: __m256i, b: __m256i) -> __m512i {
            let (a, b) = (_mm512_cvtepu8_epi16(a), _mm512_cvtepu8_epi16(b));
            _mm512_add_epi32(acc, _mm512_madd_epi16(a, b))
        }
        l2_i8(acc: __m512i, a: __m256i, b: __m256i) -> __m512i {
            let d = _mm512_sub_epi16(_mm512_cvtepi8_epi16(a), _mm512_cvtepi8_epi16(b));
            _mm512_add_epi32(acc, _mm512_madd_epi16(d, d))
        }
        l2_u8(acc: __m512i, a: __m256i, b: __m256i) -> __m512i {
            let d = _mm512_sub_epi16(_mm512_cvtepu8_epi16(a), _mm512_cvtepu8_epi16(b));
            _mm512_add_epi32(acc, _mm512_madd_epi16(d, d))
        }
        dot_u4(acc: __m512i, codes: __m512i, query: [__m512i; 2]) -> __m512i {
            let [low, high] = nibbles(codes);
            let low = _mm512_maddubs_epi16(low, query[0]);
            let pairs = _mm512_add_epi16(low, _mm512_maddubs_epi16(high, query[1]));
            _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        }
        dot_u2(acc: __m512i, codes: __m512i, query: [__m512i; 4]) -> __m512i {
            let [a, b, c, d] = crumbs(codes);
            let ab = _mm512_add_epi16(
                _mm512_maddubs_epi16(a, query[0]),
                _mm512_maddubs_epi16(b, query[1]),
            );
            let cd = _mm512_add_epi16(
                _mm512_maddubs_epi16(c, query[2]),
                _mm512_maddubs_epi16(d, query[3]),
            );
            let pairs = _mm512_add_epi16(ab, cd);
            _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        }
        quads(bytes: __m512i) -> [__m512i; 2] {
            // As 16 bits each, the even bytes and the odd ones.
            [_mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(bytes)), _mm512_srai_epi16::<8>(bytes)]
        }
        dot_quads(acc: __m512i, x: i32, quads: [__m512i; 2]) -> __m512i {
            let x = _mm512_set1_epi32(x);
            let even = _mm512_and_si512(x, _mm512_set1_epi16(255));
            let odd = _mm512_srli_epi16::<8>(x);
            let acc = _mm512_add_epi32(acc, _mm512_madd_epi16(even, quads[0]));
            _mm512_add_epi32(acc, _mm512_madd_epi16(odd, quads[1]))
        }
        xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        and(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        or(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        count_ones(acc: __m512i, a: __m512i) -> __m512i { count_ones(acc, a) }
    }
    memory! {
        load_step(from: *const u8) -> __m256i { _mm256_loadu_si256(from.cast()) }
        load_step_partial(from: *const u8, count: usize) -> __m256i {
            _mm256_maskz_loadu_epi8(mask64(count) as __mmask32, from.cast())
        }
        load_wide(from: *const u8) -> __m512i { _mm512_loadu_si512(from.cast()) }
        load_wide_partial(from: *const u8, count: usize) -> __m512i {
            _mm512_maskz_loadu_epi8(mask64(count), from.cast())
        }
        store_i32(to: *mut i32, a: __m512i) { _mm512_storeu_si512(to.cast(), a) }
        gray(from: *const u8, to: *mut u8) -> bool {
            let mut lumas = [_mm512_setzero_si512(); 4];
            for (i, luma) in lumas.iter_mut().enumerate() {
                let pixels = _mm512_loadu_si512(from.add(64 * i).cast());
                let red_blue = _mm512_and_si512(pixels, _mm512_set1_epi16(255));
                let green = _mm512_srli_epi16::<8>(pixels);
                *luma = _mm512_add_epi32(
                    _mm512_madd_epi16(red_blue, _mm512_set1_epi32(29 << 16 | 77)),
                    _mm512_add_epi32(
                        _mm512_madd_epi16(green, _mm512_set1_epi32(150)),
                        _mm512_set1_epi32(128),
                    ),
                );
            }
            _mm512_storeu_si512(to.cast(), second_bytes(lumas));
            true
        }
    }
}
