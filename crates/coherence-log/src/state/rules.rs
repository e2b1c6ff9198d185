//! What a context allows: who has a say in it, and when claims count as contradicting.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, invalid};
use crate::event::PublicKey;

/// The rules of every context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// For contexts that have no rules of their own.
    pub defaults: ContextRules,
    /// For these contexts.
    pub contexts: BTreeMap<[u8; 32], ContextRules>,
}

/// The rules of one context.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextRules {
    /// Who may challenge and support. Nobody else changes a level.
    pub members: Vec<PublicKey>,
    /// Who may resolve; authorities are members too.
    pub authorities: Vec<PublicKey>,
    /// How many different authorities must sign a resolution; with 0 nothing can be resolved.
    pub quorum: usize,
    /// From which cosine on two embeddings speak of the same thing; above 0, at most 1.
    pub similarity: f64,
    /// Claims contradict only if both are surer than this.
    pub min_confidence: f32,
    /// A conflict escalates when its temperature is above this, in thousandths.
    pub escalation_temperature: u32,
    /// A conflict escalates when it has been at its level for so long.
    pub escalation_after: Duration,
    /// How much a new embedding moves a context's mean.
    pub drift_alpha: f64,
    /// From which distance, 1 − cosine, on an embedding is reported as drift.
    pub drift_alert: f64,
}

impl Default for ContextRules {
    fn default() -> Self {
        ContextRules {
            members: Vec::new(),
            authorities: Vec::new(),
            quorum: 0,
            similarity: 0.9,
            min_confidence: 0.7,
            escalation_temperature: 800,
            escalation_after: Duration::from_secs(3600),
            drift_alpha: 0.1,
            drift_alert: 0.3,
        }
    }
}

impl Rules {
    /// The rules of `context`.
    pub fn of(&self, context: &[u8; 32]) -> &ContextRules {
        self.contexts.get(context).unwrap_or(&self.defaults)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.contexts.values().chain([&self.defaults]).try_for_each(ContextRules::check)
    }
}

impl ContextRules {
    /// Whether `key` may challenge and support.
    pub fn is_member(&self, key: &PublicKey) -> bool {
        self.members.contains(key) || self.authorities.contains(key)
    }

    fn check(&self) -> Result<(), Error> {
        let share = |name: &str, x: f64, low: f64| match (low..=1.0).contains(&x) {
            true => Ok(()),
            false => Err(invalid(format!("{name} is {x}; it must be from {low} to 1"))),
        };
        share("similarity", self.similarity, f64::MIN_POSITIVE)?;
        share("min_confidence", f64::from(self.min_confidence), 0.0)?;
        share("drift_alpha", self.drift_alpha, 0.0)?;
        share("drift_alert", self.drift_alert / 2.0, 0.0)?;
        if self.quorum > self.authorities.len() {
            let (quorum, count) = (self.quorum, self.authorities.len());
            return Err(invalid(format!("the quorum is {quorum} of {count} authorities")));
        }
        Ok(())
    }
}
