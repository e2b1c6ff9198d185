//! Proof that somebody said two things: verified by anyone, with nothing but the proof and a key.

use crate::error::{Error, ErrorKind};
use crate::event::{Event, Kind, PublicKey, Verified};
use crate::hash::Hash;
use crate::note::{Checkpoint, NoteKey};
use crate::proof::verify_inclusion;

/// A log or an author contradicting itself under its own signature.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Equivocation {
    /// Two signed checkpoints of one size with different roots.
    Checkpoints {
        /// One signed note.
        first: Vec<u8>,
        /// The other.
        second: Vec<u8>,
    },
    /// Two signed checkpoints of different sizes that cannot both be of one append-only log,
    /// because they hold different entries under one index.
    Histories {
        /// One signed checkpoint and what it proves.
        first: Held,
        /// The other.
        second: Held,
        /// The index.
        index: u64,
    },
    /// Two model claims by one author about one model in one round of one context.
    ModelClaims {
        /// The encoding of one event.
        first: Vec<u8>,
        /// The encoding of the other.
        second: Vec<u8>,
    },
}

/// A signed checkpoint and the proof that it holds an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The signed note.
    pub note: Vec<u8>,
    /// The entry's leaf hash.
    pub leaf: Hash,
    /// From the leaf to the checkpoint's root.
    pub proof: Vec<Hash>,
}

impl Equivocation {
    /// Verifies the proof against the log's key. For model claims, which carry their author's
    /// key, use [`verify_author`](Self::verify_author).
    ///
    /// # Errors
    /// [`ErrorKind::Proof`] if nothing is proven, and whatever is wrong with notes and proofs.
    pub fn verify_log(&self, key: &NoteKey) -> Result<(), Error> {
        match self {
            Equivocation::Checkpoints { first, second } => {
                let (a, b) = (Checkpoint::open(first, key)?, Checkpoint::open(second, key)?);
                differ(a.origin == b.origin && a.size == b.size && a.root != b.root)
            }
            Equivocation::Histories { first, second, index } => {
                let same_log = first.open(key, *index)? == second.open(key, *index)?;
                differ(same_log && first.leaf != second.leaf)
            }
            Equivocation::ModelClaims { .. } => Err(nothing()),
        }
    }

    /// Verifies a proof of two model claims and returns whose they are.
    ///
    /// # Errors
    /// [`ErrorKind::Proof`] if nothing is proven, and whatever is wrong with the events.
    pub fn verify_author(&self) -> Result<PublicKey, Error> {
        let Equivocation::ModelClaims { first, second } = self else {
            return Err(nothing());
        };
        let a = Verified::new(Event::decode(first)?)?.into_event();
        let b = Verified::new(Event::decode(second)?)?.into_event();
        let proven = match (a.kind(), b.kind()) {
            (
                Kind::ModelClaim { model, version, weights, round },
                Kind::ModelClaim {
                    model: model2,
                    version: version2,
                    weights: weights2,
                    round: round2,
                },
            ) => {
                (a.author(), a.context(), model, round) == (b.author(), b.context(), model2, round2)
                    && (version, weights) != (version2, weights2)
            }
            _ => false,
        };
        differ(proven).map(|()| *a.author())
    }
}

impl Held {
    /// The origin of the checkpoint, if it holds the leaf.
    fn open(&self, key: &NoteKey, index: u64) -> Result<String, Error> {
        let checkpoint = Checkpoint::open(&self.note, key)?;
        verify_inclusion(&self.leaf, index, checkpoint.size, &self.proof, &checkpoint.root)?;
        Ok(checkpoint.origin)
    }
}

fn differ(proven: bool) -> Result<(), Error> {
    if proven { Ok(()) } else { Err(nothing()) }
}

fn nothing() -> Error {
    Error::new(ErrorKind::Proof, "this proves no equivocation")
}
