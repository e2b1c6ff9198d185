//! The environments against their published optimal values.

use edgekit_qlearning::envs::{Lake, Surface, cliff_walking, frozen_lake, taxi};
use edgekit_qlearning::{End, Env, ErrorKind, Mdp, MdpEnv, Outcome};

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

#[test]
fn outcomes_come_as_often_as_they_are_likely() {
    let shares = [0.2, 0.5, 0.05, 0.25];
    let mdp = Mdp::new(4, 1, vec![0], |_, _| {
        let outcome = |(at, &probability): (usize, &f64)| Outcome {
            probability,
            state: at as u32,
            reward: at as f32,
            terminal: at == 2,
        };
        shares.iter().enumerate().map(outcome).collect()
    })
    .unwrap();
    let mut env = MdpEnv::new(&mdp, u64::MAX, 1);
    let mut counts = [0.0; 4];
    for _ in 0..100_000 {
        let step = env.step(0);
        assert_eq!((step.reward, env.state()), (step.state as f32, step.state));
        assert_eq!(step.end == End::Terminated, step.state == 2);
        counts[step.state as usize] += 1.0 / 100_000.0;
    }
    for (count, share) in counts.iter().zip(shares) {
        near(*count, share, 0.01);
    }
}

#[test]
fn episodes_are_truncated_at_their_limit_and_not_where_they_terminate() {
    // Straight on: 0, 1, 2 and 3 is the end.
    let mdp = Mdp::new(4, 1, vec![0], |state, _| {
        let next = (state + 1).min(3);
        vec![Outcome { probability: 1.0, state: next, reward: 0.0, terminal: next == 3 }]
    })
    .unwrap();
    let ends = |limit| {
        let mut env = MdpEnv::new(&mdp, limit, 1);
        // The second episode has as many steps again.
        [(); 2].map(|()| {
            env.reset();
            (0..limit.min(3)).map(|_| env.step(0).end).collect::<Vec<_>>()
        })
    };
    assert_eq!(ends(2), [(); 2].map(|()| vec![End::Running, End::Truncated]));
    let terminated = vec![End::Running, End::Running, End::Terminated];
    assert_eq!(ends(3), [(); 2].map(|()| terminated.clone()), "the limit's own step terminates");
    assert_eq!(ends(9), [(); 2].map(|()| terminated.clone()));
}

#[test]
fn processes_that_are_none_are_refused() {
    let to = |probability, state, reward| {
        move |_, _| vec![Outcome { probability, state, reward, terminal: false }]
    };
    let refused = |result: Result<Mdp, edgekit_qlearning::Error>| {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Config);
    };
    refused(Mdp::new(0, 1, vec![0], to(1.0, 0, 0.0)));
    refused(Mdp::new(2, 65, vec![0], to(1.0, 0, 0.0)));
    refused(Mdp::new(2, 1, vec![], to(1.0, 0, 0.0)));
    refused(Mdp::new(2, 1, vec![2], to(1.0, 0, 0.0)));
    refused(Mdp::new(2, 1, vec![0], to(0.9, 0, 0.0)));
    refused(Mdp::new(2, 1, vec![0], to(f64::NAN, 0, 0.0)));
    refused(Mdp::new(2, 1, vec![0], to(1.0, 2, 0.0)));
    refused(Mdp::new(2, 1, vec![0], to(1.0, 0, f32::NAN)));
}
