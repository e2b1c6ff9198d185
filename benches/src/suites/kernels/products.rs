//! Matrix products in operations per second, square and skinny, of floats and of bytes.

use std::cell::RefCell;
use std::rc::Rc;

use edgekit_kernels_simd::{
    Activation, Epilogue, GemmScratch, Isa, Kernels, Matrix, MatrixMut, Rows,
};

use super::{bytes, naive, unsigned, values};
use crate::{Suite, Unit};

/// Rows, steps and columns.
pub(super) const SHAPES: [(&str, [usize; 3]); 5] = [
    ("64", [64, 64, 64]),
    ("256", [256, 256, 256]),
    ("512", [512, 512, 512]),
    ("full/1024", [1024, 1024, 1024]),
    ("32x1024", [32, 1024, 1024]),
];

pub(super) fn declare(suite: &mut Suite) {
    let best = Kernels::get();
    for (name, [m, k, n]) in SHAPES {
        let id = format!("kernels/sgemm/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let (a, b) = (Rc::new(values(m * k, 1)), Rc::new(values(k * n, 2)));
        let room = Rc::new(RefCell::new((vec![0.0; m * n], GemmScratch::default())));
        // All that is compared shares its operands and its room: in other pages, which have other
        // places in the second-level cache, the same product takes up to 5 % more or less.
        let (left, right, to) = (a.clone(), b.clone(), room.clone());
        let product = move |epilogue: Epilogue<'_>| {
            let (a, b) = (Matrix::new(&left, m, k, k), Matrix::new(&right, k, n, n));
            let (c, scratch) = &mut *to.borrow_mut();
            best.gemm(a, b, MatrixMut::new(c, m, n, n), epilogue, scratch);
        };
        product(Epilogue::default());
        for i in [0, m * n / 2 + 3, m * n - 1] {
            let column: Vec<f32> = (0..k).map(|x| b[x * n + i % n]).collect();
            let (want, got) = (naive::dot(&a[i / n * k..][..k], &column), room.borrow().0[i]);
            suite
                .check(&id, (got - want).abs() < 1e-2, || format!("[{i}] {got} instead of {want}"));
        }
        let work = 2.0 * (m * k * n) as f64;
        let run = product.clone();
        rate(suite, format!("{id}/best"), work, move || run(Epilogue::default()));
        let packed = best.pack(Matrix::new(&b, k, n, n));
        let (left, to) = (a.clone(), room.clone());
        rate(suite, format!("{id}/packed"), work, move || {
            let (c, scratch) = &mut *to.borrow_mut();
            let (a, c) = (Matrix::new(&left, m, k, k), MatrixMut::new(c, m, n, n));
            best.gemm(a, &packed, c, Epilogue::default(), scratch);
        });
        if name == "full/1024" {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            let (mut d, mut s) = (vec![0.0; m * n], GemmScratch::default());
            let mut run = move || {
                let (a, b) = (Matrix::new(&a, m, k, k), Matrix::new(&b, k, n, n));
                let to = MatrixMut::new(&mut d, m, n, n);
                best.gemm_parallel(a, b, to, Epilogue::default(), &mut s);
            };
            suite.measure(format!("{id}/parallel-4"), Unit::PerSecond, move || match &pool {
                Ok(pool) => pool.install(|| rate_of(work, &mut run)),
                Err(_) => f64::NAN,
            });
        }
        if name == "64" || name == "32x1024" {
            let bias = values(n, 3);
            let (run, add) = (product.clone(), bias.clone());
            rate(suite, format!("{id}/fused-bias-relu"), work, move || {
                let (bias, activation) = (Some(&add[..]), Activation::Relu);
                run(Epilogue { bias, activation, ..Epilogue::default() });
            });
            rate(suite, format!("{id}/unfused-bias-relu"), work, move || {
                product(Epilogue::default());
                let (c, _) = &mut *room.borrow_mut();
                for row in c.chunks_exact_mut(n) {
                    naive::add_in_place(row, &bias);
                }
                best.relu_in_place(c);
            });
        }
        if n == 256 {
            let mut c = vec![0.0; m * n];
            rate(suite, format!("{id}/loops"), work, move || naive::gemm(&a, &b, &mut c, n));
        }
    }
    for (name, [m, k, n]) in SHAPES {
        let id = format!("kernels/gemm-u8i8/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let (a, b, work) = (unsigned(m * k, 1), bytes(n * k, 2), 2.0 * (m * k * n) as f64);
        // The set without tiles beside the best.
        let lanes = Kernels::for_isa(Isa::Avx512Vnni).filter(|_| best.isa() != Isa::Avx512Vnni);
        for (variant, kernels) in [("packed", Some(best)), ("packed-avx512vnni", lanes)] {
            let Some(kernels) = kernels else { continue };
            let packed = kernels.pack_weights(Rows::new(&b, k, k));
            let (a, mut out) = (a.clone(), zeros(m * n));
            let mut scratch = GemmScratch::default();
            rate(suite, format!("{id}/{variant}"), work, move || {
                kernels.gemm_u8_i8(Rows::new(&a, k, k), &packed, &mut out, &mut scratch);
            });
        }
        let (mut out, mut scratch) = (zeros(m * n), GemmScratch::default());
        best.gemm_u8_i8(Rows::new(&a, k, k), Rows::new(&b, k, k), &mut out, &mut scratch);
        for i in [0, m * n / 2 + 3, m * n - 1] {
            let (a, b) = (&a[i / n * k..][..k], &b[i % n * k..][..k]);
            let want: i32 = a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
            suite.check(&id, out[i] == want, || format!("[{i}] {} instead of {want}", out[i]));
        }
        rate(suite, format!("{id}/best"), work, move || {
            best.gemm_u8_i8(Rows::new(&a, k, k), Rows::new(&b, k, k), &mut out, &mut scratch);
        });
    }
    let (a, x, mut y) = (values(1024 * 1024, 1), values(1024, 2), vec![0.0; 1024]);
    rate(suite, "kernels/gemv/1024/best".into(), 2.0 * 1024.0 * 1024.0, move || {
        best.gemv(1.0, Matrix::new(&a, 1024, 1024, 1024), &x, 0.0, &mut y);
    });
}

/// Room for sums, on a 64-byte boundary as the libraries beside have it.
fn zeros(n: usize) -> aligned_vec::AVec<i32> {
    aligned_vec::AVec::from_iter(64, std::iter::repeat_n(0, n))
}

/// Operations per second, the best of several runs of some milliseconds.
pub(super) fn rate(suite: &mut Suite, id: String, work: f64, mut run: impl FnMut() + 'static) {
    suite.measure(id, Unit::PerSecond, move || rate_of(work, &mut run));
}

pub(super) fn rate_of(work: f64, run: &mut dyn FnMut()) -> f64 {
    let repeat = (2e8 / work).ceil() as u32;
    let best = (0..15).map(|_| {
        let start = std::time::Instant::now();
        (0..repeat).for_each(|_| run());
        start.elapsed()
    });
    work * f64::from(repeat) / best.min().unwrap_or_default().as_secs_f64()
}
