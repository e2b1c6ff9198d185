//! One query against many rows, and blocks of queries against them.
//!
//! What is left when rows or queries are counted off in groups goes through the same code as a whole
//! group, with one of them repeated: so a row's distance does not depend on what it is asked
//! together with, and a kernel exists once, not once for each size of the rest.

use crate::rows::Rows;

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

/// `out[i]` is the distance to row `ids[i]`, or row `i` if there are no ids.
#[inline(always)]
pub(crate) fn rows<S: Copy, D: Score<S>>(
    s: S,
    query: &[D::Query],
    rows: Rows<'_, D::Row>,
    ids: Option<&[u32]>,
    out: &mut [D::Out],
) {
    match ids {
        Some(ids) => gather::<S, D>(s, query, rows, ids, out),
        None => in_order::<S, D>(s, query, rows, out),
    }
}

#[inline(always)]
fn in_order<S: Copy, D: Score<S>>(
    s: S,
    query: &[D::Query],
    rows: Rows<'_, D::Row>,
    out: &mut [D::Out],
) {
    let count = out.len();
    let mut i = 0;
    while i < count {
        let last = count - 1;
        let group = [i, least(i + 1, last), least(i + 2, last), least(i + 3, last)];
        put_four(out, i, D::four(s, query, rows.four(group)));
        i += 4;
    }
}

/// While four rows are read, the next four are fetched.
#[inline(always)]
fn gather<S: Copy, D: Score<S>>(
    s: S,
    query: &[D::Query],
    rows: Rows<'_, D::Row>,
    ids: &[u32],
    out: &mut [D::Out],
) {
    let mut i = 0;
    let mut next = named(ids, 0);
    rows.prefetch(next);
    while i < out.len() {
        let group = next;
        next = named(ids, i + 4);
        if i + 4 < out.len() {
            rows.prefetch(next);
        }
        put_four(out, i, D::four(s, query, rows.four(group)));
        i += 4;
    }
}

/// The rows that the ids from place `i` on name; for those behind the last, the last again.
#[inline(always)]
fn named(ids: &[u32], i: usize) -> [usize; 4] {
    match ids.get(i..) {
        Some(&[a, b, c, d, ..]) => [a as usize, b as usize, c as usize, d as usize],
        Some(&[a, b, c]) => [a as usize, b as usize, c as usize, c as usize],
        Some(&[a, b]) => [a as usize, b as usize, b as usize, b as usize],
        Some(&[a]) => [a as usize; 4],
        _ => [0; 4],
    }
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

/// The places from `i` on, as far as there are any.
#[inline(always)]
fn put_four<T: Copy>(out: &mut [T], i: usize, found: [T; 4]) {
    if let Some([a, b, c, d, ..]) = out.get_mut(i..) {
        [*a, *b, *c, *d] = found;
    } else {
        for k in 0..4 {
            put(out, i + k, found[k]);
        }
    }
}

#[inline(always)]
fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// Without the call to a panic that an index has.
#[inline(always)]
fn put<T>(out: &mut [T], at: usize, value: T) {
    if let Some(slot) = out.get_mut(at) {
        *slot = value;
    }
}
