//! Threads that wait for work without falling asleep.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps rayon's threads awake until it is dropped, for [`mask_many`](crate::mask_many) to find them so.
///
/// A batch of masks takes less than a millisecond, and a thread that slept through the model's time is
/// back late and with cold caches. A server makes one of these when it begins to generate and drops it
/// when nothing is left to do. Meanwhile all threads of the pool but one turn in a loop, as those of
/// inference runtimes do: that costs a core each, and power. They take any work of rayon that comes, and
/// give way to other processes.
///
/// ```
/// use edgekit_constraint_cache::Awake;
///
/// let awake = Awake::new();
/// // Generate: `mask_many`, then the model, and so on.
/// drop(awake);
/// ```
#[must_use = "threads stay awake until it is dropped"]
pub struct Awake {
    over: Arc<AtomicBool>,
}

impl Awake {
    /// Wakes the threads of the pool that this thread belongs to, or else of rayon's global pool.
    #[expect(clippy::new_without_default, reason = "a default does not set threads going")]
    pub fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        rayon::spawn_broadcast(move |thread| {
            // The caller works too and needs a core.
            while thread.index() + 1 < thread.num_threads() && !seen.load(Ordering::Relaxed) {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    // Whoever else wants this core gets it: a thread that has turned its time away
                    // would be taken off it in the middle of a mask.
                    std::thread::yield_now();
                }
            }
        });
        Awake { over }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Awake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awake").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::time::Duration;

    use super::*;

    #[test]
    fn threads_that_are_kept_awake_do_whatever_comes_and_sleep_again() {
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            let (one, other) = pool.install(|| (Awake::new(), Awake::new()));
            let watched = [Arc::downgrade(&one.over), Arc::downgrade(&other.over)];
            for _ in 0..3 {
                // All of them at once, or nobody would go on.
                let met = Barrier::new(threads);
                pool.broadcast(|_| met.wait());
            }
            drop(one);
            assert_eq!(pool.install(|| rayon::join(|| 1, || 2)), (1, 2));
            drop(other);
            // Whoever still turns holds on to it.
            while watched.iter().any(|over| over.strong_count() > 0) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
