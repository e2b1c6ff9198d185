//! What one writes without this crate: plain loops, compiled for baseline x86-64.
//!
//! Never inlined, so that a caller's features do not reach them.

#[inline(never)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[inline(never)]
pub(super) fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Three passes, as most code has it.
#[inline(never)]
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

#[inline(never)]
pub(super) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum()
}

/// The low halves of the bytes belong to the first half of the query.
#[inline(never)]
pub(super) fn dot_i8_u4(query: &[i8], row: &[u8]) -> i32 {
    let (low, high) = query.split_at(row.len());
    let pairs = row.iter().zip(low.iter().zip(high));
    pairs
        .map(|(&codes, (&x, &y))| {
            i32::from(codes & 15) * i32::from(x) + i32::from(codes >> 4) * i32::from(y)
        })
        .sum()
}

/// Rows of `k` by rows of `k`.
#[inline(never)]
pub(super) fn gemm_u8_i8(a: &[u8], b: &[i8], c: &mut [i32], k: usize) {
    let n = b.len() / k;
    for (a, out) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
        for (out, b) in out.iter_mut().zip(b.chunks_exact(k)) {
            *out = a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
        }
    }
}

#[inline(never)]
pub(super) fn sum(a: &[f32]) -> f32 {
    a.iter().sum()
}

#[inline(never)]
pub(super) fn min_max(a: &[f32]) -> (f32, f32) {
    a.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &x| (min.min(x), max.max(x)))
}

/// The mean, then the mean of the squared deviations.
#[inline(never)]
pub(super) fn mean_variance(a: &[f32]) -> (f32, f32) {
    let mean = sum(a) / a.len() as f32;
    let variance = a.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / a.len() as f32;
    (mean, variance)
}

#[inline(never)]
pub(super) fn hamming(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(x, y)| (x ^ y).count_ones()).sum()
}

/// The three loops, in the order that reads rows.
#[inline(never)]
pub(super) fn gemm(a: &[f32], b: &[f32], c: &mut [f32], n: usize) {
    let k = b.len() / n;
    c.fill(0.0);
    for (row, out) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
        for (x, b) in row.iter().zip(b.chunks_exact(n)) {
            for (out, y) in out.iter_mut().zip(b) {
                *out += x * y;
            }
        }
    }
}

#[inline(never)]
pub(super) fn add_in_place(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[inline(never)]
pub(super) fn map(f: fn(f32) -> f32, x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

#[inline(never)]
pub(super) fn softmax(x: &[f32], out: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (out, &x) in out.iter_mut().zip(x) {
        *out = (x - max).exp();
        sum += *out;
    }
    for out in out {
        *out /= sum;
    }
}

/// A loop that the compiler vectorises for baseline x86-64.
#[inline(never)]
pub(super) fn q_update(q: &mut [f32], r: &[f32], next: &[f32], alpha: f32, gamma: f32) {
    for ((q, r), next) in q.iter_mut().zip(r).zip(next) {
        *q += alpha * (r + gamma * next - *q);
    }
}

/// The same where something, here a value the compiler must not know, keeps it from being one.
#[inline(never)]
pub(super) fn q_update_blocked(q: &mut [f32], r: &[f32], next: &[f32], alpha: f32, gamma: f32) {
    for ((q, r), next) in q.iter_mut().zip(r).zip(next) {
        *q += std::hint::black_box(alpha * (r + gamma * next - *q));
    }
}

#[inline(never)]
pub(super) fn violations(x: &[f32], low: &[f32], high: &[f32], mask: &mut [u64]) -> usize {
    mask.fill(0);
    let mut count = 0;
    for i in 0..x.len() {
        if !(low[i] <= x[i] && x[i] <= high[i]) {
            mask[i / 64] |= 1 << (i % 64);
            count += 1;
        }
    }
    count
}

/// The same, kept from being vectorised.
#[inline(never)]
pub(super) fn violations_blocked(x: &[f32], low: &[f32], high: &[f32], mask: &mut [u64]) -> usize {
    mask.fill(0);
    let mut count = 0;
    for i in 0..x.len() {
        if std::hint::black_box(!(low[i] <= x[i] && x[i] <= high[i])) {
            mask[i / 64] |= 1 << (i % 64);
            count += 1;
        }
    }
    count
}

#[inline(never)]
pub(super) fn count_above(x: &[f32], threshold: f32) -> usize {
    x.iter().filter(|&&x| x > threshold).count()
}

#[inline(never)]
pub(super) fn count_above_blocked(x: &[f32], threshold: f32) -> usize {
    x.iter().filter(|&&x| std::hint::black_box(x > threshold)).count()
}

/// A copy, sorted.
#[inline(never)]
pub(super) fn top_k(x: &[f32], k: usize) -> Vec<(f32, u32)> {
    let mut all: Vec<(f32, u32)> = x.iter().zip(0..).map(|(&x, i)| (x, i)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.truncate(k);
    all
}

#[inline(never)]
pub(super) fn rgba_to_gray(rgba: &[u8], gray: &mut [u8]) {
    for (pixel, gray) in rgba.chunks_exact(4).zip(gray) {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        *gray = ((77 * red + 150 * green + 29 * blue + 128) >> 8) as u8;
    }
}

#[inline(never)]
pub(super) fn threshold(gray: &[u8], limit: u8, out: &mut [u8]) {
    for (value, out) in gray.iter().zip(out) {
        *out = if *value > limit { 255 } else { 0 };
    }
}

#[inline(never)]
pub(super) fn z_score(x: &mut [f32]) {
    let (mean, variance) = mean_variance(x);
    let deviation = variance.sqrt() + 1e-8;
    for x in x {
        *x = (*x - mean) / deviation;
    }
}
