//! One update at a time: targets, ends, masks, traces and batches, against sums done by hand.

use edgekit_qlearning::{
    ActionMask, Agent, AgentConfig, Algorithm, DenseTable, End, ErrorKind, HashedTable, Policy,
    PrioritisedReplay, ReplayConfig, Schedule, StepSize, Table, Traces, Transition,
};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

pub(crate) fn config(algorithm: Algorithm) -> AgentConfig {
    AgentConfig {
        algorithm,
        policy: Policy::GREEDY,
        step_size: StepSize::Scheduled(Schedule::Constant(0.5)),
        discount: 0.5,
        seed: 3,
    }
}

fn agent(algorithm: Algorithm) -> Agent<DenseTable> {
    Agent::dense(8, 2, config(algorithm)).unwrap()
}

pub(crate) fn step(
    state: u64,
    action: usize,
    reward: f32,
    next_state: u64,
    end: End,
) -> Transition {
    Transition { state, action, reward, next_state, next_mask: ActionMask::ALL, end }
}

pub(crate) const RUN: End = End::Running;

#[test]
fn termination_has_no_future_and_truncation_has() {
    for algorithm in [Algorithm::QLearning, Algorithm::ExpectedSarsa, Algorithm::Sarsa { n: 1 }] {
        let value = |end| {
            let mut agent = agent(algorithm);
            agent.learn(&step(1, 0, 8.0, 2, End::Terminated)).unwrap();
            agent.learn(&step(1, 1, 8.0, 2, End::Terminated)).unwrap();
            agent.learn(&step(0, 0, 1.0, 1, end)).unwrap();
            agent.values(0).unwrap()[0]
        };
        assert_eq!(value(End::Terminated), 0.5, "{algorithm:?}");
        assert_eq!(value(End::Truncated), 0.5 * (1.0 + 0.5 * 4.0), "{algorithm:?}");
    }
}

#[test]
fn a_target_never_leans_on_an_illegal_action() {
    for algorithm in [Algorithm::QLearning, Algorithm::ExpectedSarsa] {
        let mut agent = agent(algorithm);
        agent.learn(&step(1, 1, 100.0, 2, End::Terminated)).unwrap();
        agent.learn(&step(1, 0, 4.0, 2, End::Terminated)).unwrap();
        let only_first = ActionMask(0b01);
        agent.learn(&Transition { next_mask: only_first, ..step(0, 0, 0.0, 1, RUN) }).unwrap();
        assert_eq!(agent.values(0).unwrap()[0], 0.5 * 0.5 * 2.0, "{algorithm:?}");
        assert_eq!(agent.act(1, only_first).unwrap(), 0);
        let none = agent.act(1, ActionMask(0b100)).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Action);
    }
}

#[test]
fn n_step_sarsa_sums_n_rewards_and_the_action_really_taken() {
    let mut agent = agent(Algorithm::Sarsa { n: 2 });
    agent.learn(&step(4, 1, 16.0, 5, End::Terminated)).unwrap(); // Q(4, 1) = 8
    agent.learn(&step(0, 0, 1.0, 1, RUN)).unwrap();
    agent.learn(&step(1, 0, 2.0, 4, RUN)).unwrap();
    assert_eq!(agent.values(0).unwrap()[0], 0.0, "the second action is not known yet");
    agent.learn(&step(4, 1, 3.0, 5, RUN)).unwrap();
    assert_eq!(agent.values(0).unwrap()[0], 0.5 * (1.0 + 0.5 * 2.0 + 0.25 * 8.0));
    agent.learn(&step(5, 0, 5.0, 6, End::Terminated)).unwrap();
    assert_eq!(agent.values(1).unwrap()[0], 0.5 * (2.0 + 0.5 * 3.0 + 0.25 * 0.0));
    assert_eq!(agent.values(4).unwrap()[1], 8.0 + 0.5 * (3.0 + 0.5 * 5.0 - 8.0));
    assert_eq!(agent.values(5).unwrap()[0], 2.5);
}

#[test]
fn an_episode_left_early_does_not_leak_into_the_next() {
    let mut agent = agent(Algorithm::Sarsa { n: 3 });
    agent.learn(&step(0, 0, 2.0, 1, RUN)).unwrap();
    agent.learn(&step(6, 0, 100.0, 7, End::Terminated)).unwrap();
    assert_eq!(agent.values(0).unwrap()[0], 1.0, "the reward of another episode reached it");
}

#[test]
fn traces_carry_an_error_back_until_an_action_was_not_the_best() {
    let lambda = Algorithm::QLambda { lambda: 0.5, traces: Traces::Replacing };
    let mut greedy = agent(lambda);
    greedy.learn(&step(0, 0, 0.0, 1, RUN)).unwrap();
    greedy.learn(&step(1, 0, 8.0, 2, End::Terminated)).unwrap();
    assert_eq!(greedy.values(1).unwrap()[0], 4.0);
    assert_eq!(greedy.values(0).unwrap()[0], 0.5 * 8.0 * 0.25);

    let mut explored = agent(lambda);
    explored.learn(&step(1, 1, 2.0, 2, End::Terminated)).unwrap(); // action 1 is best in 1
    explored.learn(&step(0, 0, 0.0, 1, RUN)).unwrap();
    let before = explored.values(0).unwrap()[0];
    explored.learn(&step(1, 0, 8.0, 2, End::Terminated)).unwrap();
    assert_eq!(explored.values(0).unwrap()[0], before, "an explored error was carried back");
}

#[test]
fn accumulating_traces_add_up_and_replacing_ones_do_not() {
    for (traces, expected) in [(Traces::Accumulating, 1.25), (Traces::Replacing, 1.0)] {
        let mut agent = agent(Algorithm::QLambda { lambda: 0.5, traces });
        agent.learn(&step(0, 0, 0.0, 0, RUN)).unwrap();
        agent.learn(&step(0, 0, 8.0, 1, End::Terminated)).unwrap();
        assert_eq!(agent.values(0).unwrap()[0], 0.5 * 8.0 * expected, "{traces:?}");
    }
}

#[test]
fn double_q_learning_values_one_table_s_choice_by_the_other() {
    // Every action is worth 0 on average, but a single table takes the best of ten noisy guesses.
    let overestimate = |algorithm| {
        let config = AgentConfig {
            policy: Policy::EpsilonGreedy(Schedule::Constant(1.0)),
            discount: 1.0,
            step_size: StepSize::Scheduled(Schedule::Constant(0.1)),
            ..config(algorithm)
        };
        let mut agent = Agent::dense(3, 10, config).unwrap();
        let mut noise = 1u64;
        let mut sum = 0.0;
        for round in 0..20_000 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let action = (noise >> 33) as usize % 10;
            let reward = if noise >> 62 & 1 == 0 { 1.0 } else { -1.0 };
            agent.learn(&step(1, action, reward, 2, End::Terminated)).unwrap();
            agent.learn(&step(0, 0, 0.0, 1, RUN)).unwrap();
            if round >= 10_000 {
                sum += agent.values(0).unwrap()[0];
            }
        }
        sum / 10_000.0
    };
    assert!(overestimate(Algorithm::QLearning) > 0.25);
    assert!(overestimate(Algorithm::DoubleQ).abs() < 0.1);
}

#[test]
fn the_same_seed_makes_the_same_choices_and_another_others() {
    let choices = |seed| {
        let config = AgentConfig { seed, ..AgentConfig::default() };
        let mut agent = Agent::dense(2, 50, config).unwrap();
        (0..100).map(|_| agent.act(0, ActionMask::ALL).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(choices(1), choices(1));
    assert_ne!(choices(1), choices(2));
}

#[test]
fn what_cannot_be_learned_changes_nothing() {
    let mut agent = agent(Algorithm::QLearning);
    agent.learn(&step(0, 0, 1.0, 1, RUN)).unwrap();
    let before = agent.export();
    for (bad, kind) in [
        (step(8, 0, 1.0, 1, RUN), ErrorKind::State),
        (step(0, 0, 1.0, 8, RUN), ErrorKind::State),
        (step(0, 2, 1.0, 1, RUN), ErrorKind::Action),
        (step(0, 0, f32::NAN, 1, RUN), ErrorKind::Value),
        (step(0, 0, f32::INFINITY, 1, RUN), ErrorKind::Value),
    ] {
        assert_eq!(agent.learn(&bad).unwrap_err().kind(), kind, "{bad:?}");
        let batch = [step(0, 1, 1.0, 1, RUN), bad];
        let refused = agent.learn_batch(&batch, &[], &mut Vec::new()).unwrap_err();
        assert_eq!(refused.kind(), kind, "{bad:?} in a batch");
    }
    assert_eq!(agent.export(), before);
    assert_eq!(agent.steps(), 1);
    let weights = agent.learn_batch(&[], &[1.0], &mut Vec::new()).unwrap_err();
    assert_eq!(weights.kind(), ErrorKind::Value);
}

#[test]
fn a_full_hashed_table_says_so() {
    let mut agent =
        Agent::new(HashedTable::new(2, 2, 0.0).unwrap(), AgentConfig::default()).unwrap();
    agent.learn(&step(10, 0, 1.0, 20, RUN)).unwrap();
    agent.learn(&step(u64::MAX, 0, 1.0, 20, RUN)).unwrap();
    let full = agent.learn(&step(30, 0, 1.0, 20, RUN)).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    assert_eq!(agent.values(30).unwrap(), [0.0, 0.0]);
}

#[test]
fn a_hashed_table_stays_small_at_every_size() {
    let mut table = HashedTable::new(1 << 20, 5, 0.0).unwrap();
    for state in 0..20_000u64 {
        table.row(state.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
        let states = state as usize + 1;
        assert!(states < 1000 || table.bytes() <= 100 * states, "{states}: {}", table.bytes());
    }
}

#[test]
fn configurations_out_of_range_are_refused() {
    let base = AgentConfig::default();
    let policy = |e| Policy::EpsilonGreedy(Schedule::Constant(e));
    for bad in [
        AgentConfig { discount: 1.5, ..base },
        AgentConfig { discount: f32::NAN, ..base },
        AgentConfig { policy: policy(-0.1), ..base },
        AgentConfig { policy: Policy::Softmax(Schedule::Constant(f32::INFINITY)), ..base },
        AgentConfig { step_size: StepSize::Harmonic { half: 0.0, floor: 0.0 }, ..base },
        AgentConfig { algorithm: Algorithm::Sarsa { n: 0 }, ..base },
        AgentConfig {
            algorithm: Algorithm::QLambda { lambda: 2.0, traces: Traces::Replacing },
            ..base
        },
    ] {
        assert_eq!(Agent::dense(4, 2, bad).unwrap_err().kind(), ErrorKind::Config, "{bad:?}");
    }
    assert!(Agent::dense(0, 2, base).is_err());
    assert!(Agent::dense(4, 65, base).is_err());
    assert!(Agent::dense(usize::MAX, 64, base).is_err());
}

#[test]
fn what_is_warm_allocates_nothing() {
    let steps: Vec<Transition> =
        (0..200).map(|i| step(i % 8, (i % 2) as usize, 0.5, (i + 3) % 8, RUN)).collect();
    for algorithm in [Algorithm::QLearning, Algorithm::ExpectedSarsa, Algorithm::DoubleQ] {
        let mut agent = agent(algorithm);
        let mut errors = Vec::new();
        let mut round = || {
            agent.learn_batch(&steps, &[], &mut errors).unwrap();
            for t in &steps {
                agent.learn(t).unwrap();
                agent.act(t.state, ActionMask::ALL).unwrap();
                agent.best_value(t.state, ActionMask::ALL).unwrap();
            }
        };
        round();
        assert_eq!(allocation_counter::measure(round).count_total, 0, "{algorithm:?}");
    }
    let mut replay = PrioritisedReplay::new(ReplayConfig::default()).unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut drawn = Vec::new();
    (0..100).for_each(|item| _ = replay.push(item));
    let mut round = || {
        replay.sample(32, &mut rng, &mut drawn).unwrap();
        drawn.iter().for_each(|d| assert!(replay.update(d.id, 0.5).unwrap()));
    };
    round();
    assert_eq!(allocation_counter::measure(round).count_total, 0);
}
