//! The trajectory ring: ids outlive evictions, counters and means add up, sampling covers all.

use edgekit_qlearning::{ErrorKind, Trajectory, TrajectoryBuffer};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

fn trajectory(earned: f64, spent: f64) -> Trajectory {
    Trajectory { earned, spent, succeeded: earned > 1.0, ..Trajectory::default() }
}

#[test]
fn ids_stay_with_their_trajectories_after_eviction() {
    let mut buffer = TrajectoryBuffer::new(3).unwrap();
    let ids: Vec<u64> =
        (0..10).map(|n| buffer.push(trajectory(f64::from(n), 1.0)).unwrap()).collect();
    for (n, &id) in ids.iter().enumerate() {
        let kept = buffer.get(id).map(|t| t.earned);
        assert_eq!(kept, (n >= 7).then_some(n as f64));
    }
    assert_eq!((buffer.len(), buffer.dropped()), (3, 7));
    assert_eq!(buffer.drain().len(), 3);
    let next = buffer.push(trajectory(0.0, 1.0)).unwrap();
    assert_eq!(next, 10, "an id came back");
    assert_eq!((buffer.dropped(), buffer.get(9)), (7, None), "draining is not dropping");
}

#[test]
fn efficiency_is_earned_by_spent_and_0_when_nothing_was_spent() {
    assert_eq!(trajectory(3.0, 2.0).efficiency(), 1.5);
    assert_eq!(trajectory(3.0, 0.0).efficiency(), 0.0);
    let mut buffer = TrajectoryBuffer::default();
    assert_eq!(buffer.summary(), Default::default());
    buffer.push(trajectory(3.0, 2.0)).unwrap();
    buffer.push(trajectory(1.0, 0.0)).unwrap();
    let summary = buffer.summary();
    assert_eq!((summary.count, summary.efficiency), (2, 2.0));
    assert_eq!((summary.success_rate, summary.mean_earned), (0.5, 2.0));
}

#[test]
fn what_is_not_finite_stays_out() {
    let mut buffer = TrajectoryBuffer::default();
    for bad in [trajectory(f64::NAN, 1.0), trajectory(1.0, f64::INFINITY), trajectory(1.0, -1.0)] {
        assert_eq!(buffer.push(bad).unwrap_err().kind(), ErrorKind::Value);
    }
    assert!(buffer.is_empty());
    assert!(TrajectoryBuffer::new(0).is_err());
}

#[test]
fn the_best_come_in_order_and_uniform_draws_reach_everything() {
    let mut buffer = TrajectoryBuffer::new(100).unwrap();
    for n in 0..250u32 {
        buffer.push(trajectory(f64::from(n * 7919 % 100), 1.0)).unwrap();
    }
    let best = buffer.best(100);
    let earned: Vec<f64> = best.iter().map(|&id| buffer.get(id).unwrap().earned).collect();
    assert!(earned.is_sorted_by(|a, b| a >= b) && best.len() == 100);
    let mut equal = TrajectoryBuffer::default();
    (0..100).for_each(|n| _ = equal.push(trajectory(f64::from(n % 3), 1.0)).unwrap());
    assert!(equal.best(33).is_sorted(), "older before newer among equals");
    let mut counts = [0; 100];
    for id in buffer.sample(100_000, &mut Pcg64Mcg::seed_from_u64(1)) {
        counts[id as usize - 150] += 1;
    }
    assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
}
