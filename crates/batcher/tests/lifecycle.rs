//! Shutdown, abort, dropped handles and runtimes that go away: every waiter gets an answer.

use std::time::Duration;

use edgekit_batcher::{Batcher, BoxError, Config, ErrorKind, TokioTimer};

use crate::support::{ms, tens};

#[tokio::test(start_paused = true)]
async fn shutdown_under_load_processes_everything_that_was_let_in() {
    let config = Config {
        max_batch_size: 4,
        max_queue_delay: Duration::MAX,
        max_in_flight: 2,
        ..Config::default()
    };
    let (batcher, log) = tens(config, ms(5));
    let answers: Vec<_> = (0..51).map(|x| batcher.submit(x)).collect();
    batcher.shutdown().await;
    for (x, answer) in answers.into_iter().enumerate() {
        // The answers are there already: nobody is waited for.
        assert_eq!(
            tokio::time::timeout(Duration::ZERO, answer).await.unwrap().unwrap(),
            10 * x as u64
        );
    }
    assert_eq!(log.sizes().iter().sum::<usize>(), 51);
    let refused = batcher.submit(1).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    batcher.shutdown().await;
    batcher.abort().await;
    assert_eq!(batcher.stats().rejects.closed, 1);
}

#[tokio::test(start_paused = true)]
async fn abort_refuses_what_waits_and_what_is_in_flight() {
    let config = Config { max_batch_size: 2, max_in_flight: 2, ..Config::default() };
    let process = |items: Vec<u64>| async move {
        std::future::pending::<()>().await;
        items.into_iter().map(Ok::<_, BoxError>).collect()
    };
    let batcher = Batcher::builder(config).timer(TokioTimer).build(process).unwrap();
    let answers: Vec<_> = (0..9).map(|x| batcher.submit(x)).collect();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(batcher.stats().in_flight, 2);
    batcher.abort().await;
    for answer in answers {
        let error = tokio::time::timeout(Duration::ZERO, answer).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);
    }
    let stats = batcher.stats();
    assert_eq!((stats.failures.aborted, stats.rejects.closed, stats.queued), (2, 5, 0));
    assert_eq!(batcher.submit(1).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn abort_overtakes_a_shutdown_that_hangs() {
    let process = |items: Vec<u64>| async move {
        std::future::pending::<()>().await;
        items.into_iter().map(Ok::<_, BoxError>).collect()
    };
    let batcher = Batcher::builder(Config::default()).timer(TokioTimer).build(process).unwrap();
    let answer = batcher.submit(1);
    let other = batcher.clone();
    let shutdown = tokio::spawn(async move { other.shutdown().await });
    tokio::time::sleep(ms(10)).await;
    assert!(!shutdown.is_finished());
    batcher.abort().await;
    shutdown.await.unwrap();
    assert_eq!(answer.await.unwrap_err().kind(), ErrorKind::Aborted);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_closes_the_batcher_and_everything_is_answered() {
    let (batcher, log) = tens(Config { max_queue_delay: ms(500), ..Config::default() }, ms(1));
    let answers: Vec<_> = (0..5).map(|x| batcher.submit(x)).collect();
    let other = batcher.clone();
    drop(batcher);
    tokio::time::sleep(ms(10)).await;
    assert_eq!(log.sizes(), [0_usize; 0], "a handle is left");
    drop(other);
    for (x, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), 10 * x as u64);
    }
    assert_eq!((log.sizes(), log.times()), (vec![5], vec![10]));
}

#[test]
fn waiters_elsewhere_are_told_when_the_runtime_goes() {
    let process = |items: Vec<u64>| async move {
        if items[0] == 0 {
            std::future::pending::<()>().await;
        }
        items.into_iter().map(Ok::<_, BoxError>).collect()
    };
    let config = Config { max_batch_size: 1, ..Config::default() };
    let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let batcher = home.block_on(async { Batcher::builder(config).build(process).unwrap() });
    let elsewhere = tokio::runtime::Builder::new_current_thread().build().unwrap();
    elsewhere.block_on(async {
        assert_eq!(batcher.submit(5).await.unwrap(), 5);
        let answers: Vec<_> = (0..3).map(|x| batcher.submit(x)).collect();
        std::thread::spawn(move || drop(home)).join().unwrap();
        for answer in answers {
            assert_eq!(answer.await.unwrap_err().kind(), ErrorKind::Closed);
        }
        assert_eq!(batcher.submit(1).await.unwrap_err().kind(), ErrorKind::Closed);
        batcher.shutdown().await;
    });
}

#[test]
fn without_a_runtime_there_is_no_batcher() {
    let process =
        |items: Vec<u64>| async move { items.into_iter().map(Ok::<_, BoxError>).collect() };
    let error = Batcher::builder(Config::default()).build(process).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("runtime"), "{error}");
}
