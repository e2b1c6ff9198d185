//! Pipelines: overlap, order, back-pressure, and what happens when something goes wrong.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, mpsc};
use std::time::Duration;

use edgekit_pipeline::{Error, ErrorKind, Options, Order, Pipeline};
use proptest::prelude::*;

fn options(queue_packets: usize, packet_items: usize, order: Order) -> Options {
    Options { queue_packets, packet_items, order }
}

/// Uneven work, so that workers overtake each other.
fn dawdle(i: usize) {
    if i.is_multiple_of(7) {
        std::thread::sleep(Duration::from_micros(50 * (i % 5) as u64));
    }
}

#[test]
fn stages_compose_in_order() {
    let out = Pipeline::source(0..100)
        .stage(|i| i * 2)
        .stage_n(3, |i| i + 1)
        .stage(|i| format!("{i}"))
        .run()
        .unwrap();
    assert_eq!(out, (0..100).map(|i| (i * 2 + 1).to_string()).collect::<Vec<_>>());
    assert_eq!(Pipeline::source([1, 2, 3]).run().unwrap(), [1, 2, 3]);
    assert_eq!(Pipeline::source(0..0).stage(|i| i).run().unwrap(), []);
}

#[test]
fn stages_may_borrow_and_keep_state() {
    let weights = vec![3, 4, 5];
    let mut sum = 0;
    let sums = Pipeline::source(0..6)
        .stage_n(2, |i| weights[i % 3])
        .stage(|weight| {
            sum += weight;
            sum
        })
        .run()
        .unwrap();
    assert_eq!(sums, [3, 7, 12, 15, 19, 24]);
    assert_eq!(sum, 24);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_pipeline_is_its_slow_twin_the_iterator(
        length in 0..200_usize,
        bad in proptest::collection::hash_map(0..220_usize, (0..4_usize, any::<bool>()), 0..4),
        workers in 1..5_usize,
        queue in 1..4_usize,
        packet in 1..9_usize,
        keep in any::<bool>(),
    ) {
        // Item `i` goes wrong in stage `bad[i].0`, by an error or a panic.
        let attempt = |stage: usize, i: usize| match bad.get(&i) {
            Some(&(at, true)) if at == stage => panic!("item {i}"),
            Some(&(at, false)) if at == stage => Err(format!("item {i}")),
            _ => Ok(i),
        };
        let order = if keep { Order::Kept } else { Order::Any };
        let mut seen = Vec::new();
        let outcome = Pipeline::try_source((0..length).map(|i| attempt(0, i)))
            .try_stage(|i| attempt(1, i))
            .try_stage_n(workers, |i| {
                dawdle(i);
                attempt(2, i)
            })
            .try_stage_n(2, |i| attempt(3, i))
            .options(options(queue, packet, order))
            .for_each(|i| seen.push(i));

        let first = bad.keys().copied().filter(|i| *i < length).min();
        match (outcome, first) {
            (Ok(()), None) => prop_assert_eq!(seen.len(), length),
            (Err(error), Some(first)) => {
                let (stage, panics) = bad[&first];
                let kind = if panics { ErrorKind::Panicked } else { ErrorKind::Failed };
                prop_assert_eq!(error.index(), Some(first));
                prop_assert_eq!((error.stage(), error.kind()), (Some(stage), kind));
                let says = format!("item {first}");
                prop_assert!(error.to_string().contains(&says));
            }
            (outcome, first) => prop_assert!(false, "{:?} but {:?}", outcome, first),
        }
        if keep {
            let whole = seen.len();
            prop_assert_eq!(seen, (0..whole).collect::<Vec<_>>());
            prop_assert_eq!(whole, first.unwrap_or(length), "all before the error, none behind");
        } else {
            seen.sort_unstable();
            seen.dedup();
            prop_assert!(seen.len() >= first.unwrap_or(length));
        }
    }
}

#[test]
fn stages_really_overlap() {
    // Both stages meet here: that can only be if both are at work at once, on different items.
    let meet = Barrier::new(2);
    let out = Pipeline::source(0..20)
        .stage(|i| {
            if i > 0 {
                meet.wait();
            }
            i
        })
        .stage(|i| {
            if i < 19 {
                meet.wait();
            }
            i
        })
        .run()
        .unwrap();
    assert_eq!(out.len(), 20);
}

#[test]
fn workers_of_one_stage_really_work_at_once() {
    let meet = Barrier::new(3);
    for order in [Order::Kept, Order::Any] {
        let pipeline = Pipeline::source(0..30).stage_n(3, |i| {
            meet.wait();
            i
        });
        assert_eq!(pipeline.options(options(4, 1, order)).run().unwrap().len(), 30);
    }
}

#[test]
fn without_order_nobody_waits_for_a_slow_item() {
    let (release, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let mut seen = Vec::new();
    Pipeline::source(0..50)
        .stage_n(2, |i| {
            if i == 0 {
                wait.lock().unwrap().recv().unwrap();
            }
            i
        })
        .options(options(1, 1, Order::Any))
        .for_each(|i| {
            seen.push(i);
            if seen.len() == 49 {
                release.send(()).unwrap();
            }
        })
        .unwrap();
    assert_eq!(seen, (1..50).chain([0]).collect::<Vec<_>>());
}

#[test]
fn a_slow_end_holds_the_source_back() {
    let made = AtomicUsize::new(0);
    let mut used = 0;
    let source = (0..200).inspect(|_| {
        made.fetch_add(1, SeqCst);
    });
    let mut most = 0;
    Pipeline::source(source)
        .stage_n(2, |i| i)
        .stage(|i| i)
        .options(options(1, 1, Order::Kept))
        .for_each(|_| {
            std::thread::sleep(Duration::from_micros(200));
            used += 1;
            most = most.max(made.load(SeqCst) - used);
        })
        .unwrap();
    // Three queues of one, a hand for each of five threads, and those that wait for their turn.
    assert!(most <= 3 + 5 + 4, "{most} items were under way");
}

#[test]
fn a_slow_item_does_not_let_the_others_pile_up_behind_it() {
    let started = AtomicUsize::new(0);
    let (release, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As many as may run ahead have done so when nothing moves any more.
            let mut before = usize::MAX;
            while before != started.load(SeqCst) {
                before = started.load(SeqCst);
                std::thread::sleep(Duration::from_millis(30));
            }
            release.send(before).unwrap();
        });
        let ahead = Mutex::new(0);
        Pipeline::source(0..1000)
            .stage_n(4, |i| {
                started.fetch_add(1, SeqCst);
                if i == 0 {
                    *ahead.lock().unwrap() = wait.lock().unwrap().recv().unwrap();
                }
            })
            .run()
            .unwrap();
        let ahead = *ahead.lock().unwrap();
        assert!(ahead <= 8, "{ahead} items ran ahead of the slow one");
    });
}

#[test]
fn an_error_stops_the_source() {
    let made = AtomicUsize::new(0);
    let source = (0..).inspect(|_| {
        made.fetch_add(1, SeqCst);
    });
    let error = Pipeline::source(source)
        .try_stage(|i| if i == 10 { Err("ten") } else { Ok(i) })
        .run()
        .unwrap_err();
    assert_eq!(
        (error.index(), error.stage(), error.kind()),
        (Some(10), Some(1), ErrorKind::Failed)
    );
    let source = std::error::Error::source(&error).expect("the stage's own error");
    assert_eq!(source.to_string(), "ten");
    assert!(made.load(SeqCst) < 30, "{} items of an endless source", made.load(SeqCst));
}

#[test]
fn items_behind_a_known_error_are_not_started() {
    let started = AtomicUsize::new(0);
    let f = |i: usize| {
        started.fetch_add(1, SeqCst);
        if i == 0 { Err("first") } else { Ok(i) }
    };
    let pipeline = Pipeline::source(0..100).try_stage(f).options(options(4, 5, Order::Kept));
    assert_eq!(pipeline.run().unwrap_err().index(), Some(0));
    assert_eq!(started.load(SeqCst), 1);
}

#[test]
fn nothing_comes_out_behind_the_bad_item_although_it_was_done_before() {
    let (done, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let mut seen = Vec::new();
    let error = Pipeline::source(0..20)
        .try_stage_n(2, |i| {
            match i {
                // Whoever starts on 7 has handed in 6, since the other worker is here.
                5 => {
                    wait.lock().unwrap().recv().unwrap();
                    return Err("late");
                }
                7 => done.send(()).unwrap(),
                _ => {}
            }
            Ok(i)
        })
        .for_each(|i| seen.push(i))
        .unwrap_err();
    assert_eq!((error.index(), seen), (Some(5), vec![0, 1, 2, 3, 4]));
}

#[test]
fn a_caller_that_panics_stops_the_pipeline() {
    for order in [Order::Kept, Order::Any] {
        let run = || {
            Pipeline::source(0..)
                .stage_n(3, |i| i)
                .options(options(2, 2, order))
                .for_each(|i| assert!(i < 5, "enough"))
        };
        let panic = std::panic::catch_unwind(run).unwrap_err();
        let said = panic.downcast_ref::<&str>().copied();
        assert_eq!(said, Some("enough"));
    }
}

#[test]
fn a_source_can_be_a_channel_that_others_fill() {
    let (send, receive) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || (0..50).for_each(|frame| send.send(frame).unwrap()));
        let out = Pipeline::source(receive).stage_n(2, |frame| frame * 2).run().unwrap();
        assert_eq!(out, (0..50).map(|frame| frame * 2).collect::<Vec<_>>());
    });
}

#[test]
fn progress_is_told() {
    let mut told = Vec::new();
    Pipeline::source(0..10)
        .stage(|i| i)
        .options(options(2, 4, Order::Kept))
        .progress(|progress| told.push((progress.done, progress.total)))
        .run()
        .unwrap();
    assert_eq!(told, [(4, Some(10)), (8, Some(10)), (10, Some(10))]);
    let mut total = Some(0);
    let unknown = (0..10).filter(|i| i % 2 == 0);
    Pipeline::source(unknown).progress(|progress| total = progress.total).run().unwrap();
    assert_eq!(total, None);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let refused = |error: Error, says: &str| {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says), "{error}");
    };
    let run = |options| Pipeline::source(0..3).stage(|i| i).options(options).run().unwrap_err();
    refused(run(options(0, 1, Order::Kept)), "queue_packets");
    refused(run(options(1, 0, Order::Kept)), "packet_items");
    let error = Pipeline::source(0..3).stage(|i| i).stage_n(0, |i| i).stage(|i| i).run();
    refused(error.unwrap_err(), "stage 2 has 0 workers");
}
