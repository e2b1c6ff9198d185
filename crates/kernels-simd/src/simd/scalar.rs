//! The token without vectors: one lane, the slow twin of every other.
#![allow(unsafe_code, reason = "reads through the cursor's raw pointers")]

use super::{Simd, SimdI8};

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
    const LANES: usize = 1;

    #[inline(always)]
    fn splat(self, value: f32) -> f32 {
        value
    }
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
    #[inline(always)]
    fn min(self, x: f32, y: f32) -> f32 {
        if x < y { x } else { y }
    }
    #[inline(always)]
    fn max(self, x: f32, y: f32) -> f32 {
        if x > y { x } else { y }
    }
    #[inline(always)]
    fn first(self, count: usize, a: f32, b: f32) -> f32 {
        if count > 0 { a } else { b }
    }
    #[inline(always)]
    fn sum(self, a: f32) -> f32 {
        a
    }
    #[inline(always)]
    fn min_lane(self, a: f32) -> f32 {
        a
    }
    #[inline(always)]
    fn max_lane(self, a: f32) -> f32 {
        a
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> f32 {
        // SAFETY: the caller promises one readable value.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn load_partial(self, _from: *const f32, _count: usize) -> f32 {
        0.0
    }
}

impl SimdI8 for Scalar {
    type I8 = i32;
    type I32 = i32;
    const BYTES: usize = 1;

    #[inline(always)]
    fn zero(self) -> i32 {
        0
    }
    #[inline(always)]
    fn dot_step(self, acc: i32, a: i32, b: i32) -> i32 {
        acc.wrapping_add(a * b)
    }
    #[inline(always)]
    fn l2_step(self, acc: i32, a: i32, b: i32) -> i32 {
        acc.wrapping_add((a - b) * (a - b))
    }
    #[inline(always)]
    fn add_i32(self, a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }
    #[inline(always)]
    fn sum_i32(self, a: i32) -> i32 {
        a
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const i8) -> i32 {
        // SAFETY: the caller promises one readable value.
        i32::from(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn load_i8_partial(self, _from: *const i8, _count: usize) -> i32 {
        0
    }
}
