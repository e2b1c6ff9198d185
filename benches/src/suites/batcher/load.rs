//! The loads that every batching contender is put under: callers in a loop, one at a time, Poisson.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::rivals::Contender;

/// Sorted latencies, and how many requests were refused.
pub(super) struct Latencies {
    sorted: Vec<Duration>,
    pub(super) refused: usize,
}

impl Latencies {
    fn new(mut all: Vec<Duration>, refused: usize) -> Self {
        all.sort_unstable();
        Latencies { sorted: all, refused }
    }

    pub(super) fn quantile(&self, q: f64) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get((last as f64 * q).round() as usize).copied().unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.sorted.clear();
    }
}

/// Items per second that so many callers get, each asking again as soon as it is answered.
pub(super) fn closed_loop<C: Contender>(
    runtime: &Runtime,
    contender: &C,
    callers: usize,
    each: usize,
) -> f64 {
    runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let contender = contender.clone();
                tokio::spawn(async move {
                    for x in 0..each as u64 {
                        assert_eq!(contender.call(x).await, Some(x + 1), "a wrong answer");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a caller got a wrong answer");
        }
        (callers * each) as f64 / start.elapsed().as_secs_f64()
    })
}

/// One caller, one request at a time.
pub(super) fn idle<C: Contender>(runtime: &Runtime, contender: C, requests: u64) -> Latencies {
    let task = runtime.spawn(async move {
        let mut all = Vec::with_capacity(requests as usize);
        let mut refused = 0;
        for x in 0..requests {
            let start = Instant::now();
            refused += usize::from(contender.call(x).await.is_none());
            all.push(start.elapsed());
        }
        Latencies::new(all, refused)
    });
    runtime.block_on(task).expect("the caller does not panic")
}

/// Requests that arrive at random, whoever is being served; latency counts from when a request was
/// to arrive, so that a late generator is not mistaken for a fast batcher.
pub(super) fn poisson<C: Contender>(
    runtime: &Runtime,
    contender: C,
    per_second: f64,
    length: Duration,
) -> Latencies {
    let (send, receive) = mpsc::channel();
    let start = Instant::now() + Duration::from_millis(5);
    let mut at = 0.0;
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut sent = 0_u64;
    while at < length.as_secs_f64() {
        // xorshift64: 53 bits of it make a uniform number in (0, 1].
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        at -= (((seed >> 11) + 1) as f64 / (1_u64 << 53) as f64).ln() / per_second;
        let arrives = start + Duration::from_secs_f64(at);
        while let Some(left) = arrives.checked_duration_since(Instant::now()) {
            if left > Duration::from_micros(120) {
                std::thread::sleep(left - Duration::from_micros(100));
            } else {
                std::hint::spin_loop();
            }
        }
        let (contender, send) = (contender.clone(), send.clone());
        sent += 1;
        runtime.spawn(async move {
            let answered = contender.call(7).await.is_some();
            let _ = send.send(answered.then(|| arrives.elapsed()));
        });
    }
    drop(send);
    let all: Vec<Option<Duration>> = receive.iter().take(sent as usize).collect();
    let refused = all.iter().filter(|latency| latency.is_none()).count();
    Latencies::new(all.into_iter().flatten().collect(), refused)
}
