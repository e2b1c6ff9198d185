//! Policies pick with the probabilities that they promise, schedules give the rates they promise.

use edgekit_qlearning::{
    ActionMask, Agent, AgentConfig, Algorithm, End, Entry, Policy, Schedule, StepSize, Transition,
};

/// How often each of `values.len()` actions is picked, of 40,000 times.
fn shares(policy: Policy, values: &[f32], mask: ActionMask) -> Vec<f64> {
    let config = AgentConfig {
        policy,
        step_size: StepSize::Scheduled(Schedule::Constant(1.0)),
        ..AgentConfig::default()
    };
    let mut agent = Agent::dense(1, values.len(), config).unwrap();
    for (action, &reward) in values.iter().enumerate() {
        let end = End::Terminated;
        let next_mask = ActionMask::ALL;
        let step = Transition { state: 0, action, reward, next_state: 0, next_mask, end };
        agent.learn(&step).unwrap();
    }
    let mut counts = vec![0.0; values.len()];
    for _ in 0..40_000 {
        counts[agent.act(0, mask).unwrap()] += 1.0 / 40_000.0;
    }
    counts
}

#[track_caller]
fn close(shares: &[f64], expected: &[f64]) {
    let near = shares.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01);
    assert!(near, "{shares:?} instead of {expected:?}");
}

fn epsilon(e: f32) -> Policy {
    Policy::EpsilonGreedy(Schedule::Constant(e))
}

#[test]
fn epsilon_greedy_explores_over_all_legal_actions_and_only_those() {
    let values = [0.0, 3.0, 1.0, 2.0];
    close(&shares(epsilon(0.2), &values, ActionMask::ALL), &[0.05, 0.85, 0.05, 0.05]);
    close(&shares(epsilon(0.2), &values, ActionMask(0b1101)), &[0.0667, 0.0, 0.0667, 0.8667]);
    close(&shares(epsilon(1.0), &values, ActionMask(0b1010)), &[0.0, 0.5, 0.0, 0.5]);
    close(&shares(epsilon(1.0), &values, ActionMask::ALL), &[0.25; 4]);
}

#[test]
fn equal_values_are_picked_equally_often() {
    close(
        &shares(epsilon(0.0), &[1.0, 2.0, 2.0, 2.0], ActionMask::ALL),
        &[0.0, 0.3333, 0.3333, 0.3333],
    );
    close(&shares(epsilon(0.0), &[2.0, 1.0, 2.0, 2.0], ActionMask(0b0111)), &[0.5, 0.0, 0.5, 0.0]);
    // A tie that a larger value later breaks is no tie.
    close(&shares(epsilon(0.0), &[1.0, 1.0, 5.0, 0.0], ActionMask::ALL), &[0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn softmax_follows_the_boltzmann_distribution() {
    let policy = Policy::Softmax(Schedule::Constant(2.0));
    let weights: Vec<f64> = [0.0f64, 1.0, 3.0].iter().map(|v| (v / 2.0).exp()).collect();
    let total: f64 = weights.iter().sum();
    let expected: Vec<f64> = weights.iter().map(|w| w / total).collect();
    close(&shares(policy, &[0.0, 1.0, 3.0], ActionMask::ALL), &expected);
    // Neither huge values nor a temperature of 0 overflow.
    let cold = Policy::Softmax(Schedule::Constant(0.0));
    close(&shares(cold, &[1e30, -1e30, 0.0], ActionMask::ALL), &[1.0, 0.0, 0.0]);
    close(&shares(policy, &[0.0, 1.0, 99.0], ActionMask(0b001)), &[1.0, 0.0, 0.0]);
}

/// What expected SARSA takes a state to be worth whose actions are worth 1, 2 and 5, the last of
/// which `mask` may forbid.
fn expected(policy: Policy, mask: ActionMask) -> f32 {
    let config = AgentConfig {
        algorithm: Algorithm::ExpectedSarsa,
        policy,
        step_size: StepSize::Scheduled(Schedule::Constant(1.0)),
        discount: 1.0,
        ..AgentConfig::default()
    };
    let mut agent = Agent::dense(2, 3, config).unwrap();
    let step = |state, action, reward, end| Transition {
        state,
        action,
        reward,
        next_state: 1,
        next_mask: mask,
        end,
    };
    for (action, reward) in [1.0, 2.0, 5.0].into_iter().enumerate() {
        agent.learn(&step(1, action, reward, End::Terminated)).unwrap();
    }
    agent.learn(&step(1, 0, 1.0, End::Terminated)).unwrap();
    agent.learn(&step(0, 0, 0.0, End::Running)).unwrap();
    agent.values(0).unwrap()[0]
}

#[test]
fn an_expectation_is_the_mean_of_what_the_policy_would_pick() {
    let near = |value: f32, right: f64| {
        assert!((f64::from(value) - right).abs() < 1e-5, "{value} instead of {right}");
    };
    let first_two = ActionMask(0b011);
    near(expected(epsilon(0.3), ActionMask::ALL), 0.7 * 5.0 + 0.3 * 8.0 / 3.0);
    near(expected(epsilon(0.3), first_two), 0.7 * 2.0 + 0.3 * 1.5);
    let soft = Policy::Softmax(Schedule::Constant(2.0));
    let [a, b, c] = [0.5f64, 1.0, 2.5].map(f64::exp);
    near(expected(soft, ActionMask::ALL), (a + 2.0 * b + 5.0 * c) / (a + b + c));
    near(expected(soft, first_two), (a + 2.0 * b) / (a + b));
    // The first action was tried twice: 1 + 3 √(ln 4 / 2) = 3.5, 2 + 3 √ln 4 = 5.5, 5 + 3.5 = 8.5.
    let bounds = Policy::UpperConfidence(Schedule::Constant(3.0));
    near(expected(bounds, ActionMask::ALL), 5.0);
    near(expected(bounds, first_two), 2.0);
}

#[test]
fn upper_confidence_weighs_how_often_something_was_tried() {
    // 10 and 9.5 after 8 and 2 visits: the bounds cross at c = 0.5 / (√(ln 10 / 2) − √(ln 10 / 8)).
    let crossing = 0.5 / ((10f32.ln() / 2.0).sqrt() - (10f32.ln() / 8.0).sqrt());
    let falling = Schedule::Linear { from: 2.0 * crossing, to: 0.0, over: 100 };
    let constant = Schedule::Constant;
    for (c, step, picked) in [
        (constant(0.99 * crossing), 0, 0),
        (constant(1.01 * crossing), 0, 1),
        (constant(0.0), 0, 0),
        (falling, 49, 1),
        (falling, 51, 0),
    ] {
        let policy = Policy::UpperConfidence(c);
        let mut agent =
            Agent::dense(1, 2, AgentConfig { policy, ..AgentConfig::default() }).unwrap();
        let known = |action, value, visits| Entry { state: 0, action, value, visits };
        for _ in 0..step {
            let (end, next_mask) = (End::Terminated, ActionMask::ALL);
            let t = Transition { state: 0, action: 0, reward: 0.0, next_state: 0, next_mask, end };
            agent.learn(&t).unwrap();
        }
        agent.import(&[known(0, 10.0, 8), known(1, 9.5, 2)]).unwrap();
        assert_eq!(agent.act(0, ActionMask::ALL).unwrap(), picked, "{c:?} at {step}");
    }
}

#[test]
fn upper_confidence_tries_everything_first() {
    let config = AgentConfig {
        policy: Policy::UpperConfidence(Schedule::Constant(1.0)),
        ..AgentConfig::default()
    };
    let mut agent = Agent::dense(1, 5, config).unwrap();
    let mut tried = Vec::new();
    for _ in 0..5 {
        let action = agent.act(0, ActionMask::ALL).unwrap();
        tried.push(action);
        let (end, next_mask) = (End::Terminated, ActionMask::ALL);
        let reward = action as f32;
        agent
            .learn(&Transition { state: 0, action, reward, next_state: 0, next_mask, end })
            .unwrap();
    }
    tried.sort_unstable();
    assert_eq!(tried, [0, 1, 2, 3, 4]);
}

#[test]
fn schedules_start_end_and_halve_where_they_say() {
    let linear = Schedule::Linear { from: 1.0, to: 0.0, over: 100 };
    assert_eq!([0, 50, 100, u64::MAX].map(|s| linear.at(s)), [1.0, 0.5, 0.0, 0.0]);
    let halving = Schedule::Exponential { from: 1.0, to: 0.0, half_life: 10 };
    assert_eq!([0, 10, 20].map(|s| halving.at(s)), [1.0, 0.5, 0.25]);
    let harmonic = StepSize::Harmonic { half: 10.0, floor: 0.05 };
    assert_eq!([0, 10, 1_000_000].map(|visits| harmonic.at(0, visits)), [1.0, 0.5, 0.05]);
}
