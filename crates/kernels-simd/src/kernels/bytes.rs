//! Distances between two vectors of `i8`, exact modulo 2³².

use crate::simd::{Cursor, I8, SimdI8};

#[inline(always)]
pub(crate) fn dot_i8<S: SimdI8>(s: S, a: &[i8], b: &[i8]) -> i32 {
    let mut acc = [s.zero(); 4];
    let mut cursor = Cursor::<S, I8, I8, 1, 1>::new(s, [a], [b]);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], [y]) = steps[i];
            acc[i] = s.dot_step(acc[i], x, y);
        }
    }
    while let Some([([x], [y])]) = cursor.take::<1>() {
        acc[0] = s.dot_step(acc[0], x, y);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc[1] = s.dot_step(acc[1], x, y);
    }
    s.sum_i32(s.add_i32(s.add_i32(acc[0], acc[1]), s.add_i32(acc[2], acc[3])))
}

#[inline(always)]
pub(crate) fn l2_squared_i8<S: SimdI8>(s: S, a: &[i8], b: &[i8]) -> i32 {
    let mut acc = [s.zero(); 4];
    let mut cursor = Cursor::<S, I8, I8, 1, 1>::new(s, [a], [b]);
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], [y]) = steps[i];
            acc[i] = s.l2_step(acc[i], x, y);
        }
    }
    while let Some([([x], [y])]) = cursor.take::<1>() {
        acc[0] = s.l2_step(acc[0], x, y);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc[1] = s.l2_step(acc[1], x, y);
    }
    s.sum_i32(s.add_i32(s.add_i32(acc[0], acc[1]), s.add_i32(acc[2], acc[3])))
}
