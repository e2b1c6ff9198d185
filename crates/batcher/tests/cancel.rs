//! Callers that go away, at every point where they can.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use edgekit_batcher::{Config, Request};

use crate::support::{ms, settle, tens};

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_leaves_the_queue_and_makes_room() {
    let config =
        Config { max_batch_size: 4, max_queue_delay: ms(10), max_queue: 2, ..Config::default() };
    let (batcher, log) = tens(config, Duration::ZERO);
    let (first, second) = (batcher.submit(1), batcher.submit(2));
    assert!(batcher.submit(3).await.is_err(), "two is all");
    drop(first);
    assert_eq!((batcher.stats().queued, batcher.stats().rejects.cancelled), (1, 1));
    let third = batcher.submit(3);
    let _ = (second.await.unwrap(), third.await.unwrap());
    assert_eq!(log.batches(), [vec![2, 3]], "the cancelled item was not processed");
}

#[tokio::test(start_paused = true)]
async fn the_delay_counts_from_the_oldest_that_is_left() {
    let config = Config { max_queue_delay: ms(10), ..Config::default() };
    let (batcher, log) = tens(config, Duration::ZERO);
    let first = batcher.submit(1);
    tokio::time::sleep(ms(4)).await;
    let second = batcher.submit(2);
    drop(first);
    second.await.unwrap();
    assert_eq!((log.batches(), log.times()), (vec![vec![2]], vec![14]));
}

#[tokio::test(start_paused = true)]
async fn cancelling_at_every_await_hurts_nobody_else() {
    // The caller is dropped after so many polls of its task: before the first, in the queue, with
    // the processor, and when the answer is there already.
    for polls in 0..4 {
        for wait in [0, 5, 15, 25] {
            let config = Config { max_queue_delay: ms(10), max_batch_size: 8, ..Config::default() };
            let (batcher, log) = tens(config, ms(10));
            let neighbour = batcher.submit(1);
            {
                let mut gone = pin!(batcher.submit(Request::new(2).timeout(ms(100))));
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..polls {
                    if gone.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                }
                tokio::time::sleep(ms(wait)).await;
            }
            assert_eq!(neighbour.await.unwrap(), 10);
            assert_eq!(batcher.submit(3).await.unwrap(), 30);
            let processed = log.batches().concat();
            assert_eq!(processed.contains(&2), wait >= 15, "{polls} polls, {wait} ms");
            let stats = batcher.stats();
            assert_eq!((stats.queued, stats.in_flight), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_cancelled_before_it_is_formed_frees_its_slot() {
    let config = Config { max_batch_size: 2, max_queue_delay: ms(10), ..Config::default() };
    let (batcher, log) = tens(config, Duration::ZERO);
    // The batch is full and a runner is on its way, but it has not run yet.
    let both = (batcher.submit(1), batcher.submit(2));
    drop(both);
    settle().await;
    assert_eq!(log.batches().len(), 0);
    let both = (batcher.submit(3), batcher.submit(4));
    assert_eq!((both.0.await.unwrap(), both.1.await.unwrap()), (30, 40));
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_shutdown_does_not_stop_it() {
    let (batcher, log) = tens(Config { max_queue_delay: ms(50), ..Config::default() }, ms(10));
    let answer = batcher.submit(1);
    {
        let mut shutdown = pin!(batcher.shutdown());
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(shutdown.as_mut().poll(&mut cx), Poll::Pending);
    }
    assert_eq!(answer.await.unwrap(), 10);
    assert_eq!(log.times(), [0], "a closing batcher holds nothing back");
    assert!(batcher.submit(2).await.is_err());
    batcher.shutdown().await;
}
