//! A million requests (a few thousand unless `EDGEKIT_STRESS=1`) and random faults: every caller
//! gets exactly one answer, and the right one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use edgekit_batcher::{
    Batcher, Config, ErrorKind, Level, Ordering, Request, TimeoutAction, Timer, TokioTimer,
};

/// SplitMix64: a good number for each `x`.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn requests() -> u64 {
    if std::env::var_os("EDGEKIT_STRESS").is_some_and(|on| on == "1") { 1_000_000 } else { 20_000 }
}

async fn process(items: Vec<u64>) -> Vec<Result<u64, String>> {
    let luck = mix(items[0] ^ 0xF00D) % 100;
    match luck {
        0 => panic!("bad luck"),
        1 => return Vec::new(),
        2 => std::future::pending().await,
        3..20 => tokio::time::sleep(Duration::from_micros(luck * 10)).await,
        20..40 => tokio::task::yield_now().await,
        _ => {}
    }
    let answer = |x: u64| if x.is_multiple_of(17) { Err(x.to_string()) } else { Ok(!x) };
    items.into_iter().map(answer).collect()
}

fn everyone_is_answered_once(config: Config, timer: impl Timer) {
    const CALLERS: u64 = 64;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcomes: Arc<Mutex<HashMap<Option<ErrorKind>, u64>>> = Arc::default();
    let cancelled = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let builder = Batcher::builder(config).timer(timer);
        let batcher = builder.group_by(|x| x % 3).weigh(|x| mix(*x) % 12).build(process).unwrap();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (batcher, outcomes) = (batcher.clone(), Arc::clone(&outcomes));
                let cancelled = Arc::clone(&cancelled);
                tokio::spawn(async move {
                    for i in 0..requests() / CALLERS {
                        let x = mix(caller << 32 | i);
                        let mut request = Request::new(x);
                        request.priority = [None, Some(1), Some(2)][(x >> 8) as usize % 3];
                        if x >> 16 & 3 == 0 {
                            request = request.timeout(Duration::from_micros(x >> 20 & 1023));
                        }
                        let answer = batcher.submit(request);
                        let patience = Duration::from_micros(x >> 30 & 2047);
                        let answer = if x >> 60 == 0 {
                            match tokio::time::timeout(patience, answer).await {
                                Ok(answer) => answer,
                                Err(_) => {
                                    cancelled.fetch_add(1, Relaxed);
                                    continue;
                                }
                            }
                        } else {
                            answer.await
                        };
                        if let Ok(y) = answer {
                            assert_eq!(y, !x, "somebody else's answer");
                        }
                        let kind = answer.err().map(|error| error.kind());
                        *outcomes.lock().unwrap().entry(kind).or_default() += 1;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        batcher.shutdown().await;
        let stats = batcher.stats();
        assert_eq!((stats.queued, stats.in_flight), (0, 0));
        let outcomes = outcomes.lock().unwrap();
        let answered: u64 = outcomes.values().sum();
        let asked = requests() / CALLERS * CALLERS;
        assert_eq!(answered + cancelled.load(Relaxed), asked);
        assert_eq!(stats.items + stats.rejects.total(), asked, "each went one way only: {stats:?}");
        assert!(outcomes[&None] > asked / 4, "{outcomes:?}");
        assert!(outcomes.contains_key(&Some(ErrorKind::Panicked)), "{outcomes:?}");
        assert!(outcomes.contains_key(&Some(ErrorKind::WrongCount)), "{outcomes:?}");
    });
}

fn config() -> Config {
    Config {
        max_batch_size: 16,
        max_in_flight: 3,
        max_batch_weight: Some(60),
        max_queue_delay: Duration::from_micros(100),
        service_timeout: Some(Duration::from_millis(2)),
        max_queue: 40,
        ..Config::default()
    }
}

#[test]
fn with_levels_that_reject_and_delay() {
    let level = |on_timeout| Level {
        timeout: Some(Duration::from_millis(3)),
        on_timeout,
        max_queue: Some(30),
    };
    let levels = vec![level(TimeoutAction::Reject), level(TimeoutAction::Delay)];
    let config = Config { levels, preferred_batch_sizes: vec![4, 8], ..config() };
    everyone_is_answered_once(config, edgekit_batcher::PreciseTimer);
}

#[test]
fn with_answers_in_order_of_arrival() {
    everyone_is_answered_once(Config { ordering: Ordering::Arrival, ..config() }, TokioTimer);
}
