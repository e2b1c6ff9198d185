//! adaptive-cache against `quick_cache`, `moka` and an LRU list behind a mutex: time and hit ratio.

use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use edgekit_adaptive_cache::{AdaptiveCache, CacheConfig};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::{Suite, Unit};

/// Entries that fit, of one byte each, so that all caches hold as many.
const CAPACITY: usize = 10_000;
const KEYS: usize = 100_000;

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    time(suite);
    hit_ratios(suite);
}

/// One cache behind a common face.
trait Cache: Send + Sync {
    /// Gets the key's value or puts it; whether it was there.
    fn get_or_insert(&self, key: u64) -> bool;
}

/// A rival's name and how an empty one is made.
type Rival = (&'static str, fn() -> Arc<dyn Cache>);

const WHO: [Rival; 4] = [
    ("edgekit", || Arc::new(edgekit(None))),
    ("quick-cache", || Arc::new(quick_cache::sync::Cache::<u64, u64>::new(CAPACITY))),
    ("moka", || Arc::new(moka::sync::Cache::<u64, u64>::new(CAPACITY as u64))),
    ("mutex-lru", || Arc::new(Mutex::new(lru_of(CAPACITY)))),
];

fn edgekit(shards: Option<usize>) -> AdaptiveCache<u64, u64> {
    let config = CacheConfig { budget_bytes: CAPACITY as u64, shards, ..CacheConfig::default() };
    AdaptiveCache::new(config).expect("valid")
}

fn lru_of(capacity: usize) -> lru::LruCache<u64, u64> {
    lru::LruCache::new(NonZeroUsize::new(capacity).expect("not zero"))
}

impl Cache for AdaptiveCache<u64, u64> {
    fn get_or_insert(&self, key: u64) -> bool {
        let found = self.get(&key).is_some();
        if !found {
            let _ = self.insert(key, key, 1);
        }
        found
    }
}

impl Cache for quick_cache::sync::Cache<u64, u64> {
    fn get_or_insert(&self, key: u64) -> bool {
        let found = self.get(&key).is_some();
        if !found {
            self.insert(key, key);
        }
        found
    }
}

impl Cache for moka::sync::Cache<u64, u64> {
    fn get_or_insert(&self, key: u64) -> bool {
        let found = self.get(&key).is_some();
        if !found {
            self.insert(key, key);
        }
        found
    }
}

impl Cache for Mutex<lru::LruCache<u64, u64>> {
    fn get_or_insert(&self, key: u64) -> bool {
        let mut cache = self.lock().expect("no panic under it");
        let found = cache.get(&key).is_some();
        if !found {
            cache.put(key, key);
        }
        found
    }
}

/// Nanoseconds of a get-or-insert on Zipf 1.0, warm, on 1, 2 and 4 threads.
fn time(suite: &mut Suite) {
    if !suite.wants("adaptive-cache/zipf-1.0") {
        return;
    }
    let trace: &'static [u64] = zipf(1.0, 1 << 20, 7).leak();
    for threads in [1, 2, 4] {
        for (who, build) in WHO {
            let id = format!("adaptive-cache/zipf-1.0/{who}/{threads}");
            let mut warm: Option<Arc<dyn Cache>> = None;
            suite.measure(id, Unit::Nanos, move || {
                let cache = warm.get_or_insert_with(|| {
                    let cache = build();
                    for &key in trace {
                        cache.get_or_insert(key);
                    }
                    cache
                });
                per_operation(threads, trace, &**cache)
            });
        }
    }
}

/// The median of nine rounds, each from the first thread's start to the last one's end. (The best one
/// would be the one in which the threads happened to run one after the other.)
fn per_operation(threads: usize, trace: &[u64], cache: &dyn Cache) -> f64 {
    const CALLS: usize = 200_000;
    let round = |round: usize| {
        let start = Barrier::new(threads);
        let thread = |t: usize| {
            let first = (t * 7 + round) * 31_337 % (trace.len() - CALLS);
            start.wait();
            let began = Instant::now();
            for &key in &trace[first..first + CALLS] {
                cache.get_or_insert(key);
            }
            (began, Instant::now())
        };
        let thread = &thread;
        let times: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|t| scope.spawn(move || thread(t))).collect();
            running.into_iter().map(|t| t.join().expect("the work does not panic")).collect()
        });
        let first = times.iter().map(|t| t.0).min().expect("at least one thread");
        let last = times.iter().map(|t| t.1).max().expect("at least one thread");
        (last - first).as_nanos() as f64 / CALLS as f64
    };
    let mut rounds: Vec<f64> = (0..9).map(round).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[4]
}

/// Hit ratios of all four, and each mix's check against LRU.
fn hit_ratios(suite: &mut Suite) {
    if !suite.wants("adaptive-cache/hit-ratio") {
        return;
    }
    let mut worst = f64::INFINITY;
    for (mix, trace) in mixes() {
        if !suite.wants(&format!("adaptive-cache/hit-ratio/{mix}")) {
            continue;
        }
        let mut ratios = Vec::new();
        for (who, build) in WHO {
            let cache = build();
            let hits = trace.iter().filter(|&&key| cache.get_or_insert(key)).count();
            let ratio = hits as f64 / trace.len() as f64;
            suite.value(format!("adaptive-cache/hit-ratio/{mix}/{who}"), Unit::Share, ratio);
            ratios.push(ratio);
        }
        // What LRU is made for, printed beside the rest: what is popular moves on.
        if mix != "moving-zipf" {
            worst = worst.min(ratios[0] - ratios[3]);
        }
    }
    if worst.is_finite() {
        suite.value("adaptive-cache/hit-ratio/worst-gain-on-lru", Unit::Share, worst);
    }
}

/// Zipf, scan and loop mixes; the cache holds 10,000.
fn mixes() -> Vec<(String, Vec<u64>)> {
    const LEN: usize = 1_000_000;
    let zipf_10 = zipf(1.0, 4 * LEN, 1);
    let mut mixes = vec![("zipf-0.8".to_owned(), zipf(0.8, LEN, 2))];
    mixes.push(("zipf-1.2".to_owned(), zipf(1.2, LEN, 3)));
    let mut fresh = 1_u64 << 32;
    let mut scan = |n: usize| {
        let keys: Vec<u64> = (fresh..fresh + n as u64).collect();
        fresh += n as u64;
        keys
    };
    // After each 50,000 look-ups someone reads 20,000 keys once.
    let bursts = zipf_10[..LEN].chunks(50_000);
    mixes.push((
        "zipf-and-scan-bursts".to_owned(),
        bursts.flat_map(|chunk| [chunk.to_vec(), scan(20_000)].concat()).collect(),
    ));
    let once = scan(LEN / 2);
    mixes.push(("zipf-and-steady-scan".to_owned(), interleave(&zipf_10[..LEN], once.into_iter())));
    for percent in [50, 90, 99, 100, 105, 120, 200] {
        let round = (CAPACITY * percent / 100) as u64;
        mixes.push((format!("loop-{percent}"), (0..LEN as u64).map(|i| i % round).collect()));
    }
    for percent in [20, 50, 100, 200] {
        let round = (CAPACITY * percent / 100) as u64;
        let looped = (0..).map(|i: u64| (1 << 40) + i % round);
        let mixed = interleave(&zipf_10[..LEN], looped);
        mixes.push((format!("zipf-and-loop-{percent}"), mixed));
    }
    let moving = zipf_10[..LEN].iter().enumerate();
    mixes.push((
        "moving-zipf".to_owned(),
        moving.map(|(i, &key)| (key + i as u64 / 100_000 * 7919) % KEYS as u64).collect(),
    ));
    mixes.insert(0, ("zipf-1.0".to_owned(), zipf_10));
    mixes
}

/// One of `others` after every second of `keys`.
fn interleave(keys: &[u64], mut others: impl Iterator<Item = u64>) -> Vec<u64> {
    let pairs = keys.chunks(2);
    pairs.flat_map(|pair| pair.iter().copied().chain(others.next()).collect::<Vec<_>>()).collect()
}

/// `len` draws of `KEYS` keys, key `i` with a weight of `1 / (i + 1)^exponent`.
fn zipf(exponent: f64, len: usize, seed: u64) -> Vec<u64> {
    let mut sum = 0.0;
    let weights = (1..=KEYS).map(|rank| {
        sum += (rank as f64).powf(-exponent);
        sum
    });
    let cumulative: Vec<f64> = weights.collect();
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let draw = |_| {
        let at = random.random::<f64>() * sum;
        cumulative.partition_point(|&c| c < at) as u64
    };
    (0..len).map(draw).collect()
}
