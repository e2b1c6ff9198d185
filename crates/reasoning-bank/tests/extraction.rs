//! Patterns from trajectories.

use edgekit_reasoning_bank::{ErrorKind, ExtractConfig};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::support::{bank, task};

#[test]
fn clusters_that_are_large_and_good_become_patterns() {
    let bank = bank(3);
    let [gpu, cpu] = ["gpu", "cpu"].map(|name| bank.executor(name));
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut around = |centre: [f32; 3]| centre.map(|c| c + 0.1 * (rng.random::<f32>() - 0.5));
    for n in 0..20 {
        bank.record(task(&around([1.0, 0.0, 0.0]), if n < 15 { gpu } else { cpu }, n % 5 != 0))
            .unwrap();
        bank.record(task(&around([0.0, 1.0, 0.0]), cpu, n % 10 == 0)).unwrap();
    }
    bank.record(task(&[0.0, 0.0, 1.0], gpu, true)).unwrap();
    bank.record(task(&[0.0, 0.1, 1.0], gpu, true)).unwrap();
    let ids = bank.extract(&ExtractConfig { clusters: 3, ..ExtractConfig::default() }).unwrap();
    assert_eq!(ids.len(), 1, "one cluster mostly failed and one has two members");
    let pattern = bank.get(ids[0]).unwrap().pattern;
    assert!(pattern.centroid[0] > 0.95);
    assert_eq!(pattern.samples, 20);
    assert!((pattern.success_rate - 0.8).abs() < 1e-6);
    assert!((pattern.confidence - 0.8).abs() < 0.01, "success × cohesion");
    assert!((pattern.allocation[0] - 0.75).abs() < 1e-5);
    assert!((pattern.energy - 2.0).abs() < 1e-6);
    assert_eq!(bank.stats().waiting, 0);
    assert!(bank.extract(&ExtractConfig::default()).unwrap().is_empty(), "nothing waits");
}

#[test]
fn equal_tasks_make_one_pattern_however_many_clusters_are_asked_for() {
    let bank = bank(2);
    let cpu = bank.executor("cpu");
    bank.record_batch(vec![task(&[3.0, 4.0], cpu, true); 30]).unwrap();
    let ids = bank.extract(&ExtractConfig { clusters: 8, ..ExtractConfig::default() }).unwrap();
    assert_eq!(ids.len(), 1);
    let pattern = bank.get(ids[0]).unwrap().pattern;
    assert_eq!(pattern.samples, 30);
    assert!((pattern.centroid[0] - 0.6).abs() < 1e-6 && (pattern.centroid[1] - 0.8).abs() < 1e-6);
}

#[test]
fn quality_is_success_times_cohesion() {
    // Half of the tasks lie 60° to one side of the centroid, half to the other: cohesion 0.5.
    let extract = |min_quality| {
        let bank = bank(2);
        let cpu = bank.executor("cpu");
        let (sin, cos) = 60f32.to_radians().sin_cos();
        for n in 0..40 {
            bank.record(task(&[cos, if n < 20 { sin } else { -sin }], cpu, n % 5 != 0)).unwrap();
        }
        let config = ExtractConfig { clusters: 1, min_quality, ..ExtractConfig::default() };
        let ids = bank.extract(&config).unwrap();
        ids.first().map(|&id| bank.get(id).unwrap().pattern.confidence)
    };
    assert!((extract(0.39).unwrap() - 0.8 * 0.5).abs() < 1e-5);
    assert_eq!(extract(0.41), None);
}

#[test]
fn the_same_seed_extracts_the_same() {
    let run = |seed| {
        let bank = bank(8);
        let cpu = bank.executor("cpu");
        for vector in crate::support::clustered(300, 8, 6, 4) {
            bank.record(task(&vector, cpu, true)).unwrap();
        }
        bank.extract(&ExtractConfig { seed, ..ExtractConfig::default() }).unwrap();
        bank.patterns()
    };
    assert!(run(1).len() > 3);
    assert_eq!(run(1), run(1));
}

#[test]
fn settings_out_of_range_are_refused_and_nothing_is_lost() {
    let bank = bank(2);
    let cpu = bank.executor("cpu");
    bank.record(task(&[1.0, 0.0], cpu, true)).unwrap();
    for bad in [
        ExtractConfig { rounds: 0, ..ExtractConfig::default() },
        ExtractConfig { min_members: 0, ..ExtractConfig::default() },
        ExtractConfig { min_quality: f32::NAN, ..ExtractConfig::default() },
    ] {
        assert_eq!(bank.extract(&bad).unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(bank.stats().waiting, 1);
}
