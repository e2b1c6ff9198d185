//! The cache: hits, one compilation for many, errors, invalidation, all of it at once.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use edgekit_constraint_cache::{Asked, CacheConfig, ErrorKind, Limits};
use edgekit_constraint_compile as compile;
use edgekit_constraint_ir::*;
use serde_json::{Value, json};

use crate::support::*;

fn numbered(n: u64) -> Value {
    json!({"type": "integer", "minimum": n})
}

#[test]
fn the_second_request_hits() {
    let cache = cache();
    let first = cache.schema(&numbered(1)).unwrap();
    let second = cache.schema(&numbered(1)).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.compilations, stats.entries), (1, 1, 1, 1));
    assert!(stats.bytes > 0);
}

#[test]
fn many_who_ask_at_once_share_one_compilation() {
    let cache = cache();
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                cache.schema(&numbered(2)).unwrap();
            });
        }
    });
    let stats = cache.stats();
    assert_eq!(stats.compilations, 1);
    assert_eq!((stats.hits + stats.misses, stats.in_flight), (8, 0));
}

#[test]
fn errors_are_typed_and_not_kept() {
    let cache = cache();
    for _ in 0..2 {
        let error = cache.schema(&json!({"not": {}})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Compile(compile::ErrorKind::Unsupported));
        assert_eq!(error.compiler_error().unwrap().unsupported()[0].keyword, "not");
    }
    let stats = cache.stats();
    assert_eq!((stats.compilations, stats.failures, stats.entries), (2, 2, 0));
}

struct Unpark(Thread, AtomicBool);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.store(true, Ordering::SeqCst);
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let unpark = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&unpark));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !unpark.1.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

#[test]
fn the_asynchronous_way_needs_no_runtime() {
    let cache = cache();
    let asked = || Asked::Schema(numbered(3));
    let (one, two) = (cache.get_async(asked()), cache.get_async(asked()));
    let (one, two) = (block_on(one).unwrap(), block_on(two).unwrap());
    assert!(Arc::ptr_eq(&one, &two));
    assert_eq!(cache.stats().compilations, 1);
    assert!(Arc::ptr_eq(&one, &block_on(cache.get_async(asked())).unwrap()));
    let error = block_on(cache.get_async(Asked::Schema(json!({"not": {}})))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Compile(_)));
}

#[test]
fn warming_up_makes_hits_and_tells_failures() {
    let cache = cache();
    let schemas = [numbered(4), json!({"not": {}}), numbered(5)];
    let failed = cache.warm_up(&schemas);
    assert_eq!(failed.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [1]);
    let before = cache.stats().hits;
    cache.schema(&schemas[0]).unwrap();
    cache.schema(&schemas[2]).unwrap();
    assert_eq!(cache.stats().hits, before + 2);
}

/// One thread compiles for all: whoever waits for a compilation must not hold it.
#[test]
fn warming_up_waits_for_others_without_holding_their_thread() {
    let cache = cache_with(CacheConfig { compile_threads: Some(1), ..CacheConfig::default() });
    let schemas: Vec<Value> = (0..40).map(|n| numbered(100 + n)).collect();
    let (done, finished) = std::sync::mpsc::channel();
    let (warm, warmed) = (cache.clone(), schemas.clone());
    thread::spawn(move || done.send(warm.warm_up(&warmed).len()));
    while cache.stats().compilations == 0 {
        thread::yield_now();
    }
    // If nobody has asked for it yet, this one leads, on the thread that warms up.
    let last = cache.get_async(Asked::Schema(schemas[39].clone()));
    let failed = finished.recv_timeout(Duration::from_secs(60));
    assert_eq!(failed, Ok(0), "both wait for each other");
    block_on(last).unwrap();
    assert_eq!(cache.stats().compilations, 40);
}

/// Encoding a schema and copying it recurse, on whatever stack the caller has.
#[test]
fn a_schema_is_measured_before_it_is_encoded() {
    let nested = |levels| {
        // Not by `json!`, which copies.
        (0..levels).fold(Value::Null, |below, _| Value::Array(vec![below]))
    };
    let deep = nested(5_000);
    let small = thread::Builder::new().stack_size(256 << 10);
    let asking = small.spawn(move || {
        let cache = cache();
        let error = cache.schema(&deep).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Compile(compile::ErrorKind::TooLarge));
        let stats = cache.stats();
        assert_eq!((stats.compilations, stats.entries), (0, 0));
        deep
    });
    let deep = asking.unwrap().join().unwrap();
    // Dropping it recurses too.
    let large = thread::Builder::new().stack_size(64 << 20);
    large.spawn(move || drop(deep)).unwrap().join().unwrap();
    let error = block_on(cache().get_async(Asked::Schema(nested(1_000)))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compile(compile::ErrorKind::TooLarge));
}

#[test]
fn files_are_invalidated() {
    let cache = cache();
    let from = |file: &str, text: &str| {
        let mut c = hard(Body::Forbidden(Forbidden { texts: [text.to_owned()].into() }));
        c.origin.file = file.into();
        let set: ConstraintSet = [c].into_iter().collect();
        cache.constraints(&set, &compile::Goal::Text).unwrap();
    };
    from("a.rs", "x");
    from("a.rs", "y");
    from("b.rs", "x");
    assert_eq!(cache.invalidate_file("a.rs"), 2);
    assert_eq!(cache.stats().entries, 1);
    assert_eq!(cache.clear(), 1);
}

#[test]
fn templates_grow_old_by_the_clock_that_was_given() {
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let cache = cache_with(CacheConfig {
        limits: Limits { time_to_live: Some(Duration::from_secs(9)), ..Limits::default() },
        clock: Arc::new(move || Duration::from_secs(clock.load(Ordering::SeqCst))),
        ..CacheConfig::default()
    });
    cache.schema(&numbered(6)).unwrap();
    seconds.store(8, Ordering::SeqCst);
    cache.schema(&numbered(6)).unwrap();
    seconds.store(9, Ordering::SeqCst);
    cache.schema(&numbered(6)).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.compilations, stats.hits, stats.expired), (2, 1, 1));
}

/// Compilations, evictions and invalidations at once: every answer is the right one, and the
/// counters add up.
#[test]
fn everything_at_once() {
    let cache = cache_with(CacheConfig {
        limits: Limits { max_entries: 4, ..Limits::default() },
        ..CacheConfig::default()
    });
    let rounds = if std::env::var_os("EDGEKIT_STRESS").is_some() { 5_000 } else { 60 };
    thread::scope(|scope| {
        for worker in 0..4u64 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..rounds {
                    let n = (worker * 7 + round * 5) % 9;
                    let template = cache.schema(&numbered(n)).unwrap();
                    assert!(accepts(&template, &n.to_string()));
                    assert!(n == 0 || !accepts(&template, &(n - 1).to_string()));
                    let file = format!("{n}.rs");
                    let mut forbidden =
                        hard(Body::Forbidden(Forbidden { texts: [file.clone()].into() }));
                    forbidden.origin.file.clone_from(&file);
                    let set: ConstraintSet = [forbidden].into_iter().collect();
                    let free = cache.constraints(&set, &compile::Goal::Text).unwrap();
                    assert!(accepts(&free, "a text") && !accepts(&free, &file));
                    match round % 17 {
                        0 => drop(cache.clear()),
                        5 | 11 => drop(cache.invalidate_file(&file)),
                        _ => {}
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    assert_eq!(stats.hits + stats.misses, 4 * 2 * rounds);
    assert!(stats.entries <= 4 && stats.compilations <= stats.misses && stats.in_flight == 0);
}

/// A panic while a value is made or kept reaches whoever asked as an error, leaves nothing under
/// way, and the next request works.
#[test]
fn a_panic_in_a_compilation_is_an_error_and_not_kept() {
    let broken = Arc::new(AtomicBool::new(true));
    let clock = Arc::clone(&broken);
    let cache = cache_with(CacheConfig {
        limits: Limits { time_to_live: Some(Duration::from_secs(9)), ..Limits::default() },
        clock: Arc::new(move || {
            assert!(!clock.load(Ordering::SeqCst), "the clock is broken");
            Duration::ZERO
        }),
        ..CacheConfig::default()
    });
    let error = cache.schema(&numbered(7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.to_string().contains("the clock is broken"), "{error}");
    let pending = cache.get_async(Asked::Schema(numbered(7)));
    assert_eq!(block_on(pending).unwrap_err().kind(), ErrorKind::Panicked);
    let stats = cache.stats();
    assert_eq!((stats.in_flight, stats.entries, stats.failures), (0, 0, 2));
    broken.store(false, Ordering::SeqCst);
    assert!(accepts(&cache.schema(&numbered(7)).unwrap(), "7"));
}

#[test]
fn a_configuration_that_is_wrong_is_refused() {
    use edgekit_constraint_cache::{ConstraintCache, Tokenizer};
    let tokenizer = Tokenizer::o200k().unwrap();
    let limits = Limits { max_entries: 0, ..Limits::default() };
    let config = CacheConfig { limits, ..CacheConfig::default() };
    let error = ConstraintCache::new(tokenizer, config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
}
