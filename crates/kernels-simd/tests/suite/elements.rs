//! Element-wise kernels and update rules against the same expression in `f64`.

use edgekit_kernels_simd::Kernels;

use super::inputs::{EPSILON, Placed, Values, lengths};

/// Calls `check` with every table, and three slices of every length at some offsets.
fn each_three(mut check: impl FnMut(&Kernels, &[f32], &[f32], &[f32])) {
    let mut values = Values::new(8);
    for n in lengths() {
        let (x, y, z) = (values.f32s(n), values.f32s(n), values.f32s(n));
        for offset in [0, 1, 7, 13] {
            let a = Placed::new(&x, offset);
            let b = Placed::new(&y, offset / 2);
            let c = Placed::new(&z, 15 - offset);
            for kernels in Kernels::available() {
                check(kernels, a.get(), b.get(), c.get());
            }
        }
    }
}

/// Runs `f` on room for as many results as `like` has values, between values it must not change.
#[track_caller]
fn out(kernels: &Kernels, like: &[f32], f: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut room = vec![7.0; 20];
    room.extend(like);
    room.extend([7.0; 20]);
    let end = room.len() - 20;
    f(&mut room[20..end]);
    let untouched = room[..20].iter().chain(&room[end..]).all(|&x| x == 7.0);
    assert!(untouched, "{}: wrote outside of its slice", kernels.isa());
    room[20..end].to_vec()
}

/// Each result within so many roundings of the sum of these terms, relative to their sizes; terms may
/// have a size of their own.
#[track_caller]
fn close(kernels: &Kernels, roundings: f64, got: &[f32], terms: impl Fn(usize) -> [(f64, f64); 2]) {
    for (i, &got) in got.iter().enumerate() {
        let [(x, x_size), (y, y_size)] = terms(i);
        let bound = roundings * EPSILON * (x_size.abs() + y_size.abs());
        let near = (f64::from(got) - (x + y)).abs() <= bound;
        assert!(near, "{}: [{i}] {got} instead of {}", kernels.isa(), x + y);
    }
}

pub(crate) fn arithmetic_is_exact() {
    each_three(|k, a, b, _| {
        let all = |f: fn(f32, f32) -> f32| -> Vec<f32> {
            a.iter().zip(b).map(|(&x, &y)| f(x, y)).collect()
        };
        assert_eq!(out(k, a, |out| k.add(a, b, out)), all(|x, y| x + y));
        assert_eq!(out(k, a, |out| k.sub(a, b, out)), all(|x, y| x - y));
        assert_eq!(out(k, a, |out| k.mul(a, b, out)), all(|x, y| x * y));
        assert_eq!(out(k, a, |x| k.scale(x, 1.7)), all(|x, _| x * 1.7));
        assert_eq!(out(k, a, |x| k.clamp(x, -0.5, 0.25)), all(|x, _| x.clamp(-0.5, 0.25)));
    });
}

pub(crate) fn combinations_are_within_their_bound() {
    each_three(|k, a, b, c| {
        let at = |s: &[f32], i: usize| f64::from(s[i]);
        let twice = |x: f64| (x, x);
        close(k, 2.0, &out(k, a, |o| k.fma(a, b, c, o)), |i| {
            [twice(at(a, i) * at(b, i)), twice(at(c, i))]
        });
        let between =
            |t: f32| move |i: usize| [twice(at(a, i)), twice(f64::from(t) * (at(b, i) - at(a, i)))];
        close(k, 3.0, &out(k, a, |o| k.lerp(a, b, 0.3, o)), between(0.3));
        close(k, 3.0, &out(k, a, |y| k.ema(y, b, 0.1)), between(0.1));
        close(k, 2.0, &out(k, a, |y| k.axpy(-1.3, b, y)), |i| {
            [twice(at(a, i)), twice(-f64::from(1.3_f32) * at(b, i))]
        });
        close(k, 5.0, &out(k, a, |q| k.q_update(q, b, c, 0.1, 0.95)), |i| {
            let (alpha, follows) = (f64::from(0.1_f32), f64::from(0.95_f32) * at(c, i));
            let size = at(b, i).abs() + follows.abs() + at(a, i).abs();
            [twice(at(a, i)), (alpha * (at(b, i) + follows - at(a, i)), alpha * size)]
        });
    });
}

pub(crate) fn normalize_gives_unit_length() {
    each_three(|k, a, _, _| {
        let mut norm = 0.0;
        let unit = out(k, a, |x| norm = k.normalize(x));
        let want = a.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let bound = (a.len() as f64 / 2.0 + 5.0) * EPSILON;
        assert!((f64::from(norm) - want).abs() <= bound * want);
        for (&got, &a) in unit.iter().zip(a) {
            let want = f64::from(a) / want;
            let near = (f64::from(got) - want).abs() <= bound * want.abs();
            assert!(near, "{}: {got} instead of {want}", k.isa());
        }
    });
    // Squares that vanish, and such that overflow.
    for size in [1e-45, 1e-41, 1e-38, 1e-23, 1e-22, 1e-16, 1e-15, 1e15, 1e19, 1e30, f32::MAX] {
        for n in (1..40).chain([257]) {
            for k in Kernels::available() {
                let x: Vec<f32> = (0..n).map(|i| size / [1.0, -2.0, 3.0][i % 3]).collect();
                let want = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                let mut unit = x.clone();
                let norm = f64::from(k.normalize(&mut unit));
                let bound = (n as f64 / 2.0 + 5.0) * EPSILON;
                let least = f64::from(f32::from_bits(1));
                let near = (norm - want).abs() <= bound * want + least;
                let overflown = norm == f64::INFINITY && want > f64::from(f32::MAX) * 0.999_999;
                assert!(near || overflown, "{}: {norm} instead of {want}", k.isa());
                for (&got, &x) in unit.iter().zip(&x) {
                    let want = f64::from(x) / want;
                    let near = (f64::from(got) - want).abs() <= bound * want.abs();
                    assert!(near, "{} {size:e}: {got} instead of {want}", k.isa());
                }
            }
        }
    }
    for k in Kernels::available() {
        let mut zero = [0.0; 37];
        assert_eq!(k.normalize(&mut zero), 0.0);
        assert_eq!(zero, [0.0; 37]);
    }
}

pub(crate) fn nan_stays_where_it_is() {
    for k in Kernels::available() {
        for at in 0..40 {
            let mut x = [0.5; 40];
            x[at] = f32::NAN;
            k.clamp(&mut x, -1.0, 1.0);
            assert!(x.iter().enumerate().all(|(i, x)| x.is_nan() == (i == at)), "{}", k.isa());
            let mut q = [0.5; 40];
            k.q_update(&mut q, &x, &[0.0; 40], 0.1, 0.9);
            assert!(q.iter().enumerate().all(|(i, x)| x.is_nan() == (i == at)), "{}", k.isa());
        }
    }
}

pub(crate) fn argmax_and_count_are_exact() {
    each_three(|k, a, _, _| {
        let want = (0..a.len()).reduce(|best, i| if a[i] > a[best] { i } else { best });
        assert_eq!(k.argmax(a), want, "{}", k.isa());
        let want = a.iter().filter(|&&x| x > 0.25).count();
        assert_eq!(k.count_above(a, 0.25), want, "{}", k.isa());
    });
    for k in Kernels::available() {
        for n in 1..80 {
            let mut a = vec![f32::NAN; n];
            assert_eq!(k.argmax(&a), None);
            assert_eq!(k.count_above(&a, f32::NEG_INFINITY), 0);
            a[n - 1] = -1.0;
            assert_eq!(k.argmax(&a), Some(n - 1), "{}", k.isa());
            // Strictly greater, and the zeros behind a tail are not counted.
            assert_eq!(k.count_above(&a, -1.0), 0, "{}", k.isa());
            assert_eq!(k.count_above(&a, -2.0), 1, "{}", k.isa());
            // The first of equals.
            assert_eq!(k.argmax(&vec![3.0; n]), Some(0));
        }
    }
}

pub(crate) fn top_k_equals_sorting() {
    let mut values = Values::new(9);
    for n in (0..140).chain([1000, 4099]) {
        // Few different values, so that there are ties, and some NaN.
        let mut a: Vec<f32> = (0..n).map(|_| (values.next() % 50) as f32 - 25.0).collect();
        for i in (0..n).step_by(7) {
            a[i] = f32::NAN;
        }
        let mut sorted: Vec<(f32, u32)> = (0..n).map(|i| (a[i], i as u32)).collect();
        sorted.retain(|x| !x.0.is_nan());
        sorted.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        for k in [0, 1, 2, 10, 33] {
            for kernels in Kernels::available() {
                let mut best = vec![(f32::NAN, u32::MAX); k];
                let found = kernels.top_k(&a, &mut best);
                let want = &sorted[..k.min(sorted.len())];
                assert_eq!(&best[..found], want, "{}: {k} of {n}", kernels.isa());
            }
        }
    }
}

/// Every kind of violation at every place, NaN in the value and in either bound included.
pub(crate) fn violations_fail_closed() {
    for n in (0..200).chain([1000]) {
        for k in Kernels::available() {
            let good = vec![0.5; n];
            let (low, high) = (vec![0.0; n], vec![1.0; n]);
            let mut mask = vec![u64::MAX; n.div_ceil(64)];
            assert_eq!(k.violations(&good, &low, &high, &mut mask), 0, "{} {n}", k.isa());
            assert!(mask.iter().all(|&word| word == 0));
            // Both ends are inside.
            assert_eq!(k.violations(&low, &low, &high, &mut mask), 0);
            assert_eq!(k.violations(&high, &low, &high, &mut mask), 0);

            for bad in 0..n {
                let (mut x, mut low, mut high) = (good.clone(), low.clone(), high.clone());
                match bad % 6 {
                    0 => x[bad] = -0.1,
                    1 => x[bad] = 1.1,
                    2 => x[bad] = f32::NAN,
                    3 => low[bad] = f32::NAN,
                    4 => high[bad] = f32::NAN,
                    _ => x[bad] = f32::INFINITY,
                }
                assert_eq!(k.violations(&x, &low, &high, &mut mask), 1, "{} {n}", k.isa());
                assert_eq!(mask[bad / 64], 1 << (bad % 64), "{} {n} {bad}", k.isa());
            }
        }
    }
}
