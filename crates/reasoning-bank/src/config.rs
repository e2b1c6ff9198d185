//! Settings of a bank, and the plain data that its methods take and return.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Error, Pattern};

/// What readers do while somebody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Readers {
    /// They wait: one copy of everything behind a readers-writer lock.
    Wait,
    /// They never do: two copies of index and numbers, of which the writer changes the one that
    /// nobody reads, then changes places, then does the same to the other. Vectors are in memory
    /// once more often and every write works twice.
    NeverWait,
}

/// Settings of a [`Bank`](crate::Bank).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankConfig {
    /// How many values a vector has.
    pub dim: usize,
    /// What readers do while somebody writes.
    pub readers: Readers,
    /// Up to this many patterns a look-up scans all of them and is exact; beyond, it asks a graph.
    pub scan_limit: usize,
    /// Candidates that a look-up in the graph keeps: more finds more and takes longer.
    pub ef: usize,
    /// Links a pattern in the graph's upper layers.
    pub m: usize,
    /// Candidates that are looked at to link a new pattern.
    pub ef_construction: usize,
    /// How similar a task must be to a pattern, 0 to 1, for [`Bank::record`](crate::Bank::record) to teach it.
    pub teach_similarity: f32,
    /// How many trajectories wait for [`Bank::extract`](crate::Bank::extract) before the oldest is dropped.
    pub ring: usize,
    /// Seeds the graph's levels.
    pub seed: u64,
}

impl Default for BankConfig {
    /// 128 values, readers that never wait, scans up to 4,096 patterns, then a graph with ef 96,
    /// m 16 and 200 candidates; tasks teach patterns from similarity 0.8 on; 1,000 trajectories wait.
    fn default() -> Self {
        BankConfig {
            dim: 128,
            readers: Readers::NeverWait,
            scan_limit: 4096,
            ef: 96,
            m: 16,
            ef_construction: 200,
            teach_similarity: 0.8,
            ring: 1000,
            seed: 0,
        }
    }
}

/// Which patterns [`Bank::prune`](crate::Bank::prune) keeps: those that meet all three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keep {
    /// Returned by look-ups at least so often.
    pub min_usage: u64,
    /// At least so confident.
    pub min_confidence: f32,
    /// Made, taught or returned within so long before now.
    pub max_idle: Duration,
}

/// A stored pattern as [`Bank::get`](crate::Bank::get) shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: u64,
    /// The pattern, its last use up to date.
    pub pattern: Pattern,
    /// How often look-ups returned it.
    pub usage: u64,
}

/// What became of an import.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The ids of the patterns taken.
    pub ids: Vec<u64>,
    /// Which of the patterns given were refused, and why.
    pub refused: Vec<(usize, Error)>,
}

/// Numbers about a bank.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BankStats {
    /// Stored patterns.
    pub patterns: usize,
    /// Tasks that they rest on.
    pub samples: u64,
    /// How often look-ups returned one of them.
    pub usage: u64,
    /// Their mean confidence; 0 if there are none.
    pub mean_confidence: f32,
    /// Trajectories ever recorded.
    pub recorded: u64,
    /// Those that wait to be extracted.
    pub waiting: usize,
    /// Those that were dropped unseen.
    pub dropped: u64,
    /// Heap bytes of patterns and index, an estimate for the hash tables.
    pub bytes: usize,
}
