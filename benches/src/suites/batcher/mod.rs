//! Batching: items per second, latency from idle, a promised delay kept, Poisson load, adaptation.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

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
        let runtime = runtime();
        let contender = runtime.block_on(async { C::new(Work::Nothing, Duration::ZERO) });
        let rate = closed_loop(&runtime, &contender, CALLERS, 1_500);
        runtime.shutdown_background();
        rate
    });
    percentiles(suite, &format!("batcher/idle/{name}"), || {
        let runtime = runtime();
        let contender = runtime.block_on(async { C::new(Work::Nothing, Duration::ZERO) });
        let latencies = idle(&runtime, contender, 3_000);
        runtime.shutdown_background();
        latencies
    });
    if C::APPLIES_TO_ALL {
        percentiles(suite, &format!("batcher/poisson/{name}"), || {
            let runtime = runtime();
            let contender = runtime.block_on(async { C::new(Work::Model, Duration::ZERO) });
            let latencies = poisson(&runtime, contender, OFFERED, Duration::from_millis(700));
            runtime.shutdown_background();
            latencies
        });
    }
}

/// Declares `id/p50`, `id/p99` and `id/refused`, each run's numbers under all three.
fn percentiles(suite: &mut Suite, id: &str, run: impl Fn() -> Latencies + 'static) {
    let run = Rc::new(run);
    let kept: Rc<RefCell<[VecDeque<f64>; 3]>> = Rc::default();
    let facts = [("p50", Unit::Nanos), ("p99", Unit::Nanos), ("refused", Unit::Count)];
    for (i, (fact, unit)) in facts.into_iter().enumerate() {
        let (run, kept) = (Rc::clone(&run), Rc::clone(&kept));
        suite.measure(format!("{id}/{fact}"), unit, move || {
            let mut kept = kept.borrow_mut();
            if kept[i].is_empty() {
                // The least disturbed of three.
                let best = (0..3).map(|_| run()).min_by_key(|run| run.quantile(0.99));
                let Some(best) = best else { return f64::NAN };
                let nanos = |q| best.quantile(q).as_nanos() as f64;
                for (kept, value) in
                    kept.iter_mut().zip([nanos(0.5), nanos(0.99), best.refused as f64])
                {
                    kept.push_back(value);
                }
            }
            kept[i].pop_front().unwrap_or(f64::NAN)
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
    const OBJECTIVE: Duration = Duration::from_millis(12);
    const CALLERS: usize = 48;
    if !suite.wants("batcher/adaptive") {
        return;
    }
    let config = |max_batch_size| Config {
        max_batch_size,
        levels: vec![Level::default(); 2],
        ..Config::default()
    };
    // Items per second, and (an upper bound of) the p95 latency.
    let load = move |runtime: &Runtime, contender: &Ours| {
        let rate = closed_loop(runtime, contender, CALLERS, 120);
        let stats = contender.0.stats();
        (rate, stats.wait.p95 + stats.service.p95)
    };
    for (sweep, sizes) in [
        ("adaptive", &[8, 32, 64][..]),
        ("adaptive/full", &[1, 2, 4, 8, 16, 24, 32, 40, 48, 64, 96, 128, 256][..]),
    ] {
        if !suite.wants(&format!("batcher/{sweep}/best-fixed")) {
            continue;
        }
        suite.measure(format!("batcher/{sweep}/best-fixed"), Unit::PerSecond, move || {
            let runs: Vec<(f64, Duration)> = sizes
                .iter()
                .map(|&size| {
                    let runtime = runtime();
                    let batcher = runtime.block_on(async {
                        Batcher::builder(config(size)).build(rivals::model).expect("a good config")
                    });
                    load(&runtime, &Ours(batcher))
                })
                .collect();
            let good = runs.iter().filter(|(_, p95)| *p95 <= OBJECTIVE);
            let best = good.map(|(rate, _)| *rate).reduce(f64::max);
            // On a machine so busy that none is good, the nearest.
            let nearest = runs.iter().min_by_key(|(_, p95)| *p95);
            best.or(nearest.map(|(rate, _)| *rate)).unwrap_or(f64::NAN)
        });
    }
    let found = move || {
        let runtime = runtime();
        let batcher = runtime.block_on(async { adapting(config(256), OBJECTIVE) });
        let contender = Ours((*batcher).clone());
        closed_loop(&runtime, &contender, CALLERS, 250);
        let before = batcher.trajectory().last().map_or(0, |decision| decision.number);
        let (rate, _) = load(&runtime, &contender);
        // The p95 of each window since it has settled; their median.
        let path = batcher.trajectory();
        let mut p95: Vec<_> = path.iter().filter(|d| d.number > before).map(|d| d.p95).collect();
        p95.sort_unstable();
        (rate, p95.get(p95.len() / 2).copied().unwrap_or_default())
    };
    suite.measure("batcher/adaptive/found", Unit::PerSecond, move || found().0);
    suite.measure("batcher/adaptive/found-p95", Unit::Nanos, move || found().1.as_nanos() as f64);
    let runtime = runtime();
    let batcher = runtime.block_on(async { adapting(config(256), OBJECTIVE) });
    closed_loop(&runtime, &Ours((*batcher).clone()), CALLERS, 120);
    suite.series(Series {
        plot: "batcher: the bound that the adaptive batcher finds from 1, 48 callers".into(),
        x_label: "decision".into(),
        y_label: "largest batch (items)".into(),
        name: "objective p95 12 ms".into(),
        points: batcher.trajectory().iter().map(|d| (d.number as f64, d.after as f64)).collect(),
    });
}

fn adapting(config: Config, p95: Duration) -> AdaptiveBatcher<u64, u64> {
    let objective = Objective { p95, window: 64, ..Objective::default() };
    AdaptiveBatcher::new(Batcher::builder(config), objective, rivals::model)
        .expect("a good objective")
}
