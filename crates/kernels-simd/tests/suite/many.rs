//! One query against many rows equals one call for each.

use edgekit_kernels_simd::{Kernels, Rows};

use super::inputs::{EPSILON, Values, assert_close};

const ROWS: usize = 11;

fn each_shape(mut check: impl FnMut(&Kernels, &[f32], Rows<'_, f32>)) {
    let mut values = Values::new(5);
    for dim in (1..=130).chain([255, 256, 257, 384, 521]) {
        for gap in [0, 1, 5] {
            let query = values.f32s(dim);
            // Between the rows, and nowhere else, are NaNs.
            let mut data = Vec::new();
            for _ in 0..ROWS {
                data.extend(values.f32s(dim));
                data.extend(vec![f32::NAN; gap]);
            }
            let rows = Rows::new(&data, dim, dim + gap);
            assert_eq!(rows.len(), ROWS);
            // A last row without its gap is a row.
            let data = &data[..data.len() - gap];
            let rows = Rows::new(data, rows.dim(), rows.stride());
            assert_eq!(rows.len(), ROWS);
            for kernels in Kernels::available() {
                check(kernels, &query, rows);
            }
        }
    }
}

#[track_caller]
fn same(kernels: &Kernels, query: &[f32], row: &[f32], dot: f32, l2: f32) {
    let pairs = || query.iter().zip(row).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    let bound = (query.len() + 2) as f64 * EPSILON;
    let magnitude: f64 = pairs().map(|(x, y)| (x * y).abs()).sum();
    let want: f64 = pairs().map(|(x, y)| x * y).sum();
    assert_close(kernels, query.len(), dot, want, bound * magnitude);
    let want: f64 = pairs().map(|(x, y)| (x - y).powi(2)).sum();
    assert_close(kernels, query.len(), l2, want, bound * want);
}

pub(crate) fn many_equals_one_by_one() {
    each_shape(|kernels, query, all| {
        for n in 0..=ROWS {
            // The first n rows: the last of them has no stride behind it.
            let data: Vec<f32> = (0..n).flat_map(|i| all.get(i).unwrap().iter().copied()).collect();
            let rows = Rows::new(&data, all.dim(), all.dim());
            let (mut dot, mut l2) = (vec![f32::NAN; n], vec![f32::NAN; n]);
            kernels.dot_many(query, rows, &mut dot);
            kernels.l2_squared_many(query, rows, &mut l2);
            for i in 0..n {
                same(kernels, query, rows.get(i).unwrap(), dot[i], l2[i]);
            }
        }
        let (mut dot, mut l2) = ([f32::NAN; ROWS], [f32::NAN; ROWS]);
        kernels.dot_many(query, all, &mut dot);
        kernels.l2_squared_many(query, all, &mut l2);
        for i in 0..ROWS {
            same(kernels, query, all.get(i).unwrap(), dot[i], l2[i]);
        }
    });
}

pub(crate) fn gather_equals_one_by_one() {
    let ids = [10, 0, 3, 3, 7, 1, 10, 2, 5, 0, 9, 4, 6];
    each_shape(|kernels, query, rows| {
        for n in 0..=ids.len() {
            let ids = &ids[..n];
            let (mut dot, mut l2) = (vec![f32::NAN; n], vec![f32::NAN; n]);
            kernels.dot_gather(query, rows, ids, &mut dot);
            kernels.l2_squared_gather(query, rows, ids, &mut l2);
            for (i, &id) in ids.iter().enumerate() {
                same(kernels, query, rows.get(id as usize).unwrap(), dot[i], l2[i]);
            }
        }
    });
}
