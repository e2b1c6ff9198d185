//! Group commit: while one group is synced the next one gathers, and all of a group wake together.
//!
//! Whoever waits for a ticket while nobody writes becomes the writer for all that is staged; that
//! spares the way through another thread. The log's own thread looks after tickets that are
//! awaited or that nobody waits for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::read::Segment;
use super::{Shared, lock};
use crate::error::{Error, ErrorKind};
use crate::hash::Hash;
use crate::store::segment::{HEADER_BYTES, Header, finish_commit};
use crate::store::{StoredFile, io_error};

/// The promise that events become durable: wait for it, or await it. Dropping it changes nothing.
#[must_use = "the event is not durable before the ticket says so"]
#[derive(Clone)]
pub struct Ticket {
    /// Gone when the log is closed; then the batch is settled.
    shared: Weak<Shared>,
    batch: Arc<Batch>,
    receipt: Receipt,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("receipt", &self.receipt).finish_non_exhaustive()
    }
}

/// Says that events are durable, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The index of the first of them.
    pub index: u64,
    /// How many they are.
    pub count: u64,
}

impl Ticket {
    pub(super) fn new(shared: Weak<Shared>, batch: Arc<Batch>, receipt: Receipt) -> Self {
        Ticket { shared, batch, receipt }
    }

    /// Blocks until the events are durable.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the commit failed; whether the events are durable then shows when the
    /// log is opened again.
    pub fn wait(self) -> Result<Receipt, Error> {
        let mut done = lock(&self.batch.done);
        loop {
            if let Some(result) = &done.result {
                return result.clone().map(|()| self.receipt);
            }
            if std::mem::take(&mut done.free)
                && let Some(shared) = self.shared.upgrade()
            {
                drop(done);
                if !shared.config.commit_delay.is_zero() {
                    std::thread::sleep(shared.config.commit_delay);
                }
                shared.commit_staged();
                done = lock(&self.batch.done);
                continue;
            }
            done = self.batch.settled.wait(done).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut done = lock(&self.batch.done);
        match &done.result {
            Some(result) => Poll::Ready(result.clone().map(|()| self.receipt)),
            None => {
                if let Some(shared) = self.shared.upgrade() {
                    shared.hurry.store(true, Ordering::Release);
                    shared.work.notify_one();
                }
                if !done.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    done.wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

/// What the tickets of one commit wait for. Its own lock, so that waking does not hold up staging.
#[derive(Debug, Default)]
pub(super) struct Batch {
    done: Mutex<Done>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct Done {
    result: Option<Result<(), Error>>,
    /// Nobody writes: the next to wait is to do it.
    free: bool,
    wakers: Vec<Waker>,
}

impl Batch {
    /// A batch that whoever waits for it first is to write.
    pub(super) fn free() -> Self {
        let batch = Batch::default();
        batch.set_free();
        batch
    }

    fn set_free(&self) {
        lock(&self.done).free = true;
        self.settled.notify_one();
    }

    fn settle(&self, result: Result<(), Error>) {
        let wakers = {
            let mut done = lock(&self.done);
            done.result = Some(result);
            std::mem::take(&mut done.wakers)
        };
        self.settled.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Events and bodies that are accepted and wait to be written.
#[derive(Default)]
pub(super) struct Staged {
    /// A commit whose header is still blank.
    pub(super) buffer: Vec<u8>,
    /// Offset and length of each payload in `buffer`.
    pub(super) records: Vec<(u32, u32)>,
    /// Records for the body file.
    pub(super) body_buffer: Vec<u8>,
    /// Commitment, offset and length of each payload in `body_buffer`.
    pub(super) bodies: Vec<(Hash, u64, u64)>,
}

/// The end of the log on disk.
pub(super) struct Writer {
    pub(super) file: Arc<dyn StoredFile>,
    pub(super) header: Header,
    pub(super) end: u64,
    /// The index of the next event to be written.
    pub(super) next: u64,
    /// The buffer of the last commit, to be filled again.
    pub(super) spare: Vec<u8>,
}

impl Shared {
    /// The log's own thread: commits what is awaited, and what has waited for so long that nobody
    /// seems to wait for it.
    pub(super) fn run_commits(&self) {
        const GRACE: Duration = Duration::from_millis(2);
        loop {
            let mut state = self.state();
            while state.staged.records.is_empty() {
                if state.closing || state.failed.is_some() {
                    return;
                }
                state.watched = false;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.watched = true;
            let batch = state.batch.clone();
            let unhurried = |state: &mut super::ingest::State| {
                !state.closing && !self.hurry.load(Ordering::Acquire)
            };
            let grace = self.config.commit_delay.max(GRACE);
            let waited = self.work.wait_timeout_while(state, grace, unhurried);
            let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            // While others write there is no need, and a small commit between theirs costs a sync.
            let forgotten = Arc::ptr_eq(&state.batch, &batch) && self.writer.try_lock().is_ok();
            drop(state);
            if !timeout.timed_out() || forgotten {
                self.hurry.store(false, Ordering::Release);
                self.commit_staged();
            }
        }
    }

    /// Writes what is staged and tells its tickets. A failure is final.
    pub(super) fn commit_staged(&self) {
        let mut writer = lock(&self.writer);
        let (mut staged, batch) = {
            let mut state = self.state();
            if state.staged.records.is_empty() || state.failed.is_some() {
                state.batch.set_free();
                return;
            }
            let fresh = Staged { buffer: std::mem::take(&mut writer.spare), ..Staged::default() };
            let staged = std::mem::replace(&mut state.staged, fresh);
            (staged, std::mem::take(&mut state.batch))
        };
        let written = self.write_commit(&mut writer, &mut staged);
        if let Err(error) = &written {
            let mut state = self.state();
            state.failed = Some(error.clone());
            let orphans = std::mem::take(&mut state.batch);
            drop(state);
            orphans.settle(Err(Error::caused(
                ErrorKind::Poisoned,
                "the commit before this one failed",
                error.clone(),
            )));
        }
        staged.buffer.clear();
        writer.spare = staged.buffer;
        drop(writer);
        // This group's writers first: what they append next goes with the group that is gathering.
        batch.settle(written);
        self.state().batch.set_free();
    }

    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_all();
    }

    fn write_commit(&self, writer: &mut Writer, staged: &mut Staged) -> Result<(), Error> {
        // Bodies first: an event is never durable without its body.
        if !staged.bodies.is_empty() {
            lock(&self.bodies).append(&*self.files, &staged.body_buffer, &staged.bodies)?;
        }
        let bytes = staged.buffer.len() as u64;
        if writer.end > HEADER_BYTES as u64 && writer.end + bytes > self.config.segment_bytes {
            self.roll(writer)?;
        }
        let count = staged.records.len();
        finish_commit(&mut staged.buffer, writer.next, count as u32, &writer.header.marker);
        let what = format!("cannot write events from number {} on", writer.next);
        writer
            .file
            .write_at(writer.end, &staged.buffer)
            .and_then(|()| writer.file.sync())
            .map_err(io_error(what))?;
        let base = writer.end as u32;
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = segments.last_mut() {
            let moved = staged.records.iter().map(|(offset, length)| (base + offset, *length));
            last.records.extend(moved);
        }
        drop(segments);
        writer.end += bytes;
        writer.next += count as u64;
        self.durable.store(writer.next, Ordering::Release);
        Ok(())
    }

    /// Closes the last segment and begins the next one.
    fn roll(&self, writer: &mut Writer) -> Result<(), Error> {
        let root = self.state().tree.at(writer.next).map_or(Hash::EMPTY_ROOT, |view| view.root());
        let (segment, header) = Segment::create(&*self.files, writer.next, root)?;
        writer.file = segment.file.clone();
        writer.header = header;
        writer.end = HEADER_BYTES as u64;
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
        Ok(())
    }
}
