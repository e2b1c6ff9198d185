//! An `i8` query against rows of packed unsigned codes of 4 or 2 bits.
//!
//! The bits of a byte belong to dimensions far apart (see `Kernels::dot_i8_u4`), so that a register
//! of codes meets registers of the query without a shuffle.

use super::many::{Block, Score};
use crate::simd::{Cursor, SimdBytes, WideI8, WideU8};

/// Codes of 4 bits.
pub(crate) struct Nibbles;

/// Codes of 2 bits.
pub(crate) struct Crumbs;

/// Splits a query into the parts whose codes share a byte.
macro_rules! parts {
    ($query:expr, 2) => {{
        let (low, high) = $query.split_at($query.len() / 2);
        [low, high]
    }};
    ($query:expr, 4) => {{
        let (front, back) = $query.split_at($query.len() / 2);
        let [a, b] = parts!(front, 2);
        let [c, d] = parts!(back, 2);
        [a, b, c, d]
    }};
}

macro_rules! packed {
    ($name:ident, $parts:tt, $step:ident) => {
        impl $name {
            #[inline(always)]
            pub(crate) fn one<S: SimdBytes>(s: S, query: &[i8], row: &[u8]) -> i32 {
                let mut acc = [s.zero(); 2];
                let mut cursor =
                    Cursor::<S, WideI8, WideU8, $parts, 1>::new(s, parts!(query, $parts), [row]);
                while let Some(steps) = cursor.take::<2>() {
                    for i in 0..2 {
                        let (xs, [codes]) = steps[i];
                        acc[i] = s.$step(acc[i], codes, xs);
                    }
                }
                if let Some([(xs, [codes])]) = cursor.take::<1>() {
                    acc[0] = s.$step(acc[0], codes, xs);
                }
                if let Some(((xs, [codes]), _)) = cursor.tail() {
                    acc[1] = s.$step(acc[1], codes, xs);
                }
                s.sum_i32(s.add_i32(acc[0], acc[1]))
            }
        }

        impl<S: SimdBytes> Score<S> for $name {
            type Query = i8;
            type Row = u8;
            type Out = i32;

            #[inline(always)]
            fn four(s: S, query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
                let mut acc = [s.zero(); 4];
                let mut cursor =
                    Cursor::<S, WideI8, WideU8, $parts, 4>::new(s, parts!(query, $parts), rows);
                while let Some([(xs, codes)]) = cursor.take::<1>() {
                    for i in 0..4 {
                        acc[i] = s.$step(acc[i], codes[i], xs);
                    }
                }
                if let Some(((xs, codes), _)) = cursor.tail() {
                    for i in 0..4 {
                        acc[i] = s.$step(acc[i], codes[i], xs);
                    }
                }
                s.sum_i32_4(acc)
            }
        }

        impl<S: SimdBytes> Block<S> for $name {
            /// The codes are unpacked once for all four queries.
            #[inline(always)]
            fn block(s: S, queries: [&[i8]; 4], rows: [&[u8]; 2]) -> [[i32; 2]; 4] {
                let mut acc = [[s.zero(); 4]; 2];
                let [p, q, r, t] = queries;
                let mut p = Cursor::<S, WideI8, WideU8, $parts, 2>::new(s, parts!(p, $parts), rows);
                let mut q = Cursor::<S, WideI8, WideI8, $parts, 0>::new(s, parts!(q, $parts), []);
                let mut r = Cursor::<S, WideI8, WideI8, $parts, 0>::new(s, parts!(r, $parts), []);
                let mut t = Cursor::<S, WideI8, WideI8, $parts, 0>::new(s, parts!(t, $parts), []);
                while let Some([(x, codes)]) = p.take::<1>() {
                    let (Some([(y, [])]), Some([(z, [])]), Some([(w, [])])) =
                        (q.take::<1>(), r.take::<1>(), t.take::<1>())
                    else {
                        break;
                    };
                    for i in 0..2 {
                        acc[i][0] = s.$step(acc[i][0], codes[i], x);
                        acc[i][1] = s.$step(acc[i][1], codes[i], y);
                        acc[i][2] = s.$step(acc[i][2], codes[i], z);
                        acc[i][3] = s.$step(acc[i][3], codes[i], w);
                    }
                }
                if let (
                    Some(((x, codes), _)),
                    Some(((y, []), _)),
                    Some(((z, []), _)),
                    Some(((w, []), _)),
                ) = (p.tail(), q.tail(), r.tail(), t.tail())
                {
                    for i in 0..2 {
                        acc[i][0] = s.$step(acc[i][0], codes[i], x);
                        acc[i][1] = s.$step(acc[i][1], codes[i], y);
                        acc[i][2] = s.$step(acc[i][2], codes[i], z);
                        acc[i][3] = s.$step(acc[i][3], codes[i], w);
                    }
                }
                let (a, b) = (s.sum_i32_4(acc[0]), s.sum_i32_4(acc[1]));
                [[a[0], b[0]], [a[1], b[1]], [a[2], b[2]], [a[3], b[3]]]
            }
        }
    };
}

packed!(Nibbles, 2, dot_u4);
packed!(Crumbs, 4, dot_u2);
