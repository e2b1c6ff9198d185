//! mempool against `object-pool`, `opool`, the system's allocator, `Box`, and `lasso`.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use edgekit_mempool::{
    BufferPool, ByteArena, GlobalPools, Interner, MatrixPool, MatrixPoolConfig, OnReturn,
    PoolConfig, TypedArena,
};

use crate::{Suite, Unit};

const KIB_64: usize = 64 << 10;
const MIB: usize = 1 << 20;

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    get_and_return(suite);
    a_mebibyte(suite);
    small_objects(suite);
    interner(suite);
    suite.time("mempool/global/sized-3000/1", || GlobalPools::get().sized().get(3000).capacity());
    let matrices = MatrixPool::<f32>::new(MatrixPoolConfig::default()).expect("valid");
    suite.time("mempool/matrix/128x784/1", move || matrices.get(128, 784).expect("fits").len());
}

/// A 64 KiB buffer got, written at one place and returned, on 1, 2 and 4 threads.
fn get_and_return(suite: &mut Suite) {
    if !suite.wants("mempool/get-return") {
        return;
    }
    let config = PoolConfig { max_retained: 64, ..PoolConfig::default() };
    let ours = BufferPool::new(config, || Vec::<u8>::with_capacity(KIB_64)).expect("valid");
    let ours: &'static _ = Box::leak(Box::new(ours));
    let object_pool = object_pool::Pool::new(16, || Vec::<u8>::with_capacity(KIB_64));
    let object_pool: &'static _ = Box::leak(Box::new(object_pool));
    let opool: &'static opool::Pool<Rival, Vec<u8>> =
        Box::leak(Box::new(opool::Pool::new_prefilled(64, Rival)));
    suite.check("mempool/get-return", ours.get().capacity() == KIB_64, || {
        "a buffer of another capacity".into()
    });
    for threads in [1, 2, 4] {
        let id = |who: &str| format!("mempool/get-return/64KiB/{who}/{threads}");
        suite.measure(id("edgekit"), Unit::Nanos, move || {
            per_operation(threads, || ours.get().push(black_box(1)))
        });
        suite.measure(id("object-pool"), Unit::Nanos, move || {
            per_operation(threads, || {
                let mut buffer = object_pool.pull(|| Vec::with_capacity(KIB_64));
                buffer.push(black_box(1));
                buffer.clear();
            })
        });
        suite.measure(id("opool"), Unit::Nanos, move || {
            per_operation(threads, || opool.get().push(black_box(1)))
        });
        suite.measure(id("malloc"), Unit::Nanos, move || {
            per_operation(threads, || {
                let mut buffer = Vec::with_capacity(KIB_64);
                buffer.push(black_box(1_u8));
                black_box(&mut buffer);
            })
        });
    }
}

struct Rival;

impl opool::PoolAllocator<Vec<u8>> for Rival {
    fn allocate(&self) -> Vec<u8> {
        Vec::with_capacity(KIB_64)
    }

    fn reset(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
    }
}

/// 1 MiB. `resident`: memory whose pages are there, ready for work; the pool kept them, the allocator
/// must be followed by a write to each. `zeroed`: memory that may be read; the pool kept it
/// initialised. `worked-on`: both sides write to each page, so that the writes are what is measured.
fn a_mebibyte(suite: &mut Suite) {
    if !suite.wants("mempool/1MiB") {
        return;
    }
    let config = PoolConfig { on_return: OnReturn::Keep, ..PoolConfig::default() };
    let pool = BufferPool::new(config, || vec![1_u8; MIB]).expect("valid");
    let pool: &'static _ = Box::leak(Box::new(pool));
    let malloc_and_touch = || {
        let mut buffer = Vec::<u8>::with_capacity(MIB);
        for page in buffer.spare_capacity_mut().iter_mut().step_by(4096) {
            page.write(black_box(1));
        }
        black_box(buffer);
    };
    suite.time("mempool/1MiB/resident/edgekit", || pool.get()[black_box(0)] = 1);
    suite.time("mempool/1MiB/resident/malloc", malloc_and_touch);
    suite.time("mempool/1MiB/zeroed/edgekit", || pool.get()[black_box(0)] = 1);
    suite.time("mempool/1MiB/zeroed/malloc", || {
        let mut buffer = vec![0_u8; MIB];
        buffer[black_box(0)] = 1;
        black_box(buffer);
    });
    suite.time("mempool/1MiB/worked-on/edgekit", || {
        for page in pool.get().iter_mut().step_by(4096) {
            *page = black_box(1);
        }
    });
    suite.time("mempool/1MiB/worked-on/malloc", malloc_and_touch);
}

/// 10,000 objects of 100 bytes, made and ended; nanoseconds for one of them.
fn small_objects(suite: &mut Suite) {
    const OBJECTS: usize = 10_000;
    type Object = [u8; 100];
    let each = |mut all: Box<dyn FnMut()>| {
        move || per_operation_on_this_thread(20, &mut all) / OBJECTS as f64
    };
    let mut kept: Vec<Box<Object>> = Vec::with_capacity(OBJECTS);
    suite.measure(
        "mempool/10000-objects/box",
        Unit::Nanos,
        each(Box::new(move || {
            kept.extend((0..OBJECTS).map(|i| Box::new([i as u8; 100])));
            black_box(&mut kept).clear();
        })),
    );
    let mut typed = TypedArena::<Object>::with_capacity(OBJECTS);
    suite.measure(
        "mempool/10000-objects/typed-arena",
        Unit::Nanos,
        each(Box::new(move || {
            for i in 0..OBJECTS {
                black_box(typed.alloc([i as u8; 100]));
            }
            typed.reset();
        })),
    );
    let mut bytes = ByteArena::new();
    suite.measure(
        "mempool/10000-objects/byte-arena",
        Unit::Nanos,
        each(Box::new(move || {
            for i in 0..OBJECTS {
                let _ = black_box(bytes.alloc([i as u8; 100]));
            }
            bytes.reset();
        })),
    );
}

/// 100,000 mentions of 1,000 node ids; nanoseconds for one of them.
fn interner(suite: &mut Suite) {
    if !suite.wants("mempool/intern") {
        return;
    }
    const MENTIONS: usize = 100_000;
    let names: Vec<String> =
        (0..1000).map(|i| format!("site-3/rack-{}/node-{i}", i % 17)).collect();
    let names: &'static [String] = names.leak();
    let mention = |i: usize| names[i * 7919 % 1000].as_str();
    let mut check = Interner::new();
    let right = (0..MENTIONS).all(|i| {
        let id = check.intern(mention(i)).expect("room");
        check.resolve(id) == Some(mention(i))
    });
    suite.check("mempool/intern", right && check.len() == 1000, || "a wrong name came back".into());
    let each = |mut all: Box<dyn FnMut()>| {
        move || per_operation_on_this_thread(3, &mut all) / MENTIONS as f64
    };
    suite.measure(
        "mempool/intern/edgekit",
        Unit::Nanos,
        each(Box::new(move || {
            let mut interner = Interner::new();
            (0..MENTIONS).for_each(|i| {
                let _ = black_box(interner.intern(mention(i)));
            });
        })),
    );
    suite.measure(
        "mempool/intern/string-interner-string",
        Unit::Nanos,
        each(Box::new(move || {
            use string_interner::StringInterner;
            use string_interner::backend::StringBackend;
            let mut interner = StringInterner::<StringBackend>::new();
            (0..MENTIONS).for_each(|i| {
                black_box(interner.get_or_intern(mention(i)));
            });
        })),
    );
    suite.measure(
        "mempool/intern/lasso",
        Unit::Nanos,
        each(Box::new(move || {
            let mut interner = lasso::Rodeo::<lasso::Spur>::new();
            (0..MENTIONS).for_each(|i| {
                black_box(interner.get_or_intern(mention(i)));
            });
        })),
    );
}

/// Nanoseconds of one call while that many threads call at once, from the first one's start to the
/// last one's end: the median of nine rounds. (The best one would be the one in which the threads
/// happened to run one after the other, and met no contention.)
fn per_operation(threads: usize, work: impl Fn() + Sync) -> f64 {
    const CALLS: u32 = 200_000;
    let thread = |start: &Barrier| {
        for _ in 0..1000 {
            work();
        }
        start.wait();
        let began = Instant::now();
        for _ in 0..CALLS {
            work();
        }
        (began, Instant::now())
    };
    let round = || {
        let start = Barrier::new(threads);
        let times: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| thread(&start))).collect();
            running.into_iter().map(|t| t.join().expect("the work does not panic")).collect()
        });
        let first = times.iter().map(|t| t.0).min().expect("at least one thread");
        let last = times.iter().map(|t| t.1).max().expect("at least one thread");
        (last - first).as_nanos() as f64 / f64::from(CALLS)
    };
    let mut rounds: Vec<f64> = (0..9).map(|_| round()).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[4]
}

/// Nanoseconds of one call: the best of seven rounds of `calls`.
fn per_operation_on_this_thread(calls: u32, work: &mut dyn FnMut()) -> f64 {
    let mut round = || {
        let began = Instant::now();
        for _ in 0..calls {
            work();
        }
        began.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    (0..7).map(|_| round()).fold(f64::INFINITY, f64::min)
}
