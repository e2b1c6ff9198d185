//! What runs on a pipeline's threads: the source and the stages, each between two queues.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use crate::error::{BoxError, Error};
use crate::order::Sorter;

/// Consecutive items on their way. Every packet goes all the way, empty if need be, so that those
/// who sort never wait for one that does not come.
pub(crate) struct Packet<T> {
    /// Which packet it is, from 0.
    pub(crate) number: usize,
    /// The place of its first item in the input.
    pub(crate) first: usize,
    pub(crate) items: Vec<T>,
}

/// The first item that went wrong so far. Items behind it are skipped; those before it go on, as
/// one of them may turn out to be the first.
#[derive(Default)]
pub(crate) struct Stop {
    /// The place after the first bad item; 0 is none, which makes `Default` right.
    bound: AtomicUsize,
    error: Mutex<Option<Error>>,
}

impl Stop {
    fn report(&self, index: usize, error: Error) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().and_then(Error::index).is_none_or(|known| index < known) {
            self.bound.store(index + 1, Ordering::Relaxed);
            *first = Some(error);
        }
    }

    /// Whether this item is behind one that went wrong.
    pub(crate) fn covers(&self, index: usize) -> bool {
        let bound = self.bound.load(Ordering::Relaxed);
        bound != 0 && index >= bound
    }

    /// The error of the first item that went wrong, when all threads are done.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Takes items from the source and packs them, until it ends, something goes wrong or nobody takes
/// them any more.
pub(crate) fn feed<T>(
    mut source: impl Iterator<Item = Result<T, BoxError>>,
    packet_items: usize,
    stop: &Stop,
    output: &Sender<Packet<T>>,
) {
    let mut first = 0;
    for number in 0.. {
        let mut items = Vec::with_capacity(packet_items);
        let mut ended = false;
        let fill = || {
            while items.len() < packet_items && !stop.covers(first + items.len()) {
                match source.next() {
                    Some(Ok(item)) => items.push(item),
                    Some(Err(error)) => return Err(error),
                    None => return Ok(true),
                }
            }
            Ok(stop.covers(first + items.len()))
        };
        let filled = catch_unwind(AssertUnwindSafe(fill));
        let index = first + items.len();
        match filled {
            Ok(Ok(last)) => ended = last,
            Ok(Err(error)) => stop.report(index, Error::failed(index, 0, error)),
            Err(panic) => stop.report(index, Error::panicked(index, 0, &*panic)),
        }
        ended |= stop.covers(index + 1);
        if output.send(Packet { number, first, items }).is_err() || ended {
            return;
        }
        first = index;
    }
}

/// Where a worker of a stage is: its queues and its place.
pub(crate) struct Post<'a, T, U> {
    /// From 1.
    pub(crate) stage: usize,
    pub(crate) stop: &'a Stop,
    pub(crate) input: Receiver<Packet<T>>,
    pub(crate) output: Sender<Packet<U>>,
    /// Shared by the workers of the stage if order is kept and there are several.
    pub(crate) sorter: Option<&'a Sorter<U>>,
}

impl<T, U> Post<'_, T, U> {
    /// Works until there is no more input or nobody takes the output.
    pub(crate) fn work(self, mut f: impl FnMut(T) -> Result<U, BoxError>) {
        for packet in &self.input {
            if self.sorter.is_some_and(|sorter| !sorter.wait(packet.number)) {
                return;
            }
            let packet = self.transform(packet, &mut f);
            let taken = match self.sorter {
                Some(sorter) => sorter.send(packet, &self.output),
                None => self.output.send(packet).is_ok(),
            };
            if !taken {
                return;
            }
        }
    }

    fn transform(
        &self,
        packet: Packet<T>,
        f: &mut impl FnMut(T) -> Result<U, BoxError>,
    ) -> Packet<U> {
        let Packet { number, first, items } = packet;
        let mut done = Vec::with_capacity(items.len());
        let each = || {
            for item in items {
                if self.stop.covers(first + done.len()) {
                    break;
                }
                done.push(f(item)?);
            }
            Ok(())
        };
        let outcome = catch_unwind(AssertUnwindSafe(each));
        let index = first + done.len();
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.stop.report(index, Error::failed(index, self.stage, error)),
            Err(panic) => self.stop.report(index, Error::panicked(index, self.stage, &*panic)),
        }
        Packet { number, first, items: done }
    }
}
