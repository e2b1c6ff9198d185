//! FrozenLake: cross the ice from S to G without falling into a hole.

use crate::{Mdp, Outcome};

/// Which lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lake {
    /// The 4 × 4 map; episodes are usually truncated after 100 steps.
    Small,
    /// The 8 × 8 map; episodes are usually truncated after 200 steps.
    Large,
}

/// Whether one slips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// One goes where one wants in a third of the steps, else to either side of it.
    Slippery,
    /// One goes where one wants.
    Firm,
}

const SMALL: [&str; 4] = ["SFFF", "FHFH", "FFFH", "HFFG"];
const LARGE: [&str; 8] = [
    "SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG",
];

/// The lake's model: states count row by row, actions are left, down, right, up; 1 at the goal and
/// 0 elsewhere; holes and the goal end the episode.
pub fn frozen_lake(lake: Lake, surface: Surface) -> Mdp {
    let map: &[&str] = match lake {
        Lake::Small => &SMALL,
        Lake::Large => &LARGE,
    };
    let side = map.len() as u32;
    let tile = |s: u32| map[(s / side) as usize].as_bytes()[(s % side) as usize];
    let walk = |s: u32, action: usize| {
        let (row, column) = (s / side, s % side);
        match action {
            0 => row * side + column.saturating_sub(1),
            1 => (row + 1).min(side - 1) * side + column,
            2 => row * side + (column + 1).min(side - 1),
            _ => row.saturating_sub(1) * side + column,
        }
    };
    let outcomes = |s: u32, action: usize| {
        if matches!(tile(s), b'H' | b'G') {
            return vec![Outcome { probability: 1.0, state: s, reward: 0.0, terminal: true }];
        }
        let directions = match surface {
            Surface::Slippery => vec![(action + 3) % 4, action, (action + 1) % 4],
            Surface::Firm => vec![action],
        };
        let probability = 1.0 / directions.len() as f64;
        directions
            .into_iter()
            .map(|direction| {
                let state = walk(s, direction);
                let (reward, terminal) = match tile(state) {
                    b'G' => (1.0, true),
                    b'H' => (0.0, true),
                    _ => (0.0, false),
                };
                Outcome { probability, state, reward, terminal }
            })
            .collect()
    };
    Mdp::new((side * side) as usize, 4, vec![0], outcomes).expect("the maps above are valid")
}
