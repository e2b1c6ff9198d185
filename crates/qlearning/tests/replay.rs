//! Prioritised replay: probabilities, weights, eviction and coverage.

use edgekit_qlearning::{ErrorKind, PrioritisedReplay, ReplayConfig, Schedule};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

fn config(capacity: usize, alpha: f32, beta: f32) -> ReplayConfig {
    ReplayConfig { capacity, alpha, beta: Schedule::Constant(beta), floor: 1e-6 }
}

#[test]
fn items_are_drawn_in_proportion_to_their_errors() {
    let mut replay = PrioritisedReplay::new(config(4, 0.6, 1.0)).unwrap();
    let errors = [0.0, 1.0, -2.0, 8.0];
    for error in errors {
        let id = replay.push(());
        replay.update(id, error).unwrap();
    }
    let priorities: Vec<f64> =
        errors.iter().map(|e: &f32| f64::from(e.abs() + 1e-6).powf(0.6)).collect();
    let total: f64 = priorities.iter().sum();
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let (mut counts, mut drawn) = ([0.0; 4], Vec::new());
    for _ in 0..20_000 {
        replay.sample(3, &mut rng, &mut drawn).unwrap();
        drawn.iter().for_each(|d| counts[d.id as usize] += 1.0 / 60_000.0);
    }
    for (id, priority) in priorities.iter().enumerate() {
        assert!((replay.probability(id as u64) - priority / total).abs() < 1e-6);
        assert!((counts[id] - priority / total).abs() < 0.01, "{counts:?}");
    }
}

#[test]
fn weights_take_the_bias_back() {
    let mut replay = PrioritisedReplay::new(config(2, 1.0, 1.0)).unwrap();
    let (rare, often) = (replay.push(()), replay.push(()));
    replay.update(rare, 1.0).unwrap();
    replay.update(often, 3.0).unwrap();
    let mut drawn = Vec::new();
    replay.sample(64, &mut Pcg64Mcg::seed_from_u64(1), &mut drawn).unwrap();
    for one in &drawn {
        let expected = if one.id == rare { 1.0 } else { 1.0 / 3.0 };
        assert!((one.weight - expected).abs() < 1e-5, "{one:?}");
    }
    // With α = 1 and β = 1 every item's weighted share is the same.
    let share = |id| drawn.iter().filter(|d| d.id == id).map(|d| d.weight).sum::<f32>();
    assert!((share(rare) / share(often) - 1.0).abs() < 0.1);
}

#[test]
fn uniform_draws_cover_the_whole_range() {
    let mut replay = PrioritisedReplay::new(config(1000, 0.0, 0.4)).unwrap();
    for _ in 0..1000 {
        let id = replay.push(());
        replay.update(id, id as f32).unwrap();
    }
    let mut seen = vec![0; 1000];
    let mut drawn = Vec::new();
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    for _ in 0..100 {
        replay.sample(1000, &mut rng, &mut drawn).unwrap();
        drawn.iter().for_each(|d| seen[d.id as usize] += 1);
    }
    assert!(seen.iter().all(|&n| (80..=120).contains(&n)), "{seen:?}");
}

#[test]
fn a_late_update_does_not_hit_the_successor() {
    let mut replay = PrioritisedReplay::new(config(2, 1.0, 1.0)).unwrap();
    let first = replay.push("first");
    let second = replay.push("second");
    let third = replay.push("third");
    replay.update(second, 1.0).unwrap();
    replay.update(third, 1.0).unwrap();
    assert!(!replay.update(first, 100.0).unwrap());
    assert_eq!(replay.probability(third), 0.5);
    assert_eq!((replay.get(first), replay.get(third)), (None, Some(&"third")));
    assert_eq!((replay.len(), replay.evicted()), (2, 1));
    assert!(!replay.update(99, 1.0).unwrap());
    assert_eq!(replay.update(third, f32::NAN).unwrap_err().kind(), ErrorKind::Value);
}

#[test]
fn beta_rises_with_what_was_drawn() {
    let beta = Schedule::Linear { from: 0.0, to: 1.0, over: 1000 };
    let config = ReplayConfig { beta, ..config(2, 1.0, 0.0) };
    let mut replay = PrioritisedReplay::new(config).unwrap();
    let (rare, often) = (replay.push(()), replay.push(()));
    replay.update(rare, 1.0).unwrap();
    replay.update(often, 9.0).unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut drawn = Vec::new();
    let mut weight = |replay: &mut PrioritisedReplay<()>| {
        replay.sample(500, &mut rng, &mut drawn).unwrap();
        drawn.iter().map(|d| d.weight).fold(1.0, f32::min)
    };
    assert_eq!(weight(&mut replay), 1.0);
    assert!((weight(&mut replay) - 1.0 / 3.0).abs() < 1e-5);
    assert!((weight(&mut replay) - 1.0 / 9.0).abs() < 1e-5);
}

#[test]
fn nothing_can_be_drawn_from_nothing() {
    let mut replay = PrioritisedReplay::<()>::new(config(2, 1.0, 1.0)).unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let empty = replay.sample(1, &mut rng, &mut Vec::new()).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::State);
    for bad in [config(0, 0.6, 0.4), config(1, 1.1, 0.4), config(1, 0.6, f32::NAN)] {
        assert_eq!(PrioritisedReplay::<()>::new(bad).unwrap_err().kind(), ErrorKind::Config);
    }
}

proptest! {
    /// Against a plain list of (id, priority).
    #[test]
    fn replay_keeps_what_a_list_keeps(
        capacity in 1usize..40,
        operations in prop::collection::vec((any::<bool>(), 0u64..80, 0.0f32..10.0), 1..200),
    ) {
        let mut replay = PrioritisedReplay::new(config(capacity, 1.0, 0.5)).unwrap();
        let mut model: Vec<(u64, f64)> = Vec::new();
        let mut largest = 1.0f64;
        for (push, id, error) in operations {
            if push || model.is_empty() {
                let id = replay.push(id);
                if model.len() == capacity {
                    model.remove(0);
                }
                model.push((id, largest));
            } else {
                let known = model.iter_mut().find(|(known, _)| *known == id);
                prop_assert_eq!(replay.update(id, error).unwrap(), known.is_some());
                if let Some((_, priority)) = known {
                    *priority = f64::from(error + 1e-6);
                    largest = largest.max(*priority);
                }
            }
            let total: f64 = model.iter().map(|m| m.1).sum();
            for &(id, priority) in &model {
                prop_assert!((replay.probability(id) - priority / total).abs() < 1e-9);
            }
        }
        let mut drawn = Vec::new();
        replay.sample(50, &mut Pcg64Mcg::seed_from_u64(2), &mut drawn).unwrap();
        for one in drawn {
            prop_assert!(model.iter().any(|m| m.0 == one.id));
            prop_assert!(one.weight > 0.0 && one.weight <= 1.0);
        }
    }
}
