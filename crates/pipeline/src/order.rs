//! Puts what several workers of one stage return back in order, without letting it pile up.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;

use crate::stage::Packet;

/// Packets that came early wait here for those before them.
///
/// A worker whose packet is too far ahead waits, too. The packet that all others wait for is never
/// among those: packets are taken in order, so that some worker is busy with it.
pub(crate) struct Sorter<T> {
    state: Mutex<State<T>>,
    moved: Condvar,
    window: usize,
}

struct State<T> {
    next: usize,
    early: BTreeMap<usize, Packet<T>>,
    closed: bool,
}

impl<T> Sorter<T> {
    /// Holds at most `window` packets.
    pub(crate) fn new(window: usize) -> Self {
        let state = Mutex::new(State { next: 0, early: BTreeMap::new(), closed: false });
        Sorter { state, moved: Condvar::new(), window }
    }

    /// Waits until packet `number` is near enough to its turn to be worked on; `false` if nobody
    /// takes it any more.
    pub(crate) fn wait(&self, number: usize) -> bool {
        let mut state = self.lock();
        while number >= state.next + self.window && !state.closed {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    /// Sends on what is now in order; `false` if nobody takes it any more.
    pub(crate) fn send(&self, packet: Packet<T>, next_stage: &Sender<Packet<T>>) -> bool {
        let mut state = self.lock();
        state.early.insert(packet.number, packet);
        // Sending under the lock keeps two workers in order; a full queue holds both back.
        loop {
            let next = state.next;
            let Some(packet) = state.early.remove(&next) else { break };
            state.next += 1;
            if next_stage.send(packet).is_err() {
                state.closed = true;
                break;
            }
        }
        self.moved.notify_all();
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
