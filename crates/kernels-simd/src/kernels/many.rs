//! One query against many rows, and blocks of queries against them.

use crate::rows::Rows;
use crate::simd::prefetch;

/// A distance that is computed for several rows at once.
pub(crate) trait Score<S: Copy> {
    type Query: Copy;
    type Row: Copy;
    type Out: Copy;

    fn one(s: S, query: &[Self::Query], row: &[Self::Row]) -> Self::Out;
    fn four(s: S, query: &[Self::Query], rows: [&[Self::Row]; 4]) -> [Self::Out; 4];
    /// Four queries against two rows: as many sums as sixteen registers hold beside the operands.
    #[inline(always)]
    fn block(
        s: S,
        [p, q, r, t]: [&[Self::Query]; 4],
        [a, b]: [&[Self::Row]; 2],
    ) -> [[Self::Out; 2]; 4] {
        [
            [Self::one(s, p, a), Self::one(s, p, b)],
            [Self::one(s, q, a), Self::one(s, q, b)],
            [Self::one(s, r, a), Self::one(s, r, b)],
            [Self::one(s, t, a), Self::one(s, t, b)],
        ]
    }
}

#[inline(always)]
pub(crate) fn many<S: Copy, D: Score<S>>(
    s: S,
    query: &[D::Query],
    rows: Rows<'_, D::Row>,
    out: &mut [D::Out],
) {
    let (fours, rest) = out.as_chunks_mut::<4>();
    let mut i = 0;
    for four in fours {
        *four = D::four(s, query, [rows.at(i), rows.at(i + 1), rows.at(i + 2), rows.at(i + 3)]);
        i += 4;
    }
    for one in rest {
        *one = D::one(s, query, rows.at(i));
        i += 1;
    }
}

/// While four rows are read, the next four are fetched.
#[inline(always)]
pub(crate) fn gather<S: Copy, D: Score<S>>(
    s: S,
    query: &[D::Query],
    rows: Rows<'_, D::Row>,
    ids: &[u32],
    out: &mut [D::Out],
) {
    let (fours, rest) = ids.as_chunks::<4>();
    let (out_fours, out_rest) = out.as_chunks_mut::<4>();
    for id in ids.iter().take(4) {
        prefetch(rows.at(*id as usize));
    }
    for (i, (four, out)) in fours.iter().zip(out_fours).enumerate() {
        let next = if i + 1 < fours.len() { &fours[i + 1] } else { rest };
        for id in next {
            prefetch(rows.at(*id as usize));
        }
        let [a, b, c, d] = *four;
        let group =
            [rows.at(a as usize), rows.at(b as usize), rows.at(c as usize), rows.at(d as usize)];
        *out = D::four(s, query, group);
    }
    for (id, out) in rest.iter().zip(out_rest) {
        *out = D::one(s, query, rows.at(*id as usize));
    }
}

/// Every query against every row; `out` has a row for each query.
///
/// Four queries go through all rows together, so that a row is read from memory once for them.
#[inline(always)]
pub(crate) fn tile<S: Copy, D: Score<S>>(
    s: S,
    queries: Rows<'_, D::Query>,
    rows: Rows<'_, D::Row>,
    out: &mut [D::Out],
) {
    let n = rows.len();
    let blocks = queries.len() / 4 * 4;
    let mut q = 0;
    while q < blocks {
        let group = [queries.at(q), queries.at(q + 1), queries.at(q + 2), queries.at(q + 3)];
        let mut r = 0;
        while r + 2 <= n {
            let found = D::block(s, group, [rows.at(r), rows.at(r + 1)]);
            for i in 0..4 {
                put(out, (q + i) * n + r, found[i][0]);
                put(out, (q + i) * n + r + 1, found[i][1]);
            }
            r += 2;
        }
        if r < n {
            for i in 0..4 {
                put(out, (q + i) * n + r, D::one(s, group[i], rows.at(r)));
            }
        }
        q += 4;
    }
    while q < queries.len() {
        if let Some(out) = out.get_mut(q * n..(q + 1) * n) {
            many::<S, D>(s, queries.at(q), rows, out);
        }
        q += 1;
    }
}

/// Without the call to a panic that an index has.
#[inline(always)]
fn put<T>(out: &mut [T], at: usize, value: T) {
    if let Some(slot) = out.get_mut(at) {
        *slot = value;
    }
}
