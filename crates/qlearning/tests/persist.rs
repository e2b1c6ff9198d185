//! Saved agents go on as if nothing had happened, and damage is found.

use edgekit_qlearning::envs::{cliff_walking, taxi};
use edgekit_qlearning::{
    Agent, AgentConfig, Algorithm, DenseTable, ErrorKind, HashedTable, MdpEnv, Table, Traces,
    run_episode, train,
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
