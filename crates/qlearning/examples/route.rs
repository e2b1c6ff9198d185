//! Learns which of three executors is best for small and for large requests.

use edgekit_qlearning::{ActionMask, Agent, AgentConfig, End, Error, Transition};

/// What a request of that size costs on an executor, in milliseconds: a CPU that is ready at once,
/// an accelerator that must be fed, a server that is far away.
fn latency(large: bool, executor: usize) -> f32 {
    match (large, executor) {
        (false, 0) => 2.0,
        (true, 0) => 40.0,
        (false, 1) => 5.0,
        (true, 1) => 9.0,
        (false, _) => 30.0,
        (true, _) => 35.0,
    }
}

fn main() -> Result<(), Error> {
    let config = AgentConfig { discount: 0.0, seed: 7, ..AgentConfig::default() };
    let mut agent = Agent::dense(2, 3, config)?;
    for request in 0..2000u64 {
        let state = request * 7919 % 3 / 2; // every third request is large
        let action = agent.act(state, ActionMask::ALL)?;
        agent.learn(&Transition {
            state,
            action,
            reward: -latency(state == 1, action),
            next_state: state,
            next_mask: ActionMask::ALL,
            end: End::Terminated,
        })?;
    }
    for (state, name) in [(0, "small"), (1, "large")] {
        let best = agent.best_action(state, ActionMask::ALL)?;
        println!("{name} requests go to executor {best}; values {:?}", agent.values(state)?);
    }
    Ok(())
}
