//! The adaptive batcher on a paused clock: it moves real batches, finds a bound, recovers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edgekit_batcher::{
    AdaptiveBatcher, Batcher, BoxError, Config, ErrorKind, Objective, TokioTimer,
};

use crate::support::{Log, ms};

type Adaptive = AdaptiveBatcher<u64, u64>;

/// A processor of `base` ms and `each` ms an item, both of which the test can change.
#[derive(Clone)]
struct Cost {
    base: Arc<AtomicU64>,
    each: Arc<AtomicU64>,
}

impl Cost {
    fn new(base: u64, each: u64) -> Self {
        Cost { base: Arc::new(base.into()), each: Arc::new(each.into()) }
    }
}

fn adaptive(cost: &Cost, objective: Objective) -> (Adaptive, Log<u64>) {
    let log = Log::new();
    let (seen, cost) = (log.clone(), cost.clone());
    let process = move |items: Vec<u64>| {
        seen.write(&items);
        let each = cost.each.load(Ordering::Relaxed) * items.len() as u64;
        let takes = ms(cost.base.load(Ordering::Relaxed) + each);
        async move {
            tokio::time::sleep(takes).await;
            items.into_iter().map(Ok::<_, BoxError>).collect()
        }
    };
    let config = Config { max_batch_size: 64, ..Config::default() };
    let builder = Batcher::builder(config).timer(TokioTimer);
    (AdaptiveBatcher::new(builder, objective, process).unwrap(), log)
}

/// So many callers, each asking so often.
async fn load(batcher: &Adaptive, callers: u64, each: u64) {
    let tasks: Vec<_> = (0..callers)
        .map(|x| {
            let batcher = batcher.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    batcher.submit(x).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn objective(p95: Duration) -> Objective {
    Objective { p95, window: 32, ..Objective::default() }
}

#[tokio::test(start_paused = true)]
async fn it_grows_from_one_until_the_callers_fit_and_the_batches_really_do() {
    let (batcher, log) = adaptive(&Cost::new(10, 1), objective(ms(100)));
    load(&batcher, 40, 60).await;
    assert_eq!(log.sizes()[0], 1);
    // Under 40 callers a batch of 40 takes everybody along, in 50 ms.
    let last = log.sizes().into_iter().rev().take(10).max().unwrap();
    assert!(last >= 36, "ended at {last}: {:?}", batcher.trajectory());
    let limit = batcher.stats().batch_size_limit;
    assert!((36..=64).contains(&limit), "{limit}");
    let path = batcher.trajectory();
    assert_eq!((path[0].before, path[0].after), (1, 3));
    assert!(path.windows(2).all(|two| two[0].after == two[1].before));
}

#[tokio::test(start_paused = true)]
async fn it_backs_off_when_the_processor_slows_down_and_recovers_from_one() {
    let cost = Cost::new(1, 1);
    let (batcher, log) = adaptive(&cost, objective(ms(40)));
    load(&batcher, 30, 60).await;
    let before = batcher.stats().batch_size_limit;
    assert!(before >= 20, "{before}");

    // Nothing but single items meets the objective now, and hardly those.
    cost.each.store(39, Ordering::Relaxed);
    load(&batcher, 30, 80).await;
    let low = batcher.stats().batch_size_limit;
    assert!(low <= 3, "{low}: {:?}", batcher.trajectory());

    cost.each.store(1, Ordering::Relaxed);
    let batches = log.sizes().len();
    load(&batcher, 30, 120).await;
    let after = batcher.stats().batch_size_limit;
    assert!(after >= 20, "{after}: {:?}", batcher.trajectory());
    let largest = log.sizes()[batches..].iter().copied().max().unwrap();
    assert!(largest >= 20, "the bound moved but the batches did not: {largest}");
}

#[tokio::test(start_paused = true)]
async fn it_stays_below_the_ceiling_and_above_the_floor() {
    let (batcher, log) = adaptive(&Cost::new(1, 0), objective(Duration::from_secs(10)));
    load(&batcher, 200, 60).await;
    assert_eq!(*log.sizes().iter().max().unwrap(), 64, "the ceiling is max_batch_size");
    let (batcher, _) = adaptive(&Cost::new(100, 0), objective(ms(10)));
    load(&batcher, 10, 20).await;
    assert_eq!(batcher.stats().batch_size_limit, 1);
    assert!(batcher.trajectory().iter().all(|decision| decision.after >= 1));
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_from_sizes_past_the_best() {
    // 10 ms of fixed cost, and beyond 16 items each costs as much as 6 below: the rate is best
    // at 16, although far larger batches would meet the objective.
    let log = Log::new();
    let seen = log.clone();
    let process = move |items: Vec<u64>| {
        seen.write(&items);
        let n = items.len() as u64;
        let takes = ms(10 + n + n.saturating_sub(16) * 6);
        async move {
            tokio::time::sleep(takes).await;
            items.into_iter().map(Ok::<_, BoxError>).collect()
        }
    };
    let config = Config { max_batch_size: 64, ..Config::default() };
    let builder = Batcher::builder(config).timer(TokioTimer);
    let batcher =
        AdaptiveBatcher::new(builder, objective(Duration::from_secs(2)), process).unwrap();
    load(&batcher, 200, 60).await;
    let limit = batcher.stats().batch_size_limit;
    assert!((12..=20).contains(&limit), "{limit}: {:?}", batcher.trajectory());
}

#[tokio::test]
async fn bad_objectives_are_refused() {
    let ok = Objective::default;
    let cases = [
        (Objective { p95: Duration::ZERO, ..ok() }, "p95"),
        (Objective { start: 0, ..ok() }, "starts at 0"),
        (Objective { start: 65, ..ok() }, "1..=64"),
        (Objective { step: 0, ..ok() }, "step"),
        (Objective { window: 0, ..ok() }, "window"),
        (Objective { back_off: 1.0, ..ok() }, "back-off"),
        (Objective { back_off: f64::NAN, ..ok() }, "back-off"),
    ];
    for (objective, says) in cases {
        let config = Config { max_batch_size: 64, ..Config::default() };
        let echo = |items: Vec<u64>| items.into_iter().map(Ok::<_, BoxError>).collect();
        let built = AdaptiveBatcher::new_blocking(Batcher::builder(config), objective, echo);
        let error = built.err().expect(says);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says), "{error}");
    }
}
