//! Distances between vectors of bfloat16, two registers of `f32` at a time.
//!
//! A bfloat16 is the upper half of an `f32`, so the even ones of a register take a shift and the odd
//! ones a mask, and nothing has to be put in order for a sum.

use core::marker::PhantomData;

use half::bf16;

use super::distance::{Floats, Term};
use super::many::{Block, Score};
use crate::simd::{Bf16, Bf16Pair, Cursor, Simd};

#[inline(always)]
pub(crate) fn pair<S: Simd, T: Term>(s: S, a: &[bf16], b: &[bf16]) -> f32 {
    let mut acc = [[s.splat(0.0); 2]; 2];
    let mut cursor = Cursor::<S, Bf16Pair, Bf16Pair, 1, 1>::new(s, [a], [b]);
    while let Some(steps) = cursor.take::<2>() {
        for i in 0..2 {
            let ([x], [y]) = steps[i];
            acc[i] = step::<S, T>(s, acc[i], x, y);
        }
    }
    if let Some([([x], [y])]) = cursor.take::<1>() {
        acc[0] = step::<S, T>(s, acc[0], x, y);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc[1] = step::<S, T>(s, acc[1], x, y);
    }
    s.sum(s.add(s.add(acc[0][0], acc[0][1]), s.add(acc[1][0], acc[1][1])))
}

#[inline(always)]
fn step<S: Simd, T: Term>(s: S, acc: [S::F32; 2], x: [S::F32; 2], y: [S::F32; 2]) -> [S::F32; 2] {
    [T::step(s, acc[0], x[0], y[0]), T::step(s, acc[1], x[1], y[1])]
}

/// The distance `T` of a query and rows of bfloat16.
pub(crate) struct Brains<T>(PhantomData<T>);

impl<S: Simd, T: Term> Score<S> for Brains<T> {
    type Query = bf16;
    type Row = bf16;
    type Out = f32;

    #[inline(always)]
    fn four(s: S, query: &[bf16], rows: [&[bf16]; 4]) -> [f32; 4] {
        let mut acc = [[s.splat(0.0); 2]; 4];
        let mut cursor = Cursor::<S, Bf16Pair, Bf16Pair, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                acc[i] = step::<S, T>(s, acc[i], x, ys[i]);
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            for i in 0..4 {
                acc[i] = step::<S, T>(s, acc[i], x, ys[i]);
            }
        }
        let [a, b, c, d] = acc;
        s.sum_4([s.add(a[0], a[1]), s.add(b[0], b[1]), s.add(c[0], c[1]), s.add(d[0], d[1])])
    }
}

impl<S: Simd, T: Term> Block<S> for Brains<T> {
    #[inline(always)]
    fn block(s: S, queries: [&[bf16]; 4], rows: [&[bf16]; 2]) -> [[f32; 2]; 4] {
        // Twice the sums would not fit sixteen registers.
        <Floats<T, Bf16, Bf16> as Block<S>>::block(s, queries, rows)
    }
}
