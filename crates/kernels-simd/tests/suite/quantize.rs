//! Codes, halves and ranges against their definitions, one value at a time.

use edgekit_kernels_simd::{Dequantize, Kernels};
use half::{bf16, f16};

use super::inputs::{Placed, Poison, Values, lengths};

/// The definition of a code, with a rounding that is the standard library's.
fn code(x: f32, inverse: f32, zero: i32, lowest: i32, highest: i32) -> i32 {
    let rounded = f64::from((x * inverse).round_ties_even()) + f64::from(zero);
    if rounded.is_nan() {
        return lowest;
    }
    rounded.clamp(f64::from(lowest), f64::from(highest)) as i32
}

/// Values around each code, exact ties among them, and what is far outside.
fn awkward(n: usize, values: &mut Values) -> Vec<f32> {
    const FAR: [f32; 9] =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e-40, -0.0, 1e9, -1e9];
    let mut value = |i: usize| match values.next() % 4 {
        0 => FAR[i % FAR.len()],
        1 => ((values.next() % 1200) as f32 - 600.0) * 0.5,
        _ => values.f32() * 300.0,
    };
    (0..n).map(&mut value).collect()
}

/// Calls `check` with every table, length and some offsets, and with room that ends in poison.
fn each<A: Poison, B: Poison + PartialEq + std::fmt::Debug>(
    make: impl Fn(usize, &mut Values) -> Vec<A>,
    want: impl Fn(&[A]) -> Vec<B>,
    run: impl Fn(&Kernels, &[A], &mut [B]),
) {
    let mut values = Values::new(21);
    for n in lengths() {
        let x = make(n, &mut values);
        let mut want = want(&x);
        let room = want.len();
        want.push(B::POISON);
        for offset in [0, 1, 13] {
            let x = Placed::new(&x, offset);
            for k in Kernels::available() {
                let mut out = vec![B::POISON; room + 1];
                run(k, x.get(), &mut out[..room]);
                assert!(out == want, "{}: n = {n}: {out:?} instead of {want:?}", k.isa());
            }
        }
    }
}

pub(crate) fn codes_are_the_rounded_values() {
    for (inverse, zero) in [(1.0, 0), (1.0, 7), (0.37, -128), (2.0, 127), (100.0, -5)] {
        each(
            awkward,
            |x| x.iter().map(|&x| code(x, inverse, zero, -128, 127) as i8).collect(),
            |k, x, out| k.quantize_i8(x, inverse, zero as i8, out),
        );
        let zero = zero + 128;
        each(
            awkward,
            |x| x.iter().map(|&x| code(x, inverse, zero, 0, 255) as u8).collect(),
            |k, x, out| k.quantize_u8(x, inverse, zero as u8, out),
        );
    }
}

pub(crate) fn codes_of_four_bits_are_packed_in_pairs() {
    for (inverse, zero) in [(1.0, 0), (1.0, 8), (0.05, 15), (3.0, 7)] {
        let pair = |pair: &[f32]| {
            let low = code(pair[0], inverse, zero, 0, 15);
            let high = pair.get(1).map_or(zero, |&x| code(x, inverse, zero, 0, 15));
            (low | high << 4) as u8
        };
        each(
            awkward,
            |x| x.chunks(2).map(pair).collect(),
            |k, x, out| k.quantize_u4(x, inverse, zero as u8, out),
        );
    }
    // The last high half of an odd number of codes is nobody's.
    for k in Kernels::available() {
        for n in lengths() {
            let codes: Vec<u8> = Values::new(n as u64).of(n.div_ceil(2));
            let mut out = vec![7.0; n + 1];
            k.dequantize_u4(&codes, 0.3, 5, &mut out[..n]);
            for i in 0..n {
                let code = i32::from(codes[i / 2] >> (4 * (i % 2)) & 15);
                assert_eq!(out[i], 0.3 * (code - 5) as f32, "{} {n}", k.isa());
            }
            assert_eq!(out[n], 7.0);
        }
    }
}

pub(crate) fn values_of_codes_are_rounded_once() {
    let bits = |x: f32| x.to_bits();
    for (scale, zero) in [(1.0, 0), (0.1, -128), (3e-5, 127), (1e30, 5)] {
        let want = |zero: i32, code: i32| (f64::from(scale) * f64::from(code - zero)) as f32;
        for k in Kernels::available() {
            for n in lengths() {
                let codes: Vec<i8> = Values::new(n as u64).of(n);
                let mut out = vec![7.0; n + 1];
                k.dequantize_i8(&codes, scale, zero as i8, &mut out[..n]);
                for (&code, &got) in codes.iter().zip(&out) {
                    assert_eq!(bits(got), bits(want(zero, code.into())), "{} {n}", k.isa());
                }
                let codes: Vec<u8> = codes.iter().map(|&code| code as u8).collect();
                k.dequantize_u8(&codes, scale, (zero + 128) as u8, &mut out[..n]);
                for (&code, &got) in codes.iter().zip(&out) {
                    assert_eq!(bits(got), bits(want(zero + 128, code.into())), "{} {n}", k.isa());
                }
                assert_eq!(out[n], 7.0);
            }
        }
    }
}

/// Against the same with one column at a time.
pub(crate) fn columns_have_scales_of_their_own() {
    let mut values = Values::new(22);
    for columns in [1, 2, 3, 7, 16, 33, 64, 100, 257] {
        for len in [0, columns, columns + 1, 5 * columns, 5 * columns + columns / 2] {
            let x = awkward(len, &mut values);
            let scales: Vec<f32> = (0..columns).map(|_| values.f32().abs() + 0.01).collect();
            let zeros: Vec<i8> = values.of(columns);
            for k in Kernels::available() {
                let (mut codes, mut back) = (vec![77; len + 1], vec![7.0; len + 1]);
                k.quantize_i8_columns(&x, &scales, &zeros, &mut codes[..len]);
                k.dequantize_i8_columns(&codes[..len], &scales, &zeros, &mut back[..len]);
                for i in 0..len {
                    let (scale, zero) = (scales[i % columns], i32::from(zeros[i % columns]));
                    assert_eq!(i32::from(codes[i]), code(x[i], scale, zero, -128, 127));
                    assert_eq!(back[i], scale * (i32::from(codes[i]) - zero) as f32);
                }
                assert_eq!((codes[len], back[len]), (77, 7.0));
            }
        }
    }
}

pub(crate) fn halves_are_the_nearest() {
    // Each half, its upper neighbour, what lies between, and what is a bit beside each of them.
    let mut x = vec![f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, f32::from_bits(0x7F80_0001)];
    for bits in 0..=u16::MAX {
        let (short, brain) = (f16::from_bits(bits).to_f32(), bf16::from_bits(bits).to_f32());
        let next = f16::from_bits(bits.wrapping_add(1)).to_f32();
        let tie = short / 2.0 + next / 2.0;
        let brain_tie = f32::from_bits(u32::from(bits) << 16 | 0x8000);
        for value in [short, tie, brain, brain_tie] {
            let bits = value.to_bits();
            x.extend([bits, bits.wrapping_add(1), bits.wrapping_sub(1)].map(f32::from_bits));
        }
    }
    for k in Kernels::available() {
        let mut halves = vec![f16::ZERO; x.len()];
        k.narrow_f16(&x, &mut halves);
        for (&x, got) in x.iter().zip(halves) {
            let want = f16::from_f32_const(x);
            let same = got.to_bits() == want.to_bits() || (x.is_nan() && got.is_nan());
            assert!(same, "{}: {x:e} became {got:?}, not {want:?}", k.isa());
        }
        let mut brains = vec![bf16::ZERO; x.len()];
        k.narrow_bf16(&x, &mut brains);
        for (&x, got) in x.iter().zip(brains) {
            let want = bf16::from_f32_const(x);
            let same = got.to_bits() == want.to_bits() || (x.is_nan() && got.is_nan());
            assert!(same, "{}: {x:e} became {got:?}, not {want:?}", k.isa());
        }
    }
}

pub(crate) fn halves_are_widened_exactly() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let brains: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let same =
        |got: f32, want: f32| got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
    for k in Kernels::available() {
        let mut out = vec![0.0; halves.len()];
        k.widen_f16(&halves, &mut out);
        assert!(out.iter().zip(&halves).all(|(&x, half)| same(x, half.to_f32_const())));
        k.widen_bf16(&brains, &mut out);
        assert!(out.iter().zip(&brains).all(|(&x, half)| same(x, half.to_f32_const())));
        for n in lengths() {
            let mut out = vec![7.0; n + 1];
            k.widen_f16(&halves[1000..1000 + n], &mut out[..n]);
            assert!(out.iter().zip(&halves[1000..1000 + n]).all(|(&x, half)| x == half.to_f32()));
            assert_eq!(out[n], 7.0);
            let (mut f, mut b) = (vec![f16::ONE; n + 1], vec![bf16::ONE; n + 1]);
            k.narrow_f16(&vec![0.1; n], &mut f[..n]);
            k.narrow_bf16(&vec![0.1; n], &mut b[..n]);
            assert!(f[..n].iter().all(|&half| half == f16::from_f32(0.1)) && f[n] == f16::ONE);
            assert!(b[..n].iter().all(|&half| half == bf16::from_f32(0.1)) && b[n] == bf16::ONE);
        }
    }
}

pub(crate) fn finite_ranges_refuse_what_is_not() {
    let mut values = Values::new(23);
    for n in lengths() {
        let x = values.f32s(n);
        let least = x.iter().copied().fold(f32::INFINITY, f32::min);
        let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for k in Kernels::available() {
            let got = k.finite_min_max(Placed::new(&x, 3).get());
            assert_eq!(got, (n > 0).then_some((least, most)), "{} {n}", k.isa());
        }
        for at in [0, n / 2, n.saturating_sub(1)] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut x = x.clone();
                if let Some(x) = x.get_mut(at) {
                    *x = bad;
                }
                for k in Kernels::available() {
                    assert_eq!(k.finite_min_max(&x), None, "{} {n} at {at}: {bad}", k.isa());
                }
            }
        }
    }
    for k in Kernels::available() {
        let widest = [f32::MAX, f32::MIN, f32::MAX];
        assert_eq!(k.finite_min_max(&widest), Some((f32::MIN, f32::MAX)));
    }
}

pub(crate) fn sums_are_worth_their_formula() {
    let mut values = Values::new(24);
    for n in lengths() {
        let rows = 1 + n % 3;
        let mut integers = |n: usize, shift: u32| -> Vec<i32> {
            (0..n).map(|_| (values.next() as i32) >> shift).collect()
        };
        let (sums, code_sums) = (integers(rows * n, 4), integers(n, 12));
        let (scales, bias) = (values.f32s(n), values.f32s(n));
        let meaning = Dequantize {
            row_scales: &[1e-7, 0.3, 2e5][..rows],
            zero_points: &[-77, 0, 127][..rows],
            scales: &scales,
            code_sums: &code_sums,
            bias: &bias,
        };
        for k in Kernels::available() {
            let mut out = vec![7.0; rows * n + 1];
            k.dequantize_sums(&sums, meaning, &mut out[..rows * n]);
            for (at, sum) in sums.iter().enumerate() {
                let (i, j) = (at / n, at % n);
                let exact = sum.wrapping_sub(meaning.zero_points[i].wrapping_mul(code_sums[j]));
                let want = exact as f32 * (meaning.row_scales[i] * scales[j]) + bias[j];
                assert_eq!(out[at].to_bits(), want.to_bits(), "{} {n}", k.isa());
            }
            assert_eq!(out[rows * n], 7.0);
        }
    }
}
