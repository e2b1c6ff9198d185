//! One query against many rows.
//!
//! Four rows at a time: the query is read once for all of them, and their four sums hide the
//! latency of the multiply-add as four accumulators of one row would.

use super::distance::{dot, l2_squared};
use crate::rows::Rows;
use crate::simd::{Cursor, F32, Simd, prefetch};

#[inline(always)]
pub(crate) fn dot_many<S: Simd>(s: S, query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
    let (fours, rest) = out.as_chunks_mut::<4>();
    let mut i = 0;
    for four in fours {
        let group = [rows.at(i), rows.at(i + 1), rows.at(i + 2), rows.at(i + 3)];
        *four = dot_4(s, query, group);
        i += 4;
    }
    for one in rest {
        *one = dot(s, query, rows.at(i));
        i += 1;
    }
}

#[inline(always)]
pub(crate) fn l2_squared_many<S: Simd>(s: S, query: &[f32], rows: Rows<'_, f32>, out: &mut [f32]) {
    let (fours, rest) = out.as_chunks_mut::<4>();
    let mut i = 0;
    for four in fours {
        let group = [rows.at(i), rows.at(i + 1), rows.at(i + 2), rows.at(i + 3)];
        *four = l2_squared_4(s, query, group);
        i += 4;
    }
    for one in rest {
        *one = l2_squared(s, query, rows.at(i));
        i += 1;
    }
}

#[inline(always)]
pub(crate) fn dot_gather<S: Simd>(
    s: S,
    query: &[f32],
    rows: Rows<'_, f32>,
    ids: &[u32],
    out: &mut [f32],
) {
    let (fours, rest) = ids.as_chunks::<4>();
    let (out_fours, out_rest) = out.as_chunks_mut::<4>();
    for (i, (four, out)) in fours.iter().zip(out_fours).enumerate() {
        prefetch_all(rows, if i + 1 < fours.len() { &fours[i + 1] } else { rest });
        *out = dot_4(s, query, rows_at(rows, four));
    }
    for (&id, out) in rest.iter().zip(out_rest) {
        *out = dot(s, query, rows.at(id as usize));
    }
}

#[inline(always)]
pub(crate) fn l2_squared_gather<S: Simd>(
    s: S,
    query: &[f32],
    rows: Rows<'_, f32>,
    ids: &[u32],
    out: &mut [f32],
) {
    let (fours, rest) = ids.as_chunks::<4>();
    let (out_fours, out_rest) = out.as_chunks_mut::<4>();
    for (i, (four, out)) in fours.iter().zip(out_fours).enumerate() {
        prefetch_all(rows, if i + 1 < fours.len() { &fours[i + 1] } else { rest });
        *out = l2_squared_4(s, query, rows_at(rows, four));
    }
    for (&id, out) in rest.iter().zip(out_rest) {
        *out = l2_squared(s, query, rows.at(id as usize));
    }
}

#[inline(always)]
fn rows_at<'a>(rows: Rows<'a, f32>, ids: &[u32; 4]) -> [&'a [f32]; 4] {
    let [a, b, c, d] = *ids;
    [rows.at(a as usize), rows.at(b as usize), rows.at(c as usize), rows.at(d as usize)]
}

#[inline(always)]
fn prefetch_all(rows: Rows<'_, f32>, ids: &[u32]) {
    for &id in ids {
        prefetch(rows.at(id as usize));
    }
}

#[inline(always)]
fn dot_4<S: Simd>(s: S, query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    let mut acc = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, F32, F32, 1, 4>::new(s, [query], rows);
    while let Some([([x], ys)]) = cursor.take::<1>() {
        for i in 0..4 {
            acc[i] = s.mul_add(x, ys[i], acc[i]);
        }
    }
    if let Some((([x], ys), _)) = cursor.tail() {
        for i in 0..4 {
            acc[i] = s.mul_add(x, ys[i], acc[i]);
        }
    }
    s.sum_4(acc)
}

#[inline(always)]
fn l2_squared_4<S: Simd>(s: S, query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    let mut acc = [s.splat(0.0); 4];
    let mut cursor = Cursor::<S, F32, F32, 1, 4>::new(s, [query], rows);
    while let Some([([x], ys)]) = cursor.take::<1>() {
        for i in 0..4 {
            let d = s.sub(x, ys[i]);
            acc[i] = s.mul_add(d, d, acc[i]);
        }
    }
    if let Some((([x], ys), _)) = cursor.tail() {
        for i in 0..4 {
            let d = s.sub(x, ys[i]);
            acc[i] = s.mul_add(d, d, acc[i]);
        }
    }
    s.sum_4(acc)
}
