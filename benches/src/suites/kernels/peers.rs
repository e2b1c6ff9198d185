//! The rivals, on the same inputs: simsimd and numkong in C; gemm, matrixmultiply, rten-gemm and
//! rten-vecmath in Rust; PyTorch.
#![allow(unsafe_code, reason = "the rivals' matrix products take raw pointers")]

use std::hint::black_box;

use edgekit_kernels_simd::Kernels;
use rten_simd::{SimdOp, SimdUnaryOp};

use super::products::{SHAPES, rate, rate_of};
use super::{bytes, python, unsigned, values};
use crate::suites::quantize::python::Python;
use crate::{Suite, Unit};

const LENGTHS: [usize; 7] = [16, 31, 100, 128, 384, 768, 4096];

pub(super) fn declare(suite: &mut Suite) {
    for n in LENGTHS {
        distances(suite, n);
    }
    geometric_means(suite);
    shorter(suite);
    activations(suite);
    products(suite);
    packed_products(suite);
}

fn distances(suite: &mut Suite, n: usize) {
    let (a, b) = (values(n, 1), values(n, 2));
    type Rival = fn(&[f32], &[f32]) -> f64;
    let simsimd: [(&str, Rival); 3] = [
        ("dot", |a, b| <f32 as simsimd::SpatialSimilarity>::dot(a, b).unwrap_or(f64::NAN)),
        ("l2", |a, b| <f32 as simsimd::SpatialSimilarity>::l2sq(a, b).unwrap_or(f64::NAN)),
        ("cosine", |a, b| <f32 as simsimd::SpatialSimilarity>::cos(a, b).unwrap_or(f64::NAN)),
    ];
    for (name, rival) in simsimd {
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/{name}/{n}/simsimd"), move || {
            rival(black_box(&x), black_box(&y))
        });
    }
    let (x, y) = (a.clone(), b.clone());
    suite.time(format!("kernels/dot/{n}/numkong"), move || {
        <f32 as numkong::Dot>::dot(black_box(&x), black_box(&y))
    });
    let (x, y) = (a.clone(), b.clone());
    suite.time(format!("kernels/l2/{n}/numkong"), move || {
        <f32 as numkong::Euclidean>::sqeuclidean(black_box(&x), black_box(&y))
    });
    suite.time(format!("kernels/cosine/{n}/numkong"), move || {
        <f32 as numkong::Angular>::angular(black_box(&a), black_box(&b))
    });
}

/// How many times as fast as a rival over all lengths, each length counting alike.
fn geometric_means(suite: &mut Suite) {
    type Distance = fn(&[f32], &[f32]);
    macro_rules! of {
        ($($name:literal $ours:ident, $simsimd:ident, $numkong:ident $method:ident;)*) => {
            [$(
                (
                    $name,
                    (|a, b| _ = black_box(Kernels::get().$ours(a, b))) as Distance,
                    [
                        ("simsimd", (|a, b| {
                            _ = black_box(<f32 as simsimd::SpatialSimilarity>::$simsimd(a, b));
                        }) as Distance),
                        ("numkong", |a, b| {
                            _ = black_box(<f32 as numkong::$numkong>::$method(a, b));
                        }),
                    ],
                ),
            )*]
        };
    }
    let all = of! {
        "dot" dot, dot, Dot dot;
        "l2" l2_squared, l2sq, Euclidean sqeuclidean;
        "cosine" cosine, cos, Angular angular;
    };
    for (name, ours, rivals) in all {
        for (rival, theirs) in rivals {
            let id = format!("kernels/{name}/geometric-mean/{rival}");
            suite.measure(id, Unit::Ratio, move || {
                let logarithms = LENGTHS.map(|n| {
                    let (a, b) = (values(n, 1), values(n, 2));
                    // In turns, and the best of each, since others use the machine as well.
                    let mut best = [f64::INFINITY; 2];
                    for _ in 0..40 {
                        for (best, distance) in best.iter_mut().zip([theirs, ours]) {
                            let calls = 100_000 / n;
                            let start = std::time::Instant::now();
                            for _ in 0..calls {
                                distance(black_box(&a), black_box(&b));
                            }
                            *best = best.min(start.elapsed().as_secs_f64() / calls as f64);
                        }
                    }
                    (best[0] / best[1]).ln()
                });
                (logarithms.iter().sum::<f64>() / LENGTHS.len() as f64).exp()
            });
        }
    }
}

fn shorter(suite: &mut Suite) {
    for n in [128, 768, 4096] {
        let (a, b) = (bytes(n, 1), bytes(n, 2));
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/dot-i8/{n}/simsimd"), move || {
            <i8 as simsimd::SpatialSimilarity>::dot(black_box(&x), black_box(&y))
        });
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/dot-i8/{n}/numkong"), move || {
            <i8 as numkong::Dot>::dot(black_box(&x), black_box(&y))
        });
        let (x, y) = (a.clone(), b.clone());
        suite.time(format!("kernels/cosine-i8/{n}/simsimd"), move || {
            <i8 as simsimd::SpatialSimilarity>::cos(black_box(&x), black_box(&y))
        });
        suite.time(format!("kernels/cosine-i8/{n}/numkong"), move || {
            <i8 as numkong::Angular>::angular(black_box(&a), black_box(&b))
        });
    }
    let (a, b) = (values(768, 1), values(768, 2));
    let halves = |x: &[f32]| -> Vec<numkong::f16> {
        x.iter().map(|&x| numkong::f16(half::f16::from_f32(x).to_bits())).collect()
    };
    let brains = |x: &[f32]| -> Vec<numkong::bf16> {
        x.iter().map(|&x| numkong::bf16(half::bf16::from_f32(x).to_bits())).collect()
    };
    let (x, y) = (halves(&a), halves(&b));
    suite.time("kernels/dot-f16/768/numkong", move || {
        <numkong::f16 as numkong::Dot>::dot(black_box(&x), black_box(&y))
    });
    let (x, y) = (brains(&a), brains(&b));
    suite.time("kernels/dot-bf16/768/numkong", move || {
        <numkong::bf16 as numkong::Dot>::dot(black_box(&x), black_box(&y))
    });
    for bits in [4096, 16_384] {
        let (x, y) = (unsigned(bits / 8, 1), unsigned(bits / 8, 2));
        suite.time(format!("kernels/hamming/{bits}/simsimd"), move || {
            <u8 as simsimd::BinarySimilarity>::hamming(black_box(&x), black_box(&y))
        });
        let set = |seed| {
            let bytes = bytes(bits / 8, seed);
            aligned_vec::AVec::<_>::from_iter(64, bytes.iter().map(|&x| numkong::u1x8(x as u8)))
        };
        let (x, y) = (set(1), set(2));
        suite.time(format!("kernels/hamming/{bits}/numkong"), move || {
            <numkong::u1x8 as numkong::Hamming>::hamming(black_box(&x), black_box(&y))
        });
    }
}

fn activations(suite: &mut Suite) {
    let x: Vec<f32> = values(4096, 1).iter().map(|x| 8.0 * x).collect();
    macro_rules! rten {
        ($($name:literal $op:expr;)*) => {$(
            let (a, mut out) = (x.clone(), Vec::with_capacity(4096));
            suite.time(concat!("kernels/", $name, "/4096/rten-vecmath"), move || {
                out.clear();
                $op.map(black_box(&a), &mut out.spare_capacity_mut()[..4096]);
            });
        )*};
    }
    rten! {
        "exp" rten_vecmath::Exp {};
        "tanh" rten_vecmath::Tanh {};
        "sigmoid" rten_vecmath::Sigmoid {};
        "gelu" rten_vecmath::Gelu {};
    }
    for (id, what) in [
        ("kernels/exp/4096/torch", "exp"),
        ("kernels/tanh/4096/torch", "tanh"),
        ("kernels/sigmoid/4096/torch", "sigmoid"),
        ("kernels/gelu/4096/torch", "gelu"),
        ("kernels/softmax/4096/torch", "softmax"),
        ("kernels/min-max/4096/torch", "min-max"),
    ] {
        python::time(suite, id, "activations.py", what);
    }
    let mut out = Vec::with_capacity(4096);
    suite.time("kernels/softmax/4096/rten-vecmath", move || {
        out.clear();
        let to = &mut out.spare_capacity_mut()[..4096];
        rten_vecmath::Softmax::new(black_box(&x), to).dispatch().len()
    });
}

fn products(suite: &mut Suite) {
    for (name, [m, k, n]) in SHAPES {
        let id = format!("kernels/sgemm/{name}");
        if !suite.wants(&id) {
            continue;
        }
        let work = 2.0 * (m * k * n) as f64;
        let (a, b, mut c) = (values(m * k, 1), values(k * n, 2), vec![0.0_f32; m * n]);
        rate(suite, format!("{id}/gemm"), work, move || {
            let (k, n) = (k as isize, n as isize);
            // SAFETY: three matrices stored row by row, of the sizes given.
            unsafe {
                gemm::gemm(
                    m,
                    n as usize,
                    k as usize,
                    c.as_mut_ptr(),
                    1,
                    n,
                    false,
                    a.as_ptr(),
                    1,
                    k,
                    b.as_ptr(),
                    1,
                    n,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        });
        let (a, b, mut c) = (values(m * k, 1), values(k * n, 2), vec![0.0_f32; m * n]);
        rate(suite, format!("{id}/matrixmultiply"), work, move || {
            let (p, q) = (k as isize, n as isize);
            // SAFETY: three matrices stored row by row, of the sizes given.
            unsafe {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                matrixmultiply::sgemm(m, k, n, 1.0, a, p, 1, b, q, 1, 0.0, c, q, 1);
            }
        });
    }
}

/// rten-gemm with its right operand packed before, on one thread like all others.
fn packed_products(suite: &mut Suite) {
    use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
    use rten_tensor::NdTensorView;

    macro_rules! rten {
        ($id:expr, $shape:expr, $a:expr, $b:expr, $out:ty, $executor:ty) => {{
            let (id, [m, k, n]) = ($id, $shape);
            if suite.wants(&id) {
                let zeros = std::iter::repeat_n(<$out>::default(), m * n);
                let (a, b, mut c) = ($a, $b, aligned_vec::AVec::<$out>::from_iter(64, zeros));
                let mut run = move || {
                    let executor = <$executor>::default();
                    let packed = executor.prepack_b(NdTensorView::from_data([k, n], &b[..]));
                    rate_of(2.0 * (m * k * n) as f64, &mut || {
                        let a = GemmInputA::Unpacked(NdTensorView::from_data([m, k], &a[..]));
                        let b = GemmInputB::Packed(&packed);
                        let done = executor.gemm(&mut c, a, b, GemmOptions::default());
                        assert!(done.is_ok());
                    })
                };
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
                suite.measure(format!("{id}/rten-packed"), Unit::PerSecond, move || match &pool {
                    Ok(pool) => pool.install(&mut run),
                    Err(_) => f64::NAN,
                });
            }
        }};
    }
    for (name, shape) in SHAPES {
        let [m, k, n] = shape;
        let (a, b) = (values(m * k, 1), values(k * n, 2));
        rten!(format!("kernels/sgemm/{name}"), shape, a, b, f32, GemmExecutor<f32, f32, f32>);
        let a = unsigned(m * k, 1);
        let id = format!("kernels/gemm-u8i8/{name}");
        rten!(id, shape, a, bytes(k * n, 2), i32, GemmExecutor<u8, i8, i32>);
    }
    // Of the shapes that are square; the medians of a process of its own.
    for (name, [m, _, n]) in SHAPES.into_iter().filter(|(_, [m, _, n])| m == n && *n > 64) {
        let (id, case) = (format!("kernels/gemm-u8i8/{name}"), format!("onnxruntime/{n}"));
        if suite.wants(&id) {
            let work = 2.0 * (m * n * n) as f64;
            Python::of(&[&case]).rate(suite, &format!("{id}/onnxruntime"), &case, work);
        }
    }
}
