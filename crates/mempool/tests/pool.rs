//! The pools against a slow twin, and from many threads at once.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

use edgekit_mempool::{
    Buffer, BufferPool, ErrorKind, GlobalPools, MatrixPool, MatrixPoolConfig, OnReturn, PoolConfig,
    PoolStats,
};
use proptest::prelude::*;

fn pool(max_retained: usize) -> BufferPool<Vec<u8>> {
    let config = PoolConfig { max_retained, ..PoolConfig::default() };
    BufferPool::new(config, || Vec::with_capacity(100)).unwrap()
}

#[test]
fn more_at_once_than_may_be_kept_is_an_error() {
    let config = PoolConfig { initial: 3, max_retained: 2, ..PoolConfig::default() };
    let error = BufferPool::new(config, String::new).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("at most 2") && error.to_string().contains('3'), "{error}");
}

#[test]
fn the_maximum_is_enforced() {
    for max in [0, 1, 2, 7, 100] {
        let pool = pool(max);
        let lent: Vec<_> = (0..150).map(|_| pool.get()).collect();
        drop(lent);
        let stats = pool.stats();
        assert_eq!((stats.retained, stats.live, stats.bytes), (max, 0, max as u64 * 100));
        assert_eq!(stats.peak_bytes, 15_000);
    }
}

#[test]
fn initial_buffers_are_there_for_every_thread() {
    let config = PoolConfig { initial: 4, max_retained: 8, ..PoolConfig::default() };
    let pool = BufferPool::new(config, || Vec::<u8>::with_capacity(10)).unwrap();
    assert_eq!((pool.stats().retained, pool.stats().bytes), (4, 40));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let lent: Vec<_> = std::iter::from_fn(|| pool.try_get()).collect();
            assert_eq!(lent.len(), 4);
        });
    });
    assert_eq!(pool.stats().misses, 0);
}

#[test]
fn policies_on_return() {
    let make = |on_return| {
        let config = PoolConfig { on_return, ..PoolConfig::default() };
        BufferPool::new(config, || b"new".to_vec()).unwrap()
    };
    for (policy, then) in
        [(OnReturn::Clear, &b""[..]), (OnReturn::Wipe, b""), (OnReturn::Keep, b"new secret")]
    {
        let pool = make(policy);
        pool.get().extend_from_slice(b" secret");
        assert_eq!(**pool.get(), *then, "{policy:?}");
    }
}

#[test]
fn wiping_reaches_the_buffer() {
    #[derive(Default)]
    struct Slate(&'static str);
    impl Buffer for Slate {
        fn bytes(&self) -> usize {
            0
        }
        fn clear(&mut self) {
            self.0 = "cleared";
        }
        fn wipe(&mut self) {
            self.0 = "wiped";
        }
    }
    for (on_return, then) in
        [(OnReturn::Clear, "cleared"), (OnReturn::Wipe, "wiped"), (OnReturn::Keep, "")]
    {
        let config = PoolConfig { on_return, ..PoolConfig::default() };
        let pool = BufferPool::new(config, Slate::default).unwrap();
        drop(pool.get());
        assert_eq!(pool.get().0, then);
    }
}

#[test]
fn a_buffer_too_large_is_let_go() {
    let config = PoolConfig { max_buffer_bytes: 1000, ..PoolConfig::default() };
    let pool = BufferPool::new(config, || Vec::<u8>::with_capacity(100)).unwrap();
    pool.get().reserve_exact(1001);
    assert_eq!((pool.stats().retained, pool.stats().bytes), (0, 0));
    assert_eq!(pool.stats().peak_bytes, 1001, "growth is noticed when the buffer comes back");
    pool.get().reserve_exact(1000);
    assert_eq!((pool.stats().retained, pool.stats().bytes), (1, 1000));
}

#[test]
fn into_inner_adopt_and_trim_keep_the_books() {
    let pool = pool(4);
    let mine = pool.get().into_inner();
    assert_eq!(pool.stats(), PoolStats { misses: 1, peak_bytes: 100, ..PoolStats::default() });
    drop(pool.adopt(mine));
    assert_eq!((pool.stats().misses, pool.stats().retained, pool.stats().bytes), (2, 1, 100));
    assert!(pool.try_get().is_some());
    assert_eq!(pool.trim(), 1);
    assert!(pool.try_get().is_none());
    assert_eq!((pool.stats().retained, pool.stats().bytes), (0, 0));
}

#[test]
fn an_owned_guard_outlives_its_borrow_and_its_thread() {
    let pool = Arc::new(pool(4));
    let mut lent = pool.get_arc();
    let back = std::thread::spawn(move || {
        lent.push(1);
        lent
    });
    let lent = back.join().unwrap();
    assert_eq!(**lent, [1]);
    std::thread::spawn(move || drop(lent)).join().unwrap();
    assert_eq!((pool.stats().live, pool.stats().retained), (0, 1));
}

#[test]
fn a_guard_dropped_by_a_panic_returns_its_buffer() {
    let pool = pool(4);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _lent = pool.get();
        panic!("in the middle of it");
    }));
    assert!(caught.is_err());
    assert_eq!((pool.stats().live, pool.stats().retained), (0, 1));
}

/// A buffer whose drop and whose making come back to the pool must not find it locked.
#[test]
fn buffers_may_use_the_pool_they_come_from() {
    struct Nested(Arc<BufferPool<Vec<u8>>>);
    impl Buffer for Nested {
        fn bytes(&self) -> usize {
            8
        }
        fn clear(&mut self) {
            drop(self.0.get());
        }
        fn wipe(&mut self) {}
    }
    impl Drop for Nested {
        fn drop(&mut self) {
            drop(self.0.get());
        }
    }
    let inner = Arc::new(pool(2));
    let config = PoolConfig { max_retained: 1, ..PoolConfig::default() };
    let outer = BufferPool::new(config, move || Nested(Arc::clone(&inner))).unwrap();
    let both = (outer.get(), outer.get());
    drop(both);
    assert_eq!(outer.stats().retained, 1);
}

/// Eight threads exchange buffers: at each moment every live buffer has one owner, and the maximum
/// holds afterwards.
#[test]
fn threads_never_share_a_buffer_and_lose_none() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Token(AtomicUsize);
    impl Buffer for Token {
        fn bytes(&self) -> usize {
            1
        }
        fn clear(&mut self) {}
        fn wipe(&mut self) {}
    }
    impl Drop for Token {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
        }
    }
    let rounds = if std::env::var_os("EDGEKIT_STRESS").is_some() { 1_000_000 } else { 20_000 };
    let config = PoolConfig { initial: 3, max_retained: 6, ..PoolConfig::default() };
    let pool = Arc::new(
        BufferPool::new(config, || {
            MADE.fetch_add(1, SeqCst);
            Token(AtomicUsize::new(0))
        })
        .unwrap(),
    );
    let (send, receive) = std::sync::mpsc::sync_channel(4);
    let start = Arc::new(Barrier::new(8));
    let mut threads = Vec::new();
    for t in 0..7 {
        let (pool, send, start) = (Arc::clone(&pool), send.clone(), Arc::clone(&start));
        threads.push(std::thread::spawn(move || {
            start.wait();
            for i in 0..rounds {
                let lent = pool.get_arc();
                assert_eq!(lent.0.swap(1, SeqCst), 0, "two owners");
                lent.0.store(0, SeqCst);
                if i % 64 == t {
                    send.send(lent).unwrap();
                }
            }
        }));
    }
    drop(send);
    start.wait();
    for lent in receive {
        assert_eq!(lent.0.swap(1, SeqCst), 0, "two owners");
        lent.0.store(0, SeqCst);
    }
    threads.into_iter().for_each(|t| t.join().unwrap());
    let stats = pool.stats();
    assert_eq!(stats.live, 0);
    assert!(stats.retained <= 6, "{stats:?}");
    assert_eq!(MADE.load(SeqCst) - DROPPED.load(SeqCst), stats.retained);
    assert_eq!(stats.bytes, stats.retained as u64);
    assert_eq!(stats.hits + stats.misses, 7 * rounds as u64);
    assert!(stats.hits > stats.misses, "{stats:?}");
    drop(pool);
    assert_eq!(MADE.load(SeqCst), DROPPED.load(SeqCst));
}

#[test]
fn the_global_tiers_are_as_promised() {
    let pools = GlobalPools::new().unwrap();
    for (pool, capacity, initial, max) in [
        (pools.small(), 1 << 10, 10, 100),
        (pools.medium(), 64 << 10, 5, 50),
        (pools.large(), 1 << 20, 2, 20),
    ] {
        assert_eq!((pool.stats().retained, pool.max_retained()), (initial, max));
        assert_eq!((pool.get().capacity(), pool.get().len()), (capacity, 0));
        drop((0..max + 9).map(|_| pool.get()).collect::<Vec<_>>());
        assert_eq!(pool.stats().retained, max);
    }
    assert_eq!(pools.bytes(), (100 << 10) + (50 << 16) + (20 << 20));
    assert!(pools.sized().get(3000).capacity() >= 3000);
    assert_eq!(pools.trim(), 171);
    assert_eq!(pools.bytes(), 0);
    assert!(std::ptr::eq(GlobalPools::get(), GlobalPools::get()));
}

#[test]
fn matrices_keep_the_maximum_per_shape() {
    let config = MatrixPoolConfig { shapes: vec![(10, 10)], max_retained: 3 };
    let pool = MatrixPool::<i8>::new(config).unwrap();
    drop((0..9).map(|_| pool.get(10, 10).unwrap()).collect::<Vec<_>>());
    drop((0..9).map(|_| pool.get(7, 10).unwrap()).collect::<Vec<_>>());
    assert_eq!((pool.stats().retained, pool.stats().misses), (6, 18));
    assert_eq!(pool.trim(), 6);
}

#[derive(Clone, Debug)]
enum Step {
    Get,
    TryGet,
    Return(usize),
    Grow(usize, usize),
    Keep(usize),
    Trim,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Get),
        1 => Just(Step::TryGet),
        4 => any::<usize>().prop_map(Step::Return),
        1 => (any::<usize>(), 0_usize..2000).prop_map(|(i, n)| Step::Grow(i, n)),
        1 => any::<usize>().prop_map(Step::Keep),
        1 => Just(Step::Trim),
    ]
}

proptest! {
    /// Against the slow twin: two lists of capacities. Every number of the statistics is exact.
    #[test]
    fn agrees_with_two_lists(
        max in 0_usize..6,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let config =
            PoolConfig { max_retained: max, max_buffer_bytes: 1000, ..PoolConfig::default() };
        let pool = BufferPool::new(config, || Vec::<u8>::with_capacity(100)).unwrap();
        let mut lent = Vec::new();
        // Capacities, as the pool knows them, of the live and of the free buffers.
        let (mut live, mut free) = (Vec::<usize>::new(), Vec::<usize>::new());
        let mut expected = PoolStats::default();
        for step in steps {
            match step {
                Step::Get | Step::TryGet => {
                    let got = if matches!(step, Step::Get) {
                        Some(pool.get())
                    } else {
                        pool.try_get()
                    };
                    if let Some(got) = got {
                        prop_assert!(got.is_empty());
                        if free.is_empty() {
                            prop_assert!(matches!(step, Step::Get));
                            expected.misses += 1;
                            live.push(100);
                        } else {
                            expected.hits += 1;
                            let i = free.iter().position(|&c| c == got.capacity()).unwrap();
                            live.push(free.swap_remove(i));
                        }
                        lent.push(got);
                    } else {
                        prop_assert!(free.is_empty(), "a free buffer was not found");
                    }
                }
                Step::Grow(i, more) if !lent.is_empty() => {
                    let i = i % lent.len();
                    lent[i].reserve_exact(more);
                }
                Step::Return(i) | Step::Keep(i) if !lent.is_empty() => {
                    let i = i % lent.len();
                    live.swap_remove(i);
                    let lent = lent.swap_remove(i);
                    if matches!(step, Step::Keep(_)) {
                        lent.into_inner();
                    } else {
                        let capacity = lent.capacity();
                        drop(lent);
                        let during = live.iter().chain(&free).sum::<usize>() + capacity;
                        expected.peak_bytes = expected.peak_bytes.max(during as u64);
                        if capacity <= 1000 && free.len() < max {
                            free.push(capacity);
                        }
                    }
                }
                Step::Trim => {
                    prop_assert_eq!(pool.trim(), free.len());
                    free.clear();
                }
                _ => {}
            }
            expected.live = live.len();
            expected.retained = free.len();
            expected.bytes = live.iter().chain(&free).sum::<usize>() as u64;
            expected.peak_bytes = expected.peak_bytes.max(expected.bytes);
            prop_assert_eq!(pool.stats(), expected);
        }
    }
}
