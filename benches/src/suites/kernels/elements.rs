//! Element-wise kernels, update rules, range checks and activations.

use std::hint::black_box;

use edgekit_kernels_simd::Kernels;

use super::{naive, values};
use crate::Suite;

pub(super) fn declare(suite: &mut Suite) {
    let best = Kernels::get();
    learning(suite, best);
    activations(suite, best);
}

/// A hundred to a thousand values: where the tail and the call count.
fn learning(suite: &mut Suite, best: &'static Kernels) {
    for n in [100, 1000] {
        let (q, r, next) = (values(n, 1), values(n, 2), values(n, 3));
        let (mut want, mut got) = (q.clone(), q.clone());
        naive::q_update(&mut want, &r, &next, 0.1, 0.9);
        best.q_update(&mut got, &r, &next, 0.1, 0.9);
        let near = want.iter().zip(got.iter()).all(|(want, got)| (want - got).abs() < 1e-6);
        suite.check("kernels/q-update", near, || "not what the loop finds".into());

        let (mut x, r2, next2) = (q.clone(), r.clone(), next.clone());
        suite.time(format!("kernels/q-update/{n}/blocked"), move || {
            naive::q_update_blocked(black_box(&mut x), &r2, &next2, 0.1, 0.9)
        });
        let (mut x, r2, next2) = (q.clone(), r.clone(), next.clone());
        suite.time(format!("kernels/q-update/{n}/auto-vectorised"), move || {
            naive::q_update(black_box(&mut x), &r2, &next2, 0.1, 0.9)
        });
        let mut x = q.clone();
        suite.time(format!("kernels/q-update/{n}/best"), move || {
            best.q_update(black_box(&mut x), &r, &next, 0.1, 0.9)
        });

        let (low, high) = (vec![-0.9; n], vec![0.9; n]);
        let mut mask = vec![0; n.div_ceil(64)];
        let want = naive::violations(&q, &low, &high, &mut mask);
        let got = best.violations(&q, &low, &high, &mut mask);
        suite.check("kernels/validate", want == got, || format!("{got} instead of {want}"));
        let (x, l, h, mut m) = (q.clone(), low.clone(), high.clone(), mask.clone());
        suite.time(format!("kernels/validate/{n}/naive"), move || {
            naive::violations(black_box(&x), &l, &h, &mut m)
        });
        let (x, l, h, mut m) = (q.clone(), low.clone(), high.clone(), mask.clone());
        let blocked = naive::violations_blocked(&x, &l, &h, &mut m);
        suite.check("kernels/validate", want == blocked, || format!("{blocked}, {want}"));
        suite.time(format!("kernels/validate/{n}/blocked"), move || {
            naive::violations_blocked(black_box(&x), &l, &h, &mut m)
        });
        suite.time(format!("kernels/validate/{n}/best"), move || {
            best.violations(black_box(&q), &low, &high, &mut mask)
        });
    }
    let a = values(1000, 1);
    let (x, want, got) = (a.clone(), naive::count_above(&a, 0.3), best.count_above(&a, 0.3));
    suite.check("kernels/count-above", want == got, || format!("{got} instead of {want}"));
    suite.time("kernels/count-above/1000/blocked", move || {
        naive::count_above_blocked(black_box(&x), 0.3)
    });
    let x = a.clone();
    suite.time("kernels/count-above/1000/auto-vectorised", move || {
        naive::count_above(black_box(&x), 0.3)
    });
    suite.time("kernels/count-above/1000/best", move || best.count_above(black_box(&a), 0.3));

    let a = values(100_000, 1);
    let mut got = [(0.0, 0); 10];
    best.top_k(&a, &mut got);
    let want = naive::top_k(&a, 10);
    suite.check("kernels/top-k", got[..] == want[..], || format!("{got:?} instead of {want:?}"));
    let x = a.clone();
    suite.time("kernels/top-k/100000/sort", move || naive::top_k(black_box(&x), 10));
    suite.time("kernels/top-k/100000/best", move || {
        let mut best_10 = [(0.0, 0); 10];
        best.top_k(black_box(&a), &mut best_10);
        best_10
    });
}

/// The name, the function as one would write it, ours, and what they may be apart of 1 and the result.
type Activation = (&'static str, fn(f32) -> f32, fn(&Kernels, &[f32], &mut [f32]), f32);

/// 4,096 values into another slice, against the standard library one by one.
fn activations(suite: &mut Suite, best: &'static Kernels) {
    const N: usize = 4096;
    let all: [Activation; 4] = [
        ("exp", f32::exp, Kernels::exp, 1e-6),
        ("tanh", f32::tanh, Kernels::tanh, 1e-6),
        ("sigmoid", |x| 1.0 / (1.0 + (-x).exp()), Kernels::sigmoid, 1e-6),
        // The standard library has no error function, so that this is the other form of it.
        (
            "gelu",
            |x| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()),
            Kernels::gelu,
            1e-3,
        ),
    ];
    let x: Vec<f32> = values(N, 1).iter().map(|x| 8.0 * x).collect();
    for (name, std, ours, apart) in all {
        let id = format!("kernels/{name}/4096");
        let mut out = vec![0.0; N];
        ours(best, &x, &mut out);
        let near = x.iter().zip(&out).all(|(&x, y)| (std(x) - y).abs() <= apart * (1.0 + y.abs()));
        suite.check(&id, near, || "differs from the standard library".into());
        let (a, mut to) = (x.clone(), out.clone());
        suite.time(format!("{id}/std"), move || {
            naive::map(std, black_box(&a), &mut to);
            to[0]
        });
        let a = x.clone();
        suite.time(format!("{id}/best"), move || {
            ours(best, black_box(&a), &mut out);
            out[0]
        });
    }
    let mut own = vec![0.0; N];
    best.gelu_tanh(&x, &mut own);
    let std = all[3].1;
    let near = x.iter().zip(&own).all(|(&x, y)| (std(x) - y).abs() <= 1e-6 * (1.0 + y.abs()));
    suite.check("kernels/gelu", near, || "its tangent form differs from the same by hand".into());
    let (mut want, mut got) = (vec![0.0; N], vec![0.0; N]);
    naive::softmax(&x, &mut want);
    best.softmax(&x, &mut got);
    let near = want.iter().zip(&got).all(|(want, got)| (want - got).abs() <= 1e-3 * want);
    suite.check("kernels/softmax", near, || "not what the loop finds".into());

    let (a, mut to) = (x.clone(), vec![0.0; N]);
    suite.time("kernels/softmax/4096/std", move || {
        naive::softmax(black_box(&a), &mut to);
        to[0]
    });
    let mut out = vec![0.0; N];
    suite.time("kernels/softmax/4096/best", move || {
        best.softmax(black_box(&x), &mut out);
        out[0]
    });
}
