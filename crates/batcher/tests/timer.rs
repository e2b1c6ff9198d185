//! The precise timer on the real clock: early never, late by far less than tokio's millisecond.

use std::time::{Duration, Instant};

use edgekit_batcher::{PreciseTimer, Timer};

#[tokio::test]
async fn the_precise_timer_is_never_early_and_wakes_in_order() {
    let start = Instant::now();
    let at = move |us| start + Duration::from_micros(us);
    let sleeps = [3_000_u64, 300, 1_500, 300].map(|us| {
        tokio::spawn(async move {
            PreciseTimer.sleep_until(at(us)).await;
            let now = Instant::now();
            assert!(now >= at(us), "{us} µs: {:?} early", at(us) - now);
            now
        })
    });
    let mut woken = Vec::new();
    for sleep in sleeps {
        woken.push(sleep.await.unwrap());
    }
    assert!(woken[1] < woken[2] && woken[2] < woken[0]);
    PreciseTimer.sleep_until(start).await;
}

#[tokio::test]
async fn a_dropped_alarm_does_not_keep_the_others_from_ringing() {
    for _ in 0..20 {
        let soon = Instant::now() + Duration::from_micros(200);
        let mut dropped = PreciseTimer.sleep_until(soon);
        let polled = tokio::time::timeout(Duration::ZERO, &mut dropped).await;
        assert!(polled.is_err() || Instant::now() >= soon);
        drop(dropped);
        PreciseTimer.sleep_until(soon + Duration::from_micros(200)).await;
    }
}

/// The best of many: a machine that is busy can wake anybody late, but not always.
#[tokio::test]
async fn sub_millisecond_delays_are_kept_to_within_a_tenth_of_tokios_tick() {
    let mut late = Vec::new();
    for _ in 0..50 {
        let at = Instant::now() + Duration::from_micros(250);
        PreciseTimer.sleep_until(at).await;
        late.push(at.elapsed());
    }
    late.sort();
    assert!(late[0] < Duration::from_micros(100), "the least late by {:?}", late[0]);
}
