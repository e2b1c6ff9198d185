//! Snapshots: a state as bytes, bound to the size and root that it was made from.

use serde::{Deserialize, Serialize};

use super::consensus::Statement;
use super::drift::Drift;
use super::paths::Node;
use super::{Claim, Confident, Conflict, Rules, Standing, State, Verifier};
use crate::error::{Error, ErrorKind, malformed};
use crate::event::{Id, PublicKey};
use crate::hash::Hash;
use crate::log::Log;
use crate::tree::CompactRange;

const MAGIC: &[u8; 8] = b"EKSTAT\0\x01";

/// Everything in a fixed order, floats as their bits: equal states have equal bytes.
#[derive(Serialize, Deserialize)]
struct Facts {
    size: u64,
    peaks: Vec<Hash>,
    now_ms: u64,
    nodes: Vec<(Id, PublicKey, Vec<Id>)>,
    claims: Vec<(Id, Hash, bool, Option<Id>)>,
    standing: Vec<ClaimFacts>,
    conflicts: Vec<ConflictFacts>,
    contradictions: Vec<(Id, Id)>,
    drift: Vec<(Hash, Vec<u64>)>,
    traces: Vec<Id>,
    statements: Vec<StatementFacts>,
}

#[derive(Serialize, Deserialize)]
struct ClaimFacts {
    id: Id,
    author: PublicKey,
    context: Hash,
    subject: String,
    value: Vec<u8>,
    confidence: u32,
    expires_ms: Option<u64>,
    embedding: Option<Vec<u32>>,
}

#[derive(Serialize, Deserialize)]
struct StatementFacts {
    context: Hash,
    model: String,
    round: u64,
    author: PublicKey,
    event: Id,
    version: String,
    weights: Hash,
    against: Option<Id>,
}

#[derive(Serialize, Deserialize)]
struct ConflictFacts {
    id: Id,
    context: Hash,
    claims: Vec<Id>,
    temperature: u32,
    escalations: u8,
    since_ms: u64,
    support: Vec<(PublicKey, u32)>,
    settled: bool,
}

impl State {
    /// The state as bytes: a magic, a checksum (SHA-256), and the facts. The rules are not in it.
    pub fn snapshot(&self) -> Vec<u8> {
        let facts = self.facts();
        // Strings, numbers and lists only: there is nothing that could fail to be written.
        let body = serde_json::to_vec(&facts).unwrap_or_default();
        [&MAGIC[..], &Hash::of(&[&body]).0, &body].concat()
    }

    /// The hash of all facts: equal exactly if two states are.
    pub fn digest(&self) -> Hash {
        Hash::of(&[&self.snapshot()])
    }

    /// Reads a snapshot that was made from `log` under these `rules`, with the usual verifier.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`], [`ErrorKind::Version`], [`ErrorKind::Corrupt`];
    /// [`ErrorKind::Conflict`] if its root is not the log's at its size;
    /// [`ErrorKind::Invalid`] for rules out of range.
    pub fn restore(bytes: &[u8], rules: Rules, log: &Log) -> Result<State, Error> {
        State::restore_with(bytes, rules, Box::new(Confident), log)
    }

    /// As [`restore`](Self::restore), with a verifier of one's own.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn restore_with(
        bytes: &[u8],
        rules: Rules,
        verifier: Box<dyn Verifier>,
        log: &Log,
    ) -> Result<State, Error> {
        let (magic, rest) = bytes
            .split_first_chunk::<8>()
            .filter(|(magic, _)| magic[..7] == MAGIC[..7])
            .ok_or_else(|| malformed("the bytes do not begin like a snapshot"))?;
        if magic != MAGIC {
            let message = format!("the snapshot has version {}, this build reads 1", magic[7]);
            return Err(Error::new(ErrorKind::Version, message));
        }
        let (digest, body) =
            rest.split_first_chunk::<32>().ok_or_else(|| malformed("the snapshot is cut off"))?;
        if Hash::of(&[body]).0 != *digest {
            return Err(Error::new(ErrorKind::Corrupt, "the snapshot does not match its checksum"));
        }
        let facts: Facts = serde_json::from_slice(body).map_err(|source| {
            Error::caused(ErrorKind::Malformed, "the snapshot is not of this form", source)
        })?;
        let mut state = State::with_verifier(rules, verifier)?;
        let range = CompactRange::from_peaks(facts.size, facts.peaks.clone());
        state.range = range.ok_or_else(|| malformed("the snapshot's size and peaks differ"))?;
        if log.root_at(facts.size).ok() != Some(state.root()) {
            let message =
                format!("the snapshot of {} events was made from another log", facts.size);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        state.take(facts);
        Ok(state)
    }

    fn facts(&self) -> Facts {
        let mut nodes: Vec<_> =
            self.nodes.iter().map(|(id, node)| (*id, node.author, node.evidence.clone())).collect();
        nodes.sort_unstable();
        let conflicts = self.conflicts.values().map(|conflict| ConflictFacts {
            id: conflict.id,
            context: Hash(conflict.context),
            claims: conflict.claims.clone(),
            temperature: conflict.temperature,
            escalations: conflict.escalations,
            since_ms: conflict.since_ms,
            support: conflict.support.iter().map(|(author, cost)| (*author, *cost)).collect(),
            settled: conflict.settled,
        });
        let statements = self.models.rounds.iter().flat_map(|((context, model, round), said)| {
            said.iter().map(|(author, statement)| StatementFacts {
                context: Hash(*context),
                model: model.clone(),
                round: *round,
                author: *author,
                event: statement.event,
                version: statement.version.clone(),
                weights: statement.weights,
                against: statement.against,
            })
        });
        Facts {
            size: self.size(),
            peaks: self.range.peaks().to_vec(),
            now_ms: self.now_ms,
            nodes,
            claims: self
                .claims
                .iter()
                .map(|(id, claim)| (*id, Hash(claim.context), claim.fallen, claim.superseded_by))
                .collect(),
            standing: self.detector.claims().map(ClaimFacts::of).collect(),
            conflicts: conflicts.collect(),
            contradictions: self.contradictions.clone(),
            drift: self
                .drift
                .iter()
                .map(|(context, drift)| {
                    (Hash(*context), drift.mean.iter().map(|x| x.to_bits()).collect())
                })
                .collect(),
            traces: self.traces.iter().copied().collect(),
            statements: statements.collect(),
        }
    }

    fn take(&mut self, facts: Facts) {
        self.now_ms = facts.now_ms;
        for (id, author, evidence) in facts.nodes {
            self.nodes.insert(id, Node { author, evidence });
        }
        for (id, context, fallen, superseded_by) in facts.claims {
            self.claims.insert(id, Standing { context: context.0, fallen, superseded_by });
        }
        for claim in facts.standing {
            // What it contradicts was found when it came in, and is among the facts.
            self.detector.insert(claim.into_claim(), self.now_ms, |_| {});
        }
        for facts in facts.conflicts {
            let conflict = Conflict {
                id: facts.id,
                context: facts.context.0,
                claims: facts.claims,
                temperature: facts.temperature,
                escalations: facts.escalations,
                since_ms: facts.since_ms,
                support: facts.support.into_iter().collect(),
                settled: facts.settled,
            };
            for claim in &conflict.claims {
                self.conflicts_of.entry(*claim).or_default().push(conflict.id);
            }
            if !conflict.settled && conflict.escalations < Conflict::MAX_ESCALATIONS {
                let due = conflict.due_ms(self.rules.of(&conflict.context));
                self.due.insert((due, conflict.id));
            }
            self.conflicts.insert(conflict.id, conflict);
        }
        self.contradictions = facts.contradictions;
        for (context, mean) in facts.drift {
            let mean = mean.into_iter().map(f64::from_bits).collect();
            self.drift.insert(context.0, Drift { mean });
        }
        self.traces = facts.traces.into_iter().collect();
        for facts in facts.statements {
            let round = (facts.context.0, facts.model, facts.round);
            let StatementFacts { author, event, version, weights, against, .. } = facts;
            let statement = Statement { event, version, weights, against };
            self.models.rounds.entry(round).or_default().insert(author, statement);
        }
    }
}

impl ClaimFacts {
    fn of(claim: &Claim) -> Self {
        let bits = |vector: &std::sync::Arc<[f32]>| vector.iter().map(|x| x.to_bits()).collect();
        ClaimFacts {
            id: claim.id,
            author: claim.author,
            context: Hash(claim.context),
            subject: claim.subject.to_string(),
            value: claim.value.to_vec(),
            confidence: claim.confidence.to_bits(),
            expires_ms: claim.expires_ms,
            embedding: claim.embedding.as_ref().map(bits),
        }
    }

    fn into_claim(self) -> Claim {
        let floats = |bits: Vec<u32>| bits.into_iter().map(f32::from_bits).collect();
        Claim {
            id: self.id,
            author: self.author,
            context: self.context.0,
            subject: self.subject.into(),
            value: self.value.into(),
            confidence: f32::from_bits(self.confidence),
            expires_ms: self.expires_ms,
            embedding: self.embedding.map(floats),
        }
    }
}
