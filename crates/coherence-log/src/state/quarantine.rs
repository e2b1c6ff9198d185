//! Quarantine: how a conflict heats up, escalates, and is settled.

use std::collections::BTreeMap;

use super::rules::ContextRules;
use crate::event::{Id, PublicKey, Resolution, verify};

/// How much a claim may still be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing speaks against it.
    #[default]
    None,
    /// It is challenged: use it only where being wrong is cheap.
    Conservative,
    /// It is to be used only with independent witnesses ([`super::State::witness_paths`]).
    RequiresWitness,
    /// It is not to be used.
    Blocked,
}

/// A challenge that is being argued, or was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The challenge's id.
    pub id: Id,
    /// In which context.
    pub context: [u8; 32],
    /// The claims that cannot all be true.
    pub claims: Vec<Id>,
    /// What it has heated up to, in thousandths.
    pub temperature: u32,
    /// How often it has escalated, at most [`Conflict::MAX_ESCALATIONS`] times.
    pub escalations: u8,
    /// Since when it is at its level, in milliseconds of Unix time.
    pub since_ms: u64,
    /// What each author has put in: one voice an author, its largest.
    pub support: BTreeMap<PublicKey, u32>,
    /// Whether it is settled.
    pub settled: bool,
}

impl Conflict {
    /// The temperature that a conflict begins with.
    pub const BEGIN: u32 = 500;
    /// The most that one author can add.
    pub const MAX_SUPPORT: u32 = 100;
    /// The most often that a conflict escalates.
    pub const MAX_ESCALATIONS: u8 = 3;

    pub(super) fn new(id: Id, context: [u8; 32], claims: Vec<Id>, now_ms: u64) -> Self {
        Conflict {
            id,
            context,
            claims,
            temperature: Self::BEGIN,
            escalations: 0,
            since_ms: now_ms,
            support: BTreeMap::new(),
            settled: false,
        }
    }

    /// The level that it gives its claims.
    pub fn level(&self) -> Level {
        match (self.settled, self.escalations) {
            (true, _) => Level::None,
            (false, 0) => Level::Conservative,
            (false, 1) => Level::RequiresWitness,
            (false, _) => Level::Blocked,
        }
    }

    /// Adds an author's voice, or raises it; returns whether it made a difference.
    pub(super) fn add_support(&mut self, author: PublicKey, cost: u32) -> bool {
        let cost = cost.min(Self::MAX_SUPPORT);
        let voice = self.support.entry(author).or_insert(0);
        let more = cost.saturating_sub(*voice);
        *voice += more;
        self.temperature += more;
        more > 0
    }

    /// Escalates by one level if it is too hot or has waited too long. A conflict that escalates
    /// cools down to where it began, so that it takes new voices to escalate again.
    pub(super) fn escalate(&mut self, rules: &ContextRules, now_ms: u64) -> bool {
        if self.settled || self.escalations >= Self::MAX_ESCALATIONS {
            return false;
        }
        let hot = self.temperature > rules.escalation_temperature;
        if !hot && now_ms < self.due_ms(rules) {
            return false;
        }
        self.escalations += 1;
        self.temperature = Self::BEGIN;
        self.since_ms = now_ms;
        true
    }

    /// When it escalates if nothing happens.
    pub(super) fn due_ms(&self, rules: &ContextRules) -> u64 {
        let after = u64::try_from(rules.escalation_after.as_millis()).unwrap_or(u64::MAX);
        self.since_ms.saturating_add(after)
    }

    /// Why `resolution` does not settle this conflict, or `None` if it does.
    pub(super) fn objection(
        &self,
        rules: &ContextRules,
        context: &[u8; 32],
        resolution: &Resolution<'_>,
    ) -> Option<&'static str> {
        if self.settled {
            return Some("the conflict is settled already");
        }
        if self.context != *context {
            return Some("the resolution is of another context than the conflict");
        }
        let mut named: Vec<&Id> =
            resolution.accepted.iter().chain(resolution.deprecated.iter()).collect();
        let mut claims: Vec<&Id> = self.claims.iter().collect();
        named.sort();
        claims.sort();
        if named != claims {
            return Some("the resolution does not name each claim of the conflict once");
        }
        let message = resolution.message(context);
        let mut signed: Vec<&PublicKey> = Vec::new();
        for approval in resolution.signatures.iter() {
            let known = rules.authorities.contains(&approval.authority);
            if known
                && !signed.contains(&&approval.authority)
                && verify(&approval.authority, &message, &approval.signature).is_ok()
            {
                signed.push(&approval.authority);
            }
        }
        if rules.quorum == 0 || signed.len() < rules.quorum {
            return Some("too few authorities of the context have signed the resolution");
        }
        None
    }
}
