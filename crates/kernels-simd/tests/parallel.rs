//! Products shared among threads against the same in one go, to the bit.

use edgekit_kernels_simd::{
    Activation, Dequantize, Epilogue, GemmScratch, Kernels, Matrix, MatrixMut, Requantize,
    RightOperand, Rows, Weights,
};

#[test]
fn products_in_parallel_equal_products_in_one_go() {
    let values = |n: usize| -> Vec<f32> {
        (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 * 1e-7 - 0.8).collect()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let mut scratch = GemmScratch::default();
    for [m, k, n] in [[0, 9, 9], [1, 700, 900], [50, 900, 300], [299, 450, 340], [25, 30, 5000]] {
        let (a, b, bias) = (values(m * k), values(k * n), values(n));
        let (old, stride) = (values(m * (n + 5)), n + 5);
        let epilogue =
            Epilogue { alpha: 0.5, beta: 0.25, bias: Some(&bias), activation: Activation::Gelu };
        let signed: Vec<i8> = a.iter().map(|x| (x * 127.0) as i8).collect();
        let unsigned: Vec<u8> = signed.iter().map(|x| *x as u8).collect();
        let weights: Vec<i8> = b.iter().map(|x| (x * 127.0) as i8).collect();
        let weights = Rows::new(&weights, k, k);
        let requantize = Requantize {
            scales: &bias,
            bias: &bias,
            activation: Activation::Relu,
            step: 20.0,
            zero_point: 3,
        };
        let (row_scales, zero_points): (Vec<f32>, Vec<i32>) =
            (0..m).map(|i| (0.01 + i as f32, i as i32 % 9 - 4)).unzip();
        let code_sums: Vec<i32> = (0..n as i32).collect();
        let meaning = Dequantize {
            row_scales: &row_scales,
            zero_points: &zero_points,
            scales: &bias,
            code_sums: &code_sums,
            bias: &bias,
        };
        let (signed, unsigned) = (Rows::new(&signed, k, k), Rows::new(&unsigned, k, k));
        for kernels in Kernels::available() {
            let s = &mut scratch;
            let by_rows = [Matrix::new(&a, m, k, k), Matrix::new(&b, k, n, n)];
            let by_columns =
                [Matrix::new(&a, k, m, m).transposed(), Matrix::new(&b, n, k, k).transposed()];
            for [a, b] in [by_rows, by_columns] {
                let packed = kernels.pack(b);
                for b in [b.into(), RightOperand::from(&packed)] {
                    let (mut one, mut many) = (old.clone(), old.clone());
                    kernels.gemm(a, b, MatrixMut::new(&mut one, m, n, stride), epilogue, s);
                    let c = MatrixMut::new(&mut many, m, n, stride);
                    pool.install(|| kernels.gemm_parallel(a, b, c, epilogue, s));
                    assert!(one == many, "{} {m}×{k}×{n}", kernels.isa());
                }
            }
            let packed = kernels.pack_weights(weights);
            for b in [weights.into(), Weights::from(&packed)] {
                let (mut one, mut many) = (vec![0; m * n], vec![0; m * n]);
                kernels.gemm_i8(signed, b, &mut one, s);
                pool.install(|| kernels.gemm_i8_parallel(signed, b, &mut many, s));
                assert!(one == many, "{} {m}×{k}×{n}", kernels.isa());
                kernels.gemm_u8_i8(unsigned, b, &mut one, s);
                pool.install(|| kernels.gemm_u8_i8_parallel(unsigned, b, &mut many, s));
                assert!(one == many, "{} {m}×{k}×{n}", kernels.isa());
                let (mut one, mut many) = (vec![0; m * n], vec![0; m * n]);
                let (o, q) = (&mut one, &mut many);
                kernels.gemm_i8_requantized(signed, b, requantize, o, s);
                pool.install(|| {
                    kernels.gemm_i8_requantized_parallel(signed, b, requantize, q, s);
                });
                assert!(o == q, "{} {m}×{k}×{n}", kernels.isa());
                kernels.gemm_u8_i8_requantized(unsigned, b, requantize, o, s);
                pool.install(|| {
                    kernels.gemm_u8_i8_requantized_parallel(unsigned, b, requantize, q, s);
                });
                assert!(o == q, "{} {m}×{k}×{n}", kernels.isa());
                let (mut one, mut many) = (vec![0.0; m * n], vec![0.0; m * n]);
                let (o, q) = (&mut one, &mut many);
                kernels.gemm_i8_dequantized(signed, b, meaning, Activation::Tanh, o, s);
                pool.install(|| {
                    let tanh = Activation::Tanh;
                    kernels.gemm_i8_dequantized_parallel(signed, b, meaning, tanh, q, s);
                });
                assert!(o == q, "{} {m}×{k}×{n}", kernels.isa());
            }
        }
    }
}
