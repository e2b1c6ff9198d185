//! Counted operations, and what they would cost in energy.

use std::ops::Add;

/// How many operations of each kind a computation made. Counted while it ran, not estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Operations {
    /// Additions of integers: one for each pair of coinciding spikes.
    pub integer_additions: u64,
    /// Additions and subtractions of f32.
    pub float_additions: u64,
    /// Multiplications of f32.
    pub float_multiplications: u64,
    /// Divisions of f32.
    pub float_divisions: u64,
    /// Exponentials of f32.
    pub exponentials: u64,
}

impl Operations {
    /// What they cost in picojoules if each costs what `costs` says. Memory traffic, which dominates
    /// on real machines, is not in it.
    pub fn picojoules(&self, costs: &EnergyCosts) -> f64 {
        self.integer_additions as f64 * costs.integer_addition
            + self.float_additions as f64 * costs.float_addition
            + self.float_multiplications as f64 * costs.float_multiplication
            + self.float_divisions as f64 * costs.float_division
            + self.exponentials as f64 * costs.exponential
    }
}

impl Add for Operations {
    type Output = Operations;

    fn add(self, other: Operations) -> Operations {
        Operations {
            integer_additions: self.integer_additions + other.integer_additions,
            float_additions: self.float_additions + other.float_additions,
            float_multiplications: self.float_multiplications + other.float_multiplications,
            float_divisions: self.float_divisions + other.float_divisions,
            exponentials: self.exponentials + other.exponentials,
        }
    }
}

/// Picojoules an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyCosts {
    /// One addition of 32-bit integers.
    pub integer_addition: f64,
    /// One addition of f32.
    pub float_addition: f64,
    /// One multiplication of f32.
    pub float_multiplication: f64,
    /// One division of f32.
    pub float_division: f64,
    /// One exponential.
    pub exponential: f64,
}

impl Default for EnergyCosts {
    /// 45 nm at 0.9 V: 0.1 pJ an integer addition, 0.9 an f32 addition, 3.7 a multiplication
    /// (Horowitz, *Computing's Energy Problem*, ISSCC 2014, figure 1.1.9). Not in that table, and so
    /// assumptions: a division as four multiplications, an exponential as eight multiplications and
    /// eight additions.
    fn default() -> Self {
        EnergyCosts {
            integer_addition: 0.1,
            float_addition: 0.9,
            float_multiplication: 3.7,
            float_division: 4.0 * 3.7,
            exponential: 8.0 * (3.7 + 0.9),
        }
    }
}
