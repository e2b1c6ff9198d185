//! Steady state allocates nothing, counted by the allocator.

use edgekit_mempool::{
    BufferPool, ByteArena, Interner, MatrixPool, MatrixPoolConfig, MemoryMonitor, MemoryUsage,
    PoolConfig, SizeClassConfig, SizeClassPool,
};

fn allocations(mut work: impl FnMut()) -> u64 {
    for _ in 0..3 {
        work(); // grows what has to grow once
    }
    allocation_counter::measure(|| (0..100).for_each(|_| work())).count_total
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
        let mut kept = None;
        let counted = allocation_counter::measure(|| kept = Some(build()));
        drop(kept);
        counted.bytes_current
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
