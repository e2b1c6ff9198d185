//! Where values and visit counts live: a dense table and a hashed one.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;

use crate::{Error, ErrorKind};

/// Values and visit counts of every state's actions, one row a state.
///
/// A state is first turned into a row number, which stays valid for the table's life; [`Rows`] does
/// the rest.
pub trait Table {
    /// Marks the table's kind in saved files.
    const KIND: u8;
    /// The row of `state`, or `None` if it has not been seen and so has its initial values.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if the table can never hold it.
    fn find(&self, state: u64) -> Result<Option<usize>, Error>;
    /// The row of `state`, made with initial values if need be.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if a dense table has no such state, [`ErrorKind::Full`] if a hashed one
    /// may hold no more.
    fn row(&mut self, state: u64) -> Result<usize, Error>;
    /// The state of a row.
    fn state_of(&self, row: usize) -> u64;
    /// The rows.
    fn rows(&self) -> &Rows;
    /// The rows, to change.
    fn rows_mut(&mut self) -> &mut Rows;
    /// The rows, to change while others are found, and what finds them: like [`Table::find`], but a
    /// state that the table can never hold has a row beyond the last.
    fn split(&mut self) -> (impl Fn(u64) -> Option<usize>, &mut Rows);
    /// Heap bytes in use, spare capacity included.
    fn bytes(&self) -> usize;
}

/// Rows of action values (f32) and visit counts (u32): 8 bytes a state and action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    actions: usize,
    initial: f32,
    values: Vec<f32>,
    visits: Vec<u32>,
}

impl Rows {
    /// `rows` rows of `actions` actions, all worth `initial`. A high `initial` makes an agent try
    /// everything once (optimistic initial values, Sutton & Barto 2.6).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there are not 1 to 64 actions or `initial` is not finite.
    pub fn new(rows: usize, actions: usize, initial: f32) -> Result<Self, Error> {
        if !(1..=64).contains(&actions) || !initial.is_finite() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{actions} actions worth {initial}: give 1 to 64 and a finite value"),
            ));
        }
        let cells = rows.checked_mul(actions).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("{rows} rows × {actions} actions overflow"))
        })?;
        Ok(Rows { actions, initial, values: vec![initial; cells], visits: vec![0; cells] })
    }

    /// Actions a row.
    #[inline]
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// What an action is worth before it was ever tried.
    pub fn initial(&self) -> f32 {
        self.initial
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        // A damaged file may claim that there are no actions.
        self.values.len().checked_div(self.actions).unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The action values of a row.
    ///
    /// # Panics
    /// If there is no such row; likewise below.
    #[inline]
    pub fn values(&self, row: usize) -> &[f32] {
        &self.values[row * self.actions..][..self.actions]
    }

    /// The visit counts of a row.
    #[inline]
    pub fn visits(&self, row: usize) -> &[u32] {
        &self.visits[row * self.actions..][..self.actions]
    }

    /// Every value, row after row.
    pub fn all_values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn all_mut(&mut self) -> (&mut [f32], &mut [u32]) {
        (&mut self.values, &mut self.visits)
    }

    #[inline]
    pub(crate) fn cell_mut(&mut self, row: usize, action: usize) -> (&mut f32, &mut u32) {
        let cell = row * self.actions + action;
        (&mut self.values[cell], &mut self.visits[cell])
    }

    pub(crate) fn grow_to(&mut self, rows: usize) {
        let cells = rows * self.actions;
        if cells > self.values.len() {
            reserve(&mut self.values, cells);
            reserve(&mut self.visits, cells);
            self.values.resize(cells, self.initial);
            self.visits.resize(cells, 0);
        }
    }

    fn bytes(&self) -> usize {
        (self.values.capacity() + self.visits.capacity()) * 4
    }

    /// Whether these can be the second values of a table with `first`.
    pub(crate) fn continues(&self, first: &Rows) -> bool {
        self.whole() && self.actions == first.actions && self.len() <= first.len()
    }

    fn whole(&self) -> bool {
        (1..=64).contains(&self.actions)
            && self.values.len() == self.visits.len()
            && self.values.len().is_multiple_of(self.actions)
            && self.initial.is_finite()
            && self.values.iter().all(|v| v.is_finite())
    }
}

/// Grows by a quarter: doubling would leave half of a large table unused.
fn reserve<T>(vec: &mut Vec<T>, len: usize) {
    if len > vec.capacity() {
        vec.reserve_exact((len + len / 4 + 64).max(len) - vec.len());
    }
}

/// A table of the states 0 to n − 1: the fastest and smallest when most of them occur.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Rows", into = "Rows")]
pub struct DenseTable {
    rows: Rows,
    /// Kept beside the rows because their number takes a division.
    states: u64,
}

impl DenseTable {
    /// A table of `states` states with `actions` actions each, all worth `initial`.
    ///
    /// # Errors
    /// As [`Rows::new`]; also if there is no state.
    pub fn new(states: usize, actions: usize, initial: f32) -> Result<Self, Error> {
        DenseTable::try_from(Rows::new(states, actions, initial)?)
    }

    #[inline]
    fn check(&self, state: u64) -> Result<usize, Error> {
        if state < self.states { Ok(state as usize) } else { Err(self.no_such_state(state)) }
    }

    #[cold]
    fn no_such_state(&self, state: u64) -> Error {
        Error::new(
            ErrorKind::State,
            format!("state {state}: the table has the states 0 to {}", self.states - 1),
        )
    }
}

impl TryFrom<Rows> for DenseTable {
    type Error = Error;

    fn try_from(rows: Rows) -> Result<Self, Error> {
        if !rows.whole() || rows.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "rows of {} values and {} visits: a dense table needs as many finite values \
                     as visits, a whole number of rows and at least one",
                    rows.values.len(),
                    rows.visits.len()
                ),
            ));
        }
        let states = rows.len() as u64;
        Ok(DenseTable { rows, states })
    }
}

impl From<DenseTable> for Rows {
    fn from(table: DenseTable) -> Rows {
        table.rows
    }
}

impl Table for DenseTable {
    const KIND: u8 = 0;

    #[inline]
    fn find(&self, state: u64) -> Result<Option<usize>, Error> {
        self.check(state).map(Some)
    }

    #[inline]
    fn row(&mut self, state: u64) -> Result<usize, Error> {
        self.check(state)
    }

    fn state_of(&self, row: usize) -> u64 {
        row as u64
    }

    #[inline]
    fn rows(&self) -> &Rows {
        &self.rows
    }

    #[inline]
    fn rows_mut(&mut self) -> &mut Rows {
        &mut self.rows
    }

    #[inline]
    fn split(&mut self) -> (impl Fn(u64) -> Option<usize>, &mut Rows) {
        (|state| Some(usize::try_from(state).unwrap_or(usize::MAX)), &mut self.rows)
    }

    fn bytes(&self) -> usize {
        self.rows.bytes()
    }
}

/// A table of whatever states occur, up to a limit: for packed states, of which few are ever seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "HashedParts", into = "HashedParts")]
pub struct HashedTable {
    rows: Rows,
    states: Vec<u64>,
    index: HashTable<u32>,
    max_states: usize,
}

/// What a hashed table saves; the index is made anew.
#[derive(Serialize, Deserialize)]
struct HashedParts {
    rows: Rows,
    states: Vec<u64>,
    max_states: usize,
}

impl HashedTable {
    /// An empty table for at most `max_states` states of `actions` actions, new ones worth
    /// `initial`.
    ///
    /// # Errors
    /// As [`Rows::new`]; also if `max_states` is 0 or above 2³².
    pub fn new(max_states: usize, actions: usize, initial: f32) -> Result<Self, Error> {
        HashedTable::try_from(HashedParts {
            rows: Rows::new(0, actions, initial)?,
            states: Vec::new(),
            max_states,
        })
    }
}

impl TryFrom<HashedParts> for HashedTable {
    type Error = Error;

    fn try_from(parts: HashedParts) -> Result<Self, Error> {
        let HashedParts { rows, states, max_states } = parts;
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        if max_states == 0 || max_states as u64 > 1 << 32 {
            return Err(bad(format!("max_states {max_states}: give 1 to 2^32")));
        }
        if !rows.whole() || rows.len() != states.len() || states.len() > max_states {
            return Err(bad(format!(
                "{} states, {} rows, at most {max_states}: the counts must agree and all values \
                 be finite",
                states.len(),
                rows.len()
            )));
        }
        let mut index = HashTable::with_capacity(states.len());
        for (row, &state) in states.iter().enumerate() {
            if index.find(hash(state), |&at: &u32| states[at as usize] == state).is_some() {
                return Err(bad(format!("state {state} occurs twice")));
            }
            index.insert_unique(hash(state), row as u32, |&at| hash(states[at as usize]));
        }
        Ok(HashedTable { rows, states, index, max_states })
    }
}

impl From<HashedTable> for HashedParts {
    fn from(table: HashedTable) -> HashedParts {
        HashedParts { rows: table.rows, states: table.states, max_states: table.max_states }
    }
}

impl Table for HashedTable {
    const KIND: u8 = 1;

    #[inline]
    fn find(&self, state: u64) -> Result<Option<usize>, Error> {
        Ok(position(&self.index, &self.states, state))
    }

    #[inline]
    fn row(&mut self, state: u64) -> Result<usize, Error> {
        if let Some(row) = position(&self.index, &self.states, state) {
            return Ok(row);
        }
        self.insert(state)
    }

    fn state_of(&self, row: usize) -> u64 {
        self.states[row]
    }

    #[inline]
    fn rows(&self) -> &Rows {
        &self.rows
    }

    #[inline]
    fn rows_mut(&mut self) -> &mut Rows {
        &mut self.rows
    }

    #[inline]
    fn split(&mut self) -> (impl Fn(u64) -> Option<usize>, &mut Rows) {
        let (index, states) = (&self.index, &self.states);
        (|state| position(index, states, state), &mut self.rows)
    }

    fn bytes(&self) -> usize {
        self.rows.bytes() + self.states.capacity() * 8 + self.index.allocation_size()
    }
}

impl HashedTable {
    fn insert(&mut self, state: u64) -> Result<usize, Error> {
        let row = self.states.len();
        if row >= self.max_states {
            return Err(Error::new(
                ErrorKind::Full,
                format!("state {state}: the table holds its {row} states; raise max_states"),
            ));
        }
        reserve(&mut self.states, row + 1);
        self.states.push(state);
        let states = &self.states;
        self.index.insert_unique(hash(state), row as u32, |&at| hash(states[at as usize]));
        self.rows.grow_to(row + 1);
        Ok(row)
    }
}

#[inline]
fn position(index: &HashTable<u32>, states: &[u64], state: u64) -> Option<usize> {
    index.find(hash(state), |&at| states[at as usize] == state).map(|&at| at as usize)
}

#[inline]
fn hash(state: u64) -> u64 {
    FxBuildHasher.hash_one(state)
}
