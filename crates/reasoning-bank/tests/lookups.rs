//! Look-ups: the product order, usage, batches, recall of the graph against the exact order.

use edgekit_reasoning_bank::{Bank, BankConfig, ErrorKind, LookupScratch, Readers};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::support::{at, bank, clustered, pattern};

#[test]
fn the_order_is_that_of_the_product_and_not_of_similarity() {
    let bank = bank(2);
    let exact_but_doubtful = bank.store(pattern(&[1.0, 0.0], 0.1)).unwrap();
    let good = bank.store(pattern(&[3.0, 3.0], 0.9)).unwrap();
    let tied = bank.store(pattern(&[3.0, 3.0], 0.9)).unwrap();
    let away = bank.store(pattern(&[-1.0, 0.0], 1.0)).unwrap();
    let useless = bank.store(pattern(&[1.0, 0.0], 0.0)).unwrap();
    let mut scratch = LookupScratch::default();
    let found = bank.lookup(&[5.0, 0.0], 10, at(9), &mut scratch).unwrap();
    let ids: Vec<u64> = found.iter().map(|m| m.id).collect();
    assert_eq!(ids, [good, tied, exact_but_doubtful], "lower ids first among equals");
    assert!((found[0].similarity - 0.5f32.sqrt()).abs() < 1e-6);
    assert!((found[0].score - 0.9 * 0.5f32.sqrt()).abs() < 1e-6);
    // Usage is counted for what was returned, and for nothing else.
    let one = bank.lookup(&[5.0, 0.0], 1, at(12), &mut scratch).unwrap();
    assert_eq!(one.len(), 1);
    let usage = |id| bank.get(id).map(|s| (s.usage, s.pattern.last_used)).unwrap();
    assert_eq!(usage(good), (2, at(12)));
    assert_eq!(usage(tied), (1, at(9)));
    assert_eq!(usage(away), (0, at(0)));
    assert_eq!(usage(useless), (0, at(0)));
}

#[test]
fn queries_without_direction_or_of_another_dimension_are_refused() {
    let bank = bank(2);
    bank.store(pattern(&[1.0, 0.0], 0.5)).unwrap();
    let mut scratch = LookupScratch::default();
    for (query, kind) in [
        (&[1.0][..], ErrorKind::Dimension),
        (&[0.0, 0.0], ErrorKind::Value),
        (&[f32::NAN, 0.0], ErrorKind::Value),
        (&[f32::INFINITY, 0.0], ErrorKind::Value),
    ] {
        assert_eq!(bank.lookup(query, 1, at(0), &mut scratch).unwrap_err().kind(), kind);
        assert_eq!(bank.lookup_batch(query, 1, at(0), &mut scratch).unwrap_err().kind(), kind);
    }
    assert_eq!(bank.stats().usage, 0);
    assert_eq!(bank.lookup(&[1.0, 0.0], 0, at(0), &mut scratch).unwrap(), []);
    let tiny = bank.lookup(&[1e-30, 0.0], 1, at(0), &mut scratch).unwrap();
    assert_eq!(tiny.len(), 1, "a short vector has a direction too");
}

#[test]
fn a_batch_finds_what_single_look_ups_find() {
    for scan_limit in [10_000, 100] {
        let config = BankConfig { dim: 32, scan_limit, ..BankConfig::default() };
        let bank = Bank::new(config).unwrap();
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let patterns = clustered(700, 32, 20, 2);
        bank.store_batch(patterns.iter().map(|v| pattern(v, rng.random())).collect()).unwrap();
        let queries: Vec<f32> = clustered(64, 32, 20, 3).concat();
        let mut scratch = LookupScratch::default();
        let batch = bank.lookup_batch(&queries, 10, at(1), &mut scratch).unwrap();
        for (query, together) in queries.chunks_exact(32).zip(batch) {
            let alone = bank.lookup(query, 10, at(1), &mut scratch).unwrap();
            assert_eq!(together.len(), alone.len());
            for (a, b) in together.iter().zip(alone) {
                assert!((a.score - b.score).abs() < 1e-5, "{a:?} {b:?}");
            }
        }
        assert_eq!(bank.stats().usage, 2 * 640);
    }
}

#[test]
fn the_graph_recalls_the_exact_product_order() {
    let count = if std::env::var_os("EDGEKIT_STRESS").is_some() { 50_000 } else { 4000 };
    let (dim, k) = (32, 10);
    let config = BankConfig { dim, readers: Readers::Wait, ..BankConfig::default() };
    let graph = Bank::new(BankConfig { scan_limit: 100, ..config }).unwrap();
    let exact = Bank::new(BankConfig { scan_limit: usize::MAX, ..config }).unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let patterns: Vec<_> =
        clustered(count, dim, 40, 5).iter().map(|v| pattern(v, rng.random())).collect();
    graph.store_batch(patterns.clone()).unwrap();
    exact.store_batch(patterns).unwrap();
    let mut scratch = LookupScratch::default();
    let recall = |scratch: &mut LookupScratch| {
        let mut hits = 0;
        for query in clustered(100, dim, 40, 6) {
            let truth: Vec<u64> =
                exact.lookup(&query, k, at(0), scratch).unwrap().iter().map(|m| m.id).collect();
            let found = graph.lookup(&query, k, at(0), scratch).unwrap();
            hits += found.iter().filter(|m| truth.contains(&m.id)).count();
        }
        hits as f64 / (100 * k) as f64
    };
    let fresh = recall(&mut scratch);
    assert!(fresh >= 0.95, "recall {fresh}");
    // Fading changes every confidence and no order.
    for bank in [&graph, &exact] {
        bank.decay(0.3).unwrap();
    }
    let faded = recall(&mut scratch);
    assert!(faded >= 0.95, "recall {faded} after decay");
}

/// Patterns whose confidence has just entered its sixteenth: by the graph's bound they look almost
/// twice as good as they are, and there are many more of them than a look-up asks for at first.
#[test]
fn a_pattern_behind_many_overrated_ones_is_found() {
    let config = BankConfig { dim: 8, scan_limit: 0, ..BankConfig::default() };
    let bank = Bank::new(config).unwrap();
    let around = |main: f32, at: usize| {
        let mut vector = [0.0; 8];
        vector[0] = main;
        vector[1 + at % 7] = 0.1 + 0.001 * at as f32;
        vector
    };
    for at in 0..200 {
        bank.store(pattern(&around(2.0, at), 0.0626)).unwrap();
    }
    let best = [0, 1].map(|at| bank.store(pattern(&around(0.3, at), 0.1249)).unwrap());
    let mut scratch = LookupScratch::default();
    let query = around(1.0, 0);
    for k in [1, 2] {
        let found = bank.lookup(&query, k, at(0), &mut scratch).unwrap();
        assert_eq!(found.iter().map(|m| m.id).collect::<Vec<_>>(), best[..k]);
    }
}

#[test]
fn a_warm_look_up_allocates_nothing() {
    for scan_limit in [1000, 50] {
        let config = BankConfig { dim: 16, scan_limit, ..BankConfig::default() };
        let bank = Bank::new(config).unwrap();
        let vectors = clustered(300, 16, 10, 7);
        bank.store_batch(vectors.iter().map(|v| pattern(v, 0.5)).collect()).unwrap();
        let mut scratch = LookupScratch::default();
        let mut round = || {
            for query in &vectors {
                bank.lookup(query, 10, at(1), &mut scratch).unwrap();
            }
        };
        round();
        assert_eq!(allocation_counter::measure(round).count_total, 0, "scan_limit {scan_limit}");
    }
}
