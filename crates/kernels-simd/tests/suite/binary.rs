//! Packed sets against counting bytes.

use super::inputs::each_pair;

pub(crate) fn hamming_and_jaccard_are_exact() {
    each_pair(|kernels, a: &[u8], b: &[u8]| {
        let count = |join: fn(u8, u8) -> u8| -> u32 {
            a.iter().zip(b).map(|(&x, &y)| join(x, y).count_ones()).sum()
        };
        assert_eq!(kernels.hamming(a, b), count(|x, y| x ^ y), "{}", kernels.isa());
        let (both, any) = (count(|x, y| x & y), count(|x, y| x | y));
        let want = if any == 0 { 1.0 } else { both as f32 / any as f32 };
        assert_eq!(kernels.jaccard(a, b), want, "{}", kernels.isa());
        assert_eq!(kernels.hamming(a, a), 0);
        assert_eq!(kernels.jaccard(a, a), 1.0);
    });
}
