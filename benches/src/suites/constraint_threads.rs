//! What threads can gain at all: the processor time that there is, and the longest piece of work.

use std::hint::black_box;
use std::time::Instant;

use rayon::ThreadPool;

/// How many cores' worth of work the pool gets done right now: a loop that shares nothing, on one
/// of its threads and then on all of them at once. On an idle machine that is the number of its
/// threads; a neighbour takes from it.
pub(crate) fn cores_to_be_had(pool: &ThreadPool) -> f64 {
    let spin =
        || black_box((0..1_000_000u64).fold(1, |x: u64, i| black_box(x.wrapping_mul(i | 1))));
    let start = Instant::now();
    pool.install(spin);
    let one = start.elapsed().as_secs_f64();
    let start = Instant::now();
    pool.broadcast(|_| spin());
    let all = start.elapsed().as_secs_f64();
    (pool.current_num_threads() as f64 * one / all).max(1.0)
}

/// The shortest time for pieces of work that nothing splits, on so many cores.
pub(crate) fn bound(pieces: &[f64], cores: f64) -> f64 {
    let longest = pieces.iter().copied().fold(0.0, f64::max);
    longest.max(pieces.iter().sum::<f64>() / cores)
}
