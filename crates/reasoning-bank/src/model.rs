//! The model test: any interleaving of operations leaves bank, index and a plain map of one mind.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::{Bank, BankConfig, Keep, LookupScratch, Pattern, Readers, Trajectory};

const DIM: usize = 6;

#[derive(Clone, Debug)]
enum Op {
    Store(Vec<f32>, f32),
    Remove(usize),
    Lookup(Vec<f32>, usize),
    Record(Vec<f32>, bool),
    Prune(u64, f32),
    Consolidate(f32),
    Decay(f32),
    Reload,
}

fn vector() -> impl Strategy<Value = Vec<f32>> {
    // Few directions, so that duplicates and near ones are common; never the zero vector.
    prop::collection::vec(-2i8..=2, DIM).prop_map(|mut v| {
        if v.iter().all(|&x| x == 0) {
            v[0] = 1;
        }
        v.into_iter().map(f32::from).collect()
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (vector(), 0.0f32..=1.0).prop_map(|(v, c)| Op::Store(v, c)),
        3 => any::<usize>().prop_map(Op::Remove),
        3 => (vector(), 1usize..8).prop_map(|(v, k)| Op::Lookup(v, k)),
        3 => (vector(), any::<bool>()).prop_map(|(v, s)| Op::Record(v, s)),
        1 => (0u64..2, 0.0f32..0.3).prop_map(|(u, c)| Op::Prune(u, c)),
        1 => (0.8f32..=1.0).prop_map(Op::Consolidate),
        1 => (0.05f32..=1.0).prop_map(Op::Decay),
        1 => Just(Op::Reload),
    ]
}

/// What the bank should hold: patterns and usage by id.
type Model = BTreeMap<u64, (Pattern, u64)>;

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The best scores in the exact product order.
fn exact_scores(model: &Model, query: &[f32], k: usize) -> Vec<f64> {
    let mut scores: Vec<f64> = model
        .values()
        .map(|(p, _)| cosine(&p.centroid, query) * f64::from(p.confidence))
        .filter(|&score| score > 1e-6)
        .collect();
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    scores.truncate(k);
    scores
}

fn check_lookup(
    bank: &Bank,
    model: &mut Model,
    query: &[f32],
    k: usize,
    now: Duration,
) -> Result<(), TestCaseError> {
    let mut scratch = LookupScratch::default();
    let found = bank.lookup(query, k, now, &mut scratch).unwrap();
    let expected = exact_scores(model, query, k);
    // Scores within rounding of 0 may be there or not.
    let solid = found.iter().filter(|m| m.score > 1e-6).count();
    prop_assert_eq!(solid, expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        prop_assert!((f64::from(found.score) - expected).abs() < 1e-4, "{found:?}, {expected}");
    }
    for found in found {
        let entry = model.get_mut(&found.id);
        prop_assert!(entry.is_some(), "stale id {}", found.id);
        entry.unwrap().1 += 1;
    }
    let mut ids: Vec<u64> = found.iter().map(|m| m.id).collect();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), found.len(), "a duplicate");
    Ok(())
}

fn run(ops: Vec<Op>, readers: Readers, scan_limit: usize) -> Result<(), TestCaseError> {
    let config =
        BankConfig { dim: DIM, readers, scan_limit, ef: 1000, m: 4, ..BankConfig::default() };
    let mut bank = Bank::new(config).unwrap();
    let worker = bank.executor("worker");
    let mut model = Model::new();
    let mut issued = 0;
    for (step, op) in ops.into_iter().enumerate() {
        let now = Duration::from_secs(step as u64);
        match op {
            Op::Store(vector, confidence) => {
                let pattern = Pattern::new(vector, confidence, now);
                let id = bank.store(pattern.clone()).unwrap();
                prop_assert_eq!(id, issued, "an id was used twice");
                issued += 1;
                model.insert(id, (pattern, 0));
            }
            Op::Remove(pick) => {
                let id = model.keys().nth(pick % model.len().max(1)).copied().unwrap_or(9999);
                prop_assert_eq!(bank.remove(id).unwrap(), model.remove(&id).is_some());
            }
            Op::Lookup(query, k) => check_lookup(&bank, &mut model, &query, k, now)?,
            Op::Record(vector, succeeded) => {
                let taught = bank
                    .record(Trajectory {
                        vector: vector.clone(),
                        latency: Duration::from_millis(5),
                        spent: 1.0,
                        earned: 1.0,
                        succeeded,
                        executor: worker,
                        at: now,
                    })
                    .unwrap();
                if let Some(id) = taught {
                    let old = &model[&id].0;
                    prop_assert!(cosine(&old.centroid, &vector) > 0.799);
                    let new = bank.get(id).unwrap().pattern;
                    prop_assert_eq!(new.samples, old.samples + 1);
                    prop_assert_eq!(
                        new.confidence >= old.confidence,
                        succeeded || old.confidence == new.confidence
                    );
                    model.get_mut(&id).unwrap().0 = new;
                }
            }
            Op::Prune(min_usage, min_confidence) => {
                let max_idle = Duration::from_secs(1000);
                bank.prune(&Keep { min_usage, min_confidence, max_idle }, now).unwrap();
                model.retain(|_, (p, usage)| *usage >= min_usage && p.confidence >= min_confidence);
            }
            Op::Consolidate(threshold) => {
                let before = model.len();
                let samples: u64 = model.values().map(|(p, _)| p.samples).sum();
                let usage: u64 = model.values().map(|(_, u)| u).sum();
                let gone = bank.consolidate(threshold).unwrap();
                let left = bank.patterns();
                prop_assert_eq!(left.len() + gone, before);
                prop_assert_eq!(left.iter().map(|s| s.pattern.samples).sum::<u64>(), samples);
                prop_assert_eq!(left.iter().map(|s| s.usage).sum::<u64>(), usage);
                for (at, a) in left.iter().enumerate() {
                    prop_assert!(model.contains_key(&a.id));
                    for b in &left[at + 1..] {
                        let near = cosine(&a.pattern.centroid, &b.pattern.centroid);
                        prop_assert!(near < f64::from(threshold) + 1e-5, "{near} was left");
                    }
                }
                model = left.into_iter().map(|s| (s.id, (s.pattern, s.usage))).collect();
            }
            Op::Decay(factor) => {
                bank.decay(factor).unwrap();
                model.values_mut().for_each(|(p, _)| p.confidence *= factor);
            }
            Op::Reload => {
                let mut bytes = Vec::new();
                bank.save(&mut bytes).unwrap();
                bank = Bank::load(&bytes[..]).unwrap();
                let mut again = Vec::new();
                bank.save(&mut again).unwrap();
                prop_assert_eq!(bytes, again);
            }
        }
        prop_assert!(bank.is_consistent());
        prop_assert_eq!(bank.len(), model.len());
        for stored in bank.patterns() {
            let (pattern, usage) = &model[&stored.id];
            prop_assert_eq!(stored.usage, *usage);
            prop_assert_eq!(&stored.pattern.centroid, &pattern.centroid);
            prop_assert_eq!(stored.pattern.confidence, pattern.confidence);
        }
    }
    // Every stored pattern that is trusted at all finds itself.
    for (id, pattern) in model.iter().map(|(&id, (p, _))| (id, p.clone())).collect::<Vec<_>>() {
        if pattern.confidence > 1e-3 {
            let mut scratch = LookupScratch::default();
            let now = Duration::ZERO;
            let all = bank.lookup(&pattern.centroid, model.len(), now, &mut scratch).unwrap();
            let own = all.iter().find(|m| m.id == id);
            prop_assert!(own.is_some_and(|m| (m.similarity - 1.0).abs() < 1e-4), "{id} is lost");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_interleaving_leaves_a_scanned_bank_consistent(
        ops in prop::collection::vec(op(), 1..60),
    ) {
        run(ops, Readers::Wait, 1000)?;
    }

    #[test]
    fn any_interleaving_leaves_a_graph_consistent(ops in prop::collection::vec(op(), 1..80)) {
        run(ops, Readers::NeverWait, 0)?;
    }

    #[test]
    fn any_interleaving_across_the_limit_leaves_all_consistent(
        ops in prop::collection::vec(op(), 1..80),
    ) {
        run(ops, Readers::NeverWait, 8)?;
    }
}
