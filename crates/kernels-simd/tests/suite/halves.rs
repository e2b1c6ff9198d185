//! Distances of 16-bit floats, and of `f32` with shorter types, against sums in `f64`.

use edgekit_kernels_simd::Kernels;
use half::{bf16, f16};

use super::inputs::{EPSILON, Poison, assert_close, each_pair, sums};

/// Each bit pattern, as the only element and as one of a register.
pub(crate) fn every_half_is_read_exactly() {
    for kernels in Kernels::available() {
        for bits in 0..=u16::MAX {
            let (short, brain) = (f16::from_bits(bits), bf16::from_bits(bits));
            let want = short.to_f32();
            let same = |got: f32, want: f32| got == want || (got.is_nan() && want.is_nan());
            let got = kernels.dot_f32_f16(&[1.0], &[short]);
            assert!(same(got, want), "{}: {got} for {short:?}", kernels.isa());
            let mut register = [f16::ZERO; 16];
            register[usize::from(bits) % 16] = short;
            let got = kernels.dot_f32_f16(&[1.0; 16], &register);
            assert!(same(got, want), "{}: {got} for {short:?}", kernels.isa());

            let want = brain.to_f32();
            let got = kernels.dot_f32_bf16(&[1.0], &[brain]);
            assert!(same(got, want), "{}: {got} for {brain:?}", kernels.isa());
            let mut register = [bf16::ZERO; 16];
            register[usize::from(bits) % 16] = brain;
            let got = kernels.dot_f32_bf16(&[1.0; 16], &register);
            assert!(same(got, want), "{}: {got} for {brain:?}", kernels.isa());
        }
    }
}

type Pair<A, B> = fn(&Kernels, &[A], &[B]) -> f32;

fn check<A, B>(dot: Pair<A, B>, l2: Pair<A, B>)
where
    A: Poison + Into<f64>,
    B: Poison + Into<f64>,
{
    each_pair(|kernels, a: &[A], b: &[B]| {
        let n = a.len();
        let [want, magnitude, square] = sums(a, b);
        let bound = n as f64 * EPSILON * magnitude;
        assert_close(kernels, n, dot(kernels, a, b), want, bound);
        let bound = (n + 2) as f64 * EPSILON * square;
        assert_close(kernels, n, l2(kernels, a, b), square, bound);
    });
}

fn check_cosine<A: Poison + Into<f64>>(cosine: Pair<A, A>) {
    each_pair(|kernels, a: &[A], b: &[A]| {
        let norms = (sums(a, a)[0] * sums(b, b)[0]).sqrt();
        let want = if norms == 0.0 { 0.0 } else { sums(a, b)[0] / norms };
        let bound = 2.0 * (a.len() + 3) as f64 * EPSILON;
        assert_close(kernels, a.len(), cosine(kernels, a, b), want, bound);
    });
}

pub(crate) fn distances_of_halves_are_within_their_bound() {
    check::<f16, f16>(Kernels::dot_f16, Kernels::l2_squared_f16);
    check::<bf16, bf16>(Kernels::dot_bf16, Kernels::l2_squared_bf16);
    check_cosine::<f16>(Kernels::cosine_f16);
    check_cosine::<bf16>(Kernels::cosine_bf16);
}

pub(crate) fn mixed_distances_are_within_their_bound() {
    check::<f32, f16>(Kernels::dot_f32_f16, Kernels::l2_squared_f32_f16);
    check::<f32, bf16>(Kernels::dot_f32_bf16, Kernels::l2_squared_f32_bf16);
    check::<f32, i8>(Kernels::dot_f32_i8, Kernels::l2_squared_f32_i8);
}
