//! One query against many rows, and many against many, equal one call for each.

use edgekit_kernels_simd::{Kernels, Rows};
use half::{bf16, f16};

use super::inputs::{EPSILON, Poison, Values, sums};

const ROWS: usize = 11;
const QUERIES: usize = 6;
const IDS: [u32; 13] = [10, 0, 3, 3, 7, 1, 10, 2, 5, 0, 9, 4, 6];

fn dims() -> impl Iterator<Item = usize> {
    (1..=70).chain([127, 128, 129, 255, 256, 257, 384])
}

/// Rows with a gap of poison behind each but the last.
fn matrix<T: Poison>(values: &mut Values, dim: usize, gap: usize, rows: usize) -> Vec<T> {
    let mut data = Vec::new();
    for _ in 0..rows {
        data.extend(values.of::<T>(dim));
        data.extend(vec![T::POISON; gap]);
    }
    data.truncate(data.len() - gap);
    data
}

/// How far two results may be apart that sum the terms of a query and a row in different orders.
type Apart<Q, R> = fn(&[Q], &[R]) -> f64;

/// Integers: not at all.
fn exact<Q, R>(_: &[Q], _: &[R]) -> f64 {
    0.0
}

/// Twice the bound that both keep.
fn dot<Q: Copy + Into<f64>, R: Copy + Into<f64>>(query: &[Q], row: &[R]) -> f64 {
    2.0 * query.len() as f64 * EPSILON * sums(query, row)[1]
}

fn l2<Q: Copy + Into<f64>, R: Copy + Into<f64>>(query: &[Q], row: &[R]) -> f64 {
    2.0 * (query.len() + 2) as f64 * EPSILON * sums(query, row)[2]
}

fn cosine<Q, R>(query: &[Q], _: &[R]) -> f64 {
    2.0 * (2 * query.len() + 6) as f64 * EPSILON
}

/// What a kernel returns.
trait Result: Copy + Default + PartialEq + std::fmt::Debug {
    fn value(self) -> f64;
}
impl Result for f32 {
    fn value(self) -> f64 {
        f64::from(self)
    }
}
impl Result for i32 {
    fn value(self) -> f64 {
        f64::from(self)
    }
}
impl Result for u32 {
    fn value(self) -> f64 {
        f64::from(self)
    }
}

type Pair<Q, R, O> = fn(&Kernels, &[Q], &[R]) -> O;
type Many<Q, R, O> = fn(&Kernels, &[Q], Rows<'_, R>, &mut [O]);
type Gather<Q, R, O> = fn(&Kernels, &[Q], Rows<'_, R>, &[u32], &mut [O]);
type Tile<Q, R, O> = fn(&Kernels, Rows<'_, Q>, Rows<'_, R>, &mut [O]);

/// `codes` query values meet one element of a row.
fn check<Q: Poison, R: Poison, O: Result>(
    codes: usize,
    apart: Apart<Q, R>,
    pair: Pair<Q, R, O>,
    many: Many<Q, R, O>,
    gather: Gather<Q, R, O>,
    tile: Option<Tile<Q, R, O>>,
) {
    let mut values = Values::new(5);
    for dim in dims() {
        for gap in [0, 5] {
            let data = matrix::<R>(&mut values, dim, gap, ROWS);
            let queries = matrix::<Q>(&mut values, codes * dim, gap, QUERIES);
            let rows = Rows::new(&data, dim, dim + gap);
            let queries = Rows::new(&queries, codes * dim, codes * dim + gap);
            let query = queries.get(0).unwrap();
            for kernels in Kernels::available() {
                let isa = kernels.isa();
                let same = |got: O, q: usize, r: usize| {
                    let (query, row) = (queries.get(q).unwrap(), rows.get(r).unwrap());
                    let want = pair(kernels, query, row);
                    let near = (got.value() - want.value()).abs() <= apart(query, row);
                    assert!(near, "{isa} {dim}: {got:?} for {want:?}");
                };
                // The first row's neighbours are others in each list, and its result is the same.
                let mut firsts = Vec::new();
                // As many rows as fill groups of four, and some that do not.
                for n in [ROWS, 8, 3, 1] {
                    let some = Rows::new(&data[..(dim + gap) * (n - 1) + dim], dim, dim + gap);
                    let mut out = vec![O::default(); n];
                    many(kernels, query, some, &mut out);
                    (0..n).for_each(|r| same(out[r], 0, r));
                    firsts.push(out[0]);
                }
                for n in [IDS.len(), 8, 2, 0] {
                    let mut out = vec![O::default(); n];
                    gather(kernels, query, rows, &IDS[..n], &mut out);
                    (0..n).for_each(|i| same(out[i], 0, IDS[i] as usize));
                    firsts.extend((0..n).filter(|&i| IDS[i] == 0).map(|i| out[i]));
                }
                assert!(firsts.iter().all(|&x| x == firsts[0]), "{isa} {dim}: {firsts:?}");
                if let Some(tile) = tile {
                    let mut out = [O::default(); QUERIES * ROWS];
                    tile(kernels, queries, rows, &mut out);
                    for (i, &got) in out.iter().enumerate() {
                        same(got, i / ROWS, i % ROWS);
                    }
                    tile(kernels, queries, Rows::new(&[], dim, dim), &mut []);
                }
            }
        }
    }
}

type K = Kernels;

pub(crate) fn floats_in_numbers_equal_one_by_one() {
    check::<f32, f32, f32>(1, dot, K::dot, K::dot_many, K::dot_gather, Some(K::dot_tile));
    let tile: Tile<f32, f32, f32> = K::l2_squared_tile;
    check(1, l2, K::l2_squared, K::l2_squared_many, K::l2_squared_gather, Some(tile));
    check::<f32, f32, f32>(1, cosine, K::cosine, K::cosine_many, K::cosine_gather, None);
}

pub(crate) fn halves_in_numbers_equal_one_by_one() {
    let tile: Tile<f16, f16, f32> = K::dot_f16_tile;
    check(1, dot, K::dot_f16, K::dot_f16_many, K::dot_f16_gather, Some(tile));
    let tile: Tile<bf16, bf16, f32> = K::dot_bf16_tile;
    check(1, dot, K::dot_bf16, K::dot_bf16_many, K::dot_bf16_gather, Some(tile));
    check::<f16, f16, f32>(
        1,
        l2,
        K::l2_squared_f16,
        K::l2_squared_f16_many,
        K::l2_squared_f16_gather,
        Some(K::l2_squared_f16_tile),
    );
    check::<bf16, bf16, f32>(
        1,
        l2,
        K::l2_squared_bf16,
        K::l2_squared_bf16_many,
        K::l2_squared_bf16_gather,
        Some(K::l2_squared_bf16_tile),
    );
    check::<f16, f16, f32>(
        1,
        cosine,
        K::cosine_f16,
        K::cosine_f16_many,
        K::cosine_f16_gather,
        None,
    );
    check::<bf16, bf16, f32>(
        1,
        cosine,
        K::cosine_bf16,
        K::cosine_bf16_many,
        K::cosine_bf16_gather,
        None,
    );

    check::<f32, f16, f32>(
        1,
        dot,
        K::dot_f32_f16,
        K::dot_f32_f16_many,
        K::dot_f32_f16_gather,
        None,
    );
    check::<f32, bf16, f32>(
        1,
        dot,
        K::dot_f32_bf16,
        K::dot_f32_bf16_many,
        K::dot_f32_bf16_gather,
        None,
    );
    check::<f32, i8, f32>(1, dot, K::dot_f32_i8, K::dot_f32_i8_many, K::dot_f32_i8_gather, None);
    check::<f32, f16, f32>(
        1,
        l2,
        K::l2_squared_f32_f16,
        K::l2_squared_f32_f16_many,
        K::l2_squared_f32_f16_gather,
        None,
    );
    check::<f32, bf16, f32>(
        1,
        l2,
        K::l2_squared_f32_bf16,
        K::l2_squared_f32_bf16_many,
        K::l2_squared_f32_bf16_gather,
        None,
    );
    check::<f32, i8, f32>(
        1,
        l2,
        K::l2_squared_f32_i8,
        K::l2_squared_f32_i8_many,
        K::l2_squared_f32_i8_gather,
        None,
    );
}

pub(crate) fn bytes_in_numbers_equal_one_by_one() {
    check::<i8, i8, i32>(
        1,
        exact,
        K::dot_i8,
        K::dot_i8_many,
        K::dot_i8_gather,
        Some(K::dot_i8_tile),
    );
    check::<u8, u8, i32>(
        1,
        exact,
        K::dot_u8,
        K::dot_u8_many,
        K::dot_u8_gather,
        Some(K::dot_u8_tile),
    );
    check::<i8, i8, i32>(
        1,
        exact,
        K::l2_squared_i8,
        K::l2_squared_i8_many,
        K::l2_squared_i8_gather,
        Some(K::l2_squared_i8_tile),
    );
    check::<u8, u8, i32>(
        1,
        exact,
        K::l2_squared_u8,
        K::l2_squared_u8_many,
        K::l2_squared_u8_gather,
        Some(K::l2_squared_u8_tile),
    );
    check::<i8, i8, f32>(1, cosine, K::cosine_i8, K::cosine_i8_many, K::cosine_i8_gather, None);
    check::<u8, u8, f32>(1, cosine, K::cosine_u8, K::cosine_u8_many, K::cosine_u8_gather, None);
}

pub(crate) fn packed_and_binary_in_numbers_equal_one_by_one() {
    let tile: Tile<i8, u8, i32> = K::dot_i8_u4_tile;
    check(2, exact, K::dot_i8_u4, K::dot_i8_u4_many, K::dot_i8_u4_gather, Some(tile));
    let tile: Tile<i8, u8, i32> = K::dot_i8_u2_tile;
    check(4, exact, K::dot_i8_u2, K::dot_i8_u2_many, K::dot_i8_u2_gather, Some(tile));
    let tile: Tile<u8, u8, u32> = K::hamming_tile;
    check(1, exact, K::hamming, K::hamming_many, K::hamming_gather, Some(tile));
    check::<u8, u8, f32>(1, exact, K::jaccard, K::jaccard_many, K::jaccard_gather, None);
}
