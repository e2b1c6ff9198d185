//! Batching: items per second, latency from idle, a promised delay kept, Poisson load, adaptation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use edgekit_batcher::{AdaptiveBatcher, Batcher, Config, Level, Objective};
use tokio::runtime::Runtime;

use crate::{Series, Suite, Unit};

mod load;
mod rivals;

use load::{Latencies, closed_loop, idle, poisson};
use rivals::{Actor, AintOne, Contender, Ours, Work};

/// The share of capacity that the Poisson case offers, in requests a second: 80 % of batches of 32
/// at 1 ms + 50 µs an item.
const OFFERED: f64 = 9_846.0;
const CALLERS: usize = 64;

/// Declares the cases.
pub fn declare(suite: &mut Suite) {
    right_answers(suite);
    contend::<Ours>(suite);
    contend::<AintOne>(suite);
    contend::<Actor>(suite);
    #[cfg(feature = "peers")]
    contend::<rivals::TowerControl>(suite);
    #[cfg(feature = "peers")]
    contend::<rivals::BatchedFn>(suite);
    promised_delay(suite);
    adaptive(suite);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the operating system has two threads to spare")
}

/// Every contender is asked a thousand questions before anything is timed.
fn right_answers(suite: &mut Suite) {
    fn ask<C: Contender>(suite: &mut Suite) {
        let id = format!("batcher/answers/{}", C::NAME);
        if !C::APPLIES_TO_ALL || !suite.wants("batcher/throughput") {
            return;
        }
        let wrong = runtime().block_on(async {
            let contender = C::new(Work::Nothing, Duration::ZERO);
            let mut wrong = 0;
            for x in 0..1000 {
                wrong += u64::from(contender.call(x).await != Some(x + 1));
            }
            wrong
        });
        suite.check(id, wrong == 0, || format!("{wrong} of 1000 answers"));
    }
    ask::<Ours>(suite);
    ask::<AintOne>(suite);
    ask::<Actor>(suite);
}

fn contend<C: Contender>(suite: &mut Suite) {
    let name = C::NAME;
    suite.measure(format!("batcher/throughput/{name}"), Unit::PerSecond, || {
        let best = (0..5).map(|_| {
            let runtime = runtime();
            let contender = runtime.block_on(async { C::new(Work::Nothing, Duration::ZERO) });
            let rate = closed_loop(&runtime, &contender, CALLERS, 3_000);
            runtime.shutdown_background();
            rate
        });
        best.fold(0.0, f64::max)
    });
    percentiles(suite, &format!("batcher/idle/{name}"), || {
        let runtime = runtime();
        let contender = runtime.block_on(async { C::new(Work::Nothing, Duration::ZERO) });
        let latencies = idle(&runtime, contender, 20_000);
        runtime.shutdown_background();
        latencies
    });
    if C::APPLIES_TO_ALL {
        percentiles(suite, &format!("batcher/poisson/{name}"), || {
            let runtime = runtime();
            let contender = runtime.block_on(async { C::new(Work::Model, Duration::ZERO) });
            let latencies = poisson(&runtime, contender, OFFERED, Duration::from_millis(1500));
            runtime.shutdown_background();
            latencies
        });
    }
}

/// Declares `id/p50`, `id/p99` and `id/refused` of the same runs.
fn percentiles(suite: &mut Suite, id: &str, run: impl Fn() -> Latencies + 'static) {
    let run = Rc::new(run);
    let kept: Rc<RefCell<HashMap<&str, f64>>> = Rc::default();
    let facts: [(&'static str, Unit); 3] =
        [("p50", Unit::Nanos), ("p99", Unit::Nanos), ("refused", Unit::Count)];
    for (fact, unit) in facts {
        let (run, kept) = (Rc::clone(&run), Rc::clone(&kept));
        suite.measure(format!("{id}/{fact}"), unit, move || {
            if let Some(value) = kept.borrow_mut().remove(fact) {
                return value;
            }
            // The least disturbed of three runs.
            let runs = (0..3).map(|_| run());
            let Some(mut best) = runs.min_by_key(|run| run.quantile(0.99)) else { return 0.0 };
            let values = HashMap::from([
                ("p50", best.quantile(0.50).as_nanos() as f64),
                ("p99", best.quantile(0.99).as_nanos() as f64),
                ("refused", best.refused as f64),
            ]);
            best.clear();
            let value = values[fact];
            *kept.borrow_mut() = values;
            kept.borrow_mut().remove(fact);
            value
        });
    }
}

/// One lonely request under a promise of 1 ms: how much later than promised it is answered.
fn promised_delay(suite: &mut Suite) {
    fn late<C: Contender>(suite: &mut Suite) {
        let name = C::NAME;
        suite.measure(format!("batcher/lateness-1ms/{name}"), Unit::Nanos, || {
            let runtime = runtime();
            let promised = Duration::from_millis(1);
            let contender = runtime.block_on(async { C::new(Work::Nothing, promised) });
            let latencies = idle(&runtime, contender, 200);
            runtime.shutdown_background();
            latencies.quantile(0.50).saturating_sub(promised).as_nanos() as f64
        });
    }
    late::<Ours>(suite);
    late::<AintOne>(suite);
    #[cfg(feature = "peers")]
    late::<rivals::TowerControl>(suite);
}

/// What a fixed bound on batches reaches under 48 callers, and what the controller finds.
fn adaptive(suite: &mut Suite) {
    const OBJECTIVE: Duration = Duration::from_millis(8);
    const CALLERS: usize = 48;
    if !suite.wants("batcher/adaptive") {
        return;
    }
    let config = |max_batch_size| Config {
        max_batch_size,
        levels: vec![Level::default(); 2],
        ..Config::default()
    };
    let rate = move |runtime: &Runtime, contender: &Ours, each: usize| {
        let start = Instant::now();
        let rate = closed_loop(runtime, contender, CALLERS, each);
        let stats = contender.0.stats();
        let p95 = stats.wait.p95 + stats.service.p95;
        (rate, p95, start.elapsed())
    };
    for (sweep, sizes) in [
        ("adaptive", &[8, 32, 64][..]),
        ("adaptive/full", &[1, 2, 4, 8, 16, 24, 32, 40, 48, 64, 96, 128, 256][..]),
    ] {
        if !suite.wants(&format!("batcher/{sweep}/best-fixed")) {
            continue;
        }
        suite.measure(format!("batcher/{sweep}/best-fixed"), Unit::PerSecond, move || {
            let rates = sizes.iter().filter_map(|&size| {
                let runtime = runtime();
                let batcher = runtime.block_on(async {
                    Batcher::builder(config(size)).build(rivals::model).expect("a good config")
                });
                let (rate, p95, _) = rate(&runtime, &Ours(batcher), 40);
                (p95 <= OBJECTIVE).then_some(rate)
            });
            rates.fold(0.0, f64::max)
        });
    }
    suite.measure("batcher/adaptive/found", Unit::PerSecond, move || {
        let runtime = runtime();
        let batcher = runtime.block_on(async { adapting(config(256), OBJECTIVE) });
        let contender = Ours((*batcher).clone());
        closed_loop(&runtime, &contender, CALLERS, 250);
        rate(&runtime, &contender, 120).0
    });
    let runtime = runtime();
    let batcher = runtime.block_on(async { adapting(config(256), OBJECTIVE) });
    closed_loop(&runtime, &Ours((*batcher).clone()), CALLERS, 120);
    suite.series(Series {
        plot: "batcher: the bound that the adaptive batcher finds from 1, 48 callers".into(),
        x_label: "decision".into(),
        y_label: "largest batch (items)".into(),
        name: "objective p95 8 ms".into(),
        points: batcher.trajectory().iter().map(|d| (d.number as f64, d.after as f64)).collect(),
    });
}

fn adapting(config: Config, p95: Duration) -> AdaptiveBatcher<u64, u64> {
    let objective = Objective { p95, window: 64, ..Objective::default() };
    AdaptiveBatcher::new(Batcher::builder(config), objective, rivals::model)
        .expect("a good objective")
}
