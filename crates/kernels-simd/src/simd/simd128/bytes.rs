//! Bytes with SIMD128: widened to 16 bits in two halves.
#![allow(unsafe_code, reason = "raw loads; the cursor keeps them inside their slices")]

use core::arch::wasm32::*;

use super::Simd128;
use crate::simd::{SimdBytes, read_bytes};

/// `acc` plus the products of two pairs of 16-bit vectors.
#[inline(always)]
fn products(acc: v128, a: [v128; 2], b: [v128; 2]) -> v128 {
    i32x4_add(acc, i32x4_add(i32x4_dot_i16x8(a[0], b[0]), i32x4_dot_i16x8(a[1], b[1])))
}

/// The signed bytes as 16 bits each, in two halves.
#[inline(always)]
fn widen_i8(a: v128) -> [v128; 2] {
    [i16x8_extend_low_i8x16(a), i16x8_extend_high_i8x16(a)]
}

/// The unsigned bytes as 16 bits each, in two halves.
#[inline(always)]
fn widen_u8(a: v128) -> [v128; 2] {
    [u16x8_extend_low_u8x16(a), u16x8_extend_high_u8x16(a)]
}

/// Products of signed bytes in two halves of 16 bits, small enough for them by the caller's choice.
#[inline(always)]
fn small(a: v128, b: v128) -> [v128; 2] {
    [i16x8_extmul_low_i8x16(a, b), i16x8_extmul_high_i8x16(a, b)]
}

impl SimdBytes for Simd128 {
    type Step = v128;
    type Wide = v128;
    type I32 = v128;
    type Quads = [v128; 2];
    const STEP: usize = 16;
    const WIDE: usize = 16;

    ops! {
        zero() -> v128 { i32x4_splat(0) }
        add_i32(a: v128, b: v128) -> v128 { i32x4_add(a, b) }
        sub_i32(a: v128, b: v128) -> v128 { i32x4_sub(a, b) }
        sum_i32(a: v128) -> i32 {
            let pair = i32x4_add(a, i32x4_shuffle::<2, 3, 0, 1>(a, a));
            i32x4_extract_lane::<0>(pair).wrapping_add(i32x4_extract_lane::<1>(pair))
        }
        sum_i32_4(vectors: [v128; 4]) -> [i32; 4] {
            let [a, b, c, d] = vectors;
            let ab = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
            let cd = i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
            let low = i32x4_shuffle::<0, 1, 4, 5>(ab, cd);
            let high = i32x4_shuffle::<2, 3, 6, 7>(ab, cd);
            let sums = i32x4_add(low, high);
            [
                i32x4_extract_lane::<0>(sums),
                i32x4_extract_lane::<1>(sums),
                i32x4_extract_lane::<2>(sums),
                i32x4_extract_lane::<3>(sums),
            ]
        }
        dot_i8(acc: v128, a: v128, b: v128) -> v128 { products(acc, widen_i8(a), widen_i8(b)) }
        dot_u8(acc: v128, a: v128, b: v128) -> v128 { products(acc, widen_u8(a), widen_u8(b)) }
        l2_i8(acc: v128, a: v128, b: v128) -> v128 {
            let ([a, c], [b, d]) = (widen_i8(a), widen_i8(b));
            let d = [i16x8_sub(a, b), i16x8_sub(c, d)];
            products(acc, d, d)
        }
        l2_u8(acc: v128, a: v128, b: v128) -> v128 {
            let ([a, c], [b, d]) = (widen_u8(a), widen_u8(b));
            let d = [i16x8_sub(a, b), i16x8_sub(c, d)];
            products(acc, d, d)
        }
        dot_u4(acc: v128, codes: v128, query: [v128; 2]) -> v128 {
            let [a, b] = small(v128_and(codes, u8x16_splat(15)), query[0]);
            let [c, d] = small(u8x16_shr(codes, 4), query[1]);
            let pairs = i16x8_add(i16x8_add(a, c), i16x8_add(b, d));
            i32x4_add(acc, i32x4_extadd_pairwise_i16x8(pairs))
        }
        dot_u2(acc: v128, codes: v128, query: [v128; 4]) -> v128 {
            let low = u8x16_splat(3);
            let [a, b] = small(v128_and(codes, low), query[0]);
            let [c, d] = small(v128_and(u8x16_shr(codes, 2), low), query[1]);
            let [e, f] = small(v128_and(u8x16_shr(codes, 4), low), query[2]);
            let [g, h] = small(u8x16_shr(codes, 6), query[3]);
            let even = i16x8_add(i16x8_add(a, c), i16x8_add(e, g));
            let odd = i16x8_add(i16x8_add(b, d), i16x8_add(f, h));
            i32x4_add(acc, i32x4_extadd_pairwise_i16x8(i16x8_add(even, odd)))
        }
        quads(bytes: v128) -> [v128; 2] {
            // As 16 bits each, the even bytes and the odd ones.
            [i16x8_shr(i16x8_shl(bytes, 8), 8), i16x8_shr(bytes, 8)]
        }
        dot_quads(acc: v128, x: i32, quads: [v128; 2]) -> v128 {
            let x = i32x4_splat(x);
            let acc = i32x4_add(acc, i32x4_dot_i16x8(v128_and(x, i16x8_splat(255)), quads[0]));
            i32x4_add(acc, i32x4_dot_i16x8(u16x8_shr(x, 8), quads[1]))
        }
        xor(a: v128, b: v128) -> v128 { v128_xor(a, b) }
        and(a: v128, b: v128) -> v128 { v128_and(a, b) }
        or(a: v128, b: v128) -> v128 { v128_or(a, b) }
        count_ones(acc: v128, a: v128) -> v128 {
            let pairs = u16x8_extadd_pairwise_u8x16(i8x16_popcnt(a));
            i32x4_add(acc, u32x4_extadd_pairwise_u16x8(pairs))
        }
    }
    memory! {
        load_step(from: *const u8) -> v128 { v128_load(from.cast()) }
        load_step_partial(from: *const u8, count: usize) -> v128 {
            let (low, high) = read_bytes(from, count);
            u64x2(low, high)
        }
        load_wide(from: *const u8) -> v128 { v128_load(from.cast()) }
        load_wide_partial(from: *const u8, count: usize) -> v128 {
            let (low, high) = read_bytes(from, count);
            u64x2(low, high)
        }
        store_i32(to: *mut i32, a: v128) { v128_store(to.cast(), a) }
    }
}
