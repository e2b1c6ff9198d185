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
    /// Bytes that this thread has allocated less those it has freed.
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: hands on to the system's allocator and counts on the side.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        BYTES.with(|n| n.set(n.get() + layout.size() as i64));
        // SAFETY: our caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.with(|n| n.set(n.get() - layout.size() as i64));
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

/// 100,000 events of 1,000 nodes, each a name and a number: how many bytes the allocator has handed
/// out for them when each event has its own string, and when it has a handle.
#[test]
fn interning_saves_three_fifths_of_the_memory() {
    const EVENTS: usize = 100_000;
    let bytes = |build: &dyn Fn() -> Box<dyn std::any::Any>| {
        let before = BYTES.with(Cell::get);
        let kept = build();
        let after = BYTES.with(Cell::get);
        drop(kept);
        after - before
    };
    let name = |i: usize| format!("node-{}", i * 7919 % 1000);
    let strings = bytes(&|| Box::new((0..EVENTS).map(|i| (name(i), i as f32)).collect::<Vec<_>>()));
    let handles = bytes(&|| {
        let mut nodes = Interner::new();
        let event = |i: usize| (nodes.intern(&name(i)).unwrap(), i as f32);
        let events: Vec<_> = (0..EVENTS).map(event).collect();
        assert_eq!(nodes.len(), 1000);
        Box::new((events, nodes))
    });
    println!("{strings} bytes as strings, {handles} as handles");
    assert!(handles * 10 <= strings * 4, "{handles} bytes of handles, {strings} of strings");
}
