//! Durable appends: every record is synced to disk before its writer goes on.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use edgekit_coherence_log::store::DirFiles;
use edgekit_coherence_log::{Clock, Config, Log, Verified};

use crate::{Suite, Unit};

const WRITERS: usize = 64;

pub(super) fn declare(suite: &mut Suite) {
    if !suite.wants("log/durable") {
        return;
    }
    let events: &'static [Verified] = super::verified(WRITERS as u64 * 640).leak();
    suite.measure("log/durable/64-writers/floor", Unit::PerSecond, move || {
        let (dir, events) = (scratch(), events);
        let plain = Plain::create(dir.path());
        by_writers(events, 1, |event| plain.append(event[0].encoded()))
    });
    suite.measure("log/durable/64-writers/ours", Unit::PerSecond, move || {
        let dir = scratch();
        let log = open(dir.path());
        let rate = by_writers(events, 1, |event| {
            let ticket = log.append_verified(event[0].clone());
            ticket.and_then(|ticket| ticket.wait()).expect("the disk is there");
        });
        assert_eq!(log.size(), events.len() as u64);
        rate
    });
    suite.measure("log/durable/64-writers-batch-64/ours", Unit::PerSecond, move || {
        let dir = scratch();
        let log = open(dir.path());
        by_writers(events, 64, |events| {
            let ticket = log.append_batch(events.to_vec());
            ticket.and_then(|ticket| ticket.wait()).expect("the disk is there");
        })
    });
    suite.measure("log/durable/1-writer/ours", Unit::PerSecond, move || {
        let dir = scratch();
        let log = open(dir.path());
        let start = Instant::now();
        for event in &events[..500] {
            let ticket = log.append_verified(event.clone());
            ticket.and_then(|ticket| ticket.wait()).expect("the disk is there");
        }
        500.0 / start.elapsed().as_secs_f64()
    });
    #[cfg(feature = "peers")]
    peers(suite, events);
}

/// A directory on the disk that the build is on; a memory file system would sync nothing.
fn scratch() -> tempfile::TempDir {
    let base = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    match base {
        Some(base) => tempfile::tempdir_in(base),
        None => tempfile::tempdir(),
    }
    .expect("a temporary directory")
}

fn open(path: &Path) -> Log {
    let config = Config { clock: Clock::new(|| 1_000_000), ..Config::default() };
    Log::open(DirFiles::open(path).expect("a fresh directory"), config).expect("an empty log")
}

/// Shares `events` out to the writers, `at_once` at a time, and returns events per second.
fn by_writers(events: &[Verified], at_once: usize, append: impl Fn(&[Verified]) + Sync) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for share in events.chunks(events.len() / WRITERS) {
            scope.spawn(|| share.chunks(at_once).for_each(&append));
        }
    });
    events.len() as f64 / start.elapsed().as_secs_f64()
}

/// The least that a durable log can do: whoever finds nobody writing writes for all that wait.
struct Plain {
    file: File,
    state: Mutex<PlainState>,
    durable: Condvar,
}

#[derive(Default)]
struct PlainState {
    buffer: Vec<u8>,
    staged: u64,
    durable: u64,
    end: u64,
    writing: bool,
}

impl Plain {
    fn create(dir: &Path) -> Self {
        let file = File::create(dir.join("plain")).expect("a fresh directory");
        Plain { file, state: Mutex::default(), durable: Condvar::new() }
    }

    fn append(&self, record: &[u8]) {
        let mut state = self.state.lock().expect("nobody panics");
        state.buffer.extend_from_slice(&(record.len() as u32).to_le_bytes());
        state.buffer.extend_from_slice(record);
        state.staged += 1;
        let mine = state.staged;
        while state.durable < mine {
            if state.writing {
                state = self.durable.wait(state).expect("nobody panics");
                continue;
            }
            state.writing = true;
            let (buffer, last, at) = (std::mem::take(&mut state.buffer), state.staged, state.end);
            drop(state);
            self.file.write_all_at(&buffer, at).expect("the disk has room");
            self.file.sync_data().expect("the disk is there");
            state = self.state.lock().expect("nobody panics");
            state.end += buffer.len() as u64;
            state.durable = last;
            state.writing = false;
            self.durable.notify_all();
        }
    }
}

#[cfg(feature = "peers")]
fn peers(suite: &mut Suite, events: &'static [Verified]) {
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    let fjall = move |at_once: usize| {
        let dir = scratch();
        let db = Database::builder(dir.path()).open().expect("a fresh directory");
        let log = db.keyspace("log", KeyspaceCreateOptions::default).expect("a fresh keyspace");
        by_writers(events, at_once, |events| {
            let mut batch = db.batch().durability(Some(PersistMode::SyncData));
            for event in events {
                batch.insert(&log, event.id().0, event.encoded());
            }
            batch.commit().expect("the disk is there");
        })
    };
    suite.measure("log/durable/64-writers/fjall", Unit::PerSecond, move || fjall(1));
    suite.measure("log/durable/64-writers-batch-64/fjall", Unit::PerSecond, move || fjall(64));
    suite.measure("log/durable/64-writers/redb", Unit::PerSecond, move || {
        const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("log");
        let dir = scratch();
        let db = redb::Database::create(dir.path().join("log")).expect("a fresh directory");
        by_writers(&events[..WRITERS * 50], 1, |event| {
            let write = db.begin_write().expect("one writer at a time");
            {
                let mut table = write.open_table(TABLE).expect("a fresh table");
                let id = event[0].id();
                table.insert(&id.0[..], event[0].encoded()).expect("the disk has room");
            }
            write.commit().expect("the disk is there");
        })
    });
}
