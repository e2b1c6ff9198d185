//! Saved agents go on as if nothing had happened, and damage is found.

use edgekit_qlearning::envs::{cliff_walking, taxi};
use edgekit_qlearning::{
    ActionMask, Agent, AgentConfig, Algorithm, DenseTable, End, ErrorKind, HashedTable, MdpEnv,
    Policy, Table, Traces, Transition, run_episode, train,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn saved<T: Table + Serialize + DeserializeOwned + Clone>(agent: &Agent<T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    agent.save(&mut bytes).unwrap();
    bytes
}

fn goes_on<T: Table + Serialize + DeserializeOwned + Clone>(table: T, algorithm: Algorithm) {
    let config = AgentConfig { algorithm, seed: 4, ..AgentConfig::default() };
    let mut agent = Agent::new(table, config).unwrap();
    let mut env = MdpEnv::new(&cliff_walking(), 50, 1);
    train(&mut agent, &mut env, 2_000).unwrap();
    // In the middle of an episode, traces and all.
    run_episode(&mut agent, &mut env, 7).unwrap();
    let mut loaded = Agent::<T>::load(&saved(&agent)[..]).unwrap();
    let mut other_env = env.clone();
    train(&mut agent, &mut env, 2_000).unwrap();
    train(&mut loaded, &mut other_env, 2_000).unwrap();
    assert_eq!(saved(&agent), saved(&loaded), "{algorithm:?}");
}

#[test]
fn a_loaded_agent_goes_on_exactly_as_the_saved_one() {
    for algorithm in [
        Algorithm::QLearning,
        Algorithm::DoubleQ,
        Algorithm::ExpectedSarsa,
        Algorithm::Sarsa { n: 3 },
        Algorithm::QLambda { lambda: 0.8, traces: Traces::Replacing },
    ] {
        goes_on(DenseTable::new(48, 4, 0.0).unwrap(), algorithm);
        goes_on(HashedTable::new(48, 4, 0.5).unwrap(), algorithm);
    }
}

#[test]
fn every_damaged_byte_and_every_cut_is_found() {
    let mut agent = Agent::dense(12, 3, AgentConfig::default()).unwrap();
    agent.act(0, Default::default()).unwrap();
    let bytes = saved(&agent);
    let load = |bytes: &[u8]| Agent::<DenseTable>::load(bytes).map(|_| ()).map_err(|e| e.kind());
    assert_eq!(load(&bytes), Ok(()));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert_eq!(load(&damaged), Err(ErrorKind::Format), "byte {at}");
        assert_eq!(load(&bytes[..at]), Err(ErrorKind::Format), "cut at {at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(load(&longer), Err(ErrorKind::Format));
}

#[test]
fn another_kind_of_table_is_refused() {
    let agent = Agent::dense(500, 6, AgentConfig::default()).unwrap();
    let other = Agent::<HashedTable>::load(&saved(&agent)[..]).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Format);
    assert!(other.to_string().contains("table kind 0"));
}

#[test]
fn a_saved_taxi_is_small() {
    let mut agent = Agent::dense(500, 6, AgentConfig::default()).unwrap();
    train(&mut agent, &mut MdpEnv::new(&taxi(), 200, 1), 10_000).unwrap();
    assert!(saved(&agent).len() < 500 * 6 * 8);
}

/// However long an episode, traces that have faded are not kept.
#[test]
fn faded_traces_are_forgotten() {
    let algorithm = Algorithm::QLambda { lambda: 0.5, traces: Traces::Replacing };
    let config = AgentConfig { algorithm, policy: Policy::GREEDY, ..AgentConfig::default() };
    let mut agent = Agent::dense(4_000, 1, config).unwrap();
    let mut lengths = [1_000, 3_000].map(|until| {
        while agent.steps() < until {
            let state = agent.steps();
            let (next_state, next_mask) = (state + 1, ActionMask::ALL);
            let end = End::Running;
            let step = Transition { state, action: 0, reward: 1.0, next_state, next_mask, end };
            agent.learn(&step).unwrap();
        }
        saved(&agent).len()
    });
    lengths.sort_unstable();
    assert!(lengths[1] - lengths[0] < 16, "{lengths:?}");
}

/// The parts of a hashed table in a file: actions, initial worth, values, visits; states; the most.
#[test]
fn a_hashed_table_whose_parts_contradict_each_other_is_refused() {
    type Parts = ((usize, f32, Vec<f32>, Vec<u32>), Vec<u64>, usize);
    let read = |parts: &Parts| {
        postcard::from_bytes::<HashedTable>(&postcard::to_allocvec(parts).unwrap()).is_ok()
    };
    let right: Parts = ((1, 0.0, vec![1.0, 2.0], vec![3, 4]), vec![70, 80], 2);
    assert!(read(&right));
    let wrong = |change: fn(&mut Parts)| {
        let mut parts = right.clone();
        change(&mut parts);
        assert!(!read(&parts), "{parts:?}");
    };
    wrong(|p| p.1[1] = 70);
    wrong(|p| p.1.push(90));
    wrong(|p| p.2 = 1);
    wrong(|p| p.2 = 0);
    wrong(|p| p.0.0 = 0);
    wrong(|p| p.0.0 = 65);
    wrong(|p| p.0.1 = f32::NAN);
    wrong(|p| p.0.2[0] = f32::INFINITY);
    wrong(|p| _ = p.0.3.pop());
}

/// Found by fuzzing: a right checksum over a table of no actions.
#[test]
fn a_body_that_contradicts_itself_is_refused_and_not_divided_by() {
    let agent = Agent::new(HashedTable::new(4, 3, 0.0).unwrap(), AgentConfig::default()).unwrap();
    let mut bytes = saved(&agent);
    let header = 19;
    for at in header..bytes.len() {
        for value in [0, 1, 0x7f] {
            let old = std::mem::replace(&mut bytes[at], value);
            let sum = crc32fast::hash(&bytes[header..]).to_le_bytes();
            bytes[header - 4..header].copy_from_slice(&sum);
            // Whatever it says, it says it without a panic.
            let _ = Agent::<HashedTable>::load(&bytes[..]).map(|_| ()).map_err(|e| e.kind());
            bytes[at] = old;
        }
    }
}
