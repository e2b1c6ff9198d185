//! Distances between two vectors whose elements become `f32`.
//!
//! Four accumulators hide the latency of the multiply-add; eight gain nothing on long vectors and
//! cost 2 to 3 ns on short ones.

use core::marker::PhantomData;

use super::many::{Block, Score};
use super::{similarity, sqrt};
use crate::simd::{Cursor, F32, Loader, Simd};

/// What one pair of lanes adds to a distance.
pub(crate) trait Term {
    fn step<S: Simd>(s: S, acc: S::F32, x: S::F32, y: S::F32) -> S::F32;
}

/// `x · y`.
pub(crate) struct Dot;

impl Term for Dot {
    #[inline(always)]
    fn step<S: Simd>(s: S, acc: S::F32, x: S::F32, y: S::F32) -> S::F32 {
        s.mul_add(x, y, acc)
    }
}

/// `(x - y)²`.
pub(crate) struct L2;

impl Term for L2 {
    #[inline(always)]
    fn step<S: Simd>(s: S, acc: S::F32, x: S::F32, y: S::F32) -> S::F32 {
        let d = s.sub(x, y);
        s.mul_add(d, d, acc)
    }
}

#[inline(always)]
pub(crate) fn pair<S, T, A, B>(s: S, a: &[A::Elem], b: &[B::Elem]) -> f32
where
    S: Simd,
    T: Term,
    A: Loader<S, Vec = S::F32>,
    B: Loader<S, Vec = S::F32>,
{
    let mut acc = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, A, B, 1, 1>::new(s, [a], [b]);
    if a.len() <= A::LANES {
        return s.sum(only(cursor).map_or(acc[0], |(x, y)| T::step(s, acc[0], x, y)));
    }
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], [y]) = steps[i];
            acc[i] = T::step(s, acc[i], x, y);
        }
    }
    // At most three registers and a tail, into accumulators that do not wait for each other.
    if let Some(steps) = cursor.take::<2>() {
        for i in 0..2 {
            let ([x], [y]) = steps[i];
            acc[i] = T::step(s, acc[i], x, y);
        }
    }
    if let Some([([x], [y])]) = cursor.take::<1>() {
        acc[2] = T::step(s, acc[2], x, y);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc[3] = T::step(s, acc[3], x, y);
    }
    s.sum(s.add(s.add(acc[0], acc[1]), s.add(acc[2], acc[3])))
}

/// All that a cursor over at most one register has. So short a sum is mostly latency: adding up
/// accumulators that were never used would be a third of it.
#[inline(always)]
fn only<S, A, B>(mut cursor: Cursor<'_, S, A, B, 1, 1>) -> Option<(S::F32, S::F32)>
where
    S: Simd,
    A: Loader<S, Vec = S::F32>,
    B: Loader<S, Vec = S::F32>,
{
    match cursor.take::<1>() {
        Some([([x], [y])]) => Some((x, y)),
        None => cursor.tail().map(|(([x], [y]), _)| (x, y)),
    }
}

/// One pass over both vectors; two accumulators for each of the three sums.
#[inline(always)]
pub(crate) fn cosine<S, A, B>(s: S, a: &[A::Elem], b: &[B::Elem]) -> f32
where
    S: Simd,
    A: Loader<S, Vec = S::F32>,
    B: Loader<S, Vec = S::F32>,
{
    let zero = s.splat(0.0);
    let (mut xy, mut xx, mut yy) = ([zero; 2], [zero; 2], [zero; 2]);
    let mut cursor = Cursor::<S, A, B, 1, 1>::new(s, [a], [b]);
    if a.len() <= A::LANES {
        let (x, y) = only(cursor).unwrap_or((zero, zero));
        let sums = [s.mul_add(x, y, zero), s.mul_add(x, x, zero), s.mul_add(y, y, zero), zero];
        let [dot, norm_a, norm_b, _] = s.sum_4(sums);
        return similarity(dot, sqrt(norm_a), sqrt(norm_b));
    }
    while let Some(steps) = cursor.take::<2>() {
        for i in 0..2 {
            let ([x], [y]) = steps[i];
            xy[i] = s.mul_add(x, y, xy[i]);
            xx[i] = s.mul_add(x, x, xx[i]);
            yy[i] = s.mul_add(y, y, yy[i]);
        }
    }
    if let Some([([x], [y])]) = cursor.take::<1>() {
        xy[0] = s.mul_add(x, y, xy[0]);
        xx[0] = s.mul_add(x, x, xx[0]);
        yy[0] = s.mul_add(y, y, yy[0]);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        xy[1] = s.mul_add(x, y, xy[1]);
        xx[1] = s.mul_add(x, x, xx[1]);
        yy[1] = s.mul_add(y, y, yy[1]);
    }
    let (xy, xx, yy) = (s.add(xy[0], xy[1]), s.add(xx[0], xx[1]), s.add(yy[0], yy[1]));
    let [dot, norm_a, norm_b, _] = s.sum_4([xy, xx, yy, zero]);
    similarity(dot, sqrt(norm_a), sqrt(norm_b))
}

#[inline(always)]
pub(crate) fn cosine_with_norms<S: Simd>(s: S, a: &[f32], b: &[f32], na: f32, nb: f32) -> f32 {
    similarity(pair::<S, Dot, F32, F32>(s, a, b), na, nb)
}

#[inline(always)]
pub(crate) fn norm<S: Simd>(s: S, a: &[f32]) -> f32 {
    sqrt(pair::<S, Dot, F32, F32>(s, a, a))
}

/// The cosine similarity of a query of `A` and rows of `B`.
pub(crate) struct Cosines<A, B>(PhantomData<(A, B)>);

impl<S, A, B> Score<S> for Cosines<A, B>
where
    S: Simd,
    A: Loader<S, Vec = S::F32>,
    B: Loader<S, Vec = S::F32>,
{
    type Query = A::Elem;
    type Row = B::Elem;
    type Out = f32;

    /// The query's norm is summed once for all four rows.
    #[inline(always)]
    fn four(s: S, query: &[A::Elem], rows: [&[B::Elem]; 4]) -> [f32; 4] {
        let zero = s.splat(0.0);
        let (mut xx, mut xy, mut yy) = (zero, [zero; 4], [zero; 4]);
        let mut cursor = Cursor::<S, A, B, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            xx = s.mul_add(x, x, xx);
            for i in 0..4 {
                xy[i] = s.mul_add(x, ys[i], xy[i]);
                yy[i] = s.mul_add(ys[i], ys[i], yy[i]);
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            xx = s.mul_add(x, x, xx);
            for i in 0..4 {
                xy[i] = s.mul_add(x, ys[i], xy[i]);
                yy[i] = s.mul_add(ys[i], ys[i], yy[i]);
            }
        }
        let (norm, dots, squares) = (sqrt(s.sum(xx)), s.sum_4(xy), s.sum_4(yy));
        let mut out = [0.0; 4];
        for i in 0..4 {
            out[i] = similarity(dots[i], norm, sqrt(squares[i]));
        }
        out
    }
}

/// The distance `T` of a query of `A` and rows of `B`.
pub(crate) struct Floats<T, A, B>(PhantomData<(T, A, B)>);

impl<S, T, A, B> Score<S> for Floats<T, A, B>
where
    S: Simd,
    T: Term,
    A: Loader<S, Vec = S::F32>,
    B: Loader<S, Vec = S::F32>,
{
    type Query = A::Elem;
    type Row = B::Elem;
    type Out = f32;

    /// The query is read once for all four rows, and their four sums hide the latency of the
    /// multiply-add as four accumulators of one row would.
    #[inline(always)]
    fn four(s: S, query: &[A::Elem], rows: [&[B::Elem]; 4]) -> [f32; 4] {
        let mut acc = [s.splat(0.0); 4];
        let mut cursor = Cursor::<S, A, B, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                acc[i] = T::step(s, acc[i], x, ys[i]);
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            for i in 0..4 {
                acc[i] = T::step(s, acc[i], x, ys[i]);
            }
        }
        s.sum_4(acc)
    }
}

impl<S, T, A, B> Block<S> for Floats<T, A, B>
where
    S: Simd,
    T: Term,
    A: Loader<S, Vec = S::F32>,
    B: Loader<S, Vec = S::F32>,
{
    #[inline(always)]
    fn block(s: S, queries: [&[A::Elem]; 4], rows: [&[B::Elem]; 2]) -> [[f32; 2]; 4] {
        let mut acc = [[s.splat(0.0); 4]; 2];
        let mut cursor = Cursor::<S, A, B, 4, 2>::new(s, queries, rows);
        while let Some([(xs, ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                acc[0][i] = T::step(s, acc[0][i], xs[i], ys[0]);
                acc[1][i] = T::step(s, acc[1][i], xs[i], ys[1]);
            }
        }
        if let Some(((xs, ys), _)) = cursor.tail() {
            for i in 0..4 {
                acc[0][i] = T::step(s, acc[0][i], xs[i], ys[0]);
                acc[1][i] = T::step(s, acc[1][i], xs[i], ys[1]);
            }
        }
        let (first, second) = (s.sum_4(acc[0]), s.sum_4(acc[1]));
        [[first[0], second[0]], [first[1], second[1]], [first[2], second[2]], [first[3], second[3]]]
    }
}
