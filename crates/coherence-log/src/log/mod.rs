//! The log: takes verified events, makes them durable in groups, proves and finds them again.

mod bodies;
mod commit;
mod fsck;
mod index;
mod ingest;
mod read;
mod recover;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, invalid};
use crate::hash::Hash;
use crate::note::{Checkpoint, Note, NoteSigner};
use crate::store::{Files, MemoryFiles};

pub use bodies::Erasure;
pub use commit::{Receipt, Ticket};
pub use fsck::{Finding, FsckReport, fsck};
pub use index::Query;
pub use read::LARGE_PREFIX;

/// An append-only log of signed events.
///
/// All methods take `&self`; share it between threads in an [`Arc`]. Dropping it makes what was
/// staged durable and ends its thread.
pub struct Log {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
}

/// How a [`Log`] behaves. Checked once, when it is opened.
#[derive(Clone, Debug)]
pub struct Config {
    /// A segment file is closed before it grows beyond this many bytes. Up to 1 GiB.
    pub segment_bytes: u64,
    /// The largest encoded event in bytes. Up to 16 MiB.
    pub max_event_bytes: usize,
    /// How far ahead of the clock an event's time may be.
    pub max_ahead: Duration,
    /// How far behind the clock an event's time may be; `None` takes any age.
    pub max_behind: Option<Duration>,
    /// How long a commit waits for company before it is written. Zero still groups: while one
    /// commit is being synced, the next one gathers. A ticket that nobody waits for is committed
    /// within this time, or 2 ms if that is longer.
    pub commit_delay: Duration,
    /// `append` waits once this many bytes are staged and not yet durable.
    pub max_staged_bytes: usize,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            segment_bytes: 64 << 20,
            max_event_bytes: 1 << 20,
            max_ahead: Duration::from_secs(300),
            max_behind: None,
            commit_delay: Duration::ZERO,
            max_staged_bytes: 64 << 20,
            clock: Clock::system(),
        }
    }
}

/// A source of Unix time in milliseconds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    /// The system's clock.
    pub fn system() -> Self {
        Clock::new(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
        })
    }

    /// The time now, in milliseconds of Unix time.
    pub fn now_ms(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Log {
    /// Opens the log in `files`, or begins one, and starts the thread that commits in groups.
    ///
    /// Reads and hashes every event once. Whatever a crash left incomplete at the end is cut off;
    /// nobody was told that it was durable.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; [`ErrorKind::Corrupt`] if what was durable is damaged or missing;
    /// [`ErrorKind::Version`]; [`ErrorKind::Invalid`] for a setting out of range.
    pub fn open(files: impl Files, config: Config) -> Result<Log, Error> {
        let shared = Arc::new(Shared::recover(Box::new(files), config)?);
        let worker = shared.clone();
        let committer = std::thread::Builder::new()
            .name("edgekit-log-commit".into())
            .spawn(move || worker.run_commits())
            .map_err(crate::store::io_error("cannot start the commit thread"))?;
        Ok(Log { shared, committer: Some(committer) })
    }

    /// Like [`open`](Self::open) without a thread: each append commits by itself before it
    /// returns, and its ticket is ready at once. For browsers, and for tools that append little.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_unthreaded(files: impl Files, config: Config) -> Result<Log, Error> {
        Ok(Log { shared: Arc::new(Shared::recover(Box::new(files), config)?), committer: None })
    }

    /// An empty log in memory, without a thread.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a setting out of range.
    pub fn in_memory(config: Config) -> Result<Log, Error> {
        Log::open_unthreaded(MemoryFiles::new(), config)
    }

    /// How many events are durable.
    pub fn size(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// The Merkle root over all durable events.
    pub fn root(&self) -> Hash {
        self.head().1
    }

    /// Size and root, of the same moment.
    pub fn head(&self) -> (u64, Hash) {
        let state = self.shared.state();
        let size = self.size();
        (size, state.tree.at(size).map_or(Hash::EMPTY_ROOT, |view| view.root()))
    }

    /// A signed checkpoint of the log as it is. Size and root are recorded on disk first: a log
    /// that later has less refuses to open, so nothing that was signed for is lost unnoticed.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] if `origin` is not one line of text; [`ErrorKind::Io`].
    pub fn checkpoint(
        &self,
        origin: &str,
        signer: &NoteSigner,
    ) -> Result<(Note, Checkpoint), Error> {
        let (size, root) = self.head();
        let checkpoint =
            Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() };
        let mut note = checkpoint.to_note()?;
        {
            // Held so that an older size never overwrites a newer one.
            let _writer = lock(&self.shared.writer);
            let (size, root) = self.head();
            recover::write_head(&*self.shared.files, size, &root)?;
        }
        note.add(signer.sign(note.text(), self.clock().now_ms() / 1000));
        Ok((note, checkpoint))
    }

    /// The clock that the log was opened with.
    pub fn clock(&self) -> &Clock {
        &self.shared.config.clock
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(committer) = self.committer.take() {
            // It only panics if memory ran out; there is nobody left to tell.
            let _ = committer.join();
        }
        // A clean end leaves word of how far the log had got. Failing to is no loss: the word
        // only ever adds a check.
        let (size, root) = self.head();
        if self.shared.state().failed.is_none() {
            let _ = recover::write_head(&*self.shared.files, size, &root);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, root) = self.head();
        f.debug_struct("Log").field("size", &size).field("root", &root).finish_non_exhaustive()
    }
}

/// What the log's callers and its commit thread share.
///
/// Locks are taken in this order: `writer`, `state`, `segments`, `bodies`.
struct Shared {
    files: Box<dyn Files>,
    config: Config,
    /// The end of the last segment. Held while a commit is written.
    writer: Mutex<commit::Writer>,
    /// Everything that is accepted, durable or staged.
    state: Mutex<ingest::State>,
    /// Where each durable event lies.
    segments: RwLock<Vec<read::Segment>>,
    bodies: Mutex<bodies::Bodies>,
    /// How many events are durable.
    durable: AtomicU64,
    /// There is something for the log's own thread to look after, or the log is closing.
    work: Condvar,
    /// A ticket is awaited: its task cannot write, so the thread is to do it at once.
    hurry: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ingest::State> {
        lock(&self.state)
    }
}

impl Config {
    fn check(&self) -> Result<(), Error> {
        if !(1 << 12..=1 << 30).contains(&self.segment_bytes) {
            let bytes = self.segment_bytes;
            return Err(invalid(format!("segment_bytes is {bytes}; it must be 4 KiB to 1 GiB")));
        }
        if !(256..=16 << 20).contains(&self.max_event_bytes) {
            let bytes = self.max_event_bytes;
            return Err(invalid(format!("max_event_bytes is {bytes}; it must be 256 B to 16 MiB")));
        }
        if self.max_staged_bytes == 0 || self.max_staged_bytes > 1 << 30 {
            let bytes = self.max_staged_bytes;
            return Err(invalid(format!("max_staged_bytes is {bytes}; it must be 1 B to 1 GiB")));
        }
        if self.commit_delay > Duration::from_secs(10) {
            let delay = self.commit_delay;
            return Err(invalid(format!("commit_delay is {delay:?}; it must be at most 10 s")));
        }
        Ok(())
    }
}

/// A panic of another thread cannot leave these halfway: every change is made after the checks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn corrupt(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
