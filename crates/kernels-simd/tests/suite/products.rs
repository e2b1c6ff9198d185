//! Matrix products against three loops in `f64` and `i64`.

use edgekit_kernels_simd::{
    Activation, Dequantize, Epilogue, GemmScratch, Kernels, Matrix, MatrixMut, Requantize,
    RightOperand, Rows, Weights,
};

use super::inputs::{EPSILON, Values};

/// Shapes around the sizes of blocks, empty ones, and one that needs several of every block.
fn shapes() -> impl Iterator<Item = [usize; 3]> {
    let sizes = [0, 1, 2, 5, 8, 9, 17, 33, 49];
    let small = sizes.into_iter().flat_map(move |m| {
        sizes.into_iter().flat_map(move |k| sizes.into_iter().map(move |n| [m, k, n]))
    });
    small.chain([
        [3, 600, 100],
        [490, 260, 50],
        [1, 513, 97],
        [70, 3, 1024],
        [530, 5, 64],
        [97, 390, 545],
    ])
}

/// A matrix in rows of `stride`, or its transpose stored that way.
struct Stored {
    data: Vec<f32>,
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl Stored {
    fn new(values: &mut Values, rows: usize, cols: usize, transposed: bool) -> Self {
        let (r, c) = if transposed { (cols, rows) } else { (rows, cols) };
        Stored { data: values.f32s(r * (c + 3)), rows, cols, transposed }
    }

    fn view(&self) -> Matrix<'_> {
        if self.transposed {
            Matrix::new(&self.data, self.cols, self.rows, self.rows + 3).transposed()
        } else {
            Matrix::new(&self.data, self.rows, self.cols, self.cols + 3)
        }
    }

    fn at(&self, row: usize, col: usize) -> f64 {
        f64::from(if self.transposed {
            self.data[col * (self.rows + 3) + row]
        } else {
            self.data[row * (self.cols + 3) + col]
        })
    }
}

pub(crate) fn gemm_is_within_its_bound() {
    let mut values = Values::new(10);
    let mut scratch = GemmScratch::default();
    for (turn, [m, k, n]) in shapes().enumerate() {
        let a = Stored::new(&mut values, m, k, turn % 2 == 1);
        let b = Stored::new(&mut values, k, n, turn % 4 >= 2);
        let (old, bias) = (values.f32s(m * (n + 2)), values.f32s(n));
        let epilogue = Epilogue {
            alpha: [1.0, -0.5][turn % 2],
            beta: [0.0, 1.0, 0.3][turn % 3],
            bias: (turn % 5 < 3).then_some(&bias[..]),
            activation: [Activation::Identity, Activation::Relu][turn / 3 % 2],
        };
        for kernels in Kernels::available() {
            // With beta 0 the old values must not be read: they may be NaN.
            let mut c = if epilogue.beta == 0.0 { vec![f32::NAN; old.len()] } else { old.clone() };
            let out = MatrixMut::new(&mut c, m, n, n + 2);
            kernels.gemm(a.view(), b.view(), out, epilogue, &mut scratch);
            for i in 0..m {
                for j in 0..n {
                    let terms = || (0..k).map(|x| a.at(i, x) * b.at(x, j));
                    let old = f64::from(old[i * (n + 2) + j]) * f64::from(epilogue.beta);
                    let bias = epilogue.bias.map_or(0.0, |bias| f64::from(bias[j]));
                    let want = f64::from(epilogue.alpha) * terms().sum::<f64>() + old + bias;
                    let relu = epilogue.activation == Activation::Relu;
                    let want = if relu { want.max(0.0) } else { want };
                    let size = terms().map(f64::abs).sum::<f64>() + old.abs() + bias.abs();
                    let got = f64::from(c[i * (n + 2) + j]);
                    let near = (got - want).abs() <= (k + 4) as f64 * EPSILON * size;
                    assert!(near, "{} {m}×{k}×{n} [{i}, {j}]: {got}, {want}", kernels.isa());
                }
                // Between the rows nothing is written.
                let gap = &c[i * (n + 2) + n..(i + 1) * (n + 2)];
                let kept = &old[i * (n + 2) + n..(i + 1) * (n + 2)];
                assert!(gap == kept || gap.iter().all(|x| x.is_nan()), "{}", kernels.isa());
            }
        }
    }
}

const ACTIVATIONS: [Activation; 10] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Elu { alpha: 0.7 },
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Softplus,
];

/// Each of the two is what it replaces, to the bit.
pub(crate) fn packed_and_activated_gemm_equal_plain_and_apart() {
    let mut values = Values::new(15);
    let mut scratch = GemmScratch::default();
    let shapes = [[1, 0, 5], [7, 9, 49], [80, 33, 64], [65, 300, 110], [150, 20, 17]];
    for [m, k, n] in shapes {
        for transposed in [false, true] {
            let a = Stored::new(&mut values, m, k, transposed);
            let b = Stored::new(&mut values, k, n, transposed);
            let bias = values.f32s(n);
            for kernels in Kernels::available() {
                let packed = kernels.pack(b.view());
                assert_eq!((packed.rows(), packed.cols()), (k, n));
                for activation in ACTIVATIONS {
                    let epilogue =
                        Epilogue { bias: Some(&bias), activation, ..Epilogue::default() };
                    let mut c = vec![0.0; m * n];
                    let to = MatrixMut::new(&mut c, m, n, n);
                    kernels.gemm(a.view(), &packed, to, epilogue, &mut scratch);
                    let apart = Epilogue { activation: Activation::Identity, ..epilogue };
                    let mut want = vec![0.0; m * n];
                    let to = MatrixMut::new(&mut want, m, n, n);
                    kernels.gemm(a.view(), b.view(), to, apart, &mut scratch);
                    kernels.activate(activation, &mut want);
                    assert_eq!(c, want, "{} {m}×{k}×{n} {activation:?}", kernels.isa());
                }
            }
        }
    }
}

/// A row's results depend neither on how many there are nor on whether the columns were packed,
/// though few rows read them where they are.
pub(crate) fn few_rows_of_gemm_equal_the_same_among_many() {
    let mut values = Values::new(16);
    let mut scratch = GemmScratch::default();
    // More than a block each way, and a rest that fills no register.
    let (m, k, n) = (101, 700, 597);
    let (a, b) = (values.f32s(m * k), values.f32s(k * n));
    for kernels in Kernels::available() {
        let mut product = |first: usize, rows: usize, b: RightOperand<'_>| {
            let mut c = vec![0.0; rows * n];
            let a = Matrix::new(&a[first * k..], rows, k, k);
            let to = MatrixMut::new(&mut c, rows, n, n);
            kernels.gemm(a, b, to, Epilogue::default(), &mut scratch);
            c
        };
        let plain = Matrix::new(&b, k, n, n);
        let packed = kernels.pack(plain);
        let all = product(0, m, plain.into());
        assert_eq!(all, product(0, m, (&packed).into()), "{}", kernels.isa());
        for (first, rows) in [(0, 1), (3, 7), (90, 11)] {
            let some = &all[first * n..][..rows * n];
            assert_eq!(some, product(first, rows, plain.into()), "{}", kernels.isa());
            assert_eq!(some, product(first, rows, (&packed).into()), "{}", kernels.isa());
        }
    }
}

pub(crate) fn gemv_is_within_its_bound() {
    let mut values = Values::new(11);
    for (turn, [m, _, n]) in shapes().enumerate() {
        let a = Stored::new(&mut values, m, n, false);
        let (x, y) = (values.f32s(n), values.f32s(m));
        let beta = [0.0, 1.0, -0.7][turn % 3];
        for kernels in Kernels::available() {
            let check = |got: &[f32], x: &[f32], y: &[f32], at: &dyn Fn(usize, usize) -> f64| {
                for (i, &got) in got.iter().enumerate() {
                    let term = |j: usize| 0.5 * at(i, j) * f64::from(x[j]);
                    let old = f64::from(beta) * f64::from(y[i]);
                    let want = (0..x.len()).map(term).sum::<f64>() + old;
                    let size = (0..x.len()).map(|j| term(j).abs()).sum::<f64>() + old.abs();
                    let near =
                        (f64::from(got) - want).abs() <= (x.len() + 4) as f64 * EPSILON * size;
                    assert!(near, "{} {m}×{n} [{i}]: {got}, {want}", kernels.isa());
                }
            };
            let start = |y: &[f32]| if beta == 0.0 { vec![f32::NAN; y.len()] } else { y.to_vec() };
            let mut got = start(&y);
            kernels.gemv(0.5, a.view(), &x, beta, &mut got);
            check(&got, &x, &y, &|i, j| a.at(i, j));
            let mut got = start(&x);
            kernels.gemv_transposed(0.5, a.view(), &y, beta, &mut got);
            check(&got, &y, &x, &|i, j| a.at(j, i));
        }
    }
}

fn product<T: Copy + Into<i32>>(a: &[T], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| x.into() * i32::from(y)).sum()
}

/// Those of [`shapes`], and sizes around those of tiles.
fn shapes_of_bytes() -> impl Iterator<Item = [usize; 3]> {
    let heights = [1, 8, 15, 16, 17, 31, 32, 33, 65];
    let widths = [1, 15, 16, 17, 31, 32, 33, 49];
    let tiles = heights.into_iter().flat_map(move |m| {
        [63, 64, 65, 256, 260, 321]
            .into_iter()
            .flat_map(move |k| widths.into_iter().map(move |n| [m, k, n]))
    });
    shapes().filter(|shape| shape[1] > 0).chain(tiles)
}

pub(crate) fn gemm_of_bytes_is_exact() {
    let mut values = Values::new(12);
    let mut scratch = GemmScratch::default();
    for (turn, [m, k, n]) in shapes_of_bytes().enumerate() {
        let (mut signed, mut unsigned): (Vec<i8>, Vec<u8>) = (values.of(m * k), values.of(m * k));
        let mut weights: Vec<i8> = values.of(n * k);
        if turn % 3 == 0 {
            signed.fill(-128);
            unsigned.fill(255);
            weights.fill(-128);
        }
        let b = Rows::new(&weights, k, k);
        let scales: Vec<f32> = (0..n).map(|_| values.f32() * 0.01).collect();
        let bias: Vec<f32> = (0..n).map(|_| values.f32() * 20.0).collect();
        let step = [1.0, 0.3][turn % 2];
        let activation = [Activation::Identity, Activation::Relu][turn / 2 % 2];
        let (scales, bias) = (&scales[..], &bias[..]);
        let requantize = Requantize { scales, bias, activation, step, zero_point: -7 };
        let byte = |(i, sum): (usize, &i32)| -> i8 {
            let value = *sum as f32 * scales[i % n] + bias[i % n];
            let value = if turn / 2 % 2 == 1 { value.max(0.0) } else { value };
            ((value / step).round_ties_even() - 7.0).clamp(-128.0, 127.0) as i8
        };
        let (signed, unsigned) = (Rows::new(&signed, k, k), Rows::new(&unsigned, k, k));
        let cells = || (0..m * n).map(|i| (i / n, b.get(i % n).unwrap()));
        let sums_i8: Vec<i32> = cells().map(|(i, b)| product(signed.get(i).unwrap(), b)).collect();
        let sums_u8: Vec<i32> =
            cells().map(|(i, b)| product(unsigned.get(i).unwrap(), b)).collect();
        let bytes_i8: Vec<i8> = sums_i8.iter().enumerate().map(byte).collect();
        let bytes_u8: Vec<i8> = sums_u8.iter().enumerate().map(byte).collect();
        for kernels in Kernels::available() {
            let (mut sums, mut bytes) = (vec![0; m * n], vec![0; m * n]);
            let packed = kernels.pack_weights(b);
            assert_eq!((packed.len(), packed.dim()), (n, k));
            for weights in [Weights::from(b), Weights::from(&packed)] {
                let what = format!("{} {m}×{k}×{n}", kernels.isa());
                kernels.gemm_i8(signed, weights, &mut sums, &mut scratch);
                assert_eq!(sums, sums_i8, "{what}");
                kernels.gemm_i8_requantized(signed, weights, requantize, &mut bytes, &mut scratch);
                assert_eq!(bytes, bytes_i8, "{what}");
                kernels.gemm_u8_i8(unsigned, weights, &mut sums, &mut scratch);
                assert_eq!(sums, sums_u8, "{what}");
                let scratch = &mut scratch;
                kernels.gemm_u8_i8_requantized(unsigned, weights, requantize, &mut bytes, scratch);
                assert_eq!(bytes, bytes_u8, "{what}");
            }
        }
    }
}

/// As many steps as may be, of the bytes that are farthest from zero.
pub(crate) fn the_largest_sums_of_bytes_are_exact() {
    const SIGNED: usize = 131_071;
    const UNSIGNED: usize = 65_793;
    let mut scratch = GemmScratch::default();
    let (lows, highs) = (vec![-128_i8; 2 * SIGNED], vec![255_u8; 3 * UNSIGNED]);
    for kernels in Kernels::available() {
        let weights = Rows::new(&lows, SIGNED, SIGNED);
        let mut sums = [0; 4];
        kernels.gemm_i8(weights, weights, &mut sums, &mut scratch);
        assert_eq!(sums, [128 * 128 * SIGNED as i32; 4], "{}", kernels.isa());
        let rows = Rows::new(&highs, UNSIGNED, UNSIGNED);
        let weights = Rows::new(&lows[..2 * UNSIGNED], UNSIGNED, UNSIGNED);
        let mut sums = [0; 6];
        kernels.gemm_u8_i8(rows, weights, &mut sums, &mut scratch);
        assert_eq!(sums, [-255 * 128 * UNSIGNED as i32; 6], "{}", kernels.isa());
    }
}

/// Fused, they are what the kernels make of the sums one after the other.
pub(crate) fn dequantized_products_equal_those_apart() {
    let mut values = Values::new(16);
    let mut scratch = GemmScratch::default();
    for (turn, [m, k, n]) in
        [[0, 9, 4], [3, 5, 0], [1, 70, 33], [2, 64, 49], [100, 300, 65], [530, 8, 17]]
            .into_iter()
            .enumerate()
    {
        let (a, b): (Vec<i8>, Vec<i8>) = (values.of(m * k), values.of(n * k));
        let zero_points: Vec<i32> = values.of(m).iter().map(|&x: &i8| i32::from(x)).collect();
        let sum = |row: &[i8]| row.iter().map(|&x| i32::from(x)).sum();
        let code_sums: Vec<i32> = b.chunks(k).map(sum).collect();
        let (row_scales, scales, bias) = (values.f32s(m), values.f32s(n), values.f32s(n));
        let meaning = Dequantize {
            row_scales: &row_scales,
            zero_points: &zero_points,
            scales: &scales,
            code_sums: &code_sums,
            bias: &bias,
        };
        let (a, b) = (Rows::new(&a, k, k), Rows::new(&b, k, k));
        for kernels in Kernels::available() {
            let mut sums = vec![0; m * n];
            kernels.gemm_i8(a, b, &mut sums, &mut scratch);
            for activation in ACTIVATIONS {
                let mut want = vec![0.0; m * n];
                kernels.dequantize_sums(&sums, meaning, &mut want);
                kernels.activate(activation, &mut want);
                let mut out = vec![7.0; m * n];
                kernels.gemm_i8_dequantized(a, b, meaning, activation, &mut out, &mut scratch);
                let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&out), bits(&want), "{} {turn} {activation:?}", kernels.isa());
            }
        }
    }
}

/// With every activation, and with scales and biases that are no numbers.
pub(crate) fn requantized_products_equal_those_apart() {
    let mut values = Values::new(19);
    let mut scratch = GemmScratch::default();
    for [m, k, n] in [[0, 9, 4], [3, 5, 0], [1, 70, 33], [2, 64, 49], [100, 300, 65], [530, 8, 17]]
    {
        let (signed, unsigned, b): (Vec<i8>, Vec<u8>, Vec<i8>) =
            (values.of(m * k), values.of(m * k), values.of(n * k));
        let mut scales: Vec<f32> = (0..n).map(|_| values.f32() * 1e-3).collect();
        let mut bias: Vec<f32> = (0..n).map(|_| values.f32() * 4.0).collect();
        for at in (5..n).step_by(7) {
            scales[at] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][at % 3];
            bias[at - 1] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][at / 7 % 3];
        }
        let (signed, unsigned) = (Rows::new(&signed, k, k), Rows::new(&unsigned, k, k));
        let b = Rows::new(&b, k, k);
        for kernels in Kernels::available() {
            for activation in ACTIVATIONS {
                let (step, zero_point) = (0.03, 11);
                let requantize =
                    Requantize { scales: &scales, bias: &bias, activation, step, zero_point };
                let apart = |sums: &[i32]| -> Vec<i8> {
                    let worth = |(i, sum): (usize, &i32)| *sum as f32 * scales[i % n] + bias[i % n];
                    let mut values: Vec<f32> = sums.iter().enumerate().map(worth).collect();
                    kernels.activate(activation, &mut values);
                    let byte = |value: f32| {
                        let byte = (value / step).round_ties_even() + zero_point as f32;
                        if byte.is_nan() { -128 } else { byte.clamp(-128.0, 127.0) as i8 }
                    };
                    values.into_iter().map(byte).collect()
                };
                let (mut sums, mut out) = (vec![0; m * n], vec![7; m * n]);
                kernels.gemm_i8(signed, b, &mut sums, &mut scratch);
                kernels.gemm_i8_requantized(signed, b, requantize, &mut out, &mut scratch);
                assert_eq!(out, apart(&sums), "{} {m}×{k}×{n} {activation:?}", kernels.isa());
                kernels.gemm_u8_i8(unsigned, b, &mut sums, &mut scratch);
                kernels.gemm_u8_i8_requantized(unsigned, b, requantize, &mut out, &mut scratch);
                assert_eq!(out, apart(&sums), "{} {m}×{k}×{n} {activation:?}", kernels.isa());
            }
        }
    }
}
