//! How many threads are worth starting.

use std::num::NonZeroUsize;

/// How many threads can really run at once: the cores of the machine, less what the process's CPU
/// affinity and, on Linux, its control groups' CPU quota take away. At least 1.
///
/// In a container that may use 2 of 64 cores this is 2, where a count of the cores would start 64
/// threads that take turns.
pub fn optimal_threads() -> usize {
    // The standard library reads affinity and the quotas of both versions of control groups.
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
