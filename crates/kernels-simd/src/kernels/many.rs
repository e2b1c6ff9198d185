//! One query against many rows, and blocks of queries against them.
//!
//! What is left when rows or queries are counted off in groups goes through the same code as a whole
//! group, with one of them repeated: so a row's distance does not depend on what it is asked
//! together with, and a kernel exists once, not once for each size of the rest.

use crate::rows::Rows;
use crate::simd::prefetch;

/// A distance of one query and four rows at once.
pub(crate) trait Score<S: Copy> {
    type Query: Copy;
    type Row: Copy;
    type Out: Copy;

    fn four(s: S, query: &[Self::Query], rows: [&[Self::Row]; 4]) -> [Self::Out; 4];
}

/// A distance of four queries and two rows at once: as many sums as sixteen registers hold beside
/// the operands.
pub(crate) trait Block<S: Copy>: Score<S> {
    fn block(s: S, queries: [&[Self::Query]; 4], rows: [&[Self::Row]; 2]) -> [[Self::Out; 2]; 4];
}

/// `out[i]` is the distance to row `ids[i]`, or row `i` if there are no ids. While the four rows that
/// ids name are read, the next four are fetched.
#[inline(always)]
pub(crate) fn rows<S: Copy, D: Score<S>>(
    s: S,
    query: &[D::Query],
    rows: Rows<'_, D::Row>,
    ids: Option<&[u32]>,
    out: &mut [D::Out],
) {
    let count = out.len();
    if ids.is_some() && count > 0 {
        for row in group(rows, ids, 0, count) {
            prefetch(row);
        }
    }
    let mut i = 0;
    while i < count {
        if ids.is_some() && i + 4 < count {
            for row in group(rows, ids, i + 4, count) {
                prefetch(row);
            }
        }
        let found = D::four(s, query, group(rows, ids, i, count));
        if let Some([a, b, c, d, ..]) = out.get_mut(i..) {
            [*a, *b, *c, *d] = found;
        } else {
            for k in 0..4 {
                put(out, i + k, found[k]);
            }
        }
        i += 4;
    }
}

/// The rows for the places from `i < count` on; for those behind the last, the last again.
#[inline(always)]
fn group<'a, T>(rows: Rows<'a, T>, ids: Option<&[u32]>, i: usize, count: usize) -> [&'a [T]; 4] {
    let [a, b, c, d] = match ids {
        Some(ids) => match ids.get(i..) {
            Some(&[a, b, c, d, ..]) => [a as usize, b as usize, c as usize, d as usize],
            Some(&[a, b, c]) => [a as usize, b as usize, c as usize, c as usize],
            Some(&[a, b]) => [a as usize, b as usize, b as usize, b as usize],
            Some(&[a]) => [a as usize; 4],
            _ => [0; 4],
        },
        None if i + 4 <= count => [i, i + 1, i + 2, i + 3],
        None => [i, if i + 1 < count { i + 1 } else { i }, count - 1, count - 1],
    };
    [rows.at(a), rows.at(b), rows.at(c), rows.at(d)]
}

/// Every whole group of four queries against every row; `out` has a row for each query.
///
/// The four go through all rows together, so that a row is read from memory once for them.
#[inline(always)]
pub(crate) fn blocks<S: Copy, D: Block<S>>(
    s: S,
    queries: Rows<'_, D::Query>,
    rows: Rows<'_, D::Row>,
    out: &mut [D::Out],
) {
    let n = rows.len();
    let mut q = 0;
    while q + 4 <= queries.len() {
        let group = [queries.at(q), queries.at(q + 1), queries.at(q + 2), queries.at(q + 3)];
        let mut r = 0;
        while r < n {
            let other = if r + 1 < n { r + 1 } else { r };
            let found = D::block(s, group, [rows.at(r), rows.at(other)]);
            for i in 0..4 {
                put(out, (q + i) * n + r, found[i][0]);
                put(out, (q + i) * n + other, found[i][1]);
            }
            r += 2;
        }
        q += 4;
    }
}

/// Without the call to a panic that an index has.
#[inline(always)]
fn put<T>(out: &mut [T], at: usize, value: T) {
    if let Some(slot) = out.get_mut(at) {
        *slot = value;
    }
}
