//! What holds for all vectors, on every instruction set.

use edgekit_kernels_simd::{
    Epilogue, GemmScratch, Image, ImageMut, Kernels, Matrix, MatrixMut, ResizeScratch, Rows,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Two vectors of one length, with values over many magnitudes.
fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (0_usize..300).prop_flat_map(|n| (vec(-1e4_f32..1e4, n), vec(-1e-3_f32..1e3, n)))
}

proptest! {
    #[test]
    fn distances_are_symmetric_and_tables_agree((a, b) in pair()) {
        let scalar = Kernels::available().next().unwrap();
        let magnitude = a.iter().zip(&b).map(|(x, y)| (x * y).abs()).sum::<f32>();
        for k in Kernels::available() {
            prop_assert_eq!(k.dot(&a, &b), k.dot(&b, &a));
            prop_assert_eq!(k.l2_squared(&a, &b), k.l2_squared(&b, &a));
            prop_assert_eq!(k.l2_squared(&a, &a), 0.0);
            let bound = 2.0 * a.len() as f32 * f32::EPSILON * magnitude;
            prop_assert!((k.dot(&a, &b) - scalar.dot(&a, &b)).abs() <= bound);
            let cosine = k.cosine(&a, &b);
            prop_assert!((-1.0..=1.0).contains(&cosine));
            let (min, max) = k.min_max(&a).unwrap_or_default();
            prop_assert!(a.iter().all(|&x| min <= x && x <= max));
        }
    }

    #[test]
    fn a_gather_is_a_permutation_of_many(
        dim in 1_usize..70,
        ids in vec(0_u32..9, 0..20),
        seed in any::<u32>(),
    ) {
        let data: Vec<f32> = (0..9 * dim).map(|i| ((i as u32 ^ seed) as f32).sin()).collect();
        let rows = Rows::new(&data, dim, dim);
        for k in Kernels::available() {
            let (mut all, mut some) = ([0.0; 9], vec![0.0; ids.len()]);
            k.dot_many(&data[..dim], rows, &mut all);
            k.dot_gather(&data[..dim], rows, &ids, &mut some);
            for (&id, &got) in ids.iter().zip(&some) {
                prop_assert!((all[id as usize] - got).abs() <= 1e-5 * dim as f32);
            }
        }
    }

    /// A code is worth the value that it was made of to half a step, wherever it does not clip.
    #[test]
    fn codes_are_worth_their_values(
        x in vec(-100_f32..100.0, 0..300),
        step in 1e-3_f32..10.0,
        zero in -100_i8..100,
    ) {
        for k in Kernels::available() {
            let (mut codes, mut back) = (vec![0; x.len()], vec![0.0; x.len()]);
            k.quantize_i8(&x, 1.0 / step, zero, &mut codes);
            k.dequantize_i8(&codes, step, zero, &mut back);
            for i in 0..x.len() {
                let clipped = codes[i] == i8::MIN || codes[i] == i8::MAX;
                let near = (back[i] - x[i]).abs() <= step * 0.500_1 + x[i].abs() * 1e-6;
                prop_assert!(clipped || near, "{} of {}", back[i], x[i]);
            }
        }
    }

    #[test]
    fn products_of_all_tables_agree(
        [m, k, n] in [0_usize..40, 0_usize..70, 0_usize..60],
        seed in any::<u32>(),
    ) {
        let values = |n: usize, salt: u32| -> Vec<f32> {
            (0..n as u32).map(|i| ((i ^ seed).wrapping_add(salt) as f32).sin()).collect()
        };
        let (a, b) = (values(m * k, 1), values(k * n, 2));
        let mut scratch = GemmScratch::default();
        let mut product = |kernels: &Kernels| {
            let mut c = vec![0.0; m * n];
            let (a, b) = (Matrix::new(&a, m, k, k), Matrix::new(&b, k, n, n));
            let to = MatrixMut::new(&mut c, m, n, n);
            kernels.gemm(a, b, to, Epilogue::default(), &mut scratch);
            c
        };
        let want = product(Kernels::available().next().unwrap());
        for kernels in Kernels::available() {
            for (x, y) in product(kernels).iter().zip(&want) {
                prop_assert!((x - y).abs() <= (k * k) as f32 * f32::EPSILON, "{}", kernels.isa());
            }
        }
    }

    #[test]
    fn the_best_are_those_that_sorting_finds(
        a in vec(prop_oneof![Just(f32::NAN), Just(1.0_f32), -1e3_f32..1e3], 0..300),
        count in 0_usize..40,
    ) {
        let mut sorted: Vec<(f32, u32)> = a.iter().copied().zip(0..).collect();
        sorted.retain(|(x, _)| !x.is_nan());
        sorted.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        sorted.truncate(count);
        for k in Kernels::available() {
            let mut best = vec![(0.0, 0); count];
            let found = k.top_k(&a, &mut best);
            prop_assert_eq!(&best[..found], &sorted[..]);
        }
    }

    /// No pixel is darker or lighter than all of the image, and all sets find the same.
    #[test]
    fn images_of_another_size_keep_their_range(
        from in [1_usize..40, 1_usize..40],
        to in [1_usize..60, 1_usize..60],
        channels in prop_oneof![Just(1_usize), Just(3), Just(4)],
        low in 0_u8..100,
        seed in any::<u32>(),
    ) {
        let pixels: Vec<u8> = (0..from[0] * from[1] * channels)
            .map(|i| low + ((i as u32 ^ seed).wrapping_mul(0x9E37_79B9) >> 25) as u8)
            .collect();
        let (least, most) = (*pixels.iter().min().unwrap(), *pixels.iter().max().unwrap());
        let area = to[0] <= from[0] && to[1] <= from[1];
        let mut first = None;
        for k in Kernels::available() {
            let mut out = vec![0; to[0] * to[1] * channels];
            let image = Image::new(&pixels, from, channels, from[0] * channels);
            let result = ImageMut::new(&mut out, to, channels, to[0] * channels);
            if area {
                k.resize_area(image, result, &mut ResizeScratch::default());
            } else {
                k.resize_bilinear(image, result, &mut ResizeScratch::default());
            }
            prop_assert!(out.iter().all(|x| (least..=most).contains(x)), "{}", k.isa());
            prop_assert_eq!(first.get_or_insert_with(|| out.clone()), &out);
        }
    }
}
