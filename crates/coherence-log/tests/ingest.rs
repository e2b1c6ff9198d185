//! What the log takes and refuses; each refusal has its own error and changes nothing.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::Duration;

use edgekit_coherence_log::body::Body;
use edgekit_coherence_log::event::{KindTag, verify_batch};
use edgekit_coherence_log::hash::leaf_hash;
use edgekit_coherence_log::log::{Query, fsck};
use edgekit_coherence_log::proof::{verify_consistency, verify_inclusion};
use edgekit_coherence_log::store::{Files, MemoryFiles};
use edgekit_coherence_log::{Config, Draft, Error, ErrorKind, Event, Kind, Log, Verified};

use crate::support::{CONTEXT, author, claim, config, record};

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn every_refusal_has_its_own_error_and_changes_nothing() {
    let mut config = config();
    config.max_event_bytes = 600;
    config.max_behind = Some(Duration::from_secs(10));
    let files = MemoryFiles::new();
    let log = Log::open_unthreaded(files.clone(), config).unwrap();
    let first = claim(1, 100_000, "s", "v");
    let receipt = log.append(first.clone()).unwrap().wait().unwrap();
    assert_eq!((receipt.index, receipt.count), (0, 1));

    let mut forged = first.encode();
    *forged.last_mut().unwrap() ^= 1;
    let linked = |previous| {
        let draft = Draft::new(100_000, CONTEXT, claim(1, 0, "t", "v").kind().clone());
        Draft { previous: Some(previous), ..draft }.sign(&author(1)).unwrap()
    };
    let stranger = claim(2, 100_000, "x", "y").id();
    let cases = [
        (Event::decode(&forged).unwrap(), ErrorKind::Signature),
        (first.clone(), ErrorKind::Duplicate),
        (linked(stranger), ErrorKind::PreviousLink),
        (claim(1, 100_000 + 300_001, "s", "v"), ErrorKind::ClockSkew),
        (claim(1, 100_000 - 10_001, "s", "v"), ErrorKind::ClockSkew),
        (claim(1, 100_000, "s", &"v".repeat(600)), ErrorKind::TooLarge),
    ];
    let before = (log.head(), files.contents(), log.query(&Query::default()));
    for (event, expected) in cases {
        assert_eq!(kind(log.append(event.clone())), expected);
        // In a batch one bad event refuses all, the good ones before it included.
        let good = Verified::new(claim(1, 100_000, "good", "v")).unwrap();
        if let Ok(bad) = Verified::new(event) {
            assert_eq!(
                kind(log.append_batch(vec![good.clone(), good.clone()])),
                ErrorKind::Duplicate
            );
            assert_eq!(kind(log.append_batch(vec![good, bad])), expected);
        }
        assert_eq!((log.head(), files.contents(), log.query(&Query::default())), before);
        assert_eq!(log.latest_of(&author(1).key()), Some(first.id()));
    }
    assert_eq!(kind(log.append_batch(vec![])), ErrorKind::Invalid);
    // The right link is taken, and then it is the author's next one that is asked for.
    let second = linked(first.id());
    log.append(second.clone()).unwrap().wait().unwrap();
    assert_eq!(kind(log.append(linked(first.id()))), ErrorKind::Duplicate);
    assert_eq!(log.latest_of(&author(1).key()), Some(second.id()));
}

#[test]
fn settings_out_of_range_are_refused() {
    let with = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        kind(Log::in_memory(config))
    };
    assert_eq!(with(|c| c.segment_bytes = 1), ErrorKind::Invalid);
    assert_eq!(with(|c| c.max_event_bytes = 17 << 20), ErrorKind::Invalid);
    assert_eq!(with(|c| c.max_staged_bytes = 0), ErrorKind::Invalid);
    assert_eq!(with(|c| c.commit_delay = Duration::from_secs(11)), ErrorKind::Invalid);
}

#[test]
fn reopening_gives_the_same_log_over_many_segments() {
    let mut config = config();
    config.segment_bytes = 4096;
    let files = MemoryFiles::new();
    let mut heads = vec![];
    for round in 0..4u64 {
        let log = Log::open(files.clone(), config.clone()).unwrap();
        assert_eq!(log.size(), round * 30);
        if let Some(head) = heads.last() {
            assert_eq!(log.head(), *head);
        }
        for i in 0..10 {
            log.append(claim(1, round * 100 + i, "s", "v")).unwrap().wait().unwrap();
            let batch = (0..2).map(|k| claim(2, round * 100 + i, "t", &k.to_string()));
            let batch = batch.map(|event| Verified::new(event).unwrap()).collect();
            let receipt = log.append_batch(batch).unwrap().wait().unwrap();
            assert_eq!((receipt.index, receipt.count), (round * 30 + i * 3 + 1, 2));
        }
        heads.push(log.head());
    }
    assert!(files.list().unwrap().iter().filter(|name| name.ends_with(".seg")).count() > 3);
    let log = Log::open_unthreaded(files.clone(), config).unwrap();
    let mut seen = 0;
    log.scan(0..u64::MAX, |index, event| {
        assert_eq!(index, seen);
        assert_eq!(log.event(index).unwrap(), *event);
        assert_eq!(log.index_of(&event.id()), Some(index));
        seen += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, 120);
    let (size, root) = log.head();
    for index in 0..size {
        let leaf = leaf_hash(&log.entry(index).unwrap());
        let proof = log.prove_inclusion(index, size).unwrap();
        verify_inclusion(&leaf, index, size, &proof, &root).unwrap();
    }
    for (old, old_root) in &heads {
        let proof = log.prove_consistency(*old, size).unwrap();
        verify_consistency(*old, old_root, size, &root, &proof).unwrap();
        assert_eq!(log.root_at(*old).unwrap(), *old_root);
    }
    assert_eq!(kind(log.prove_inclusion(size, size)), ErrorKind::NotFound);
    assert_eq!(kind(log.event(size)), ErrorKind::NotFound);
    let report = fsck(&files, NonZeroUsize::new(2).unwrap()).unwrap();
    assert_eq!((report.events, report.root, report.torn_bytes), (size, root, 0));
    assert!(report.findings.is_empty());
}

#[test]
fn many_threads_get_every_index_once() {
    let log = Log::open(MemoryFiles::new(), config()).unwrap();
    let mut all: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let log = &log;
                scope.spawn(move || {
                    let append = |i| log.append(claim(n, i, "s", "v")).unwrap().wait().unwrap();
                    (0..50).map(|i| append(i).index).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    all.sort_unstable();
    assert!(all.into_iter().eq(0..400));
}

#[test]
fn tickets_can_be_awaited_without_a_particular_runtime() {
    let log = Log::open(MemoryFiles::new(), config()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let receipts = runtime.block_on(async {
        let mut receipts = vec![];
        for i in 0..5 {
            receipts.push(log.append(claim(1, i, "s", "v")).unwrap().await.unwrap().index);
        }
        receipts
    });
    assert_eq!(receipts, [0, 1, 2, 3, 4]);
}

#[test]
fn queries_go_by_author_context_kind_and_time() {
    let log = Log::in_memory(config()).unwrap();
    for i in 0..30u64 {
        let event = match i % 3 {
            0 => claim((i % 2) as u8, i, "s", &i.to_string()),
            1 => record((i % 2) as u8, i, b"body").0,
            _ => {
                let kind = Kind::Support { conflict: claim(1, i, "", "").id(), cost: 1 };
                Draft::new(i, [i as u8; 32], kind).sign(&author(1)).unwrap()
            }
        };
        log.append(event).unwrap().wait().unwrap();
    }
    let all: Vec<Event> = (0..30).map(|i| log.event(i).unwrap()).collect();
    let none = Query::default();
    let queries = [
        none.clone(),
        Query { author: Some(author(1).key()), ..none.clone() },
        Query { author: Some(author(9).key()), ..none.clone() },
        Query { context: Some(CONTEXT), kind: Some(KindTag::Record), ..none.clone() },
        Query { from_ms: Some(7), until_ms: Some(19), ..none.clone() },
        Query {
            author: Some(author(0).key()),
            kind: Some(KindTag::Assert),
            from_ms: Some(3),
            ..none.clone()
        },
    ];
    for query in queries {
        let fits = |event: &Event| {
            query.author.is_none_or(|author| author == *event.author())
                && query.context.is_none_or(|context| context == *event.context())
                && query.kind.is_none_or(|kind| kind == event.kind().tag())
                && query.from_ms.is_none_or(|from| from <= event.time_ms())
                && query.until_ms.is_none_or(|until| event.time_ms() < until)
        };
        let slow: Vec<u64> = (0..30).filter(|i| fits(&all[*i as usize])).collect();
        assert_eq!(log.query(&query), slow);
        let two = Query { limit: Some(2), ..query };
        assert_eq!(log.query(&two), slow[..slow.len().min(2)]);
    }
}

#[test]
fn bodies_are_kept_erased_and_told_from_lost_ones() {
    let files = MemoryFiles::new();
    let log = Log::open(files.clone(), config()).unwrap();
    let mut bodies = vec![];
    for i in 0..6u64 {
        let (event, body) = record(1, i, format!("secret number {i}").as_bytes());
        let event = Verified::new(event).unwrap();
        log.append_with_body(event, body.clone()).unwrap().wait().unwrap();
        bodies.push(body);
    }
    let (without, _) = record(1, 99, b"never stored");
    log.append(without).unwrap().wait().unwrap();
    let other = Body { salt: [0; 32], bytes: b"other".to_vec() };
    let event = Verified::new(record(1, 98, b"x").0).unwrap();
    assert_eq!(kind(log.append_with_body(event, other.clone())), ErrorKind::Invalid);
    let event = Verified::new(claim(1, 98, "s", "v")).unwrap();
    assert_eq!(kind(log.append_with_body(event, other)), ErrorKind::Invalid);
    let (size, root) = log.head();
    assert_eq!(log.erase_bodies(&[1], "asked for").unwrap(), 1);
    assert_eq!(log.erase_bodies(&[1], "twice").unwrap(), 0);
    assert_eq!(log.erase_bodies_before(1, "retention").unwrap(), 1);
    assert_eq!(log.head(), (size, root));
    drop(log);

    let contents = files.contents();
    let holds = |text: &str| {
        contents.values().any(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
    };
    assert!(holds("secret number 2") && !holds("secret number 1") && !holds("secret number 0"));
    // Damage one body behind the log's back.
    let mut damaged = contents.clone();
    for bytes in damaged.values_mut() {
        if let Some(at) = bytes.windows(15).position(|w| w == b"secret number 3") {
            bytes[at] ^= 1;
        }
    }
    let files = MemoryFiles::with_contents(damaged);
    let log = Log::open(files.clone(), config()).unwrap();
    assert_eq!(log.head(), (size, root));
    for (index, body) in bodies.iter().enumerate() {
        match index {
            0 | 1 => assert_eq!(kind(log.body(index as u64)), ErrorKind::Erased),
            3 => assert_eq!(kind(log.body(3)), ErrorKind::Corrupt),
            _ => assert_eq!(log.body(index as u64).unwrap(), *body),
        }
    }
    assert_eq!(kind(log.body(6)), ErrorKind::Lost);
    let Kind::Record { body, .. } = log.event(1).unwrap().kind().clone() else { panic!() };
    assert_eq!(log.erasure(&body).unwrap().reason, "asked for");
    drop(log);
    let report = fsck(&files, NonZeroUsize::MIN).unwrap();
    assert_eq!(report.erased_bodies, 2);
    let found: Vec<u64> = report.findings.iter().map(|finding| finding.index).collect();
    assert_eq!(found, [3, 6]);
}

#[test]
fn a_batch_is_verified_as_one_by_one() {
    let mut events: Vec<Event> = (0..100).map(|i| claim(1 + (i % 5) as u8, i, "s", "v")).collect();
    let mut bad = events[40].encode();
    *bad.last_mut().unwrap() ^= 1;
    events[40] = Event::decode(&bad).unwrap();
    let results = verify_batch(events, NonZeroUsize::new(3).unwrap());
    assert!(results.iter().enumerate().all(|(i, result)| result.is_ok() == (i != 40)));
}
