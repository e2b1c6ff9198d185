//! The async executor on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use edgekit_pipeline::{AsyncExecutor, ErrorKind, Limits};
use tokio::time::{Instant, sleep, timeout};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn executor(concurrency: usize, task_timeout: Option<Duration>) -> AsyncExecutor {
    AsyncExecutor::new(Limits { concurrency, task_timeout }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn results_are_in_the_order_of_the_items() {
    let results = executor(4, None)
        .map(0..20_u64, |i| async move {
            sleep(ms(20 - i)).await;
            i * 2
        })
        .await;
    let results: Vec<u64> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(results, (0..20).map(|i| i * 2).collect::<Vec<_>>());
    assert!(executor(4, None).map(0..0, |i: u64| async move { i }).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_tasks_run_than_allowed_and_items_are_taken_as_they_end() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let taken = AtomicUsize::new(0);
    let start = Instant::now();
    let items = (0..12).inspect(|_| {
        // Three run; the fourth is taken to wait for its turn.
        let running = taken.fetch_add(1, SeqCst) as u128;
        assert!(running <= 3 + start.elapsed().as_millis() / 10 * 3, "{running} taken too early");
    });
    executor(3, None)
        .map(items, |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                sleep(ms(10)).await;
                now.fetch_sub(1, SeqCst);
            }
        })
        .await;
    assert_eq!((most.load(SeqCst), start.elapsed()), (3, ms(40)));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_in_its_place() {
    let results = executor(2, None)
        .map(0..5, |i| async move {
            assert_ne!(i, 2, "two");
            i
        })
        .await;
    let error = results[2].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.index()), (ErrorKind::Panicked, Some(2)));
    assert!(error.to_string().contains("two"), "{error}");
    let others: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(others, [&0, &1, &3, &4]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_is_an_error_in_its_place() {
    let results = executor(2, Some(ms(10)))
        .map(0..4_u64, |i| async move {
            sleep(ms(if i == 1 { 1000 } else { 9 })).await;
            i
        })
        .await;
    let error = results[1].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.index()), (ErrorKind::TimedOut, Some(1)));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_cancels_the_tasks() {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    // At every await: before anything has run, while tasks run, while the last ones end.
    for wait in [0, 5, 15, 25] {
        let dropped = Arc::new(AtomicUsize::new(0));
        let finished = Arc::new(AtomicUsize::new(0));
        let executor = executor(3, None);
        let map = executor.map(0..7, |_| {
            let (count, finished) = (Count(Arc::clone(&dropped)), Arc::clone(&finished));
            async move {
                sleep(ms(10)).await;
                finished.fetch_add(1, SeqCst);
                drop(count);
            }
        });
        assert!(timeout(ms(wait), map).await.is_err());
        sleep(ms(100)).await;
        let started = (3 * (1 + wait as usize / 10)).min(7);
        assert_eq!(dropped.load(SeqCst), started, "a cancelled task is dropped");
        assert_eq!(finished.load(SeqCst), wait as usize / 10 * 3, "and does not go on");
    }
}

#[tokio::test]
async fn a_concurrency_of_nothing_is_refused() {
    let error = AsyncExecutor::new(Limits { concurrency: 0, ..Limits::default() }).unwrap_err();
    assert_eq!((error.kind(), error.index()), (ErrorKind::Config, None));
}
