//! Pipelines: speed-up of two stages, efficiency of a map, what handing an item on costs.

use std::hint::black_box;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use edgekit_pipeline::{Options, Order, Pipeline, Workers, optimal_threads};

use crate::{Suite, Unit};

/// Rounds of arithmetic that nobody can shorten: about 50 µs.
const ROUNDS: u64 = 27_000;
const ITEMS: u64 = 400;

/// Declares the cases.
pub fn declare(suite: &mut Suite) {
    two_stages(suite);
    maps(suite);
    handing_on(suite);
}

fn work(x: u64, rounds: u64) -> u64 {
    let mut state = x | 1;
    for _ in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    state
}

fn stage(x: u64) -> u64 {
    work(x, ROUNDS)
}

fn two_stages(suite: &mut Suite) {
    let alone = || (0..ITEMS).map(|x| stage(stage(x))).collect::<Vec<_>>();
    let ours = || Pipeline::source(0..ITEMS).stage(stage).stage(stage).run().expect("no errors");
    // What one would write by hand: two threads and a queue of the same length.
    let by_hand = || {
        let (send, receive) = sync_channel(2);
        std::thread::scope(|scope| {
            scope.spawn(move || (0..ITEMS).for_each(|x| send.send(stage(x)).expect("a taker")));
            receive.iter().map(stage).collect::<Vec<_>>()
        })
    };
    if suite.wants("pipeline/two-stages") {
        let right = alone();
        for (name, answer) in [("ours", ours()), ("by-hand", by_hand())] {
            suite.check(format!("pipeline/two-stages/{name}"), answer == right, || {
                "differs from one thread".into()
            });
        }
    }
    suite.time("pipeline/two-stages/one-thread", alone);
    suite.time("pipeline/two-stages/ours", ours);
    suite.time("pipeline/two-stages/by-hand", by_hand);
}

fn maps(suite: &mut Suite) {
    const MAPPED: u64 = 10_000;
    let cores = optimal_threads();
    suite.value("pipeline/map/cores", Unit::Count, cores as f64);
    // Speed-up over one thread, by the number of cores; both sides measured in turns.
    suite.measure("pipeline/map/efficiency", Unit::Ratio, move || {
        let workers = Workers::scoped(cores).expect("as many threads as there are cores");
        let (mut alone, mut together) = (Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            let start = Instant::now();
            (0..MAPPED / 10).for_each(|x| _ = black_box(stage(x)));
            alone = alone.min(start.elapsed() * 10);
            let start = Instant::now();
            black_box(workers.map(0..MAPPED as usize, |x| stage(x as u64)));
            together = together.min(start.elapsed());
        }
        alone.as_secs_f64() / together.as_secs_f64() / cores as f64
    });
    // The dear items are neighbours: 1 in 100 costs 64 times as much as the others.
    let skewed = |x: u64| work(x, if x < 20 { 64 * 2_000 } else { 2_000 });
    let pool = |_: ()| Workers::scoped(cores).expect("as many threads as there are cores");
    let (even, uneven) = (pool(()), pool(()));
    suite.time("pipeline/skewed/map", move || even.map(0..2_000_usize, |x| skewed(x as u64)));
    suite.time("pipeline/skewed/map-unbalanced", move || {
        uneven.map_unbalanced(0..2_000_usize, |x| skewed(x as u64))
    });
    // 20 ns an item.
    let (one, chunked) = (pool(()), pool(()));
    let cheap = |x: u64| work(x, 10);
    suite.time("pipeline/cheap/map", move || one.map(0..200_000_usize, |x| cheap(x as u64)));
    suite.time("pipeline/cheap/map-chunked", move || {
        chunked.map_chunked(0..200_000_usize, 10_000, |x| cheap(x as u64))
    });
}

/// What a stage that does nothing costs each item.
fn handing_on(suite: &mut Suite) {
    for (name, packet_items, workers, order, items) in [
        ("packets-of-256", 256, 1, Order::Kept, 400_000_u64),
        ("packets-of-256-two-workers", 256, 2, Order::Kept, 400_000),
        ("packets-of-1", 1, 1, Order::Kept, 40_000),
        ("packets-of-1-two-workers", 1, 2, Order::Kept, 40_000),
        ("packets-of-1-two-workers-any-order", 1, 2, Order::Any, 40_000),
    ] {
        suite.measure(format!("pipeline/overhead/{name}"), Unit::Nanos, move || {
            const STAGES: u64 = 3;
            let runs = (0..5).map(|_| {
                let options = Options { queue_packets: 8, packet_items, order };
                let start = Instant::now();
                let mut sum = 0;
                Pipeline::source(0..items)
                    .stage_n(workers, |x| x + 1)
                    .stage_n(workers, |x| x + 1)
                    .stage_n(workers, |x| x + 1)
                    .options(options)
                    .for_each(|x| sum += x)
                    .expect("no errors");
                assert_eq!(sum, items * (items - 1) / 2 + items * STAGES, "a wrong sum");
                start.elapsed().as_nanos() as f64 / (items * STAGES) as f64
            });
            runs.fold(f64::INFINITY, f64::min)
        });
    }
}
