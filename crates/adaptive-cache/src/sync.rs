//! The one place that knows whether locks and atomics are the real ones or loom's.

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::thread::yield_now;

    pub(crate) use parking_lot::{Mutex, MutexGuard};

    #[inline]
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }
}

#[cfg(not(loom))]
pub(crate) use real::*;

#[cfg(loom)]
mod modelled {
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(loom)]
pub(crate) use modelled::*;
