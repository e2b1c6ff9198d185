//! What holds for all vectors, on every instruction set.

use edgekit_kernels_simd::{Kernels, Rows};
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
}
