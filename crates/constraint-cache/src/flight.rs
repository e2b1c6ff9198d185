//! Single flight: one computation for all who ask for the same thing at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::{Error, ErrorKind, Key};

/// Computations that are under way.
#[derive(Debug)]
pub(crate) struct Flights<V> {
    by_key: Mutex<HashMap<Key, Arc<Flight<V>>>>,
    failures: AtomicU64,
}

/// One computation that others may wait for.
#[derive(Debug)]
pub(crate) struct Flight<V> {
    state: Mutex<State<V>>,
    done: Condvar,
}

#[derive(Debug)]
enum State<V> {
    Running(Vec<Waker>),
    Done(Result<V, Error>),
}

/// What somebody who asks has to do.
pub(crate) enum Role<V> {
    /// The value has just become available.
    Found(V),
    /// Compute it, with [`Flights::land`].
    Lead(Arc<Flight<V>>),
    /// Wait for somebody else.
    Follow(Arc<Flight<V>>),
}

impl<V: Clone> Flights<V> {
    pub(crate) fn new() -> Self {
        Flights { by_key: Mutex::default(), failures: AtomicU64::new(0) }
    }

    /// Joins the flight for a key or starts one. `look` is asked again under the lock: whoever
    /// landed since the caller looked has put the value there before the flight was taken out.
    pub(crate) fn join(&self, key: &Key, look: impl FnOnce() -> Option<V>) -> Role<V> {
        let mut flights = lock(&self.by_key);
        if let Some(flight) = flights.get(key) {
            return Role::Follow(Arc::clone(flight));
        }
        if let Some(value) = look() {
            return Role::Found(value);
        }
        let flight = Arc::new(Flight {
            state: Mutex::new(State::Running(Vec::new())),
            done: Condvar::new(),
        });
        flights.insert(key.clone(), Arc::clone(&flight));
        Role::Lead(flight)
    }

    /// Computes, keeps what succeeded with `keep`, and tells all who wait. A panic becomes an
    /// error of kind [`ErrorKind::Panicked`].
    pub(crate) fn land(
        &self,
        key: &Key,
        flight: &Flight<V>,
        compute: impl FnOnce() -> Result<V, Error>,
        keep: impl FnOnce(&V),
    ) -> Result<V, Error> {
        let result = catch_unwind(AssertUnwindSafe(|| compute().inspect(|value| keep(value))))
            .unwrap_or_else(|panic| {
                let what = panic
                    .downcast_ref::<&str>()
                    .map(|s| (*s).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Err(Error::new(ErrorKind::Panicked, format!("a compilation panicked: {what}")))
            });
        if result.is_err() {
            // Counted before anybody is told, who may look at the count.
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        lock(&self.by_key).remove(key);
        let before = std::mem::replace(&mut *lock(&flight.state), State::Done(result.clone()));
        flight.done.notify_all();
        if let State::Running(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
        result
    }

    /// How many computations have failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// How many computations are under way.
    pub(crate) fn len(&self) -> usize {
        lock(&self.by_key).len()
    }
}

impl<V: Clone> Flight<V> {
    /// Blocks until the flight has landed.
    pub(crate) fn wait(&self) -> Result<V, Error> {
        let mut state = lock(&self.state);
        loop {
            match &*state {
                State::Done(result) => return result.clone(),
                State::Running(_) => {
                    state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// Waits for a flight without blocking.
#[derive(Debug)]
pub(crate) struct Landing<V>(pub(crate) Arc<Flight<V>>);

impl<V: Clone> Future for Landing<V> {
    type Output = Result<V, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *lock(&self.0.state) {
            State::Done(result) => Poll::Ready(result.clone()),
            State::Running(wakers) => {
                if !wakers.iter().any(|w| w.will_wake(cx.waker())) {
                    wakers.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of a caller runs under these locks but `look`, which only reads.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    /// Those who wait for a computation that panics are told, and can start another one.
    #[test]
    fn a_panic_reaches_all_who_wait() {
        let flights: Flights<u32> = Flights::new();
        let key = Key::of(vec![1]);
        let Role::Lead(flight) = flights.join(&key, || None) else { panic!("nobody flies yet") };
        let waiting = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let Role::Follow(flight) = flights.join(&key, || None) else {
                        panic!("it has not landed")
                    };
                    waiting.wait();
                    assert_eq!(flight.wait().unwrap_err().kind(), ErrorKind::Panicked);
                });
            }
            waiting.wait();
            let kept = |_: &u32| panic!("nothing to keep");
            let result = flights.land(&key, &flight, || panic!("no {}", "luck"), kept);
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Panicked);
            assert!(error.to_string().contains("no luck"), "{error}");
        });
        assert_eq!(flights.len(), 0);
        let Role::Lead(flight) = flights.join(&key, || None) else { panic!("it has landed") };
        assert_eq!(flights.land(&key, &flight, || Ok(5), |_| ()).unwrap(), 5);
        assert_eq!(flight.wait().unwrap(), 5);
    }
}
