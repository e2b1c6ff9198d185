//! One test for each rule of the queue policy, through the public API.

use std::time::Duration;

use edgekit_batcher::{
    Batcher, Config, ErrorKind, Level, Ordering, Request, TimeoutAction, TokioTimer,
};

use crate::support::{Log, build, ms, settle, tens};

#[tokio::test(start_paused = true)]
async fn a_full_batch_leaves_at_once() {
    let config = Config { max_batch_size: 3, max_queue_delay: ms(1000), ..Config::default() };
    let (batcher, log) = tens(config, Duration::ZERO);
    let answers: Vec<_> = (0..3).map(|x| batcher.submit(x)).collect();
    for (x, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), 10 * x as u64);
    }
    assert_eq!((log.batches(), log.times()), (vec![vec![0, 1, 2]], vec![0]));
}

#[tokio::test(start_paused = true)]
async fn the_delay_counts_from_the_oldest_item() {
    let config = Config { max_queue_delay: ms(10), ..Config::default() };
    let (batcher, log) = tens(config, Duration::ZERO);
    let a = batcher.submit(1);
    tokio::time::sleep(ms(7)).await;
    let b = batcher.submit(2);
    let _ = (a.await.unwrap(), b.await.unwrap());
    tokio::time::sleep(ms(100)).await;
    // From the item again, not from the last batch.
    batcher.submit(3).await.unwrap();
    assert_eq!(log.batches(), [vec![1, 2], vec![3]]);
    assert_eq!(log.times(), [10, 120]);
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_what_waits_goes_as_soon_as_the_processor_is_free() {
    let (batcher, log) = tens(Config::default(), ms(5));
    let first = batcher.submit(0);
    settle().await;
    let rest: Vec<_> = (1..5).map(|x| batcher.submit(x)).collect();
    first.await.unwrap();
    for answer in rest {
        answer.await.unwrap();
    }
    assert_eq!((log.batches(), log.times()), (vec![vec![0], vec![1, 2, 3, 4]], vec![0, 5]));
}

#[tokio::test(start_paused = true)]
async fn preferred_sizes_leave_early_and_the_rest_waits_for_company() {
    let config = Config {
        max_batch_size: 16,
        preferred_batch_sizes: vec![4, 8],
        max_queue_delay: ms(10),
        ..Config::default()
    };
    let (batcher, log) = tens(config, Duration::ZERO);
    let answers: Vec<_> = (0..14).map(|x| batcher.submit(x)).collect();
    settle().await;
    assert_eq!((log.sizes(), log.times()), (vec![8, 4], vec![0, 0]));
    for answer in answers {
        answer.await.unwrap();
    }
    assert_eq!((log.sizes(), log.times()), (vec![8, 4, 2], vec![0, 0, 10]));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_a_full_level_only_its_own() {
    let level = |max_queue| Level { max_queue, ..Level::default() };
    let config = Config {
        max_queue: 4,
        levels: vec![level(None), level(Some(1))],
        max_batch_size: 1,
        ..Config::default()
    };
    let (batcher, _) = tens(config, ms(5));
    let busy = batcher.submit(0);
    settle().await;
    let low = batcher.submit(Request::new(1).priority(2));
    let refused = batcher.submit(Request::new(2).priority(2)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    assert!(refused.to_string().contains("level"), "{refused}");
    let rest: Vec<_> = (3..6).map(|x| batcher.submit(x)).collect();
    let refused = batcher.submit(6).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    assert_eq!(batcher.stats().rejects.queue_full, 2);
    for answer in [busy, low].into_iter().chain(rest) {
        answer.await.unwrap();
    }
    batcher.submit(7).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn urgent_requests_go_first() {
    let config = Config {
        max_batch_size: 2,
        levels: vec![Level::default(); 3],
        default_level: 2,
        ..Config::default()
    };
    let (batcher, log) = tens(config, ms(1));
    let busy = batcher.submit(0);
    settle().await;
    let answers = [(30, 3), (31, 3), (20, 2), (10, 1)]
        .map(|(x, level)| batcher.submit(Request::new(x).priority(level)));
    let by_default = batcher.submit(21);
    for answer in answers.into_iter().chain([busy, by_default]) {
        answer.await.unwrap();
    }
    assert_eq!(log.batches(), [vec![0], vec![10, 20], vec![21, 30], vec![31]]);
    let nonsense = batcher.submit(Request::new(1).priority(4)).await.unwrap_err();
    assert_eq!(nonsense.kind(), ErrorKind::Priority);
    let nonsense = batcher.submit(Request::new(1).priority(0)).await.unwrap_err();
    assert_eq!(nonsense.kind(), ErrorKind::Priority);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_time_is_over_is_rejected_on_time() {
    let level = Level { timeout: Some(ms(20)), ..Level::default() };
    let config = Config { max_batch_size: 1, levels: vec![level], ..Config::default() };
    let (batcher, log) = tens(config, ms(100));
    let start = tokio::time::Instant::now();
    let busy = batcher.submit(0);
    settle().await;
    let own = batcher.submit(Request::new(1).timeout(ms(10)));
    let own_too_long = batcher.submit(Request::new(2).timeout(ms(50)));
    let by_default = batcher.submit(3);
    for (answer, at) in [(own, 10), (by_default, 20), (own_too_long, 20)] {
        assert_eq!(answer.await.unwrap_err().kind(), ErrorKind::QueueTimeout);
        assert_eq!(start.elapsed(), ms(at));
    }
    busy.await.unwrap();
    assert_eq!((log.batches(), batcher.stats().rejects.timed_out), (vec![vec![0]], 3));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_time_is_over_falls_behind_if_its_level_says_so() {
    let level = |on_timeout| Level { timeout: Some(ms(10)), on_timeout, ..Level::default() };
    let config = Config {
        max_batch_size: 2,
        levels: vec![level(TimeoutAction::Delay), level(TimeoutAction::Reject)],
        ..Config::default()
    };
    let (batcher, log) = tens(config, ms(15));
    let busy = batcher.submit(0);
    settle().await;
    let late = batcher.submit(1);
    tokio::time::sleep(ms(12)).await;
    let fresh = [batcher.submit(2), batcher.submit(3)];
    let low = batcher.submit(Request::new(9).priority(2));
    for answer in [busy, late].into_iter().chain(fresh) {
        answer.await.unwrap();
    }
    assert_eq!(low.await.unwrap_err().kind(), ErrorKind::QueueTimeout);
    assert_eq!(log.batches(), [vec![0], vec![2, 3], vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn nobody_times_out_while_the_processor_is_free() {
    let config = Config { max_queue_delay: ms(50), ..Config::default() };
    let (batcher, log) = tens(config, Duration::ZERO);
    let hurried = batcher.submit(Request::new(1).timeout(ms(5)));
    let patient = batcher.submit(2);
    hurried.await.unwrap();
    patient.await.unwrap();
    assert_eq!((log.batches(), log.times()), (vec![vec![1, 2]], vec![5]));
}

#[tokio::test(start_paused = true)]
async fn a_batch_keeps_to_its_weight_and_a_too_heavy_item_is_refused_at_once() {
    let config =
        Config { max_batch_weight: Some(10), max_queue_delay: ms(10), ..Config::default() };
    let (batcher, log) = build(Batcher::builder(config).weigh(|x| *x), Duration::ZERO);
    let refused = batcher.submit(11).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooHeavy);
    assert!(refused.to_string().contains("11") && refused.to_string().contains("10"));
    let answers: Vec<_> = [4, 5, 3, 2, 10, 1].map(|x| batcher.submit(x)).into();
    for answer in answers {
        answer.await.unwrap();
    }
    assert_eq!(log.batches(), [vec![4, 5], vec![3, 2], vec![10], vec![1]]);
    assert_eq!(log.times(), [0, 0, 0, 10]);
}

#[tokio::test(start_paused = true)]
async fn only_equal_keys_share_a_batch_and_keys_take_turns() {
    let config = Config { max_batch_size: 4, ..Config::default() };
    let (batcher, log) = build(Batcher::builder(config).group_by(|x| x / 100), ms(1));
    let busy = batcher.submit(0);
    settle().await;
    // A flood of one key, then one request each of two others.
    let flood: Vec<_> = (100..140).map(|x| batcher.submit(x)).collect();
    let others = [batcher.submit(200), batcher.submit(300)];
    for answer in [busy].into_iter().chain(others).chain(flood) {
        answer.await.unwrap();
    }
    let batches = log.batches();
    assert!(batches.iter().all(|batch| batch.iter().all(|x| x / 100 == batch[0] / 100)));
    let at = |x| batches.iter().position(|batch| batch.contains(&x)).unwrap();
    assert_eq!((at(100), at(200), at(300)), (1, 2, 3), "the flood does not come first");
}

#[tokio::test(start_paused = true)]
async fn no_more_batches_are_in_flight_than_allowed() {
    let config = Config { max_batch_size: 2, max_in_flight: 3, ..Config::default() };
    let (batcher, log) = tens(config, ms(10));
    let answers: Vec<_> = (0..12).map(|x| batcher.submit(x)).collect();
    tokio::time::sleep(ms(1)).await;
    let stats = batcher.stats();
    assert_eq!((stats.in_flight, stats.queued), (3, 6));
    assert_eq!(stats.oldest_wait, ms(1));
    for answer in answers {
        answer.await.unwrap();
    }
    assert_eq!(log.times(), [0, 0, 0, 10, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn answers_leave_in_order_of_arrival_if_asked_to() {
    for (ordering, first) in [(Ordering::Completion, 1), (Ordering::Arrival, 0)] {
        let config = Config { max_batch_size: 1, max_in_flight: 2, ordering, ..Config::default() };
        // The first batch is the slow one.
        let process = |items: Vec<u64>| async move {
            tokio::time::sleep(ms(10 - 5 * items[0])).await;
            items.into_iter().map(Ok::<_, std::io::Error>).collect()
        };
        let batcher = Batcher::builder(config).timer(TokioTimer).build(process).unwrap();
        let order = Log::new();
        let tasks = [0, 1].map(|x| {
            let (answer, order) = (batcher.submit(x), order.clone());
            tokio::spawn(async move { order.write(&[answer.await.unwrap()]) })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(order.batches()[0], [first], "{ordering:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_makes_everything_due_and_loses_nothing() {
    let config = Config { max_queue_delay: ms(10), max_batch_size: 4, ..Config::default() };
    let (batcher, log) = build(Batcher::builder(config).group_by(|x| *x), Duration::ZERO);
    let answers: Vec<_> = (0..3).map(|x| batcher.submit(x)).collect();
    settle().await;
    tokio::time::advance(Duration::from_secs(86_400)).await;
    for answer in answers {
        answer.await.unwrap();
    }
    assert_eq!(log.sizes(), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn statistics_tell_what_happened() {
    let config = Config { max_batch_size: 2, ..Config::default() };
    let (batcher, _) = tens(config, ms(10));
    let answers: Vec<_> = (0..5).map(|x| batcher.submit(x)).collect();
    for answer in answers {
        answer.await.unwrap();
    }
    settle().await;
    let stats = batcher.stats();
    assert_eq!(stats.batch_sizes, [(1, 1), (2, 2)]);
    assert_eq!((stats.batches, stats.items, stats.queued, stats.in_flight), (3, 5, 0, 0));
    assert_eq!((stats.service.count, stats.wait.count), (3, 5));
    let about = |d: Duration, is: u64| d >= ms(is) && d <= ms(is) + ms(is) / 50;
    assert!(about(stats.service.p50, 10) && about(stats.wait.max, 20), "{stats:?}");
    assert!(about(stats.wait.p50, 10) && about(stats.wait.p99, 20), "{stats:?}");
    assert_eq!(stats.rejects.total(), 0);
}
