//! The token without vectors: one lane, the slow twin of every other.
#![allow(unsafe_code, reason = "reads through the cursor's raw pointers")]

use half::{bf16, f16};

use super::{Simd, SimdBytes, read_half};

/// Exists on every CPU.
#[derive(Clone, Copy)]
pub(crate) struct Scalar(());

impl Scalar {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Scalar(())
    }
}

impl Simd for Scalar {
    type F32 = f32;
    type Mask = bool;
    const LANES: usize = 1;
    const FUSED: bool = false;

    ops! {
        splat(value: f32) -> f32 { value }
        add(a: f32, b: f32) -> f32 { a + b }
        sub(a: f32, b: f32) -> f32 { a - b }
        mul(a: f32, b: f32) -> f32 { a * b }
        div(a: f32, b: f32) -> f32 { a / b }
        mul_add(a: f32, b: f32, c: f32) -> f32 { a * b + c }
        min(x: f32, y: f32) -> f32 { if x < y { x } else { y } }
        max(x: f32, y: f32) -> f32 { if x > y { x } else { y } }
        abs(a: f32) -> f32 { a.abs() }
        copysign(a: f32, sign: f32) -> f32 { a.copysign(sign) }
        round(a: f32) -> f32 {
            // Beyond 2²³ there are no fractions: adding and taking it off leaves the integer.
            let magic = 8_388_608.0_f32.copysign(a);
            ((a + magic) - magic).copysign(a)
        }
        pow2(k: f32) -> f32 { f32::from_bits(((k as i32).wrapping_add(127) as u32) << 23) }
        lt(a: f32, b: f32) -> bool { a < b }
        le(a: f32, b: f32) -> bool { a <= b }
        select(mask: bool, a: f32, b: f32) -> f32 { if mask { a } else { b } }
        bits(mask: bool) -> u32 { u32::from(mask) }
        first(count: usize, a: f32, b: f32) -> f32 { if count > 0 { a } else { b } }
        sum(a: f32) -> f32 { a }
        sum_4(vectors: [f32; 4]) -> [f32; 4] { vectors }
        min_lane(a: f32) -> f32 { a }
        max_lane(a: f32) -> f32 { a }
    }
    memory! {
        load(from: *const f32) -> f32 { *from }
        load_partial(_from: *const f32, _count: usize) -> f32 { 0.0 }
        store(to: *mut f32, a: f32) { *to = a; }
        store_partial(_to: *mut f32, _a: f32, _count: usize) {}
        load_f16(from: *const u16) -> f32 { f16::from_bits(*from).to_f32_const() }
        load_f16_partial(_from: *const u16, _count: usize) -> f32 { 0.0 }
        load_bf16(from: *const u16) -> f32 { bf16::from_bits(*from).to_f32_const() }
        load_bf16_partial(_from: *const u16, _count: usize) -> f32 { 0.0 }
        load_i8(from: *const i8) -> f32 { f32::from(*from) }
        load_i8_partial(_from: *const i8, _count: usize) -> f32 { 0.0 }
    }
}

impl SimdBytes for Scalar {
    type Step = u8;
    type Wide = [u8; 4];
    type I32 = i32;
    type Quads = [u8; 4];
    const STEP: usize = 1;
    const WIDE: usize = 4;

    ops! {
        zero() -> i32 { 0 }
        add_i32(a: i32, b: i32) -> i32 { a.wrapping_add(b) }
        sub_i32(a: i32, b: i32) -> i32 { a.wrapping_sub(b) }
        sum_i32(a: i32) -> i32 { a }
        sum_i32_4(vectors: [i32; 4]) -> [i32; 4] { vectors }
        dot_i8(acc: i32, a: u8, b: u8) -> i32 {
            acc.wrapping_add(i32::from(a as i8) * i32::from(b as i8))
        }
        dot_u8(acc: i32, a: u8, b: u8) -> i32 { acc.wrapping_add(i32::from(a) * i32::from(b)) }
        l2_i8(acc: i32, a: u8, b: u8) -> i32 {
            let d = i32::from(a as i8) - i32::from(b as i8);
            acc.wrapping_add(d * d)
        }
        l2_u8(acc: i32, a: u8, b: u8) -> i32 {
            let d = i32::from(a) - i32::from(b);
            acc.wrapping_add(d * d)
        }
        dot_u4(acc: i32, codes: [u8; 4], query: [[u8; 4]; 2]) -> i32 {
            let mut acc = acc;
            for i in 0..4 {
                let low = i32::from(codes[i] & 15) * i32::from(query[0][i] as i8);
                let high = i32::from(codes[i] >> 4) * i32::from(query[1][i] as i8);
                acc = acc.wrapping_add(low + high);
            }
            acc
        }
        dot_u2(acc: i32, codes: [u8; 4], query: [[u8; 4]; 4]) -> i32 {
            let mut acc = acc;
            for i in 0..4 {
                for part in 0..4 {
                    let code = codes[i] >> (2 * part) & 3;
                    acc = acc.wrapping_add(i32::from(code) * i32::from(query[part][i] as i8));
                }
            }
            acc
        }
        quads(bytes: [u8; 4]) -> [u8; 4] { bytes }
        dot_quads(acc: i32, x: i32, quads: [u8; 4]) -> i32 {
            let mut acc = acc;
            for (x, quad) in x.to_ne_bytes().into_iter().zip(quads) {
                acc = acc.wrapping_add(i32::from(x) * i32::from(quad as i8));
            }
            acc
        }
        xor(a: [u8; 4], b: [u8; 4]) -> [u8; 4] {
            (u32::from_le_bytes(a) ^ u32::from_le_bytes(b)).to_le_bytes()
        }
        and(a: [u8; 4], b: [u8; 4]) -> [u8; 4] {
            (u32::from_le_bytes(a) & u32::from_le_bytes(b)).to_le_bytes()
        }
        or(a: [u8; 4], b: [u8; 4]) -> [u8; 4] {
            (u32::from_le_bytes(a) | u32::from_le_bytes(b)).to_le_bytes()
        }
        count_ones(acc: i32, a: [u8; 4]) -> i32 {
            acc.wrapping_add(u32::from_le_bytes(a).count_ones() as i32)
        }
    }
    memory! {
        load_step(from: *const u8) -> u8 { *from }
        load_step_partial(_from: *const u8, _count: usize) -> u8 { 0 }
        load_wide(from: *const u8) -> [u8; 4] { from.cast::<[u8; 4]>().read_unaligned() }
        load_wide_partial(from: *const u8, count: usize) -> [u8; 4] {
            (read_half(from, count) as u32).to_le_bytes()
        }
        store_i32(to: *mut i32, a: i32) { *to = a; }
    }
}
