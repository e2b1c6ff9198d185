//! reasoning-bank: look-ups against a naive scan, batches, readers beside a writer, a million.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgekit_reasoning_bank::{Bank, BankConfig, LookupScratch, Pattern, Readers};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::{Suite, Unit};

const DIM: usize = 128;
const K: usize = 10;
const NOW: Duration = Duration::from_secs(1);

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    if suite.wants("bank/lookup1000") || suite.wants("bank/batch64") {
        thousand(suite);
    }
    if suite.wants("bank/readers") {
        let mut world = World::new(100);
        let bank = Arc::new(filled(&mut world, 1000, BankConfig::default()));
        let crowd = Arc::new(Crowd::new(&mut world, bank));
        let same = crowd.clone();
        suite.measure("bank/readers/scaling", Unit::Ratio, move || crowd.scaling(|r| r.a_second));
        // Of the time that the cores really gave them: what is missing here is the bank's own doing.
        if on_core().is_some() {
            suite.measure("bank/readers/scaling-on-core", Unit::Ratio, move || {
                same.scaling(|r| r.an_on_core_second)
            });
        }
    }
    if suite.wants("bank/lookup10000") {
        graph(suite, "bank/lookup10000", 10_000);
    }
    if suite.wants("bank/full/lookup1e5") {
        graph(suite, "bank/full/lookup1e5", 100_000);
    }
    if suite.wants("bank/full/lookup1e6") {
        graph(suite, "bank/full/lookup1e6", 1_000_000);
    }
}

/// Directions around centres, as embeddings are; confidences from 0.2 to 1.
struct World {
    rng: Pcg64Mcg,
    centres: Vec<Vec<f32>>,
}

impl World {
    fn new(centres: usize) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let centres = (0..centres).map(|_| normal(&mut rng)).collect();
        World { rng, centres }
    }

    fn vector(&mut self) -> Vec<f32> {
        let noise = normal(&mut self.rng);
        let centre = &self.centres[self.rng.random_range(0..self.centres.len())];
        centre.iter().zip(noise).map(|(c, n)| c + 0.6 * n).collect()
    }

    fn pattern(&mut self) -> Pattern {
        let vector = self.vector();
        Pattern::new(vector, self.rng.random_range(0.2..1.0), Duration::ZERO)
    }
}

/// Nearly normal values: the sum of four uniform ones.
fn normal(rng: &mut Pcg64Mcg) -> Vec<f32> {
    (0..DIM).map(|_| (0..4).map(|_| rng.random::<f32>() - 0.5).sum()).collect()
}

fn filled(world: &mut World, count: usize, config: BankConfig) -> Bank {
    let bank = Bank::new(config).expect("the configurations of this suite are valid");
    for first in (0..count).step_by(10_000) {
        let some = (0..10_000.min(count - first)).map(|_| world.pattern()).collect();
        bank.store_batch(some).expect("the patterns of this suite are valid");
    }
    bank
}

fn thousand(suite: &mut Suite) {
    let mut world = World::new(100);
    let bank = Arc::new(filled(&mut world, 1000, BankConfig::default()));
    let naive = NaiveBank {
        patterns: bank
            .patterns()
            .into_iter()
            .map(|s| (s.id, s.pattern.centroid.to_vec(), s.pattern.confidence))
            .collect(),
    };
    let queries: Vec<Vec<f32>> = (0..64).map(|_| world.vector()).collect();
    let mut scratch = LookupScratch::default();
    for query in &queries {
        let ours: Vec<u64> = look_up(&bank, query, &mut scratch);
        let theirs: Vec<u64> =
            naive.lookup(query, K).iter().filter(|(_, score)| *score > 0.0).map(|m| m.0).collect();
        suite.check("bank/lookup1000", ours == theirs, || format!("{ours:?}, not {theirs:?}"));
    }

    let (single, some, mut at) = (bank.clone(), queries.clone(), 0);
    suite.time("bank/lookup1000/edgekit", move || {
        at = (at + 1) % some.len();
        let found = single.lookup(black_box(&some[at]), K, NOW, &mut scratch);
        found.map(|f| f.len()).expect("the queries are valid")
    });
    let (some, mut at) = (queries.clone(), 0);
    suite.time("bank/lookup1000/naive", move || {
        at = (at + 1) % some.len();
        naive.lookup(black_box(&some[at]), K)
    });

    let (one_by_one, some) = (bank.clone(), queries.clone());
    let mut scratch = LookupScratch::default();
    suite.time("bank/batch64/single", move || {
        some.iter()
            .map(|query| {
                let found = one_by_one.lookup(black_box(query), K, NOW, &mut scratch);
                found.map(<[_]>::to_vec).expect("the queries are valid")
            })
            .collect::<Vec<_>>()
    });
    let (together, mut scratch) = (queries.concat(), LookupScratch::default());
    suite.time("bank/batch64/edgekit", move || {
        bank.lookup_batch(black_box(&together), K, NOW, &mut scratch)
    });
}

fn look_up(bank: &Bank, query: &[f32], scratch: &mut LookupScratch) -> Vec<u64> {
    let found = bank.lookup(query, K, NOW, scratch).expect("the queries are valid");
    found.iter().map(|m| m.id).collect()
}

/// What one writes first: every centroid cloned, cosine in three passes, everything sorted.
struct NaiveBank {
    patterns: Vec<(u64, Vec<f32>, f32)>,
}

impl NaiveBank {
    fn lookup(&self, query: &[f32], k: usize) -> Vec<(u64, f32)> {
        let mut scored: Vec<(u64, f32)> = self
            .patterns
            .clone()
            .into_iter()
            .map(|(id, centroid, confidence)| (id, cosine(query, &centroid) * confidence))
            .collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        scored.truncate(k);
        scored
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    let a: f32 = a.iter().map(|x| x * x).sum();
    let b: f32 = b.iter().map(|x| x * x).sum();
    dot / (a.sqrt() * b.sqrt())
}

/// Readers on all cores but one, beside a writer.
struct Crowd {
    bank: Arc<Bank>,
    queries: Vec<Vec<f32>>,
    fresh: Vec<Pattern>,
}

/// What a run of readers looked up, all together.
struct Rate {
    a_second: f64,
    an_on_core_second: f64,
}

impl Crowd {
    fn new(world: &mut World, bank: Arc<Bank>) -> Self {
        let queries = (0..64).map(|_| world.vector()).collect();
        let fresh = (0..256).map(|_| world.pattern()).collect();
        Crowd { bank, queries, fresh }
    }

    /// The share that they manage of as many times one reader alone: the best of five runs each, in
    /// turns, since the machine's other work takes from readers on all cores what it does not take
    /// from one.
    fn scaling(&self, of: fn(&Rate) -> f64) -> f64 {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
        let count = cores.saturating_sub(1).max(1);
        let (mut alone, mut together) = (0.0f64, 0.0f64);
        for _ in 0..5 {
            alone = alone.max(of(&self.rate(1, false)));
            together = together.max(of(&self.rate(count, true)));
        }
        together / (alone * count as f64)
    }

    fn rate(&self, readers: usize, writing: bool) -> Rate {
        let done = AtomicBool::new(false);
        let start = Instant::now();
        let looked_up: Vec<(usize, Option<Duration>)> = std::thread::scope(|scope| {
            let done = &done;
            let readers: Vec<_> = (0..readers)
                .map(|_| {
                    scope.spawn(move || {
                        let (mut scratch, before) = (LookupScratch::default(), on_core());
                        let mut count = 0;
                        while !done.load(Ordering::Relaxed) {
                            for query in &self.queries {
                                black_box(look_up(&self.bank, query, &mut scratch));
                            }
                            count += self.queries.len();
                        }
                        (count, on_core().zip(before).map(|(after, before)| after - before))
                    })
                })
                .collect();
            let mut patterns = self.fresh.iter().cycle();
            while start.elapsed() < Duration::from_millis(100) {
                match patterns.next().filter(|_| writing) {
                    Some(pattern) => {
                        let id = self.bank.store(pattern.clone()).expect("valid");
                        self.bank.remove(id).expect("valid");
                    }
                    None => std::thread::sleep(Duration::from_millis(10)),
                }
            }
            done.store(true, Ordering::Relaxed);
            readers.into_iter().map(|r| r.join().expect("readers do not panic")).collect()
        });
        let a_second = looked_up.iter().map(|r| r.0).sum::<usize>() as f64;
        let on_core = |r: &(usize, Option<Duration>)| Some(r.0 as f64 / r.1?.as_secs_f64());
        Rate {
            a_second: a_second / start.elapsed().as_secs_f64(),
            an_on_core_second: looked_up.iter().filter_map(on_core).sum(),
        }
    }
}

/// How long this thread has run on a core, where the system tells.
fn on_core() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
}

/// A graph: how long it takes to make and to load, how long look-ups take, and their recall against
/// the exact product order.
fn graph(suite: &mut Suite, id: &str, count: usize) {
    let mut world = World::new(count / 50);
    let config = BankConfig { readers: Readers::Wait, ..BankConfig::default() };
    let start = Instant::now();
    let bank = filled(&mut world, count, config);
    suite.value(format!("{id}/build-ns"), Unit::Nanos, start.elapsed().as_nanos() as f64);
    suite.value(format!("{id}/bytes"), Unit::Bytes, bank.stats().bytes as f64);
    let mut file = Vec::new();
    bank.save(&mut file).expect("a vector takes everything");
    suite.value(format!("{id}/file-bytes"), Unit::Bytes, file.len() as f64);
    let start = Instant::now();
    let loaded = Bank::load(&file[..]).expect("what was saved loads");
    suite.value(format!("{id}/load-ns"), Unit::Nanos, start.elapsed().as_nanos() as f64);
    suite.check(id, loaded.patterns() == bank.patterns(), || "the loaded bank differs".into());
    drop((loaded, file));
    let exact = Bank::new(BankConfig { scan_limit: usize::MAX, ..config }).expect("valid");
    exact.store_batch(bank.patterns().into_iter().map(|s| s.pattern).collect()).expect("valid");
    let queries: Vec<Vec<f32>> = (0..200).map(|_| world.vector()).collect();
    let mut scratch = LookupScratch::default();
    let mut hits = 0;
    for query in &queries {
        let truth = look_up(&exact, query, &mut scratch);
        let found = look_up(&bank, query, &mut scratch);
        hits += found.iter().filter(|id| truth.contains(id)).count();
    }
    drop(exact);
    let recall = hits as f64 / (K * queries.len()) as f64;
    suite.value(format!("{id}/recall"), Unit::Share, recall);
    let mut at = 0;
    suite.time(format!("{id}/edgekit"), move || {
        at = (at + 1) % queries.len();
        let found = bank.lookup(black_box(&queries[at]), K, NOW, &mut scratch);
        found.map(|f| f.len()).expect("the queries are valid")
    });
}
