//! Many updates in one call, as replay makes them, with the meaning of one after the other.

use std::ops::Range;

use crate::policy::{all_actions, larger};
use crate::schedule::harmonic;
use crate::{Agent, Algorithm, End, Error, ErrorKind, Rows, Schedule, StepSize, Table, Transition};

/// A cell before an update, which takes the update back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    value: f32,
    visits: u32,
}

impl<T: Table> Agent<T> {
    /// Learns from `batch` as if [`Agent::learn`] had been called for each transition in turn: a
    /// state and action that occurs twice is updated twice, the second time from the result of the
    /// first, and a target sees every update before it. All of it is learned, or nothing.
    ///
    /// `weights` multiplies each one's step size (the importance-sampling weights of prioritised
    /// replay); an empty slice stands for all 1. `errors` is cleared and gets each update's
    /// temporal-difference error, which is its new priority. O(batch · actions); allocates nothing
    /// once `errors` has grown.
    ///
    /// # Errors
    /// What [`Agent::learn`] refuses. Also [`ErrorKind::Config`] for n-step SARSA and Q(λ), which
    /// need episodes in order, and [`ErrorKind::Value`] for weights that are not as many as the
    /// transitions or not within 0 to 1. Whatever was learned from the transitions before is taken
    /// back then: no value, visit or later choice differs. A hashed table may have made room for
    /// states, with initial values.
    pub fn learn_batch(
        &mut self,
        batch: &[Transition],
        weights: &[f32],
        errors: &mut Vec<f32>,
    ) -> Result<(), Error> {
        self.check_batch(batch, weights)?;
        let (steps, rng) = (self.steps, self.rng.clone());
        let sizes = self.step_sizes(batch.len(), weights, errors);
        let cells = batch.len() * if self.second.is_some() { 2 } else { 1 };
        if self.changed.len() < cells {
            self.changed.resize(cells, Before::default());
        }
        let mut made = 0;
        while made < batch.len() {
            let ordinary = self.learn_ordinary(&batch[made..], made, &mut errors[made..], sizes);
            let odd = made + ordinary;
            if are_moderate(&errors[made..odd]) {
                self.steps += ordinary as u64;
                made = odd;
            } else {
                self.take_back(batch, made..odd);
            }
            // One at a time what was taken back, if anything, and what the others stopped at.
            for at in made..batch.len().min(odd + 1) {
                let weight = weights.get(at).copied().unwrap_or(1.0);
                match self.learn_any(&batch[at], at, batch.len(), weight) {
                    Ok(error) => errors[at] = error,
                    Err(error) => {
                        self.take_back(batch, 0..at);
                        (self.steps, self.rng) = (steps, rng);
                        errors.clear();
                        return Err(error);
                    }
                }
                self.steps += 1;
            }
            made = odd + 1;
        }
        Ok(())
    }

    /// The step sizes of `len` updates, in `errors`, whose places are not needed yet, if they differ.
    fn step_sizes(&self, len: usize, weights: &[f32], errors: &mut Vec<f32>) -> Sizes {
        errors.resize(len, 0.0);
        let sizes = match self.config.step_size {
            StepSize::Scheduled(Schedule::Constant(alpha)) if weights.is_empty() => {
                return Sizes::Same(alpha);
            }
            StepSize::Scheduled(schedule) => {
                errors.iter_mut().zip(self.steps..).for_each(|(size, at)| *size = schedule.at(at));
                Sizes::InSlots
            }
            StepSize::Harmonic { half, floor } => {
                errors.fill(1.0);
                Sizes::ByVisits { half, floor }
            }
        };
        errors.iter_mut().zip(weights).for_each(|(size, weight)| *size *= weight);
        sizes
    }

    /// Q-learning for as long as nothing is out of the ordinary; returns how many updates it made.
    /// What it stops at, [`Agent::learn_any`] does or refuses. Values may not be finite afterwards,
    /// unless the errors are moderate.
    fn learn_ordinary(
        &mut self,
        batch: &[Transition],
        at: usize,
        slots: &mut [f32],
        sizes: Sizes,
    ) -> usize {
        if self.config.algorithm != Algorithm::QLearning {
            return 0;
        }
        let (find, rows) = self.table.split();
        let discount = self.config.discount;
        let run = Run { discount, sizes, batch, slots, changed: &mut self.changed[at..] };
        // With the number of actions known to the compiler a row is a few instructions.
        match rows.actions() {
            2 => run.learn::<2>(find, rows),
            3 => run.learn::<3>(find, rows),
            4 => run.learn::<4>(find, rows),
            5 => run.learn::<5>(find, rows),
            6 => run.learn::<6>(find, rows),
            7 => run.learn::<7>(find, rows),
            8 => run.learn::<8>(find, rows),
            _ => 0,
        }
    }

    /// Update `at` of a batch of `len`, whatever it is.
    fn learn_any(
        &mut self,
        t: &Transition,
        at: usize,
        len: usize,
        weight: f32,
    ) -> Result<f32, Error> {
        if t.action >= self.table.rows().actions() {
            return Err(self.no_such_action(t.action));
        }
        let future = match self.config.algorithm {
            Algorithm::DoubleQ => 0.0,
            Algorithm::ExpectedSarsa => self.expected_next(t)?,
            _ => self.best_next(t)?,
        };
        let row = self.table.row(t.state)?;
        let before = |rows: &mut Rows| {
            let (&mut value, &mut visits) = rows.cell_mut(row, t.action);
            Before { value, visits }
        };
        let first = self.table.rows_mut();
        self.changed[at] = before(first);
        let Some(second) = &mut self.second else {
            return self.update(row, t.action, t.reward + self.config.discount * future, weight);
        };
        second.grow_to(first.len());
        self.changed[len + at] = before(second);
        self.learn_double(t, weight)
    }

    /// Makes everything as it was before these updates of `batch`, which must be the last ones.
    fn take_back(&mut self, batch: &[Transition], updates: Range<usize>) {
        for at in updates.rev() {
            let t = &batch[at];
            let Ok(Some(row)) = self.table.find(t.state) else { continue };
            let restore = |rows: &mut Rows, before: Before| {
                let (value, visits) = rows.cell_mut(row, t.action);
                (*value, *visits) = (before.value, before.visits);
            };
            restore(self.table.rows_mut(), self.changed[at]);
            if let Some(second) = &mut self.second {
                restore(second, self.changed[batch.len() + at]);
            }
        }
    }

    fn check_batch(&self, batch: &[Transition], weights: &[f32]) -> Result<(), Error> {
        if matches!(self.config.algorithm, Algorithm::Sarsa { .. } | Algorithm::QLambda { .. }) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{:?} learns from episodes, not from batches", self.config.algorithm),
            ));
        }
        let fitting = weights.is_empty() || weights.len() == batch.len();
        if !fitting || !weights.iter().all(|w| (0.0..=1.0).contains(w)) {
            return Err(Error::new(
                ErrorKind::Value,
                format!(
                    "{} weights for {} transitions: give one within 0 to 1 for each, or none",
                    weights.len(),
                    batch.len()
                ),
            ));
        }
        Ok(())
    }
}

/// Where the step size of an update comes from.
#[derive(Clone, Copy)]
enum Sizes {
    /// It is the same for all.
    Same(f32),
    /// It lies where the error will.
    InSlots,
    /// What lies there is multiplied by what [`StepSize::Harmonic`] says.
    ByVisits { half: f32, floor: f32 },
}

/// Updates in a row, with what they need.
struct Run<'a> {
    discount: f32,
    sizes: Sizes,
    batch: &'a [Transition],
    /// What [`Sizes`] says; then the errors.
    slots: &'a mut [f32],
    changed: &'a mut [Before],
}

impl Run<'_> {
    /// A loop of its own for each source of step sizes.
    fn learn<const ACTIONS: usize>(
        self,
        find: impl Fn(u64) -> Option<usize>,
        rows: &mut Rows,
    ) -> usize {
        match self.sizes {
            Sizes::Same(size) => self.learn_by::<ACTIONS>(find, rows, |_, _| size),
            Sizes::InSlots => self.learn_by::<ACTIONS>(find, rows, |slot, _| slot),
            Sizes::ByVisits { half, floor } => {
                self.learn_by::<ACTIONS>(find, rows, |slot, visits| {
                    slot * harmonic(half, floor, visits)
                })
            }
        }
    }

    /// Updates rows of `ACTIONS` actions and stops in front of what is invalid, new, has illegal
    /// actions or was visited more often than can be counted. Returns how many updates it made; see
    /// [`are_moderate`].
    ///
    /// One update at a time: five of its forty instructions are arithmetic, and to bring what a
    /// vector kernel needs side by side and back again would take more of them than it saves.
    #[inline(always)]
    fn learn_by<const ACTIONS: usize>(
        self,
        find: impl Fn(u64) -> Option<usize>,
        rows: &mut Rows,
        step_size: impl Fn(f32, u32) -> f32,
    ) -> usize {
        let (initial, all) = (rows.initial(), all_actions(ACTIONS));
        let (values, visits) = rows.all_mut();
        let values = values.as_chunks_mut::<ACTIONS>().0;
        // As many as there are values, which this tells the compiler.
        let visits = &mut visits.as_chunks_mut::<ACTIONS>().0[..values.len()];
        let places = self.slots.iter_mut().zip(self.changed);
        for (at, (t, (slot, before))) in self.batch.iter().zip(places).enumerate() {
            let mut future = 0.0;
            if t.end != End::Terminated {
                if t.next_mask.0 & all != all {
                    return at;
                }
                future = match find(t.next_state).map(|row| values.get(row)) {
                    Some(Some(row)) => max_of(row),
                    Some(None) => return at,
                    None => initial,
                };
            }
            let Some(row) = find(t.state) else { return at };
            if row >= values.len() || t.action >= ACTIONS {
                return at;
            }
            let (value, visits) = (&mut values[row][t.action], &mut visits[row][t.action]);
            let was = Before { value: *value, visits: *visits };
            let Some(visited) = was.visits.checked_add(1) else { return at };
            let error = t.reward + self.discount * future - was.value;
            (*value, *visits) = (was.value + step_size(*slot, was.visits) * error, visited);
            (*slot, *before) = (error, was);
        }
        self.batch.len()
    }
}

/// Whether no value can have left the range of `f32` by such errors. A value moves by a share of its
/// error, so it stays between itself and its target, which is finite if the error is; what rounding
/// adds is, with an error that small, too little to make the largest number infinite.
#[inline]
fn are_moderate(errors: &[f32]) -> bool {
    // Without leaving early, which would keep the compiler from using vectors. NaN is not below.
    errors.iter().fold(true, |all, error| all & (error.abs() <= f32::MAX / 4.0))
}

#[inline]
fn max_of<const ACTIONS: usize>(row: &[f32; ACTIONS]) -> f32 {
    row.iter().fold(f32::NEG_INFINITY, |best, &value| larger(best, value))
}
