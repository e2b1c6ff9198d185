//! What this machine can do at most: reads from memory, and multiply-adds in registers.
#![allow(unsafe_code, reason = "calls a loop that was compiled for the features just detected")]

use std::hint::black_box;
use std::time::Instant;

use crate::{Suite, Unit};

pub(super) fn declare(suite: &mut Suite) {
    if suite.wants("kernels/peak/memory-read") {
        // Larger than the last-level cache of any machine that this runs on, and written, so that
        // it is not one page of zeros.
        let mut room: Option<Vec<u64>> = None;
        suite.measure("kernels/peak/memory-read", Unit::BytesPerSecond, move || {
            let room = room.get_or_insert_with(|| (0..1 << 26).collect());
            let pass = |_| {
                let start = Instant::now();
                black_box(read(black_box(room)));
                (8 * room.len()) as f64 / start.elapsed().as_secs_f64()
            };
            // The best of three, as the scans that are compared with it.
            (0..3).map(pass).fold(0.0, f64::max)
        });
    }
    suite.measure("kernels/peak/flops", Unit::PerSecond, || {
        const STEPS: u64 = 1 << 20;
        let start = Instant::now();
        let lanes = multiply_add(STEPS);
        2.0 * (lanes * CHAINS * STEPS as usize) as f64 / start.elapsed().as_secs_f64()
    });
}

/// Reads everything and does as little as possible with it.
fn read(room: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: detected in the line above.
        return unsafe { xor_avx512(room) };
    }
    xor(room)
}

/// Four streams far apart, each fetched a kilobyte ahead: a plain loop over one stream was measured
/// to leave a third of the bandwidth unused.
#[inline(always)]
fn xor(room: &[u64]) -> u64 {
    const LINE: usize = 8;
    const AHEAD: usize = 128;
    let quarter = room.len() / 4;
    let stream = |i: usize| room[i * quarter..(i + 1) * quarter].as_chunks::<LINE>().0.iter();
    let mut lanes = [[0; LINE]; 4];
    for (((a, b), c), d) in stream(0).zip(stream(1)).zip(stream(2)).zip(stream(3)) {
        for (lanes, line) in lanes.iter_mut().zip([a, b, c, d]) {
            prefetch(line.as_ptr().wrapping_add(AHEAD));
            for (lane, value) in lanes.iter_mut().zip(line) {
                *lane ^= value;
            }
        }
    }
    lanes.as_flattened().iter().fold(0, |all, lane| all ^ lane)
}

#[inline(always)]
fn prefetch(line: *const u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and faults on no address; SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn xor_avx512(room: &[u64]) -> u64 {
    xor(room)
}

/// Enough independent multiply-adds to hide the latency of one.
const CHAINS: usize = 12;

/// Runs `steps` multiply-adds in each chain, and says how many lanes one had.
fn multiply_add(steps: u64) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: detected in the line above.
            unsafe { multiply_add_avx512(steps) };
            return 16;
        }
        if is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx2") {
            // SAFETY: detected in the line above.
            unsafe { multiply_add_avx2(steps) };
            return 8;
        }
    }
    let mut chains = [black_box(1.0_f32); CHAINS];
    for _ in 0..steps {
        for chain in &mut chains {
            *chain = *chain * 0.999 + 0.001;
        }
    }
    black_box(chains);
    1
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_add_avx512(steps: u64) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_set1_ps};
    let (x, y) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
    let mut chains = [x; CHAINS];
    for _ in 0..steps {
        for chain in &mut chains {
            *chain = _mm512_fmadd_ps(*chain, x, y);
        }
    }
    black_box(chains);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_add_avx2(steps: u64) {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let (x, y) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
    let mut chains = [x; CHAINS];
    for _ in 0..steps {
        for chain in &mut chains {
            *chain = _mm256_fmadd_ps(*chain, x, y);
        }
    }
    black_box(chains);
}
