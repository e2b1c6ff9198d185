//! Processors that panic, hang, miscount or refuse: the batch suffers, the service lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use edgekit_batcher::{Batcher, Config, ErrorKind, Ordering, TokioTimer};

use crate::support::{ms, settle};

/// What the processor is to do with an item of that value.
const PANIC: u64 = 1_000;
const PANIC_AT_ONCE: u64 = 1_001;
const HANG: u64 = 1_002;
const TOO_FEW: u64 = 1_003;
const TOO_MANY: u64 = 1_004;
const NOTHING: u64 = 1_005;
const REFUSE: u64 = 1_006;

async fn act(items: Vec<u64>) -> Vec<Result<u64, String>> {
    tokio::time::sleep(ms(1)).await;
    assert!(!items.contains(&PANIC), "asked to");
    if items.contains(&HANG) {
        std::future::pending::<()>().await;
    }
    let refuse = |x| if x == REFUSE { Err(format!("no {x}")) } else { Ok(x + 1) };
    let mut results: Vec<_> = items.iter().copied().map(refuse).collect();
    if items.contains(&TOO_FEW) {
        results.pop();
    }
    if items.contains(&TOO_MANY) {
        results.push(Ok(0));
    }
    if items.contains(&NOTHING) {
        results.clear();
    }
    results
}

fn faulty(config: Config) -> Batcher<u64, u64> {
    let config = Config { max_batch_size: 2, service_timeout: Some(ms(50)), ..config };
    let process = |items: Vec<u64>| {
        assert!(!items.contains(&PANIC_AT_ONCE), "asked to");
        act(items)
    };
    Batcher::builder(config).timer(TokioTimer).build(process).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_an_error_of_its_batch_alone() {
    for ordering in [Ordering::Completion, Ordering::Arrival] {
        for max_in_flight in [1, 3] {
            let batcher = faulty(Config { ordering, max_in_flight, ..Config::default() });
            let faults = [
                (PANIC, ErrorKind::Panicked, "asked to"),
                (PANIC_AT_ONCE, ErrorKind::Panicked, "asked to"),
                (HANG, ErrorKind::ServiceTimeout, "50ms"),
                (TOO_FEW, ErrorKind::WrongCount, "1 results for 2"),
                (TOO_MANY, ErrorKind::WrongCount, "3 results for 2"),
                (NOTHING, ErrorKind::WrongCount, "0 results for 2"),
            ];
            for (fault, kind, says) in faults {
                let batch = [batcher.submit(7), batcher.submit(fault)];
                let next = [batcher.submit(8), batcher.submit(9)];
                for answer in batch {
                    let error = answer.await.unwrap_err();
                    assert_eq!(error.kind(), kind);
                    assert!(error.to_string().contains(says), "{error}");
                }
                for (answer, right) in next.into_iter().zip([9, 10]) {
                    assert_eq!(answer.await.unwrap(), right);
                }
            }
            settle().await;
            let failures = batcher.stats().failures;
            let counted = (failures.panicked, failures.timed_out, failures.wrong_count);
            assert_eq!((counted, batcher.stats().in_flight), ((2, 1, 3), 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_may_fail_alone() {
    let batcher = faulty(Config::default());
    let (bad, good) = (batcher.submit(REFUSE), batcher.submit(1));
    let error = bad.await.unwrap_err();
    assert_eq!((error.kind(), good.await.unwrap()), (ErrorKind::Item, 2));
    let source = std::error::Error::source(&error).expect("the item's own error");
    assert_eq!(source.to_string(), "no 1006");
}

#[tokio::test(start_paused = true)]
async fn a_hung_processor_is_dropped() {
    struct Told(Arc<AtomicBool>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&dropped);
    let config = Config { service_timeout: Some(ms(20)), ..Config::default() };
    let process = move |_: Vec<u64>| {
        let told = Told(Arc::clone(&tell));
        async move {
            std::future::pending::<()>().await;
            drop(told);
            Vec::<Result<u64, String>>::new()
        }
    };
    let batcher = Batcher::builder(config).timer(TokioTimer).build(process).unwrap();
    let error = batcher.submit(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServiceTimeout);
    settle().await;
    assert!(dropped.load(SeqCst), "a timeout stops the processor");
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_panics_while_it_is_dropped_does_no_more_harm() {
    struct Spiteful;
    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let config = Config { service_timeout: Some(ms(20)), ..Config::default() };
    let process = |items: Vec<u64>| async move {
        if items[0] == HANG {
            let _spiteful = Spiteful;
            std::future::pending::<()>().await;
        }
        items.into_iter().map(Ok::<_, String>).collect()
    };
    let batcher = Batcher::builder(config).timer(TokioTimer).build(process).unwrap();
    assert_eq!(batcher.submit(HANG).await.unwrap_err().kind(), ErrorKind::ServiceTimeout);
    assert_eq!(batcher.submit(5).await.unwrap(), 5);
}

#[tokio::test]
async fn a_blocking_processor_does_not_block_the_runtime_and_its_faults_are_its_own() {
    // One runtime thread: were the processor on it, nobody could release it.
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let config = Config {
        max_batch_size: 1,
        service_timeout: Some(Duration::from_secs(20)),
        ..Config::default()
    };
    let process = move |items: Vec<u64>| {
        assert_ne!(items[0], PANIC, "asked to");
        if items[0] == HANG {
            wait.lock().unwrap().recv().unwrap();
        }
        items.into_iter().map(|x| Ok::<_, String>(x + 1)).collect()
    };
    let batcher = Batcher::builder(config).build_blocking(process).unwrap();
    let slow = batcher.submit(HANG);
    tokio::time::sleep(ms(5)).await;
    release.send(()).unwrap();
    assert_eq!(slow.await.unwrap(), HANG + 1);
    assert_eq!(batcher.submit(PANIC).await.unwrap_err().kind(), ErrorKind::Panicked);
    assert_eq!(batcher.submit(1).await.unwrap(), 2);
}

#[tokio::test]
async fn a_blocking_call_that_hangs_loses_its_slot() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let config = Config { service_timeout: Some(ms(500)), ..Config::default() };
    let process = move |items: Vec<u64>| {
        if items[0] == HANG {
            let _ = wait.lock().unwrap().recv();
        }
        items.into_iter().map(Ok::<_, String>).collect()
    };
    let batcher = Batcher::builder(config).build_blocking(process).unwrap();
    assert_eq!(batcher.submit(HANG).await.unwrap_err().kind(), ErrorKind::ServiceTimeout);
    assert_eq!(batcher.submit(5).await.unwrap(), 5);
    drop(release);
}
