//! Work that the caller begins at once and that rayon's threads join when they are awake.
//!
//! A thread that has slept through the model's time takes up to a few hundred microseconds to wake, as
//! long as a dozen masks take. Scoped threads would have the caller wait for each of them, even where
//! nothing is left to do by then. Here a helper that comes late finds the door closed and goes away.
#![allow(unsafe_code, reason = "helpers that nobody waits for cannot borrow: see `Door::job`")]

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Runs `work` here and on up to `helpers` threads of rayon's pool, each of which begins when it can.
/// Returns when `work` has returned here and on all threads that had begun by then. So `work` must
/// itself share out what there is to do, and return when nothing is left.
///
/// # Panics
/// If `work` panics, on whichever thread.
pub(crate) fn with_helpers(helpers: usize, work: impl Fn() + Sync) {
    if helpers == 0 {
        return work();
    }
    let door = Arc::new(Door::to(&work));
    for _ in 0..helpers {
        let door = Arc::clone(&door);
        rayon::spawn(move || door.enter());
    }
    let here = catch_unwind(AssertUnwindSafe(&work));
    let there = door.close();
    if let Some(payload) = here.err().or(there) {
        resume_unwind(payload);
    }
}

/// How often the caller looks whether helpers have left before it goes to sleep: for some 300 us where a
/// pause takes 40 ns, as on recent Intel processors, and for less elsewhere.
const LOOKS: usize = 200;

/// Pauses between two looks.
const PAUSES: usize = 32;

/// What lets helpers in to the work, until it is closed.
struct Door {
    /// Borrowed by whoever made the door, who returns only after closing it. Others hold the door for
    /// longer, hence no reference.
    job: *const (dyn Fn() + Sync),
    state: Mutex<State>,
    nobody_inside: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    inside: usize,
    panic: Option<Box<dyn Any + Send>>,
}

// SAFETY: what the pointer leads to is `Sync`, and the rest of a door is `Send` and `Sync` by itself.
unsafe impl Send for Door {}
// SAFETY: as above.
unsafe impl Sync for Door {}

impl Door {
    fn to<'a>(job: &'a (dyn Fn() + Sync + 'a)) -> Self {
        let job: *const (dyn Fn() + Sync + 'a) = job;
        // SAFETY: only the lifetime changes, of a pointer that is followed by nobody but `enter`.
        let job = unsafe {
            std::mem::transmute::<*const (dyn Fn() + Sync + 'a), *const (dyn Fn() + Sync)>(job)
        };
        Door { job, state: Mutex::default(), nobody_inside: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes part in the work, if the door is open.
    fn enter(&self) {
        {
            let mut state = self.state();
            if state.closed {
                return;
            }
            state.inside += 1;
        }
        // SAFETY: the door was open when this thread was counted as inside, so `close` has not returned
        // and will not before this thread has left; until then the job is borrowed.
        let job = unsafe { &*self.job };
        let outcome = catch_unwind(AssertUnwindSafe(job));
        let mut state = self.state();
        state.inside -= 1;
        if let Err(payload) = outcome {
            state.panic = Some(payload);
        }
        if state.inside == 0 {
            self.nobody_inside.notify_all();
        }
    }

    /// Lets nobody in from now on and waits until nobody is inside. What a helper panicked with.
    fn close(&self) -> Option<Box<dyn Any + Send>> {
        self.state().closed = true;
        // A helper has one mask left at most, and to be woken would take longer.
        for _ in 0..LOOKS {
            if self.state().inside == 0 {
                break;
            }
            (0..PAUSES).for_each(|_| spin_loop());
        }
        let mut state = self.state();
        while state.inside > 0 {
            state = self.nobody_inside.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.panic.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_turn_is_taken_once_whoever_comes() {
        for helpers in [0, 1, 3, 20] {
            for n in [0, 1, 2, 100] {
                let (left, taken) = (AtomicUsize::new(n), AtomicUsize::new(0));
                with_helpers(helpers, || {
                    while left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok() {
                        taken.fetch_add(1, SeqCst);
                    }
                });
                assert_eq!(taken.into_inner(), n, "{helpers} helpers");
            }
        }
    }

    #[test]
    fn helpers_that_have_begun_are_waited_for() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
        // From inside of the pool, so that its other thread is the one that helps.
        pool.install(|| {
            let caller = rayon::current_thread_index();
            let met = Barrier::new(2);
            let (over_here, over_there) = (AtomicBool::new(false), AtomicBool::new(false));
            with_helpers(1, || {
                met.wait();
                if rayon::current_thread_index() == caller {
                    return over_here.store(true, SeqCst);
                }
                while !over_here.load(SeqCst) {
                    std::hint::spin_loop();
                }
                std::thread::sleep(Duration::from_millis(5));
                over_there.store(true, SeqCst);
            });
            assert!(over_there.into_inner());
        });
    }

    #[test]
    fn nobody_waits_for_helpers_that_do_not_come() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        let came = pool.install(|| {
            let came = AtomicUsize::new(0);
            // The pool's only thread is here, so its helpers come when this is over.
            with_helpers(3, || {
                came.fetch_add(1, SeqCst);
            });
            came.into_inner()
        });
        assert_eq!(came, 1);
        // They do come then, and find the door closed.
        pool.install(|| while rayon::yield_now() == Some(rayon::Yield::Executed) {});
    }

    #[test]
    fn a_panic_comes_back_to_the_caller_after_all_have_left() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
        for panics_here in [true, false] {
            let met = Barrier::new(2);
            let left = AtomicUsize::new(0);
            let outcome = pool.install(|| {
                let caller = rayon::current_thread_index();
                catch_unwind(AssertUnwindSafe(|| {
                    with_helpers(1, || {
                        met.wait();
                        let here = rayon::current_thread_index() == caller;
                        if here == panics_here {
                            resume_unwind(Box::new("on purpose"));
                        }
                        left.fetch_add(1, SeqCst);
                    });
                }))
            });
            let payload = outcome.expect_err("it panicked");
            assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
            assert_eq!(left.into_inner(), 1);
        }
    }
}
