//! Finding contradictions as claims come in: each pair once, and none missed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::near::{Near, Nearness, cosine};
use super::rules::{ContextRules, Rules};
use crate::event::{Assert, Event, Id, PublicKey};

/// A claim as the detector keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The assertion's id.
    pub id: Id,
    /// Who asserts.
    pub author: PublicKey,
    /// In which context.
    pub context: [u8; 32],
    /// What the claim is about.
    pub subject: Arc<str>,
    /// What is claimed of it.
    pub value: Arc<[u8]>,
    /// How sure the author is.
    pub confidence: f32,
    /// From when on it no longer counts.
    pub expires_ms: Option<u64>,
    /// Its meaning.
    pub embedding: Option<Arc<[f32]>>,
}

/// Decides whether two claims of one context contradict each other.
///
/// It is asked about every two claims with different values that have the same subject or
/// embeddings with a cosine of at least the context's [`similarity`](ContextRules::similarity),
/// once, when the second one comes in.
pub trait Verifier: Send + Sync {
    /// Whether `a` and `b` cannot both be true at `now_ms`.
    fn incompatible(&self, rules: &ContextRules, a: &Claim, b: &Claim, now_ms: u64) -> bool;
}

/// The usual verifier: both claims are sure enough and neither has expired.
#[derive(Clone, Copy, Debug, Default)]
pub struct Confident;

impl Verifier for Confident {
    fn incompatible(&self, rules: &ContextRules, a: &Claim, b: &Claim, now_ms: u64) -> bool {
        let counts = |claim: &Claim| {
            claim.confidence > rules.min_confidence
                && claim.expires_ms.is_none_or(|expires| now_ms < expires)
        };
        counts(a) && counts(b)
    }
}

/// Whether two claims are of the sort that a [`Verifier`] is asked about: the slow twin of
/// [`Detector`], which finds the same pairs without comparing all.
pub fn is_candidate(rules: &ContextRules, a: &Claim, b: &Claim) -> bool {
    a.context == b.context
        && a.value != b.value
        && (a.subject == b.subject
            || match (&a.embedding, &b.embedding) {
                (Some(a), Some(b)) => a.len() == b.len() && cosine(a, b) >= rules.similarity,
                _ => false,
            })
}

/// The claims that stand, and for a new one those that it contradicts.
///
/// Inserting costs a hash look-up for the subject, plus, with an embedding, a search that looks at
/// the vectors nearby or, where those are too many, a SIMD pass over all of the context.
pub struct Detector {
    rules: Rules,
    verifier: Box<dyn Verifier>,
    claims: Vec<Option<Slot>>,
    /// Ids are hashes already: nobody chooses them cheaply, so a quick hasher will do.
    numbers: HashMap<Id, u32, FxBuildHasher>,
    contexts: HashMap<[u8; 32], ContextClaims>,
    /// The claims proposed for the one that comes in, to drop duplicates.
    proposed: Vec<u32>,
}

struct Slot {
    claim: Claim,
    row: Option<usize>,
}

#[derive(Default)]
struct ContextClaims {
    subjects: HashMap<Arc<str>, Subject>,
    /// One for each dimension, of which there is usually one.
    near: Vec<(usize, Near)>,
}

/// The claims about a subject.
enum Subject {
    /// The number of the only one. Most subjects have one, which then needs no memory of its own.
    One(u32),
    /// By value: those that agree need not be compared.
    Many(Vec<SameValue>),
}

/// A value and the numbers of the claims that give it.
type SameValue = (Arc<[u8]>, Vec<u32>);

impl Claim {
    /// The claim that an assertion makes.
    pub fn new(id: Id, event: &Event<'_>, assert: &Assert<'_>) -> Self {
        Claim {
            id,
            author: *event.author(),
            context: *event.context(),
            subject: assert.subject.as_ref().into(),
            value: assert.value.as_ref().into(),
            confidence: assert.confidence,
            expires_ms: assert.expires_ms,
            embedding: event.embedding().map(Into::into),
        }
    }
}

impl Detector {
    /// A detector without claims.
    pub fn new(rules: Rules, verifier: Box<dyn Verifier>) -> Self {
        Detector {
            rules,
            verifier,
            claims: Vec::new(),
            numbers: HashMap::default(),
            contexts: HashMap::new(),
            proposed: Vec::new(),
        }
    }

    /// Adds a claim and calls `found` with each standing one that it contradicts, in the order in
    /// which they came in. A claim that is there already is not added again.
    pub fn insert(&mut self, claim: Claim, now_ms: u64, mut found: impl FnMut(&Claim)) {
        let number = self.claims.len() as u32;
        match self.numbers.entry(claim.id) {
            Entry::Occupied(_) => return,
            Entry::Vacant(free) => free.insert(number),
        };
        let rules = self.rules.of(&claim.context);
        let context = self.contexts.entry(claim.context).or_default();
        let proposed = &mut self.proposed;
        proposed.clear();
        match context.subjects.entry(claim.subject.clone()) {
            Entry::Vacant(free) => {
                free.insert(Subject::One(number));
            }
            Entry::Occupied(known) => {
                let values = known.into_mut().by_value(&self.claims);
                let mut own = None;
                for (at, (value, numbers)) in values.iter().enumerate() {
                    if *value == claim.value {
                        own = Some(at);
                    } else {
                        proposed.extend_from_slice(numbers);
                    }
                }
                match own {
                    Some(at) => values[at].1.push(number),
                    None => values.push((claim.value.clone(), vec![number])),
                }
            }
        }
        let claims = &self.claims;
        let row = claim.embedding.as_ref().filter(|vector| !vector.is_empty()).map(|vector| {
            let dim = vector.len();
            let known = context.near.iter().position(|(other, _)| *other == dim);
            let at = known.unwrap_or_else(|| {
                context.near.push((dim, Near::new(dim, rules.similarity)));
                context.near.len() - 1
            });
            context.near[at].1.insert(vector, number, |other, nearness| {
                let Some(slot) = &claims[other as usize] else { return };
                let is_near = || match (nearness, &slot.claim.embedding) {
                    (Nearness::Certain, _) => true,
                    (Nearness::Possible, Some(theirs)) => {
                        cosine(theirs, vector) >= rules.similarity
                    }
                    (Nearness::Possible, None) => false,
                };
                if slot.claim.value != claim.value && is_near() {
                    proposed.push(other);
                }
            })
        });
        proposed.sort_unstable();
        proposed.dedup();
        for other in proposed.iter().filter_map(|other| self.claims[*other as usize].as_ref()) {
            if self.verifier.incompatible(rules, &other.claim, &claim, now_ms) {
                found(&other.claim);
            }
        }
        self.claims.push(Some(Slot { claim, row }));
    }

    /// Takes a claim out: it contradicts nothing that comes later.
    pub fn remove(&mut self, id: &Id) {
        let Some(number) = self.numbers.remove(id) else { return };
        let Some(slot) = self.claims[number as usize].take() else { return };
        let Some(context) = self.contexts.get_mut(&slot.claim.context) else { return };
        if let Entry::Occupied(mut subject) = context.subjects.entry(slot.claim.subject.clone()) {
            let is_empty = match subject.get_mut() {
                Subject::One(_) => true,
                Subject::Many(values) => {
                    for (_, numbers) in values.iter_mut() {
                        numbers.retain(|other| *other != number);
                    }
                    values.retain(|(_, numbers)| !numbers.is_empty());
                    values.is_empty()
                }
            };
            if is_empty {
                subject.remove();
            }
        }
        if let (Some(row), Some(vector)) = (slot.row, &slot.claim.embedding)
            && let Some((_, near)) = context.near.iter_mut().find(|(dim, _)| *dim == vector.len())
        {
            near.remove(row);
        }
    }

    /// The claim with this id, if it stands.
    pub fn get(&self, id: &Id) -> Option<&Claim> {
        let number = *self.numbers.get(id)?;
        self.claims[number as usize].as_ref().map(|slot| &slot.claim)
    }

    /// The claims that stand, in the order in which they came in.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().flatten().map(|slot| &slot.claim)
    }
}

impl Subject {
    /// The claims by value, for one more to come.
    fn by_value(&mut self, claims: &[Option<Slot>]) -> &mut Vec<SameValue> {
        loop {
            match self {
                Subject::Many(values) => return values,
                Subject::One(number) => {
                    let only = claims[*number as usize].as_ref();
                    let values = only.map(|slot| (slot.claim.value.clone(), vec![*number]));
                    *self = Subject::Many(values.into_iter().collect());
                }
            }
        }
    }
}
