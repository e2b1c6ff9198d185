//! Storing, recording, pruning, merging, fading, trading.

use std::time::Duration;

use edgekit_reasoning_bank::{
    Bank, BankConfig, ErrorKind, ExecutorId, Executors, Keep, LookupScratch, Pattern, Trajectory,
    TrajectoryRing,
};

use crate::support::{at, bank, pattern, task};

#[test]
fn what_would_poison_the_bank_is_refused() {
    let bank = bank(2);
    let fine = pattern(&[1.0, 0.0], 0.5);
    for (bad, kind) in [
        (pattern(&[1.0], 0.5), ErrorKind::Dimension),
        (pattern(&[0.0, 0.0], 0.5), ErrorKind::Value),
        (pattern(&[f32::NAN, 0.0], 0.5), ErrorKind::Value),
        (pattern(&[1.0, 0.0], 1.1), ErrorKind::Value),
        (pattern(&[1.0, 0.0], f32::NAN), ErrorKind::Value),
        (Pattern { energy: -1.0, ..fine.clone() }, ErrorKind::Value),
        (Pattern { success_rate: 2.0, ..fine.clone() }, ErrorKind::Value),
        (Pattern { allocation: vec![f32::NAN], ..fine.clone() }, ErrorKind::Value),
    ] {
        assert_eq!(bank.store(bad.clone()).unwrap_err().kind(), kind, "{bad:?}");
        let batch = bank.store_batch(vec![fine.clone(), bad]).unwrap_err();
        assert_eq!(batch.kind(), kind);
    }
    assert!(bank.is_empty());
    for bad in [
        BankConfig { dim: 0, ..BankConfig::default() },
        BankConfig { ring: 0, ..BankConfig::default() },
        BankConfig { ef: 0, ..BankConfig::default() },
        BankConfig { teach_similarity: f32::NAN, ..BankConfig::default() },
    ] {
        assert_eq!(Bank::new(bad).unwrap_err().kind(), ErrorKind::Config, "{bad:?}");
    }
}

#[test]
fn a_task_teaches_the_most_similar_pattern_only() {
    let bank = bank(2);
    let [gpu, cpu] = ["gpu", "cpu"].map(|name| bank.executor(name));
    assert_eq!((bank.executor("gpu"), bank.executor_name(cpu)), (gpu, Some("cpu".into())));
    let near = bank.store(pattern(&[1.0, 0.1], 0.2)).unwrap();
    let other = bank.store(pattern(&[1.0, 0.5], 1.0)).unwrap();
    assert_eq!(bank.record(task(&[1.0, 0.0], cpu, true)).unwrap(), Some(near));
    let taught = bank.get(near).unwrap().pattern;
    assert_eq!((taught.samples, taught.success_rate, taught.energy), (2, 0.5, 1.0));
    assert_eq!(taught.mean_latency, Duration::from_millis(10));
    assert_eq!(taught.allocation, [0.0, 0.5]);
    assert!((taught.confidence - (0.2 + 0.8 / 3.0)).abs() < 1e-6);
    assert_eq!(taught.last_used, at(5));
    assert_eq!(bank.get(near).unwrap().usage, 0, "teaching is not a look-up");
    assert_eq!(bank.get(other).unwrap().pattern.samples, 1);
    bank.record(task(&[1.0, 0.0], gpu, false)).unwrap();
    assert!(bank.get(near).unwrap().pattern.confidence < taught.confidence);
    assert_eq!(bank.record(task(&[-1.0, 0.0], gpu, true)).unwrap(), None, "too far from all");
    let stats = bank.stats();
    assert_eq!((stats.recorded, stats.waiting, stats.dropped), (3, 3, 0));
}

#[test]
fn an_old_pattern_still_learns() {
    let bank = bank(2);
    let cpu = bank.executor("cpu");
    bank.store(Pattern { samples: 10_000, ..pattern(&[1.0, 0.0], 0.5) }).unwrap();
    bank.record(task(&[1.0, 0.0], cpu, false)).unwrap();
    let confidence = bank.get(0).unwrap().pattern.confidence;
    assert!((confidence - 0.495).abs() < 1e-6, "{confidence}: not a hundredth of the way to 0");
}

#[test]
fn bad_trajectories_are_refused_whole() {
    let bank = bank(2);
    let id = bank.executor("cpu");
    let fine = task(&[1.0, 0.0], id, true);
    for bad in [
        Trajectory { vector: vec![1.0], ..fine.clone() },
        Trajectory { vector: vec![0.0, 0.0], ..fine.clone() },
        Trajectory { spent: f32::NAN, ..fine.clone() },
        Trajectory { spent: -1.0, ..fine.clone() },
        Trajectory { earned: f32::INFINITY, ..fine.clone() },
        Trajectory { executor: ExecutorId(7), ..fine.clone() },
    ] {
        assert!(bank.record_batch(vec![fine.clone(), bad.clone()]).is_err(), "{bad:?}");
    }
    assert_eq!(bank.stats().recorded, 0);
}

#[test]
fn a_batch_teaches_one_pattern_several_times() {
    let bank = bank(2);
    let cpu = bank.executor("cpu");
    let id = bank.store(pattern(&[1.0, 0.0], 0.5)).unwrap();
    let taught = bank.record_batch(vec![task(&[1.0, 0.1], cpu, true); 3]).unwrap();
    assert_eq!(taught, [Some(id); 3]);
    assert_eq!(bank.get(id).unwrap().pattern.samples, 4);
}

#[test]
fn pruning_keeps_what_meets_all_three_conditions() {
    let bank = bank(2);
    let used = bank.store(pattern(&[1.0, 0.0], 0.5)).unwrap();
    let unused = bank.store(pattern(&[0.0, 1.0], 0.5)).unwrap();
    let doubtful = bank.store(pattern(&[1.0, 0.01], 0.1)).unwrap();
    let mut scratch = LookupScratch::default();
    bank.lookup(&[1.0, 0.0], 2, at(100), &mut scratch).unwrap();
    let keep = Keep { min_usage: 1, min_confidence: 0.1, max_idle: at(50) };
    assert_eq!(bank.prune(&keep, at(120)).unwrap(), [unused]);
    let sure = Keep { min_confidence: 0.2, ..keep };
    assert_eq!(bank.prune(&sure, at(120)).unwrap(), [doubtful]);
    assert_eq!(bank.prune(&keep, at(151)).unwrap(), [used], "idle for too long");
    assert!(bank.is_empty());
    assert_eq!(bank.lookup(&[1.0, 0.0], 2, at(160), &mut scratch).unwrap(), [], "a stale id");
    assert_ne!(bank.store(pattern(&[1.0, 0.0], 0.5)).unwrap(), used, "an id came back");
}

#[test]
fn merging_weighs_by_samples_and_keeps_the_extremes() {
    let bank = bank(2);
    let many = Pattern {
        samples: 3,
        energy: 1.0,
        success_rate: 1.0,
        mean_latency: Duration::from_millis(10),
        allocation: vec![1.0],
        created: at(10),
        last_used: at(11),
        ..pattern(&[1.0, 0.0], 0.8)
    };
    let few = Pattern {
        samples: 1,
        energy: 5.0,
        success_rate: 0.0,
        mean_latency: Duration::from_millis(50),
        allocation: vec![0.0, 1.0],
        created: at(2),
        last_used: at(20),
        ..pattern(&[1.0, 0.2], 0.4)
    };
    let gone = bank.store(few).unwrap();
    let kept = bank.store(many).unwrap();
    let apart = bank.store(pattern(&[0.0, 1.0], 0.3)).unwrap();
    let mut scratch = LookupScratch::default();
    bank.lookup(&[1.0, 0.1], 2, at(30), &mut scratch).unwrap();
    assert_eq!(bank.consolidate(0.95).unwrap(), 1);
    assert!(bank.get(gone).is_none() && bank.get(apart).is_some());
    let merged = bank.get(kept).unwrap();
    assert_eq!(merged.usage, 2);
    let p = merged.pattern;
    assert_eq!((&p.centroid[..], p.samples), (&[1.0, 0.05][..], 4));
    assert_eq!((p.energy, p.success_rate, &p.allocation[..]), (2.0, 0.75, &[0.75, 0.25][..]));
    assert!((p.confidence - 0.7).abs() < 1e-6);
    assert_eq!((p.created, p.last_used), (at(2), at(30)));
    assert_eq!(p.mean_latency, Duration::from_millis(20));
    assert_eq!(bank.consolidate(0.0).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn merging_looks_again_after_centroids_have_moved() {
    // At a threshold of 14° the pattern at 0° takes in the one at 10° but not the one at 16°. That
    // moves it to almost 5°, and then the two are near.
    let bank = bank(2);
    let direction = |degrees: f32| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        [cos, sin]
    };
    for (degrees, samples) in [(0.0, 10), (10.0, 9), (16.0, 1)] {
        let p = Pattern { samples, ..pattern(&direction(degrees), 0.5) };
        bank.store(p).unwrap();
    }
    assert_eq!(bank.consolidate(14.0f32.to_radians().cos()).unwrap(), 2);
    assert_eq!(bank.get(0).unwrap().pattern.samples, 20);
}

#[test]
fn merging_is_deterministic_and_so_is_its_graph() {
    let run = |scan_limit| {
        let bank = Bank::new(BankConfig { dim: 16, scan_limit, ..BankConfig::default() }).unwrap();
        let vectors = crate::support::clustered(600, 16, 12, 8);
        bank.store_batch(vectors.iter().map(|v| pattern(v, 0.5)).collect()).unwrap();
        bank.consolidate(0.75).unwrap();
        bank.patterns()
    };
    let exact = run(10_000);
    assert!(exact.len() < 500);
    assert_eq!(exact, run(10_000));
    let graph = run(64);
    assert_eq!(graph, run(64));
    let difference = exact.len().abs_diff(graph.len());
    assert!(difference <= 30, "{} and {}", exact.len(), graph.len());
}

#[test]
fn confidences_fade_and_orders_stay() {
    let bank = bank(2);
    bank.store(pattern(&[1.0, 0.0], 0.8)).unwrap();
    bank.decay(0.5).unwrap();
    assert_eq!(bank.get(0).unwrap().pattern.confidence, 0.4);
    assert_eq!(bank.decay(1.5).unwrap_err().kind(), ErrorKind::Config);
    assert!((bank.stats().mean_confidence - 0.4).abs() < 1e-6);
}

#[test]
fn the_best_are_exported_and_imported_with_a_discount() {
    let bank = bank(2);
    for (confidence, samples) in [(0.9, 1), (0.5, 100), (0.8, 10)] {
        bank.store(Pattern { samples, ..pattern(&[1.0, 0.0], confidence) }).unwrap();
    }
    let best = bank.export(2);
    assert_eq!(best.iter().map(|p| p.samples).collect::<Vec<_>>(), [100, 10]);
    let other = self::bank(2);
    let bad = Pattern { confidence: 7.0, ..best[0].clone() };
    let given = [best[0].clone(), bad, best[1].clone(), pattern(&[1.0], 0.5)];
    let imported = other.import(&given, 0.25).unwrap();
    assert_eq!((imported.ids.len(), imported.refused.len()), (2, 2));
    assert_eq!(imported.refused[0].0, 1);
    assert_eq!(imported.refused[1].1.kind(), ErrorKind::Dimension);
    let first = other.get(imported.ids[0]).unwrap().pattern;
    assert_eq!((first.confidence, first.samples), (0.125, 25));
    assert_eq!(other.import(&best, f32::NAN).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn the_ring_counts_what_it_drops() {
    let mut ring = TrajectoryRing::new(2).unwrap();
    let id = Executors::default().intern("cpu");
    for n in 0..5u8 {
        ring.push(task(&[f32::from(n), 1.0], id, true)).unwrap();
    }
    assert_eq!((ring.len(), ring.recorded(), ring.dropped()), (2, 5, 3));
    let drained = ring.drain();
    assert_eq!(drained[0].vector[0], 3.0, "oldest first");
    assert!(ring.is_empty() && TrajectoryRing::new(0).is_err());
    assert_eq!(drained[0].efficiency(), 1.5);
    assert_eq!(Trajectory { spent: 0.0, ..drained[0].clone() }.efficiency(), 0.0);
}
