//! Loops that write: one value for each place of the inputs, a register at a time.
//!
//! Here and not in the kernels, because one pointer offset for all slices is what makes them as fast
//! as a loop by hand, and because an output that is also an input has no safe slice of its own.
#![allow(unsafe_code, reason = "offsets into slices whose lengths were compared")]

use super::{Simd, SimdBytes};

/// What becomes of the values at one place.
pub(crate) trait Map<S: Simd, const N: usize>: Copy {
    fn apply(self, s: S, x: [S::F32; N]) -> S::F32;
}

/// `out[i] = f(inputs[0][i], …)`, as far as all slices reach.
#[inline(always)]
pub(crate) fn map<S: Simd, const N: usize, F: Map<S, N>>(
    s: S,
    f: F,
    inputs: [&[f32]; N],
    out: &mut [f32],
) {
    let mut len = out.len();
    let mut from = [core::ptr::null(); N];
    for i in 0..N {
        from[i] = inputs[i].as_ptr();
        len = if inputs[i].len() < len { inputs[i].len() } else { len };
    }
    // SAFETY: `len` elements exist behind every pointer; the borrows outlive the call.
    unsafe { run(s, f, from, out.as_mut_ptr(), len) };
}

/// `Σ f(x[i])`.
#[inline(always)]
pub(crate) fn map_sum<S: Simd, F: Map<S, 1>>(s: S, f: F, x: &[f32]) -> f32 {
    let zero = s.splat(0.0);
    let mut acc = zero;
    let mut cursor = super::Cursor::<S, super::F32, super::F32, 1, 0>::new(s, [x], []);
    while let Some([([x], [])]) = cursor.take::<1>() {
        acc = s.add(acc, f.apply(s, [x]));
    }
    if let Some((([x], []), real)) = cursor.tail() {
        acc = s.add(acc, s.first(real, f.apply(s, [x]), zero));
    }
    s.sum(acc)
}

/// `out[i] = f(x[i])`, as far as both reach, and the sum of all of them.
#[inline(always)]
pub(crate) fn map_and_sum<S: Simd, F: Map<S, 1>>(s: S, f: F, x: &[f32], out: &mut [f32]) -> f32 {
    let len = if x.len() < out.len() { x.len() } else { out.len() };
    // SAFETY: `len` elements exist behind both pointers; the borrows outlive the call.
    unsafe { run_and_sum(s, f, x.as_ptr(), out.as_mut_ptr(), len) }
}

/// `x[i] = f(x[i])`, and the sum of all of them.
#[inline(always)]
pub(crate) fn update_and_sum<S: Simd, F: Map<S, 1>>(s: S, f: F, x: &mut [f32]) -> f32 {
    let at = x.as_mut_ptr();
    // SAFETY: `x.len()` elements exist at `at`, which is borrowed for the call.
    unsafe { run_and_sum(s, f, at.cast_const(), at, x.len()) }
}

/// # Safety
/// As of [`run`], with one input.
#[inline(always)]
unsafe fn run_and_sum<S: Simd, F: Map<S, 1>>(
    s: S,
    f: F,
    from: *const f32,
    to: *mut f32,
    len: usize,
) -> f32 {
    let zero = s.splat(0.0);
    let (mut acc, mut at) = (zero, 0);
    while at + S::LANES <= len {
        // SAFETY: LANES elements from `at` on are inside the `len` of both.
        unsafe {
            let value = f.apply(s, [s.load(from.add(at))]);
            acc = s.add(acc, value);
            s.store(to.add(at), value);
        }
        at += S::LANES;
    }
    if at < len {
        // SAFETY: `len - at`, less than LANES, elements are left in both.
        unsafe {
            let value = f.apply(s, [s.load_partial(from.add(at), len - at)]);
            acc = s.add(acc, s.first(len - at, value, zero));
            s.store_partial(to.add(at), value, len - at);
        }
    }
    s.sum(acc)
}

/// `x[i] = f(x[i])`.
#[inline(always)]
pub(crate) fn update<S: Simd, F: Map<S, 1>>(s: S, f: F, x: &mut [f32]) {
    let at = x.as_mut_ptr();
    // SAFETY: `x.len()` elements exist at `at`, which is borrowed for the call.
    unsafe { run(s, f, [at.cast_const()], at, x.len()) };
}

/// `x[i] = f(x[i], y[i])`, as far as both reach.
#[inline(always)]
pub(crate) fn update_2<S: Simd, F: Map<S, 2>>(s: S, f: F, x: &mut [f32], y: &[f32]) {
    let at = x.as_mut_ptr();
    let len = if y.len() < x.len() { y.len() } else { x.len() };
    // SAFETY: `len` elements exist behind every pointer; the borrows outlive the call.
    unsafe { run(s, f, [at.cast_const(), y.as_ptr()], at, len) };
}

/// `x[i] = f(x[i], y[i], z[i])`, as far as all reach.
#[inline(always)]
pub(crate) fn update_3<S: Simd, F: Map<S, 3>>(s: S, f: F, x: &mut [f32], y: &[f32], z: &[f32]) {
    let at = x.as_mut_ptr();
    let len = if y.len() < x.len() { y.len() } else { x.len() };
    let len = if z.len() < len { z.len() } else { len };
    // SAFETY: `len` elements exist behind every pointer; the borrows outlive the call.
    unsafe { run(s, f, [at.cast_const(), y.as_ptr(), z.as_ptr()], at, len) };
}

/// `x[i] = f(x[i], y[0][i], …, y[3][i])`, as far as all reach.
#[inline(always)]
pub(crate) fn update_5<S: Simd, F: Map<S, 5>>(s: S, f: F, x: &mut [f32], y: [&[f32]; 4]) {
    let at = x.as_mut_ptr();
    let mut len = x.len();
    for y in y {
        len = if y.len() < len { y.len() } else { len };
    }
    let from = [at.cast_const(), y[0].as_ptr(), y[1].as_ptr(), y[2].as_ptr(), y[3].as_ptr()];
    // SAFETY: `len` elements exist behind every pointer; the borrows outlive the call.
    unsafe { run(s, f, from, at, len) };
}

/// The gray values of pixels, if the set has a way of its own and they fill one register; `false` if
/// they are still to be computed.
#[inline(always)]
pub(crate) fn gray<S: SimdBytes>(s: S, pixels: &[[u8; 4]], out: &mut [u8]) -> bool {
    let len = if pixels.len() < out.len() { pixels.len() } else { out.len() };
    if len < S::WIDE {
        return false;
    }
    // The second register begins with a cache line, if pixels do, and the last ends with the pixels;
    // both may overlap the one before, as what two of them write is the same.
    let line = pixels.as_ptr().align_offset(64);
    let mut next = if line == 0 || line > S::WIDE { S::WIDE } else { line };
    let mut at = 0;
    loop {
        // SAFETY: WIDE pixels from `at` on are inside the `len` of both.
        let done = unsafe { s.gray(pixels.as_ptr().add(at).cast(), out.as_mut_ptr().add(at)) };
        if !done || at == len - S::WIDE {
            return done;
        }
        at = if next + S::WIDE > len { len - S::WIDE } else { next };
        next = at + S::WIDE;
    }
}

/// Reads all inputs of a register's places before it writes them, so that `to` may be one of them.
///
/// # Safety
/// `len` elements are readable at each of `from` and writable at `to`; `to` overlaps none of `from`
/// but at equal offsets.
#[inline(always)]
unsafe fn run<S: Simd, const N: usize, F: Map<S, N>>(
    s: S,
    f: F,
    from: [*const f32; N],
    to: *mut f32,
    len: usize,
) {
    let mut at = 0;
    let mut x = [s.splat(0.0); N];
    while at + S::LANES <= len {
        for (x, from) in x.iter_mut().zip(from) {
            // SAFETY: LANES elements from `at` on are inside the `len`.
            *x = unsafe { s.load(from.add(at)) };
        }
        // SAFETY: likewise.
        unsafe { s.store(to.add(at), f.apply(s, x)) };
        at += S::LANES;
    }
    if at < len {
        for (x, from) in x.iter_mut().zip(from) {
            // SAFETY: `len - at`, less than LANES, elements are left.
            *x = unsafe { s.load_partial(from.add(at), len - at) };
        }
        // SAFETY: likewise.
        unsafe { s.store_partial(to.add(at), f.apply(s, x), len - at) };
    }
}
