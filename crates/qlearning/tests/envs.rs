//! The environments against their published optimal values.

use edgekit_qlearning::Mdp;
use edgekit_qlearning::envs::{Lake, Surface, cliff_walking, frozen_lake, taxi};

fn start_value(mdp: &Mdp, discount: f64) -> f64 {
    mdp.mean_over_starts(&mdp.optimal_values(discount, 1e-12, 100_000))
}

#[track_caller]
fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} instead of {expected}");
}

#[test]
fn frozen_lake_has_its_published_values() {
    for (lake, surface, expected) in [
        (Lake::Small, Surface::Slippery, 0.542026),
        (Lake::Large, Surface::Slippery, 0.414640),
        (Lake::Small, Surface::Firm, 0.950990),
        (Lake::Large, Surface::Firm, 0.877521),
    ] {
        near(start_value(&frozen_lake(lake, surface), 0.99), expected, 5e-7);
    }
}

#[test]
fn cliff_walking_has_its_published_values() {
    near(start_value(&cliff_walking(), 1.0), -13.0, 1e-9);
    near(start_value(&cliff_walking(), 0.99), -12.247898, 5e-7);
}

#[test]
fn taxi_has_its_published_mean_over_300_starts() {
    let taxi = taxi();
    assert_eq!(taxi.starts().len(), 300);
    near(start_value(&taxi, 1.0), 7.93, 5e-3);
}

#[test]
fn the_small_lake_within_100_steps() {
    let lake = frozen_lake(Lake::Small, Surface::Slippery);
    near(lake.horizon_values(1.0, 100)[0], 0.744, 5e-4);
    // The stationary policy that is best at γ = 0.999.
    let values = lake.optimal_values(0.999, 1e-13, 1_000_000);
    let policy: Vec<usize> = (0..16)
        .map(|s| {
            let worth = |a: usize| -> f64 {
                lake.outcomes(s, a)
                    .iter()
                    .map(|o| {
                        let future = if o.terminal { 0.0 } else { values[o.state as usize] };
                        o.probability * (f64::from(o.reward) + 0.999 * future)
                    })
                    .sum()
            };
            (0..4).fold(0, |best, a| if worth(a) > worth(best) + 1e-12 { a } else { best })
        })
        .collect();
    near(lake.policy_values(&policy, 1.0, 100)[0], 0.740, 5e-4);
}
