//! Taxi: pick a passenger up and bring it where it wants to go (Dietterich 2000).

use crate::{Mdp, Outcome};

/// The stands R, G, Y and B as (row, column).
const STANDS: [(u32, u32); 4] = [(0, 0), (0, 4), (4, 0), (4, 3)];
const IN_TAXI: u32 = 4;

/// Walls to the east of (row, column).
const WALLS: [(u32, u32); 6] = [(0, 1), (1, 1), (3, 0), (4, 0), (3, 2), (4, 2)];

/// The model of the 5 × 5 city: state ((row · 5 + column) · 5 + passenger) · 4 + destination, where
/// passenger 4 is in the taxi; actions south, north, east, west, pick up, drop off; −1 a step, 20
/// for the right drop-off, −10 for an illegal pick-up or drop-off. Episodes start in one of the 300
/// states whose passenger waits at a stand that is not its destination, and are usually truncated
/// after 200 steps.
pub fn taxi() -> Mdp {
    let starts = (0..500)
        .filter(|s| {
            let (_, passenger, destination) = unpack(*s);
            passenger != IN_TAXI && passenger != destination
        })
        .collect();
    Mdp::new(500, 6, starts, |s, action| vec![drive(s, action)]).expect("the city above is valid")
}

fn unpack(s: u32) -> ((u32, u32), u32, u32) {
    ((s / 100, s / 20 % 5), s / 4 % 5, s % 4)
}

fn drive(s: u32, action: usize) -> Outcome {
    let ((mut row, mut column), mut passenger, destination) = unpack(s);
    let stand = STANDS.iter().position(|&at| at == (row, column)).map(|at| at as u32);
    let mut reward = -1.0;
    let mut terminal = false;
    match action {
        0 => row = (row + 1).min(4),
        1 => row = row.saturating_sub(1),
        2 if !WALLS.contains(&(row, column)) => column = (column + 1).min(4),
        3 if column > 0 && !WALLS.contains(&(row, column - 1)) => column -= 1,
        4 if stand == Some(passenger) => passenger = IN_TAXI,
        4 => reward = -10.0,
        5 => match stand {
            Some(here) if passenger == IN_TAXI => {
                passenger = here;
                if here == destination {
                    reward = 20.0;
                    terminal = true;
                }
            }
            _ => reward = -10.0,
        },
        _ => {}
    }
    let state = ((row * 5 + column) * 5 + passenger) * 4 + destination;
    Outcome { probability: 1.0, state, reward, terminal }
}
