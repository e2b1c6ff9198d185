//! Holds answers back until all batches that were formed earlier have been answered.

use std::collections::BTreeMap;

use crate::batcher::Reply;
use crate::error::Error;

/// The answers of one batch, each with where it goes.
pub(crate) type Answers<R> = Vec<(Reply<R>, Result<R, Error>)>;

/// Answers that wait for those of earlier batches.
pub(crate) struct Reorder<R> {
    next: u64,
    early: BTreeMap<u64, Answers<R>>,
}

impl<R> Reorder<R> {
    pub(crate) fn new() -> Self {
        Reorder { next: 0, early: BTreeMap::new() }
    }

    /// Takes the answers of batch `number` and sends all whose turn it is. Sending inside keeps two
    /// batches that finish at once in order.
    pub(crate) fn send(&mut self, number: u64, answers: Answers<R>) {
        self.early.insert(number, answers);
        while let Some(answers) = self.early.remove(&self.next) {
            self.next += 1;
            send(answers);
        }
    }
}

/// Sends answers to whoever still waits for them.
pub(crate) fn send<R>(answers: Answers<R>) {
    for (reply, answer) in answers {
        // The caller may have gone away; nobody else wants the answer then.
        let _ = reply.send(answer);
    }
}
