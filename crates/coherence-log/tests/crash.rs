//! Crashes: every system call, every truncated byte, every flipped bit, and kill -9.

use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::time::Duration;

use edgekit_coherence_log::body::Body;
use edgekit_coherence_log::log::fsck;
use edgekit_coherence_log::store::{DirFiles, Files, MemoryFiles};
use edgekit_coherence_log::{Config, ErrorKind, Event, Hash, Log, Verified};

use crate::faulty::{Fault, FaultyFiles};
use crate::support::{claim, config, record};

fn small() -> Config {
    Config { segment_bytes: 4096, ..config() }
}

/// What the workload was told.
#[derive(Default)]
struct Acknowledged {
    events: Vec<Event<'static>>,
    root: Option<Hash>,
    bodies: Vec<(u64, Body)>,
    erased: Vec<u64>,
}

/// Appends, stores bodies, erases, closes and opens again, until something fails.
fn workload(
    files: &FaultyFiles,
    told: &mut Acknowledged,
) -> Result<(), edgekit_coherence_log::Error> {
    for round in 0..2u64 {
        let log = Log::open_unthreaded(files.clone(), small())?;
        for i in 0..8u64 {
            let time = round * 1000 + i * 10;
            let batch: Vec<Event> =
                (0..3).map(|k| claim(1, time + k, "s", &"v".repeat(100))).collect();
            let verified = batch.iter().cloned().map(|e| Verified::new(e).unwrap()).collect();
            log.append_batch(verified)?.wait()?;
            told.events.extend(batch);
            told.root = Some(log.root());
            if i % 4 == 1 {
                let (event, body) = record(1, time + 5, format!("body {time}").as_bytes());
                let verified = Verified::new(event.clone()).unwrap();
                let receipt = log.append_with_body(verified, body.clone())?.wait()?;
                told.events.push(event);
                told.root = Some(log.root());
                told.bodies.push((receipt.index, body));
            }
        }
        let first = told.bodies[0].0;
        log.erase_bodies(&[first], "test")?;
        told.erased.push(first);
    }
    Ok(())
}

fn check(files: MemoryFiles, told: &Acknowledged, what: &str) {
    let log =
        Log::open_unthreaded(files.clone(), small()).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(log.size() >= told.events.len() as u64, "{what}: acknowledged events are gone");
    for (index, event) in told.events.iter().enumerate() {
        assert_eq!(log.event(index as u64).unwrap(), *event, "{what}: event {index}");
    }
    if let Some(root) = told.root {
        assert_eq!(log.root_at(told.events.len() as u64).unwrap(), root, "{what}");
    }
    for (index, body) in &told.bodies {
        match log.body(*index) {
            Ok(stored) => assert!(stored == *body && !told.erased.contains(index), "{what}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Erased, "{what}: body {index}"),
        }
    }
    // It goes on from there, and comes back whole.
    log.append(claim(7, 9_999, "after", "crash")).unwrap().wait().unwrap();
    let head = log.head();
    drop(log);
    let report = fsck(&files, NonZeroUsize::MIN).unwrap();
    assert_eq!((report.events, report.root, report.torn_bytes), (head.0, head.1, 0), "{what}");
    assert!(report.findings.is_empty(), "{what}: {:?}", report.findings);
}

#[test]
fn every_system_call_may_fail_or_be_the_last() {
    let whole = FaultyFiles::new(None);
    workload(&whole, &mut Acknowledged::default()).unwrap();
    let calls = whole.calls();
    assert!(calls > 60);
    let seeds = if std::env::var_os("EDGEKIT_STRESS").is_some() { 64 } else { 4 };
    for at in 0..calls {
        for fault in [Fault::Fail, Fault::Crash] {
            let files = FaultyFiles::new(Some((at, fault)));
            let mut told = Acknowledged::default();
            let result = workload(&files, &mut told);
            // Only the word that is left behind on a clean end may fail unseen.
            assert!(result.is_err() || files.calls() >= calls - 10 || told.events.len() >= 26);
            if fault == Fault::Fail {
                check(files.seen(), &told, &format!("call {at} failed"));
            }
            for seed in 0..seeds {
                let seed = if seed == 0 { 0 } else { seed + 1000 * at as u64 };
                let what = format!("power lost after call {at} ({fault:?}), seed {seed}");
                check(files.after_power_loss(seed), &told, &what);
            }
        }
    }
}

/// What a new process reads and shows may only be in the page cache; it must be made durable first.
#[test]
fn what_was_shown_after_a_killed_process_survives_a_power_loss() {
    let whole = FaultyFiles::new(None);
    workload(&whole, &mut Acknowledged::default()).unwrap();
    for at in 0..whole.calls() {
        let files = FaultyFiles::new(Some((at, Fault::Crash)));
        let _ = workload(&files, &mut Acknowledged::default());
        files.next_process();
        let log = Log::open_unthreaded(files.clone(), small()).unwrap();
        let (size, root) = log.head();
        let later = Log::open_unthreaded(files.after_power_loss(0), small()).unwrap();
        assert!(later.size() >= size, "call {at}");
        assert_eq!(later.root_at(size).unwrap(), root);
    }
}

#[test]
fn after_a_failed_commit_nothing_is_taken_until_it_is_opened_again() {
    let calls = {
        let files = FaultyFiles::new(None);
        let log = Log::open_unthreaded(files.clone(), small()).unwrap();
        log.append(claim(1, 1, "s", "v")).unwrap().wait().unwrap();
        files.calls()
    };
    let files = FaultyFiles::new(Some((calls - 1, Fault::Fail)));
    let log = Log::open_unthreaded(files.clone(), small()).unwrap();
    let lost = log.append(claim(1, 1, "s", "v")).unwrap().wait().unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Io);
    let refused = log.append(claim(1, 2, "s", "v")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Poisoned);
    assert_eq!(log.size(), 0);
    assert!(log.event(0).is_err() && log.index_of(&claim(1, 1, "s", "v").id()).is_none());
}

/// A store whose last segment holds three commits, without the word of a clean end.
fn three_commits() -> (MemoryFiles, String, Vec<u8>, Vec<u64>) {
    let files = MemoryFiles::new();
    let log = Log::open_unthreaded(files.clone(), small()).unwrap();
    let name = files.list().unwrap().into_iter().find(|name| name.ends_with(".seg")).unwrap();
    let mut ends = vec![files.contents()[&name].len() as u64];
    for i in 0..3 {
        log.append(claim(1, i, "s", "v")).unwrap().wait().unwrap();
        ends.push(files.contents()[&name].len() as u64);
    }
    let bytes = files.contents()[&name].clone();
    (files, name, bytes, ends)
}

fn store(name: &str, bytes: &[u8]) -> MemoryFiles {
    MemoryFiles::with_contents([(name.to_owned(), bytes.to_vec())])
}

#[test]
fn a_last_segment_cut_at_any_byte_keeps_every_whole_commit() {
    let (_, name, bytes, ends) = three_commits();
    for length in 0..=bytes.len() {
        let files = store(&name, &bytes[..length]);
        let log = Log::open_unthreaded(files.clone(), small()).unwrap();
        let whole = ends.iter().filter(|end| **end <= length as u64).count().saturating_sub(1);
        assert_eq!(log.size(), whole as u64, "cut at {length}");
        log.append(claim(2, 50, "s", "v")).unwrap().wait().unwrap();
        let head = log.head();
        drop(log);
        assert_eq!(Log::open_unthreaded(files, small()).unwrap().head(), head);
    }
}

#[test]
fn a_flipped_bit_is_cut_off_or_reported_and_never_read() {
    let (_, name, bytes, ends) = three_commits();
    let original = Log::open_unthreaded(store(&name, &bytes), small()).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match Log::open_unthreaded(store(&name, &flipped), small()) {
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Version),
                    "byte {at}: {error}"
                ),
                Ok(log) => {
                    let unused = (68..72).contains(&at);
                    assert!(at as u64 >= ends[2] || unused, "byte {at} was durable");
                    assert_eq!(log.root(), original.root_at(log.size()).unwrap());
                    assert!(log.size() >= 2);
                }
            }
        }
    }
}

#[test]
fn a_clean_end_leaves_word_so_that_no_root_rolls_back() {
    let (files, name, bytes, ends) = three_commits();
    assert!(files.contents().contains_key("head"));
    for length in [ends[2] as usize, ends[0] as usize, bytes.len() - 1] {
        let mut contents = files.contents();
        contents.insert(name.clone(), bytes[..length].to_vec());
        let cut = MemoryFiles::with_contents(contents);
        let error = Log::open_unthreaded(cut.clone(), small()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(fsck(&cut, NonZeroUsize::MIN).is_err());
    }
    let mut contents = files.contents();
    contents.remove(&name);
    assert!(Log::open_unthreaded(MemoryFiles::with_contents(contents), small()).is_err());
}

#[test]
fn segments_that_do_not_belong_together_are_refused() {
    let build = |value: &str| {
        let files = MemoryFiles::new();
        let log = Log::open_unthreaded(files.clone(), small()).unwrap();
        for i in 0..60 {
            log.append(claim(1, i, "s", value)).unwrap().wait().unwrap();
        }
        drop(log);
        files.contents()
    };
    let (ours, theirs) = (build("v"), build("w"));
    let segments: Vec<&String> = ours.keys().filter(|name| name.ends_with(".seg")).collect();
    assert!(segments.len() > 2);
    for (number, name) in segments.iter().enumerate() {
        let mut mixed = ours.clone();
        mixed.insert((*name).clone(), theirs[*name].clone());
        mixed.remove("head");
        let result = Log::open_unthreaded(MemoryFiles::with_contents(mixed), small());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt, "segment {number}");
        let mut missing = ours.clone();
        missing.remove(*name);
        let result = Log::open_unthreaded(MemoryFiles::with_contents(missing), small());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt, "segment {number}");
    }
}

#[test]
fn a_directory_has_one_writer_and_can_be_inspected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let log = Log::open(DirFiles::open(&path).unwrap(), small()).unwrap();
    for i in 0..40 {
        log.append(claim(1, i, "s", "v")).unwrap().wait().unwrap();
    }
    assert!(DirFiles::open(&path).is_err());
    let look = DirFiles::inspect(&path).unwrap();
    assert_eq!(fsck(&look, NonZeroUsize::MIN).unwrap().root, log.root());
    assert!(look.create("x").is_err());
    let head = log.head();
    let mut seen = 0;
    log.scan(3..40, |_, _| {
        seen += 1;
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, 37);
    drop(log);
    let log = Log::open(DirFiles::open(&path).unwrap(), small()).unwrap();
    assert_eq!(log.head(), head);
}

const KILLED: &str = "EDGEKIT_TEST_KILLED_STORE";

/// The process that is killed: appends from four threads and prints what was acknowledged.
/// Without its variable it is an empty test.
#[test]
fn kill_9_child() {
    let Some(path) = std::env::var_os(KILLED) else { return };
    let log = Log::open(DirFiles::open(path).unwrap(), small()).unwrap();
    let start = log.size();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for i in 0.. {
                    let event = claim(n, start * 1_000_000 + i, "s", "v");
                    let id = event.id();
                    let receipt = log.append(event).unwrap().wait().unwrap();
                    let root = log.root_at(receipt.index + 1).unwrap();
                    // One write, so that lines of the threads do not mix; dies with the parent.
                    let line = format!("ack {} {id} {root}\n", receipt.index);
                    if std::io::stderr().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let rounds = if std::env::var_os("EDGEKIT_STRESS").is_some() { 100 } else { 5 };
    let mut acknowledged: Vec<(u64, Hash, Hash)> = vec![];
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::kill_9_child", "--nocapture"])
            .env(KILLED, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        // Wait for the first word, then for a while that differs from round to round.
        lines.read_line(&mut text).unwrap();
        std::thread::sleep(Duration::from_millis(20 + 13 * (round % 7)));
        child.kill().unwrap();
        while lines.read_line(&mut text).unwrap() > 0 {}
        child.wait().unwrap();
        for line in text.lines().filter(|line| line.starts_with("ack ")) {
            let words: Vec<&str> = line.split(' ').collect();
            if let [_, index, id, root] = words[..]
                && let (Some(id), Some(root)) = (Hash::from_hex(id), Hash::from_hex(root))
            {
                acknowledged.push((index.parse().unwrap(), id, root));
            }
        }
        let log = Log::open(DirFiles::open(dir.path()).unwrap(), small()).unwrap();
        for (index, id, root) in &acknowledged {
            assert_eq!(log.id(*index), Some(*id), "event {index} is gone");
            assert_eq!(log.root_at(index + 1).unwrap(), *root, "the root rolled back");
        }
    }
    assert!(!acknowledged.is_empty());
}
