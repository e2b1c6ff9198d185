//! What threads can gain at all: the processor time that there is, and the longest piece of work.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::ThreadPool;

/// How many cores' worth of work the pool gets done right now, of work that takes one thread so many
/// seconds: a loop that shares nothing, cut small and begun by one thread while the others sleep. A
/// neighbour takes from it, and so does the time in which threads wake.
pub(crate) fn cores_to_be_had(pool: &ThreadPool, seconds: f64) -> f64 {
    const PIECES: usize = 128;
    let spin = |n: u64| (0..n).fold(1, |x: u64, i| black_box(x.wrapping_mul(i | 1)));
    pool.install(|| {
        // The others go to sleep, as they do while the next batch is made.
        std::thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        black_box(spin(1_000_000));
        let each = (1e6 * seconds / start.elapsed().as_secs_f64() / PIECES as f64) as u64;
        let taken = AtomicUsize::new(0);
        let work = || {
            while taken.fetch_add(1, Ordering::Relaxed) < PIECES {
                black_box(spin(each));
            }
        };
        let start = Instant::now();
        rayon::scope(|scope| {
            (1..pool.current_num_threads()).for_each(|_| scope.spawn(|_| work()));
            work();
        });
        let all = start.elapsed().as_secs_f64();
        // The loop may have been slower while it was timed alone.
        (seconds / all).clamp(1.0, pool.current_num_threads() as f64)
    })
}

/// The shortest time for pieces of work that nothing splits, on so many cores.
pub(crate) fn bound(pieces: &[f64], cores: f64) -> f64 {
    let longest = pieces.iter().copied().fold(0.0, f64::max);
    longest.max(pieces.iter().sum::<f64>() / cores)
}
