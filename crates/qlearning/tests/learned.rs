//! What agents have learned after a stated number of steps, evaluated exactly on the model.

use edgekit_qlearning::envs::{Lake, Surface, cliff_walking, frozen_lake, taxi};
use edgekit_qlearning::{
    Agent, AgentConfig, Algorithm, DenseTable, HashedTable, Mdp, MdpEnv, Policy, Schedule,
    StepSize, Table, Traces, train,
};

/// The mean return of the greedy policy after `steps` steps with episodes cut after `limit`.
fn learned<T: Table>(mdp: &Mdp, table: T, config: AgentConfig, limit: u64, steps: u64) -> f64 {
    let mut agent = Agent::new(table, config).unwrap();
    let mut env = MdpEnv::new(mdp, limit, config.seed + 1);
    train(&mut agent, &mut env, steps).unwrap();
    let policy = agent.greedy_policy(mdp.states()).unwrap();
    mdp.mean_over_starts(&mdp.policy_values(&policy, 1.0, limit as usize))
}

fn dense(mdp: &Mdp) -> DenseTable {
    DenseTable::new(mdp.states(), mdp.actions(), 0.0).unwrap()
}

fn constant(alpha: f32, epsilon: f32, discount: f32) -> AgentConfig {
    AgentConfig {
        policy: Policy::EpsilonGreedy(Schedule::Constant(epsilon)),
        step_size: StepSize::Scheduled(Schedule::Constant(alpha)),
        discount,
        ..AgentConfig::default()
    }
}

#[test]
fn q_learning_crosses_the_slippery_lake_within_a_million_steps() {
    let lake = frozen_lake(Lake::Small, Surface::Slippery);
    for seed in [1, 2, 3] {
        let config = AgentConfig {
            policy: Policy::EpsilonGreedy(Schedule::Constant(1.0)),
            step_size: StepSize::Harmonic { half: 100.0, floor: 0.0 },
            discount: 0.999,
            seed,
            ..AgentConfig::default()
        };
        let success = learned(&lake, dense(&lake), config, 100, 1_000_000);
        assert!(success >= 0.73, "seed {seed}: {success}");
    }
}

#[test]
fn q_learning_walks_the_cliff_within_20_000_steps() {
    let cliff = cliff_walking();
    for seed in [1, 2, 3] {
        let config = AgentConfig { seed, ..constant(0.5, 0.1, 1.0) };
        let value = learned(&cliff, dense(&cliff), config, 200, 20_000);
        assert_eq!(value, -13.0, "seed {seed}");
    }
}

#[test]
fn q_learning_drives_the_taxi_within_250_000_steps() {
    let taxi = taxi();
    for seed in [1, 2, 3] {
        let config = AgentConfig { seed, ..constant(0.5, 0.1, 1.0) };
        let value = learned(&taxi, dense(&taxi), config, 200, 250_000);
        assert!(value >= 7.7, "seed {seed}: {value}");
    }
}

#[test]
fn a_hashed_table_learns_exactly_what_a_dense_one_does() {
    let cliff = cliff_walking();
    let config = constant(0.5, 0.1, 1.0);
    let mut dense = Agent::new(dense(&cliff), config).unwrap();
    let mut hashed = Agent::new(HashedTable::new(100, 4, 0.0).unwrap(), config).unwrap();
    train(&mut dense, &mut MdpEnv::new(&cliff, 200, 9), 20_000).unwrap();
    train(&mut hashed, &mut MdpEnv::new(&cliff, 200, 9), 20_000).unwrap();
    for state in 0..48 {
        assert_eq!(dense.values(state).unwrap(), hashed.values(state).unwrap());
    }
}

#[test]
fn every_algorithm_finds_the_way_along_the_cliff() {
    let cliff = cliff_walking();
    let on_policy = AgentConfig {
        policy: Policy::EpsilonGreedy(Schedule::Linear { from: 0.2, to: 0.0, over: 80_000 }),
        ..constant(0.2, 0.1, 1.0)
    };
    for algorithm in [
        Algorithm::DoubleQ,
        Algorithm::ExpectedSarsa,
        Algorithm::Sarsa { n: 1 },
        Algorithm::Sarsa { n: 4 },
        Algorithm::QLambda { lambda: 0.7, traces: Traces::Replacing },
        Algorithm::QLambda { lambda: 0.5, traces: Traces::Accumulating },
    ] {
        let config = AgentConfig { algorithm, ..on_policy };
        let value = learned(&cliff, dense(&cliff), config, 200, 100_000);
        // With exploration, on-policy agents rightly keep a step or two away from the edge.
        assert!((-17.0..=-13.0).contains(&value), "{algorithm:?}: {value}");
    }
}

#[test]
fn softmax_and_confidence_bounds_explore_well_enough_for_the_cliff() {
    let cliff = cliff_walking();
    for policy in [
        Policy::Softmax(Schedule::Exponential { from: 5.0, to: 0.1, half_life: 5_000 }),
        Policy::UpperConfidence(Schedule::Constant(2.0)),
    ] {
        let config = AgentConfig { policy, ..constant(0.5, 0.1, 1.0) };
        let value = learned(&cliff, dense(&cliff), config, 200, 50_000);
        assert_eq!(value, -13.0, "{policy:?}");
    }
}

#[test]
fn optimistic_values_alone_explore_the_firm_lake() {
    let lake = frozen_lake(Lake::Large, Surface::Firm);
    let table = DenseTable::new(64, 4, 1.0).unwrap();
    let config = constant(0.5, 0.0, 0.99);
    assert_eq!(learned(&lake, table, config, 200, 20_000), 1.0);
}
