//! Bytes with AVX-512 VNNI: `vpdpbusd` multiplies 64 unsigned by 64 signed bytes into sums.
//!
//! Where both are signed, one of them is shifted by 128 to be unsigned, and a second sum counts
//! what that added. Gated on VNNI alone, which is on more machines than the later extensions.
#![allow(unsafe_code, reason = "intrinsics; the token proves that their instructions exist")]

use core::arch::x86_64::*;

use super::bytes::{count_ones, crumbs, mask64, nibbles, second_bytes, sum_4};
use crate::simd::SimdBytes;

/// Proves AVX-512 VNNI and all that [`Avx512`](super::Avx512) proves; with `COUNTS` also VPOPCNTDQ,
/// which counts ones.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Vnni<const COUNTS: bool = false>(());

impl Avx512Vnni<true> {
    #[inline]
    #[target_feature(
        enable = "avx512vpopcntdq,avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
    )]
    pub(crate) fn new() -> Self {
        Avx512Vnni(())
    }
}

impl Avx512Vnni<false> {
    #[inline]
    #[target_feature(
        enable = "avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt"
    )]
    pub(crate) fn new() -> Self {
        Avx512Vnni(())
    }
}

impl<const COUNTS: bool> SimdBytes for Avx512Vnni<COUNTS> {
    type Step = __m512i;
    type Wide = __m512i;
    type I32 = __m512i;
    type Quads = __m512i;
    const STEP: usize = 64;
    const WIDE: usize = 64;

    ops! {
        zero() -> __m512i { _mm512_setzero_si512() }
        add_i32(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        sub_i32(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi32(a, b) }
        sum_i32(a: __m512i) -> i32 { _mm512_reduce_add_epi32(a) }
        sum_i32_4(vectors: [__m512i; 4]) -> [i32; 4] { sum_4(vectors) }
        dot_i8(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
            // a + 128 times b; the excess of 128 · b is the bias.
            _mm512_dpbusd_epi32(acc, _mm512_xor_si512(a, _mm512_set1_epi8(-128)), b)
        }
        dot_i8_bias(acc: __m512i, b: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(acc, _mm512_set1_epi8(-128), b)
        }
        dot_u8(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
            // b times a - 128; the excess of -128 · b is the bias.
            _mm512_dpbusd_epi32(acc, b, _mm512_xor_si512(a, _mm512_set1_epi8(-128)))
        }
        dot_u8_bias(acc: __m512i, b: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(acc, b, _mm512_set1_epi8(-128))
        }
        l2_i8(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
            // The difference is a byte without sign; its square is one of 16-bit pairs.
            let d = _mm512_sub_epi8(_mm512_max_epi8(a, b), _mm512_min_epi8(a, b));
            squares(acc, d)
        }
        l2_u8(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
            let d = _mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b));
            squares(acc, d)
        }
        dot_u4(acc: __m512i, codes: __m512i, query: [__m512i; 2]) -> __m512i {
            let [low, high] = nibbles(codes);
            _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(acc, low, query[0]), high, query[1])
        }
        dot_u2(acc: __m512i, codes: __m512i, query: [__m512i; 4]) -> __m512i {
            let [a, b, c, d] = crumbs(codes);
            let acc = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(acc, a, query[0]), b, query[1]);
            _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(acc, c, query[2]), d, query[3])
        }
        quads(bytes: __m512i) -> __m512i { bytes }
        dot_quads(acc: __m512i, x: i32, quads: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(acc, _mm512_set1_epi32(x), quads)
        }
        xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        and(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        or(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        count_ones(acc: __m512i, a: __m512i) -> __m512i {
            if COUNTS {
                _mm512_add_epi32(acc, _mm512_popcnt_epi32(a))
            } else {
                count_ones(acc, a)
            }
        }
    }
    memory! {
        load_step(from: *const u8) -> __m512i { _mm512_loadu_si512(from.cast()) }
        load_step_partial(from: *const u8, count: usize) -> __m512i {
            _mm512_maskz_loadu_epi8(mask64(count), from.cast())
        }
        load_wide(from: *const u8) -> __m512i { _mm512_loadu_si512(from.cast()) }
        load_wide_partial(from: *const u8, count: usize) -> __m512i {
            _mm512_maskz_loadu_epi8(mask64(count), from.cast())
        }
        store_i32(to: *mut i32, a: __m512i) { _mm512_storeu_si512(to.cast(), a) }
        gray(from: *const u8, to: *mut u8) -> bool {
            // 150 is no signed byte: the weights are the unsigned ones, and the pixels less 128 the
            // signed. The weights' sum is 256.
            let weights = _mm512_set1_epi32(i32::from_le_bytes([77, 150, 29, 0]));
            let start = _mm512_set1_epi32(256 * 128 + 128);
            let mut lumas = [start; 4];
            for (i, luma) in lumas.iter_mut().enumerate() {
                let pixels = _mm512_loadu_si512(from.add(64 * i).cast());
                let signed = _mm512_xor_si512(pixels, _mm512_set1_epi8(-128));
                *luma = _mm512_dpbusd_epi32(start, weights, signed);
            }
            _mm512_storeu_si512(to.cast(), second_bytes(lumas));
            true
        }
    }
}

/// `acc` plus the squares of unsigned bytes, even and odd ones apart.
///
/// # Safety
/// AVX-512 BW and VNNI exist.
#[inline(always)]
unsafe fn squares(acc: __m512i, d: __m512i) -> __m512i {
    // SAFETY: the caller promises the instructions.
    unsafe {
        let even = _mm512_and_si512(d, _mm512_set1_epi16(255));
        let odd = _mm512_srli_epi16::<8>(d);
        _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(acc, even, even), odd, odd)
    }
}
