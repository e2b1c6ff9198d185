//! Any body under a right header as a saved agent: an error, or an agent that acts and learns.
#![no_main]

use edgekit_qlearning::{ActionMask, Agent, End, HashedTable, Table, Transition};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let mut bytes = b"EKQA\x02\x00".to_vec();
    bytes.push(HashedTable::KIND);
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(body).to_le_bytes());
    bytes.extend(body);
    let Ok(mut agent) = Agent::<HashedTable>::load(&bytes[..]) else { return };
    for state in 0..8 {
        let Ok(action) = agent.act(state, ActionMask::ALL) else { continue };
        let (next_mask, end) = (ActionMask::ALL, End::Running);
        let _ = agent.learn(&Transition {
            state,
            action,
            reward: 1.0,
            next_state: state + 1,
            next_mask,
            end,
        });
    }
    let mut again = Vec::new();
    agent.save(&mut again).expect("a vector takes everything");
    Agent::<HashedTable>::load(&again[..]).expect("what was saved loads");
});
