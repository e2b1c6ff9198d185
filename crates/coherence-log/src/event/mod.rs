//! What the log records: signed events of eight kinds.

mod codec;
mod sign;

use std::borrow::Cow;

use crate::hash::Hash;

pub(crate) use codec::entry_of;
#[cfg(feature = "publish")]
pub(crate) use codec::stub_hash;
pub use codec::{Arena, MAX_ENTRY_BYTES};
pub use sign::{Author, Keys, PublicKey, Signature, Verified, verify, verify_batch, verify_with};

/// The id of an event: the leaf hash of its entry, so it depends on every field, the signature
/// included.
pub type Id = Hash;

/// A statement before it is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft<'a> {
    /// The author's event before this one in the same log, if the author links its events.
    pub previous: Option<Id>,
    /// When it was made, in milliseconds of Unix time.
    pub time_ms: u64,
    /// What it belongs to: a task, a tenant, a topic. Authorities and drift go by context.
    pub context: [u8; 32],
    /// Its meaning as a vector of finite numbers, for finding what it contradicts.
    pub embedding: Option<Cow<'a, [f32]>>,
    /// What is said.
    pub kind: Kind<'a>,
}

/// A signed statement. Built by [`Draft::sign`] or read by [`Event::decode`]; whether the
/// signature is right is only known of a [`Verified`].
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    pub(crate) draft: Draft<'a>,
    pub(crate) author: PublicKey,
    pub(crate) signature: Signature,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind<'a> {
    /// A claim about the world.
    Assert(Assert<'a>),
    /// Names claims that cannot all be true and quarantines them.
    Challenge {
        /// The claims, at least one.
        claims: Cow<'a, [Id]>,
        /// Why, in words.
        reason: Cow<'a, str>,
    },
    /// Adds weight to a challenge.
    Support {
        /// The id of the challenge.
        conflict: Id,
        /// What the supporter spent on it, in thousandths of the temperature scale.
        cost: u32,
    },
    /// Settles a challenge.
    Resolution(Resolution<'a>),
    /// Withdraws a claim of one's own.
    Deprecate {
        /// The claim.
        claim: Id,
        /// What takes its place.
        superseded_by: Option<Id>,
    },
    /// States which weights a model had after a round of training.
    ModelClaim {
        /// The model's name.
        model: Cow<'a, str>,
        /// The version of the code or the data that made them.
        version: Cow<'a, str>,
        /// The hash of the weights or of the gradient.
        weights: Hash,
        /// The round.
        round: u64,
    },
    /// A decision and everything it rests on.
    Trace {
        /// The decision.
        decision: Cow<'a, [u8]>,
        /// The events that it would not have been made without.
        rests_on: Cow<'a, [Id]>,
    },
    /// Anything that has to be kept: a tool call, an approval, a prompt. Its content lies beside
    /// the log and can be erased ([`crate::body`]).
    Record {
        /// What the content is: a media type or a name of one's own.
        content_type: Cow<'a, str>,
        /// The W3C trace id of the request that it belongs to.
        trace_id: Option<[u8; 16]>,
        /// The salted hash of the content.
        body: crate::body::Commitment,
    },
}

/// A claim: `subject` is `value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assert<'a> {
    /// What the claim is about.
    pub subject: Cow<'a, str>,
    /// What is claimed of it.
    pub value: Cow<'a, [u8]>,
    /// Events that the claim rests on.
    pub evidence: Cow<'a, [Id]>,
    /// How sure the author is, 0 to 1.
    pub confidence: f32,
    /// From when on it no longer counts, in milliseconds of Unix time.
    pub expires_ms: Option<u64>,
}

/// The end of a conflict: which claims stand, which do not, and who of the authorities says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution<'a> {
    /// The id of the challenge.
    pub conflict: Id,
    /// The claims that stand.
    pub accepted: Cow<'a, [Id]>,
    /// The claims that fall.
    pub deprecated: Cow<'a, [Id]>,
    /// Why, in words; part of what the authorities sign.
    pub rationale: Cow<'a, str>,
    /// Signatures over [`Resolution::message`].
    pub signatures: Cow<'a, [Approval]>,
}

/// One authority's signature under a [`Resolution`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who signs.
    pub authority: PublicKey,
    /// Over [`Resolution::message`].
    pub signature: Signature,
}

impl<'a> Draft<'a> {
    /// A draft without previous link and without embedding.
    pub fn new(time_ms: u64, context: [u8; 32], kind: Kind<'a>) -> Self {
        Draft { previous: None, time_ms, context, embedding: None, kind }
    }

    fn into_owned(self) -> Draft<'static> {
        Draft {
            previous: self.previous,
            time_ms: self.time_ms,
            context: self.context,
            embedding: self.embedding.map(owned),
            kind: self.kind.into_owned(),
        }
    }
}

impl<'a> Event<'a> {
    /// The author's event before this one, if it names one.
    pub fn previous(&self) -> Option<Id> {
        self.draft.previous
    }

    /// When it was made, in milliseconds of Unix time.
    pub fn time_ms(&self) -> u64 {
        self.draft.time_ms
    }

    /// Who says it.
    pub fn author(&self) -> &PublicKey {
        &self.author
    }

    /// What it belongs to.
    pub fn context(&self) -> &[u8; 32] {
        &self.draft.context
    }

    /// Its meaning as a vector.
    pub fn embedding(&self) -> Option<&[f32]> {
        self.draft.embedding.as_deref()
    }

    /// What it says.
    pub fn kind(&self) -> &Kind<'a> {
        &self.draft.kind
    }

    /// The Ed25519 signature over everything else.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The same event, owning all it holds.
    pub fn into_owned(self) -> Event<'static> {
        Event { draft: self.draft.into_owned(), author: self.author, signature: self.signature }
    }
}

/// The sort of an event, without its content; the number is the one in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum KindTag {
    /// [`Kind::Assert`]
    Assert = 1,
    /// [`Kind::Challenge`]
    Challenge = 2,
    /// [`Kind::Support`]
    Support = 3,
    /// [`Kind::Resolution`]
    Resolution = 4,
    /// [`Kind::Deprecate`]
    Deprecate = 5,
    /// [`Kind::ModelClaim`]
    ModelClaim = 6,
    /// [`Kind::Trace`]
    Trace = 7,
    /// [`Kind::Record`]
    Record = 8,
}

impl KindTag {
    /// All of them.
    pub const ALL: [KindTag; 8] = [
        KindTag::Assert,
        KindTag::Challenge,
        KindTag::Support,
        KindTag::Resolution,
        KindTag::Deprecate,
        KindTag::ModelClaim,
        KindTag::Trace,
        KindTag::Record,
    ];

    /// The name, in lower case with underscores.
    pub fn name(self) -> &'static str {
        match self {
            KindTag::Assert => "assert",
            KindTag::Challenge => "challenge",
            KindTag::Support => "support",
            KindTag::Resolution => "resolution",
            KindTag::Deprecate => "deprecate",
            KindTag::ModelClaim => "model_claim",
            KindTag::Trace => "trace",
            KindTag::Record => "record",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<KindTag> {
        KindTag::ALL.into_iter().find(|tag| tag.name() == name)
    }
}

impl Kind<'_> {
    /// What sort of event it is.
    pub fn tag(&self) -> KindTag {
        match self {
            Kind::Assert(_) => KindTag::Assert,
            Kind::Challenge { .. } => KindTag::Challenge,
            Kind::Support { .. } => KindTag::Support,
            Kind::Resolution(_) => KindTag::Resolution,
            Kind::Deprecate { .. } => KindTag::Deprecate,
            Kind::ModelClaim { .. } => KindTag::ModelClaim,
            Kind::Trace { .. } => KindTag::Trace,
            Kind::Record { .. } => KindTag::Record,
        }
    }

    /// The name of its sort.
    pub fn name(&self) -> &'static str {
        self.tag().name()
    }

    fn into_owned(self) -> Kind<'static> {
        match self {
            Kind::Assert(assert) => Kind::Assert(Assert {
                subject: owned(assert.subject),
                value: owned(assert.value),
                evidence: owned(assert.evidence),
                ..assert
            }),
            Kind::Challenge { claims, reason } => {
                Kind::Challenge { claims: owned(claims), reason: owned(reason) }
            }
            Kind::Support { conflict, cost } => Kind::Support { conflict, cost },
            Kind::Resolution(resolution) => Kind::Resolution(Resolution {
                accepted: owned(resolution.accepted),
                deprecated: owned(resolution.deprecated),
                rationale: owned(resolution.rationale),
                signatures: owned(resolution.signatures),
                ..resolution
            }),
            Kind::Deprecate { claim, superseded_by } => Kind::Deprecate { claim, superseded_by },
            Kind::ModelClaim { model, version, weights, round } => {
                Kind::ModelClaim { model: owned(model), version: owned(version), weights, round }
            }
            Kind::Trace { decision, rests_on } => {
                Kind::Trace { decision: owned(decision), rests_on: owned(rests_on) }
            }
            Kind::Record { content_type, trace_id, body } => {
                Kind::Record { content_type: owned(content_type), trace_id, body }
            }
        }
    }
}

fn owned<T: ToOwned + ?Sized>(cow: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(cow.into_owned())
}
