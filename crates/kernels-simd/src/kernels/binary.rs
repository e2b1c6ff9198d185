//! Distances between sets that are packed one bit an element.

use super::many::{Block, Score};
use crate::simd::{Cursor, SimdBytes, WideU8};

/// The number of bits that differ.
pub(crate) struct Hamming;

impl<S: SimdBytes> Score<S> for Hamming {
    type Query = u8;
    type Row = u8;
    type Out = u32;

    #[inline(always)]
    fn four(s: S, query: &[u8], rows: [&[u8]; 4]) -> [u32; 4] {
        let mut acc = [s.zero(); 4];
        let mut cursor = Cursor::<S, WideU8, WideU8, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                acc[i] = s.count_ones(acc[i], s.xor(x, ys[i]));
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            for i in 0..4 {
                acc[i] = s.count_ones(acc[i], s.xor(x, ys[i]));
            }
        }
        let [a, b, c, d] = s.sum_i32_4(acc);
        [a as u32, b as u32, c as u32, d as u32]
    }
}

impl<S: SimdBytes> Block<S> for Hamming {
    #[inline(always)]
    fn block(s: S, queries: [&[u8]; 4], rows: [&[u8]; 2]) -> [[u32; 2]; 4] {
        let mut acc = [[s.zero(); 4]; 2];
        let mut cursor = Cursor::<S, WideU8, WideU8, 4, 2>::new(s, queries, rows);
        while let Some([(xs, ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                acc[0][i] = s.count_ones(acc[0][i], s.xor(xs[i], ys[0]));
                acc[1][i] = s.count_ones(acc[1][i], s.xor(xs[i], ys[1]));
            }
        }
        if let Some(((xs, ys), _)) = cursor.tail() {
            for i in 0..4 {
                acc[0][i] = s.count_ones(acc[0][i], s.xor(xs[i], ys[0]));
                acc[1][i] = s.count_ones(acc[1][i], s.xor(xs[i], ys[1]));
            }
        }
        let (a, b) = (s.sum_i32_4(acc[0]), s.sum_i32_4(acc[1]));
        let mut out = [[0; 2]; 4];
        for i in 0..4 {
            out[i] = [a[i] as u32, b[i] as u32];
        }
        out
    }
}

/// The share of the bits of either that are in both.
pub(crate) struct Jaccard;

impl<S: SimdBytes> Score<S> for Jaccard {
    type Query = u8;
    type Row = u8;
    type Out = f32;

    #[inline(always)]
    fn four(s: S, query: &[u8], rows: [&[u8]; 4]) -> [f32; 4] {
        let (mut both, mut any) = ([s.zero(); 4], [s.zero(); 4]);
        let mut cursor = Cursor::<S, WideU8, WideU8, 1, 4>::new(s, [query], rows);
        while let Some([([x], ys)]) = cursor.take::<1>() {
            for i in 0..4 {
                both[i] = s.count_ones(both[i], s.and(x, ys[i]));
                any[i] = s.count_ones(any[i], s.or(x, ys[i]));
            }
        }
        if let Some((([x], ys), _)) = cursor.tail() {
            for i in 0..4 {
                both[i] = s.count_ones(both[i], s.and(x, ys[i]));
                any[i] = s.count_ones(any[i], s.or(x, ys[i]));
            }
        }
        let (both, any) = (s.sum_i32_4(both), s.sum_i32_4(any));
        let mut out = [0.0; 4];
        for i in 0..4 {
            out[i] = share(both[i] as u32, any[i] as u32);
        }
        out
    }
}

/// `both / any`, 1 for two empty sets.
#[inline(always)]
fn share(both: u32, any: u32) -> f32 {
    if any == 0 { 1.0 } else { both as f32 / any as f32 }
}

#[inline(always)]
pub(crate) fn hamming<S: SimdBytes>(s: S, a: &[u8], b: &[u8]) -> u32 {
    let mut acc = [s.zero(); 4];
    let mut cursor = Cursor::<S, WideU8, WideU8, 1, 1>::new(s, [a], [b]);
    if let Some(([x], [y])) = cursor.head() {
        acc[0] = s.count_ones(acc[0], s.xor(x, y));
    }
    while let Some(steps) = cursor.take::<4>() {
        for i in 0..4 {
            let ([x], [y]) = steps[i];
            acc[i] = s.count_ones(acc[i], s.xor(x, y));
        }
    }
    while let Some([([x], [y])]) = cursor.take::<1>() {
        acc[0] = s.count_ones(acc[0], s.xor(x, y));
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        acc[1] = s.count_ones(acc[1], s.xor(x, y));
    }
    s.sum_i32(s.add_i32(s.add_i32(acc[0], acc[1]), s.add_i32(acc[2], acc[3]))) as u32
}

#[inline(always)]
pub(crate) fn jaccard<S: SimdBytes>(s: S, a: &[u8], b: &[u8]) -> f32 {
    let (mut both, mut any) = (s.zero(), s.zero());
    let mut cursor = Cursor::<S, WideU8, WideU8, 1, 1>::new(s, [a], [b]);
    if let Some(([x], [y])) = cursor.head() {
        both = s.count_ones(both, s.and(x, y));
        any = s.count_ones(any, s.or(x, y));
    }
    while let Some([([x], [y])]) = cursor.take::<1>() {
        both = s.count_ones(both, s.and(x, y));
        any = s.count_ones(any, s.or(x, y));
    }
    if let Some((([x], [y]), _)) = cursor.tail() {
        both = s.count_ones(both, s.and(x, y));
        any = s.count_ones(any, s.or(x, y));
    }
    share(s.sum_i32(both) as u32, s.sum_i32(any) as u32)
}
