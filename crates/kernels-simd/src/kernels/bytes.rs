//! Distances between two vectors of bytes, exact modulo 2³².

use core::marker::PhantomData;

use super::many::{Block, Score};
use super::{similarity, sqrt};
use crate::simd::{Cursor, Loader, SimdBytes, StepI8, StepU8};

/// What one step of bytes adds to a distance; it is worth `step - bias`.
pub(crate) trait ByteTerm<S: SimdBytes> {
    /// How the bytes are read.
    type Load: Loader<S, Elem = Self::Elem, Vec = S::Step>;
    /// What the bytes are.
    type Elem: Copy;

    fn step(s: S, acc: S::I32, a: S::Step, b: S::Step) -> S::I32;
    fn bias(s: S, acc: S::I32, b: S::Step) -> S::I32;
}

macro_rules! byte_terms {
    ($($(#[$doc:meta])* $name:ident: $elem:ty, $load:ty, $step:ident $(, $bias:ident)?;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl<S: SimdBytes> ByteTerm<S> for $name {
            type Load = $load;
            type Elem = $elem;

            #[inline(always)]
            fn step(s: S, acc: S::I32, a: S::Step, b: S::Step) -> S::I32 {
                s.$step(acc, a, b)
            }

            #[inline(always)]
            fn bias(_s: S, acc: S::I32, _b: S::Step) -> S::I32 {
                $(let acc = _s.$bias(acc, _b);)?
                acc
            }
        }
    )*};
}

byte_terms! {
    /// `a · b` of signed bytes.
    DotI8: i8, StepI8, dot_i8, dot_i8_bias;
    /// `a · b` of unsigned bytes.
    DotU8: u8, StepU8, dot_u8, dot_u8_bias;
    /// `(a - b)²` of signed bytes.
    L2I8: i8, StepI8, l2_i8;
    /// `(a - b)²` of unsigned bytes.
    L2U8: u8, StepU8, l2_u8;
}

/// Four sums hide the latency of a step where there are four registers or more. Of fewer, most of the
/// time would go into clearing those sums and adding them up: they have one.
#[inline(always)]
pub(crate) fn pair<S: SimdBytes, T: ByteTerm<S>>(s: S, a: &[T::Elem], b: &[T::Elem]) -> i32 {
    let (mut acc, mut bias) = (s.zero(), s.zero());
    let mut cursor = Cursor::<S, T::Load, T::Load, 1, 1>::new(s, [a], [b]);
    if a.len() >= 4 * T::Load::LANES {
        let (mut accs, mut biases) = ([s.zero(); 4], [s.zero(); 4]);
        if let Some(([x], [y])) = cursor.head() {
            accs[0] = T::step(s, accs[0], x, y);
            biases[0] = T::bias(s, biases[0], y);
        }
        while let Some(steps) = cursor.take::<4>() {
            for i in 0..4 {
                let ([x], [y]) = steps[i];
                accs[i] = T::step(s, accs[i], x, y);
                biases[i] = T::bias(s, biases[i], y);
            }
        }
        acc = s.add_i32(s.add_i32(accs[0], accs[1]), s.add_i32(accs[2], accs[3]));
        bias = s.add_i32(s.add_i32(biases[0], biases[1]), s.add_i32(biases[2], biases[3]));
    }
    if let Some(steps) = cursor.take::<2>() {
        for ([x], [y]) in steps {
            acc = T::step(s, acc, x, y);
            bias = T::bias(s, bias, y);
        }
    }
    if let Some([([x], [y])]) = cursor.take::<1>() {
        acc = T::step(s, acc, x, y);
        bias = T::bias(s, bias, y);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc = T::step(s, acc, x, y);
        bias = T::bias(s, bias, y);
    }
    s.sum_i32(s.sub_i32(acc, bias))
}

/// One pass; the integers are exact, so only the last three operations round.
#[inline(always)]
pub(crate) fn cosine<S: SimdBytes, T: ByteTerm<S>>(s: S, a: &[T::Elem], b: &[T::Elem]) -> f32 {
    let zero = [s.zero(); 2];
    let (mut xy, mut xx, mut yy, mut bias_x, mut bias_y) = (zero, zero, zero, zero, zero);
    let mut cursor = Cursor::<S, T::Load, T::Load, 1, 1>::new(s, [a], [b]);
    if let Some(([x], [y])) = cursor.head() {
        xy[0] = T::step(s, xy[0], x, y);
        xx[0] = T::step(s, xx[0], x, x);
        yy[0] = T::step(s, yy[0], y, y);
        bias_x[0] = T::bias(s, bias_x[0], x);
        bias_y[0] = T::bias(s, bias_y[0], y);
    }
    while let Some(steps) = cursor.take::<2>() {
        for i in 0..2 {
            let ([x], [y]) = steps[i];
            xy[i] = T::step(s, xy[i], x, y);
            xx[i] = T::step(s, xx[i], x, x);
            yy[i] = T::step(s, yy[i], y, y);
            bias_x[i] = T::bias(s, bias_x[i], x);
            bias_y[i] = T::bias(s, bias_y[i], y);
        }
    }
    if let Some([([x], [y])]) = cursor.take::<1>() {
        xy[0] = T::step(s, xy[0], x, y);
        xx[0] = T::step(s, xx[0], x, x);
        yy[0] = T::step(s, yy[0], y, y);
        bias_x[0] = T::bias(s, bias_x[0], x);
        bias_y[0] = T::bias(s, bias_y[0], y);
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        xy[1] = T::step(s, xy[1], x, y);
        xx[1] = T::step(s, xx[1], x, x);
        yy[1] = T::step(s, yy[1], y, y);
        bias_x[1] = T::bias(s, bias_x[1], x);
        bias_y[1] = T::bias(s, bias_y[1], y);
    }
    let (xy, xx, yy) = (s.add_i32(xy[0], xy[1]), s.add_i32(xx[0], xx[1]), s.add_i32(yy[0], yy[1]));
    let (bias_x, bias_y) = (s.add_i32(bias_x[0], bias_x[1]), s.add_i32(bias_y[0], bias_y[1]));
    let (xy, xx, yy) = (s.sub_i32(xy, bias_y), s.sub_i32(xx, bias_x), s.sub_i32(yy, bias_y));
    // Summed across the lanes together: that costs little more than one of them.
    let [dot, xx, yy, _] = s.sum_i32_4([xy, xx, yy, s.zero()]);
    similarity(dot as f32, sqrt(xx as f32), sqrt(yy as f32))
}

/// The cosine similarity of a query and rows of bytes whose products are `T`.
pub(crate) struct ByteCosines<T>(PhantomData<T>);

impl<S: SimdBytes, T: ByteTerm<S>> Score<S> for ByteCosines<T> {
    type Query = T::Elem;
    type Row = T::Elem;
    type Out = f32;

    /// The query's norm, and its bias, serve all four rows.
    #[inline(always)]
    fn four(s: S, query: &[T::Elem], rows: [&[T::Elem]; 4]) -> [f32; 4] {
        let (zero, zeros) = (s.zero(), [s.zero(); 4]);
        let (mut xx, mut xy, mut yy, mut bias_x, mut bias_y) = (zero, zeros, zeros, zero, zeros);
        let mut cursor = Cursor::<S, T::Load, T::Load, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            xx = T::step(s, xx, x, x);
            bias_x = T::bias(s, bias_x, x);
            for i in 0..4 {
                xy[i] = T::step(s, xy[i], ys[i], x);
                yy[i] = T::step(s, yy[i], ys[i], ys[i]);
                bias_y[i] = T::bias(s, bias_y[i], ys[i]);
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            xx = T::step(s, xx, x, x);
            bias_x = T::bias(s, bias_x, x);
            for i in 0..4 {
                xy[i] = T::step(s, xy[i], ys[i], x);
                yy[i] = T::step(s, yy[i], ys[i], ys[i]);
                bias_y[i] = T::bias(s, bias_y[i], ys[i]);
            }
        }
        for i in 0..4 {
            xy[i] = s.sub_i32(xy[i], bias_x);
            yy[i] = s.sub_i32(yy[i], bias_y[i]);
        }
        let norm = sqrt(s.sum_i32(s.sub_i32(xx, bias_x)) as f32);
        let (dots, squares) = (s.sum_i32_4(xy), s.sum_i32_4(yy));
        let mut out = [0.0; 4];
        for i in 0..4 {
            out[i] = similarity(dots[i] as f32, norm, sqrt(squares[i] as f32));
        }
        out
    }
}

/// The distance `T` of a query and rows of bytes.
pub(crate) struct Bytes<T>(PhantomData<T>);

impl<S: SimdBytes, T: ByteTerm<S>> Score<S> for Bytes<T> {
    type Query = T::Elem;
    type Row = T::Elem;
    type Out = i32;

    /// The bias depends on the query alone, so that one serves four rows.
    #[inline(always)]
    fn four(s: S, query: &[T::Elem], rows: [&[T::Elem]; 4]) -> [i32; 4] {
        let (mut acc, mut bias) = ([s.zero(); 4], s.zero());
        let mut cursor = Cursor::<S, T::Load, T::Load, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            bias = T::bias(s, bias, x);
            for i in 0..4 {
                acc[i] = T::step(s, acc[i], ys[i], x);
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            bias = T::bias(s, bias, x);
            for i in 0..4 {
                acc[i] = T::step(s, acc[i], ys[i], x);
            }
        }
        for acc in &mut acc {
            *acc = s.sub_i32(*acc, bias);
        }
        s.sum_i32_4(acc)
    }
}

impl<S: SimdBytes, T: ByteTerm<S>> Block<S> for Bytes<T> {
    #[inline(always)]
    fn block(s: S, queries: [&[T::Elem]; 4], rows: [&[T::Elem]; 2]) -> [[i32; 2]; 4] {
        let (mut acc, mut bias) = ([[s.zero(); 4]; 2], [s.zero(); 2]);
        let mut cursor = Cursor::<S, T::Load, T::Load, 4, 2>::new(s, queries, rows);
        while let Some([(xs, ys)]) = cursor.take::<1>() {
            for r in 0..2 {
                bias[r] = T::bias(s, bias[r], ys[r]);
                for q in 0..4 {
                    acc[r][q] = T::step(s, acc[r][q], xs[q], ys[r]);
                }
            }
        }
        if let Some(((xs, ys), _)) = cursor.tail() {
            for r in 0..2 {
                bias[r] = T::bias(s, bias[r], ys[r]);
                for q in 0..4 {
                    acc[r][q] = T::step(s, acc[r][q], xs[q], ys[r]);
                }
            }
        }
        for r in 0..2 {
            for q in 0..4 {
                acc[r][q] = s.sub_i32(acc[r][q], bias[r]);
            }
        }
        let (first, second) = (s.sum_i32_4(acc[0]), s.sum_i32_4(acc[1]));
        let mut out = [[0; 2]; 4];
        for q in 0..4 {
            out[q] = [first[q], second[q]];
        }
        out
    }
}
