//! The clock and the alarm that a batcher lives by: a precise one, and tokio's.
//!
//! Tokio's timer rounds up to its millisecond wheel: a sleep of 1 ms from idle takes 2 ms. A
//! promised queue delay needs better, so the default timer is a thread of its own that parks until
//! the next moment asked for. It never polls; without alarms it sleeps for good.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Where a batcher gets the time and its alarms from.
pub trait Timer: Send + Sync + 'static {
    /// The time now. A clock that is turned back counts as one that stands still.
    fn now(&self) -> Instant;

    /// Completes at `at` or as soon after it as this timer can.
    fn sleep_until(&self, at: Instant) -> Sleep;
}

/// What [`Timer::sleep_until`] returns; dropping it cancels the alarm.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The default: one thread for the whole process, which wakes within microseconds of the moment
/// asked for (on Linux with its timer slack set to 1 ns) and sleeps in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreciseTimer;

/// Tokio's clock, which tests can pause and advance. Sleeps end on its next whole millisecond.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(at.into()))
    }
}

impl Timer for PreciseTimer {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(Alarm { at, number: None })
    }
}

/// One alarm; registered when it is first polled.
struct Alarm {
    at: Instant,
    number: Option<u64>,
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let clock = Clock::get();
        let mut alarms = clock.lock();
        let number = match self.number {
            Some(number) => number,
            None => {
                alarms.next_number += 1;
                *self.number.insert(alarms.next_number)
            }
        };
        let earliest = alarms.waiting.first_key_value().is_none_or(|(first, _)| self.at < first.0);
        alarms.waiting.insert((self.at, number), cx.waker().clone());
        if earliest {
            clock.earlier.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            Clock::get().lock().waiting.remove(&(self.at, number));
        }
    }
}

/// The thread's side.
struct Clock {
    alarms: Mutex<Alarms>,
    earlier: Condvar,
}

#[derive(Default)]
struct Alarms {
    waiting: BTreeMap<(Instant, u64), Waker>,
    next_number: u64,
}

impl Clock {
    /// The process's clock, started when it is first needed.
    fn get() -> &'static Clock {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        CLOCK.get_or_init(|| {
            std::thread::Builder::new()
                .name("edgekit-timer".into())
                // Its own `get` returns as soon as this initialisation has.
                .spawn(|| Clock::get().run())
                .expect("a process that cannot start one thread cannot keep time");
            Clock { alarms: Mutex::default(), earlier: Condvar::new() }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> ! {
        sharpen();
        let mut alarms = self.lock();
        loop {
            let Some(first) = alarms.waiting.first_key_value().map(|(first, _)| first.0) else {
                alarms = self.earlier.wait(alarms).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let now = Instant::now();
            if first > now {
                let wait = self.earlier.wait_timeout(alarms, first - now);
                alarms = wait.unwrap_or_else(PoisonError::into_inner).0;
            } else if let Some((_, waker)) = alarms.waiting.pop_first() {
                drop(alarms);
                waker.wake();
                alarms = self.lock();
            }
        }
    }
}

/// Linux rounds a thread's sleeps up by 50 µs unless it is told that they matter.
#[cfg(target_os = "linux")]
fn sharpen() {
    // Without the permission, alarms are that much later; nothing else depends on it.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

#[cfg(not(target_os = "linux"))]
fn sharpen() {}
