//! Keeping a short list in order, against sorting it.

use edgekit_kernels_simd::Kernels;

use super::inputs::Values;

pub(crate) fn insert_sorted_equals_sorting() {
    let mut values = Values::new(9);
    for kernels in Kernels::available() {
        for n in 0..=257 {
            // Few different values, so that some are equal; and the least and the greatest there are.
            let draw: Vec<u8> = (0..n + 8).map(|_| (values.next() >> 56) as u8).collect();
            let wide = |&byte: &u8| match byte {
                0..8 => 0,
                248.. => u64::MAX,
                _ => u64::from(byte / 2) << 40 | 1,
            };
            let mut list: Vec<u64> = draw[8..].iter().map(wide).collect();
            list.sort_unstable();
            let inserted = draw[..8].iter().map(wide).chain([0, u64::MAX, 1 << 63]);
            for value in inserted {
                let mut want = list.clone();
                let place = list.partition_point(|&other| other < value);
                want.insert(place, value);
                want.truncate(n);
                let found = kernels.insert_sorted(&mut list, value);
                assert_eq!((found, &list), (place, &want), "{} {n}: {value}", kernels.isa());
            }
        }
    }
}
