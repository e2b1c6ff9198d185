//! Element-wise arithmetic and the small update rules that are made of it.

use super::distance::{Dot, pair};
use super::sqrt;
use crate::simd::{self, F32, Map, Simd};

/// Makes a [`Map`] of an expression over registers.
macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),* } ($s:ident, $($x:ident),+) $body:block)*)
    => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name { $($field: f32),* }

        impl<S: Simd> Map<S, { [$(stringify!($x)),+].len() }> for $name {
            #[inline(always)]
            fn apply(self, $s: S, x: [S::F32; { [$(stringify!($x)),+].len() }]) -> S::F32 {
                let [$($x),+] = x;
                $(let $field = $s.splat(self.$field);)*
                $body
            }
        }
    )*};
}

maps! {
    Add {} (s, x, y) { s.add(x, y) }
    Sub {} (s, x, y) { s.sub(x, y) }
    Mul {} (s, x, y) { s.mul(x, y) }
    Scale { factor } (s, x) { s.mul(x, factor) }
    SquareOfScaled { factor } (s, x) {
        let x = s.mul(x, factor);
        s.mul(x, x)
    }
    Axpy { alpha } (s, y, x) { s.mul_add(alpha, x, y) }
    MulAdd {} (s, x, y, z) { s.mul_add(x, y, z) }
    // A NaN stays: each bound is kept only where the value is beyond it.
    Clamp { low, high } (s, x) {
        let x = s.select(s.lt(x, low), low, x);
        s.select(s.lt(high, x), high, x)
    }
    Lerp { t } (s, x, y) { s.mul_add(t, s.sub(y, x), x) }
    QUpdate { alpha, gamma } (s, q, reward, next) {
        let target = s.mul_add(gamma, next, reward);
        s.mul_add(alpha, s.sub(target, q), q)
    }
}

#[inline(always)]
pub(crate) fn add<S: Simd>(s: S, a: &[f32], b: &[f32], out: &mut [f32]) {
    simd::map(s, Add {}, [a, b], out);
}

#[inline(always)]
pub(crate) fn sub<S: Simd>(s: S, a: &[f32], b: &[f32], out: &mut [f32]) {
    simd::map(s, Sub {}, [a, b], out);
}

#[inline(always)]
pub(crate) fn mul<S: Simd>(s: S, a: &[f32], b: &[f32], out: &mut [f32]) {
    simd::map(s, Mul {}, [a, b], out);
}

#[inline(always)]
pub(crate) fn fma<S: Simd>(s: S, a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    simd::map(s, MulAdd {}, [a, b, c], out);
}

#[inline(always)]
pub(crate) fn lerp<S: Simd>(s: S, a: &[f32], b: &[f32], t: f32, out: &mut [f32]) {
    simd::map(s, Lerp { t }, [a, b], out);
}

#[inline(always)]
pub(crate) fn scale<S: Simd>(s: S, x: &mut [f32], factor: f32) {
    simd::update(s, Scale { factor }, x);
}

#[inline(always)]
pub(crate) fn axpy<S: Simd>(s: S, alpha: f32, x: &[f32], y: &mut [f32]) {
    simd::update_2(s, Axpy { alpha }, y, x);
}

#[inline(always)]
pub(crate) fn clamp<S: Simd>(s: S, x: &mut [f32], low: f32, high: f32) {
    simd::update(s, Clamp { low, high }, x);
}

#[inline(always)]
pub(crate) fn normalize<S: Simd>(s: S, x: &mut [f32]) -> f32 {
    const LARGE: f32 = (1_u128 << 100) as f32;
    let squares = pair::<S, Dot, F32, F32>(s, x, x);
    // Where squares vanish or overflow, those of the values times a power of two do not.
    let factor = if squares < 1.0 / LARGE {
        LARGE
    } else if squares > LARGE {
        1.0 / LARGE
    } else {
        return divide(s, x, sqrt(squares));
    };
    let norm = sqrt(simd::map_sum(s, SquareOfScaled { factor }, x));
    if factor > 1.0 {
        scale(s, x, factor);
        divide(s, x, norm);
    } else {
        // In this order, so that no small value vanishes on the way.
        divide(s, x, norm);
        scale(s, x, factor);
    }
    norm / factor
}

/// Divides `x` by `norm`, which it returns, unless that is 0.
#[inline(always)]
fn divide<S: Simd>(s: S, x: &mut [f32], norm: f32) -> f32 {
    if norm > 0.0 {
        scale(s, x, 1.0 / norm);
    }
    norm
}

#[inline(always)]
pub(crate) fn ema<S: Simd>(s: S, average: &mut [f32], x: &[f32], alpha: f32) {
    simd::update_2(s, Lerp { t: alpha }, average, x);
}

#[inline(always)]
pub(crate) fn q_update<S: Simd>(
    s: S,
    q: &mut [f32],
    rewards: &[f32],
    next: &[f32],
    alpha: f32,
    gamma: f32,
) {
    simd::update_3(s, QUpdate { alpha, gamma }, q, rewards, next);
}
