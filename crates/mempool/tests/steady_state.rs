//! Steady state allocates nothing, counted by the allocator.
#![allow(unsafe_code, reason = "a counting allocator is a `GlobalAlloc`, which is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use edgekit_mempool::{
    BufferPool, ByteArena, Interner, MatrixPool, MatrixPoolConfig, MemoryMonitor, MemoryUsage,
    PoolConfig, SizeClassConfig, SizeClassPool,
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands on to the system's allocator and counts on the side.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: our caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: our caller's promise is the one asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocations(mut work: impl FnMut()) -> u64 {
    for _ in 0..3 {
        work(); // grows what has to grow once
    }
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..100 {
        work();
    }
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 100);
}

#[test]
fn pools() {
    let pool = BufferPool::new(PoolConfig::default(), || Vec::<u8>::with_capacity(64)).unwrap();
    let work = || {
        // More than a magazine holds, so that the shared stack is used as well.
        let mut lent: [_; 12] = std::array::from_fn(|_| pool.get());
        lent.iter_mut().for_each(|b| b.extend_from_slice(&[1; 64]));
    };
    assert_eq!(allocations(work), 0);
    let sized = SizeClassPool::new(SizeClassConfig::default()).unwrap();
    assert_eq!(allocations(|| sized.get(1000).extend_from_slice(&[1; 1000])), 0);
    let config = MatrixPoolConfig { shapes: vec![(8, 16)], ..MatrixPoolConfig::default() };
    let matrices = MatrixPool::<f32>::new(config).unwrap();
    let work = || {
        matrices.get_zeroed(8, 16).unwrap()[0] = 1.0;
        matrices.get(100, 3).unwrap()[299] = 1.0;
    };
    assert_eq!(allocations(work), 0);
}

#[test]
fn arena_interner_and_monitor() {
    let mut arena = ByteArena::new();
    let work = || {
        for n in 1..100 {
            arena.alloc_zeroed::<f32>(n).unwrap();
            arena.alloc_aligned(n).unwrap();
        }
        arena.reset();
    };
    assert_eq!(allocations(work), 0);
    let mut nodes = Interner::new();
    assert_eq!(allocations(|| assert_eq!(nodes.intern("sensor/7").unwrap().index(), 0)), 0);
    let monitor =
        MemoryMonitor::new(|| Ok(MemoryUsage { process_bytes: 1, used_bytes: 1, limit_bytes: 2 }));
    assert_eq!(allocations(|| drop(monitor.sample().unwrap())), 0);
}
