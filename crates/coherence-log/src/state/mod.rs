//! What the log means: which claims stand, which are in doubt, and who has contradicted himself.
//!
//! The state is a pure function of the events and the rules. Its time is the latest event's, so
//! that a replay tomorrow gives what today gave.

mod ball_tree;
mod conflict;
mod consensus;
mod drift;
mod near;
mod paths;
mod quarantine;
mod rules;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use crate::error::{Error, ErrorKind};
use crate::event::{Event, Id, Kind, Resolution};
use crate::hash::Hash;
use crate::log::Log;
use crate::tree::CompactRange;

pub use conflict::{Claim, Confident, Detector, Verifier, is_candidate};
pub use consensus::Consensus;
pub use near::cosine;
pub use paths::WitnessPaths;
pub use quarantine::{Conflict, Level};
pub use rules::{ContextRules, Rules};

use consensus::Models;
use drift::Drift;
use paths::Node;

/// The meaning of a log up to some size.
pub struct State {
    rules: Rules,
    detector: Detector,
    range: CompactRange,
    now_ms: u64,
    /// Every event, for evidence and traces.
    nodes: HashMap<Id, Node>,
    /// Every claim that was ever made, and whether it still stands.
    claims: BTreeMap<Id, Standing>,
    conflicts: BTreeMap<Id, Conflict>,
    /// The conflicts that a claim was ever named in.
    conflicts_of: HashMap<Id, Vec<Id>>,
    /// When conflicts escalate by themselves.
    due: BTreeSet<(u64, Id)>,
    contradictions: Vec<(Id, Id)>,
    drift: BTreeMap<[u8; 32], Drift>,
    traces: BTreeSet<Id>,
    models: Models,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    context: [u8; 32],
    fallen: bool,
    superseded_by: Option<Id>,
}

/// What an event has changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// Two claims contradict each other. Nothing happens to them before somebody with a say in the
    /// context challenges them.
    Contradiction {
        /// The earlier claim.
        earlier: Id,
        /// The later claim.
        later: Id,
    },
    /// A conflict was opened and its claims are in quarantine.
    Opened {
        /// The challenge.
        conflict: Id,
    },
    /// A conflict's claims are at a higher level.
    Escalated {
        /// The challenge.
        conflict: Id,
        /// The level now.
        level: Level,
    },
    /// A conflict is settled.
    Settled {
        /// The challenge.
        conflict: Id,
    },
    /// A claim has fallen: withdrawn by its author or deprecated by a resolution.
    Fallen {
        /// The claim.
        claim: Id,
    },
    /// An embedding far from its context's mean.
    Drift {
        /// The context.
        context: [u8; 32],
        /// 1 − cosine.
        distance: f64,
    },
    /// One author made two different claims about one model in one round.
    Equivocation {
        /// The first of them.
        first: Id,
        /// The other one.
        second: Id,
    },
    /// The event is in the log and changes nothing.
    Ignored {
        /// The event.
        event: Id,
        /// Why.
        why: &'static str,
    },
}

impl State {
    /// The state of an empty log, with the usual verifier.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for rules out of range.
    pub fn new(rules: Rules) -> Result<State, Error> {
        State::with_verifier(rules, Box::new(Confident))
    }

    /// The state of an empty log, with a verifier of one's own.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_verifier(rules: Rules, verifier: Box<dyn Verifier>) -> Result<State, Error> {
        rules.check()?;
        Ok(State {
            detector: Detector::new(rules.clone(), verifier),
            rules,
            range: CompactRange::new(),
            now_ms: 0,
            nodes: HashMap::new(),
            claims: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            conflicts_of: HashMap::new(),
            due: BTreeSet::new(),
            contradictions: Vec::new(),
            drift: BTreeMap::new(),
            traces: BTreeSet::new(),
            models: Models::default(),
        })
    }

    /// Applies the events that `log` has and this state has not seen yet.
    ///
    /// # Errors
    /// Those of [`Log::scan`]; [`ErrorKind::Conflict`] if the log does not begin with what this
    /// state was made from.
    pub fn catch_up(&mut self, log: &Log) -> Result<Vec<Notice>, Error> {
        if log.root_at(self.size())? != self.root() {
            let size = self.size();
            let message = format!("the state of {size} events was made from another log");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let mut notices = Vec::new();
        log.scan(self.size()..u64::MAX, |index, event| {
            let id = log.id(index).unwrap_or_else(|| event.id());
            self.apply(id, event, &mut notices);
            ControlFlow::Continue(())
        })?;
        Ok(notices)
    }

    /// Applies the log's next event, whose id is `id`, and adds what it changed to `notices`.
    pub fn apply(&mut self, id: Id, event: &Event<'_>, notices: &mut Vec<Notice>) {
        self.range.push(id);
        self.now_ms = self.now_ms.max(event.time_ms());
        self.escalate_overdue(notices);
        let evidence = match event.kind() {
            Kind::Assert(assert) => assert.evidence.to_vec(),
            Kind::Trace { rests_on, .. } => rests_on.to_vec(),
            _ => Vec::new(),
        };
        self.nodes.insert(id, Node { author: *event.author(), evidence });
        let ignored = match event.kind() {
            Kind::Assert(assert) => {
                self.add_claim(Claim::new(id, event, assert), notices);
                None
            }
            Kind::Challenge { claims, .. } => self.challenge(id, event, claims, notices),
            Kind::Support { conflict, cost } => self.support(event, conflict, *cost, notices),
            Kind::Resolution(resolution) => self.resolve(event, resolution, notices),
            Kind::Deprecate { claim, superseded_by } => {
                self.withdraw(event, claim, *superseded_by, notices)
            }
            Kind::ModelClaim { model, version, weights, round } => {
                if !self.rules.of(event.context()).is_member(event.author()) {
                    Some("its author has no say in this context")
                } else {
                    let statement = (version.as_ref(), *weights);
                    let author = *event.author();
                    let first =
                        self.models.add(*event.context(), model, *round, author, id, statement);
                    notices.extend(first.map(|first| Notice::Equivocation { first, second: id }));
                    None
                }
            }
            Kind::Trace { .. } => {
                self.traces.insert(id);
                None
            }
            Kind::Record { .. } => None,
        };
        match ignored {
            Some(why) => notices.push(Notice::Ignored { event: id, why }),
            None => self.follow_drift(event, notices),
        }
    }

    /// How many events were applied.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// The Merkle root over them.
    pub fn root(&self) -> Hash {
        self.range.root()
    }

    /// How far a claim is in doubt; `None` if there is no such claim.
    pub fn level(&self, claim: &Id) -> Option<Level> {
        let standing = self.claims.get(claim)?;
        if standing.fallen {
            return Some(Level::Blocked);
        }
        let conflicts = self.conflicts_of.get(claim).into_iter().flatten();
        let levels = conflicts.filter_map(|id| self.conflicts.get(id)).map(Conflict::level);
        Some(levels.max().unwrap_or_default())
    }

    /// What took the place of a claim that its author withdrew.
    pub fn superseded_by(&self, claim: &Id) -> Option<Id> {
        self.claims.get(claim)?.superseded_by
    }

    /// A claim that stands.
    pub fn claim(&self, id: &Id) -> Option<&Claim> {
        self.detector.get(id)
    }

    /// The conflict that a challenge opened.
    pub fn conflict(&self, challenge: &Id) -> Option<&Conflict> {
        self.conflicts.get(challenge)
    }

    /// All contradictions that were found, earlier claim first.
    pub fn contradictions(&self) -> &[(Id, Id)] {
        &self.contradictions
    }

    /// The independent paths of evidence under a claim; full confidence takes twice `minimum`
    /// (usually 3).
    pub fn witness_paths(&self, claim: &Id, minimum: usize) -> WitnessPaths {
        paths::witness_paths(&self.nodes, claim, minimum)
    }

    /// What most members of a context say of a model after a round.
    pub fn consensus(&self, context: &[u8; 32], model: &str, round: u64) -> Option<Consensus> {
        self.models.consensus(context, model, round)
    }

    /// Whether a decision may be replayed: everything that it rests on, however indirectly, is
    /// known and in no doubt. Otherwise the events that are not.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such trace.
    pub fn replayable(&self, trace: &Id) -> Result<Vec<Id>, Error> {
        if !self.traces.contains(trace) {
            let message = format!("there is no decision {trace} in the log");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let mut doubtful = BTreeSet::new();
        let mut seen = BTreeSet::from([*trace]);
        let mut left = vec![*trace];
        while let Some(id) = left.pop() {
            for next in self.nodes.get(&id).map_or(&[][..], |node| &node.evidence) {
                let known = self.nodes.contains_key(next);
                if !known || self.level(next).is_some_and(|level| level > Level::None) {
                    doubtful.insert(*next);
                }
                if seen.insert(*next) {
                    left.push(*next);
                }
            }
        }
        Ok(doubtful.into_iter().collect())
    }

    fn add_claim(&mut self, claim: Claim, notices: &mut Vec<Notice>) {
        let (id, context) = (claim.id, claim.context);
        let standing = Standing { context, fallen: false, superseded_by: None };
        self.claims.insert(id, standing);
        let contradictions = &mut self.contradictions;
        self.detector.insert(claim, self.now_ms, |earlier| {
            contradictions.push((earlier.id, id));
            notices.push(Notice::Contradiction { earlier: earlier.id, later: id });
        });
    }

    fn challenge(
        &mut self,
        id: Id,
        event: &Event<'_>,
        claims: &[Id],
        notices: &mut Vec<Notice>,
    ) -> Option<&'static str> {
        let rules = self.rules.of(event.context());
        if !rules.is_member(event.author()) {
            return Some("its author has no say in this context");
        }
        let unique: BTreeSet<Id> = claims.iter().copied().collect();
        let stands = |id: &Id| {
            self.claims
                .get(id)
                .is_some_and(|claim| claim.context == *event.context() && !claim.fallen)
        };
        if unique.is_empty() || !unique.iter().all(stands) {
            return Some("it names no claims, or some that do not stand in this context");
        }
        let conflict =
            Conflict::new(id, *event.context(), unique.iter().copied().collect(), self.now_ms);
        self.due.insert((conflict.due_ms(rules), id));
        for claim in unique {
            self.conflicts_of.entry(claim).or_default().push(id);
        }
        self.conflicts.insert(id, conflict);
        notices.push(Notice::Opened { conflict: id });
        None
    }

    fn support(
        &mut self,
        event: &Event<'_>,
        conflict: &Id,
        cost: u32,
        notices: &mut Vec<Notice>,
    ) -> Option<&'static str> {
        let rules = self.rules.of(event.context());
        if !rules.is_member(event.author()) {
            return Some("its author has no say in this context");
        }
        let Some(conflict) = self.conflicts.get_mut(conflict) else {
            return Some("it supports no conflict of this log");
        };
        if conflict.context != *event.context() || conflict.settled {
            return Some("the conflict is of another context, or settled");
        }
        if !conflict.add_support(*event.author(), cost) {
            return Some("its author has spoken already, at no less cost");
        }
        let due = (conflict.due_ms(rules), conflict.id);
        if conflict.escalate(rules, self.now_ms) {
            self.due.remove(&due);
            self.due.insert((conflict.due_ms(rules), conflict.id));
            notices.push(Notice::Escalated { conflict: conflict.id, level: conflict.level() });
        }
        None
    }

    fn resolve(
        &mut self,
        event: &Event<'_>,
        resolution: &Resolution<'_>,
        notices: &mut Vec<Notice>,
    ) -> Option<&'static str> {
        let rules = self.rules.of(event.context());
        let Some(conflict) = self.conflicts.get_mut(&resolution.conflict) else {
            return Some("it settles no conflict of this log");
        };
        if let Some(why) = conflict.objection(rules, event.context(), resolution) {
            return Some(why);
        }
        conflict.settled = true;
        self.due.remove(&(conflict.due_ms(rules), conflict.id));
        notices.push(Notice::Settled { conflict: conflict.id });
        for claim in resolution.deprecated.iter() {
            self.fall(claim, None, notices);
        }
        None
    }

    fn withdraw(
        &mut self,
        event: &Event<'_>,
        claim: &Id,
        superseded_by: Option<Id>,
        notices: &mut Vec<Notice>,
    ) -> Option<&'static str> {
        let known = self.nodes.get(claim).zip(self.claims.get(claim));
        match known {
            Some((node, standing))
                if node.author == *event.author()
                    && standing.context == *event.context()
                    && !standing.fallen =>
            {
                self.fall(claim, superseded_by, notices);
                None
            }
            _ => Some("it withdraws no standing claim of its author in this context"),
        }
    }

    fn fall(&mut self, claim: &Id, superseded_by: Option<Id>, notices: &mut Vec<Notice>) {
        if let Some(standing) = self.claims.get_mut(claim).filter(|standing| !standing.fallen) {
            standing.fallen = true;
            standing.superseded_by = superseded_by;
            self.detector.remove(claim);
            notices.push(Notice::Fallen { claim: *claim });
        }
    }

    fn escalate_overdue(&mut self, notices: &mut Vec<Notice>) {
        while let Some((due, id)) = self.due.first().copied().filter(|(due, _)| *due <= self.now_ms)
        {
            self.due.remove(&(due, id));
            let Some(conflict) = self.conflicts.get_mut(&id) else { continue };
            let rules = self.rules.of(&conflict.context);
            // The clock of the level runs from when it was due, however late that is noticed.
            if conflict.escalate(rules, due) {
                notices.push(Notice::Escalated { conflict: id, level: conflict.level() });
                if conflict.escalations < Conflict::MAX_ESCALATIONS {
                    self.due.insert((conflict.due_ms(rules).max(due + 1), id));
                }
            }
        }
    }

    /// Only events that were not ignored, by authors with a say, move a context's mean.
    fn follow_drift(&mut self, event: &Event<'_>, notices: &mut Vec<Notice>) {
        let rules = self.rules.of(event.context());
        let Some(embedding) = event.embedding() else { return };
        if embedding.is_empty() || !rules.is_member(event.author()) {
            return;
        }
        let context = *event.context();
        match self.drift.get_mut(&context) {
            None => drop(self.drift.insert(context, Drift::begin(embedding))),
            Some(drift) => {
                let distance = drift.update(embedding, rules.drift_alpha);
                if let Some(distance) = distance.filter(|distance| *distance >= rules.drift_alert) {
                    notices.push(Notice::Drift { context, distance });
                }
            }
        }
    }
}
