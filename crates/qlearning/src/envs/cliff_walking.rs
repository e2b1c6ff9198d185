//! CliffWalking: along the cliff's edge to the goal (Sutton & Barto, example 6.6).

use crate::{Mdp, Outcome};

const COLUMNS: u32 = 12;
const START: u32 = 36;
const GOAL: u32 = 47;

/// The model of the 4 × 12 grid: states count row by row, actions are up, right, down, left; −1 a
/// step, −100 and back to the start for stepping off the cliff between start and goal.
pub fn cliff_walking() -> Mdp {
    let outcomes = |s: u32, action: usize| {
        if s == GOAL {
            return vec![Outcome { probability: 1.0, state: s, reward: 0.0, terminal: true }];
        }
        let (row, column) = (s / COLUMNS, s % COLUMNS);
        let (row, column) = match action {
            0 => (row.saturating_sub(1), column),
            1 => (row, (column + 1).min(COLUMNS - 1)),
            2 => ((row + 1).min(3), column),
            _ => (row, column.saturating_sub(1)),
        };
        let state = row * COLUMNS + column;
        let (state, reward) = match state {
            fallen if fallen > START && fallen < GOAL => (START, -100.0),
            _ => (state, -1.0),
        };
        vec![Outcome { probability: 1.0, state, reward, terminal: state == GOAL }]
    };
    Mdp::new(48, 4, vec![START], outcomes).expect("the grid above is valid")
}
