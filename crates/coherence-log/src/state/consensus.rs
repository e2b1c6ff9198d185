//! What the members of a context say of a model's weights, and who says two things.

use std::collections::BTreeMap;

use crate::event::{Id, PublicKey};
use crate::hash::Hash;

/// What most members say of a model after a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consensus {
    /// The version.
    pub version: String,
    /// The hash of the weights.
    pub weights: Hash,
    /// How many say so, more than half of `voters`.
    pub votes: usize,
    /// How many said anything; those who said two things count here and vote for nothing.
    pub voters: usize,
}

/// Statements by context, model and round.
#[derive(Default)]
pub(super) struct Models {
    pub(super) rounds: BTreeMap<([u8; 32], String, u64), Round>,
}

/// Statements by author.
pub(super) type Round = BTreeMap<PublicKey, Statement>;

/// What one author said of one model in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) event: Id,
    pub(super) version: String,
    pub(super) weights: Hash,
    /// The first event that said something else.
    pub(super) against: Option<Id>,
}

impl Models {
    /// Adds a statement; returns the author's earlier one if they differ.
    pub(super) fn add(
        &mut self,
        context: [u8; 32],
        model: &str,
        round: u64,
        author: PublicKey,
        event: Id,
        (version, weights): (&str, Hash),
    ) -> Option<Id> {
        let statements = self.rounds.entry((context, model.to_owned(), round)).or_default();
        let first = statements.entry(author).or_insert_with(|| Statement {
            event,
            version: version.to_owned(),
            weights,
            against: None,
        });
        if (first.version.as_str(), first.weights) == (version, weights) {
            return None;
        }
        first.against.get_or_insert(event);
        Some(first.event)
    }

    pub(super) fn consensus(
        &self,
        context: &[u8; 32],
        model: &str,
        round: u64,
    ) -> Option<Consensus> {
        let statements = self.rounds.get(&(*context, model.to_owned(), round))?;
        let mut votes: BTreeMap<(&str, Hash), usize> = BTreeMap::new();
        for statement in statements.values().filter(|statement| statement.against.is_none()) {
            *votes.entry((&statement.version, statement.weights)).or_default() += 1;
        }
        let voters = statements.len();
        let ((version, weights), votes) = votes.into_iter().max_by_key(|(_, votes)| *votes)?;
        let version = version.to_owned();
        (votes * 2 > voters).then_some(Consensus { version, weights, votes, voters })
    }
}
