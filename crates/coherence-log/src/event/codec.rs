//! The one encoding of an event: every field in order, every length in front of what it measures.
//!
//! ```text
//! "EKE" version=1
//! previous   0 | 1 id[32]
//! time_ms    u64
//! author     [32]      context [32]
//! embedding  0 | 1 count:u32 f32*
//! kind       tag:u8 fields
//! signature  [64]      over everything before it, after a prefix
//! ```
//! Integers and floats are little endian; texts, bytes and lists begin with their u32 count. There
//! is exactly one encoding of an event: flags are 0 or 1, floats finite, nothing follows.

use std::borrow::Cow;

use bumpalo::Bump;

use super::{Approval, Assert, Draft, Event, Id, Kind, PublicKey, Resolution, Signature};
use crate::body::Commitment;
use crate::error::{Error, ErrorKind, invalid, malformed};
use crate::hash::{Hash, leaf_hash};

/// The largest entry of a log, in bytes: tile bundles count with 16 bits. A larger event enters
/// the log as a stub with its hash and lies beside it.
pub const MAX_ENTRY_BYTES: usize = 65_535;

const MAGIC: [u8; 4] = *b"EKE\x01";
const STUB_MAGIC: [u8; 4] = *b"EKL\x01";
const STUB_BYTES: usize = 4 + 8 + 32;

/// Memory for the events of one batch or scan. They are allocated side by side and freed together,
/// several times as fast as one heap object for each event and each of its lists.
#[derive(Default)]
pub struct Arena {
    bump: Bump,
}

impl Arena {
    /// An empty arena; it grows as needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all events and keeps the memory.
    pub fn reset(&mut self) {
        self.bump.reset();
    }

    /// Decodes `entry` into the arena: lists are placed in it, texts and bytes stay in `entry`.
    ///
    /// # Errors
    /// As [`Event::decode`].
    pub fn decode<'a>(&'a self, entry: &'a [u8]) -> Result<&'a Event<'a>, Error> {
        let event = decode(entry, Place::Arena(&self.bump))?;
        Ok(self.bump.alloc(event))
    }
}

impl Event<'_> {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = encode_unsigned(&self.draft, &self.author);
        bytes.extend_from_slice(&self.signature.0);
        bytes
    }

    /// Reads the canonical encoding of an event, and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Version`] if the version is not known, [`ErrorKind::Malformed`] for anything
    /// that [`Event::encode`] does not write, [`ErrorKind::Invalid`] for a number out of range.
    pub fn decode(bytes: &[u8]) -> Result<Event<'static>, Error> {
        decode(bytes, Place::Heap).map(Event::into_owned)
    }

    /// The event's id: the leaf hash of its entry. Encodes and hashes the event.
    pub fn id(&self) -> Id {
        leaf_hash(&entry_of(&self.encode()))
    }
}

impl Resolution<'_> {
    /// What an authority signs: conflict, context, accepted, deprecated and rationale, each list
    /// and text behind its length, so that no other resolution has the same message.
    pub fn message(&self, context: &[u8; 32]) -> Vec<u8> {
        let mut bytes = b"edgekit resolution v1\0".to_vec();
        bytes.extend_from_slice(context);
        bytes.extend_from_slice(&self.conflict.0);
        put_hashes(&mut bytes, &self.accepted);
        put_hashes(&mut bytes, &self.deprecated);
        put_bytes(&mut bytes, self.rationale.as_bytes());
        bytes
    }
}

/// What the log stores as the leaf for an encoded event: itself, or a stub if it is too large.
pub(crate) fn entry_of(encoded: &[u8]) -> Cow<'_, [u8]> {
    if encoded.len() <= MAX_ENTRY_BYTES {
        return Cow::Borrowed(encoded);
    }
    let mut stub = Vec::with_capacity(STUB_BYTES);
    stub.extend_from_slice(&STUB_MAGIC);
    stub.extend_from_slice(&(encoded.len() as u64).to_le_bytes());
    stub.extend_from_slice(&Hash::of(&[encoded]).0);
    Cow::Owned(stub)
}

/// The hash of the event that `entry` stands for, if it is a stub.
#[cfg(feature = "publish")]
pub(crate) fn stub_hash(entry: &[u8]) -> Option<Hash> {
    let tail = entry.strip_prefix(&STUB_MAGIC)?;
    Some(Hash(tail.get(8..)?.try_into().ok()?))
}

/// The encoding up to the signature.
pub(super) fn encode_unsigned(draft: &Draft<'_>, author: &PublicKey) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(&MAGIC);
    put_option(&mut out, draft.previous.as_ref().map(|id| &id.0[..]));
    out.extend_from_slice(&draft.time_ms.to_le_bytes());
    out.extend_from_slice(&author.0);
    out.extend_from_slice(&draft.context);
    out.push(u8::from(draft.embedding.is_some()));
    if let Some(embedding) = &draft.embedding {
        put_count(&mut out, embedding.len());
        embedding.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
    }
    put_kind(&mut out, &draft.kind);
    out
}

/// Refuses what must not be encoded: numbers out of range and lists that cannot be counted.
pub(super) fn check(draft: &Draft<'_>) -> Result<(), Error> {
    if let Some(embedding) = &draft.embedding
        && let Some(x) = embedding.iter().find(|x| !x.is_finite())
    {
        return Err(invalid(format!("an embedding holds {x}; all its numbers must be finite")));
    }
    if let Kind::Assert(assert) = &draft.kind {
        check_confidence(assert.confidence)?;
    }
    Ok(())
}

fn check_confidence(confidence: f32) -> Result<(), Error> {
    if (0.0..=1.0).contains(&confidence) && confidence.is_sign_positive() {
        return Ok(());
    }
    Err(invalid(format!("the confidence is {confidence}; it must be from 0 to 1")))
}

fn put_kind(out: &mut Vec<u8>, kind: &Kind<'_>) {
    out.push(kind.tag() as u8);
    match kind {
        Kind::Assert(assert) => {
            put_bytes(out, assert.subject.as_bytes());
            put_bytes(out, &assert.value);
            put_hashes(out, &assert.evidence);
            out.extend_from_slice(&assert.confidence.to_le_bytes());
            put_option(out, assert.expires_ms.map(u64::to_le_bytes).as_ref().map(|x| &x[..]));
        }
        Kind::Challenge { claims, reason } => {
            put_hashes(out, claims);
            put_bytes(out, reason.as_bytes());
        }
        Kind::Support { conflict, cost } => {
            out.extend_from_slice(&conflict.0);
            out.extend_from_slice(&cost.to_le_bytes());
        }
        Kind::Resolution(resolution) => {
            out.extend_from_slice(&resolution.conflict.0);
            put_hashes(out, &resolution.accepted);
            put_hashes(out, &resolution.deprecated);
            put_bytes(out, resolution.rationale.as_bytes());
            put_count(out, resolution.signatures.len());
            for approval in resolution.signatures.iter() {
                out.extend_from_slice(&approval.authority.0);
                out.extend_from_slice(&approval.signature.0);
            }
        }
        Kind::Deprecate { claim, superseded_by } => {
            out.extend_from_slice(&claim.0);
            put_option(out, superseded_by.as_ref().map(|id| &id.0[..]));
        }
        Kind::ModelClaim { model, version, weights, round } => {
            put_bytes(out, model.as_bytes());
            put_bytes(out, version.as_bytes());
            out.extend_from_slice(&weights.0);
            out.extend_from_slice(&round.to_le_bytes());
        }
        Kind::Trace { decision, rests_on } => {
            put_bytes(out, decision);
            put_hashes(out, rests_on);
        }
        Kind::Record { content_type, trace_id, body } => {
            put_bytes(out, content_type.as_bytes());
            put_option(out, trace_id.as_ref().map(|id| &id[..]));
            out.extend_from_slice(&body.hash.0);
            out.extend_from_slice(&body.length.to_le_bytes());
        }
    }
}

/// Counts above 2^32 cannot be reached: an event of that size is refused long before.
fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    put_count(out, hashes.len());
    hashes.iter().for_each(|hash| out.extend_from_slice(&hash.0));
}

fn put_option(out: &mut Vec<u8>, value: Option<&[u8]>) {
    out.push(u8::from(value.is_some()));
    out.extend_from_slice(value.unwrap_or_default());
}

/// Where the lists of a decoded event go.
#[derive(Clone, Copy)]
enum Place<'a> {
    Heap,
    Arena(&'a Bump),
}

impl<'a> Place<'a> {
    fn list<T: Copy>(self, items: impl ExactSizeIterator<Item = T>) -> Cow<'a, [T]> {
        match self {
            Place::Heap => Cow::Owned(items.collect()),
            Place::Arena(bump) => Cow::Borrowed(bump.alloc_slice_fill_iter(items)),
        }
    }
}

fn decode<'a>(bytes: &'a [u8], place: Place<'a>) -> Result<Event<'a>, Error> {
    let mut input = Input { rest: bytes };
    let magic = input.array::<4>()?;
    if magic != MAGIC {
        return Err(match magic[..3] == MAGIC[..3] {
            true => Error::new(
                ErrorKind::Version,
                format!("the event has format version {}, this build reads 1", magic[3]),
            ),
            false => malformed("the bytes do not begin like an event"),
        });
    }
    let previous = input.option::<32>()?.map(Hash);
    let time_ms = u64::from_le_bytes(input.array()?);
    let author = PublicKey(input.array()?);
    let context = input.array()?;
    let embedding = match input.flag()? {
        false => None,
        true => {
            let numbers = input.list::<4>()?;
            Some(place.list(numbers.iter().map(|x| f32::from_le_bytes(*x))))
        }
    };
    let kind = input.kind(place)?;
    let signature = Signature(input.array()?);
    if !input.rest.is_empty() {
        return Err(malformed(format!("{} bytes follow the event", input.rest.len())));
    }
    let draft = Draft { previous, time_ms, context, embedding, kind };
    check(&draft)?;
    Ok(Event { draft, author, signature })
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(|| {
            malformed(format!("the event ends {} bytes too soon", n - self.rest.len()))
        })?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| malformed("the event ends within a field"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [x] => Err(malformed(format!("a flag is {x}, it must be 0 or 1"))),
        }
    }

    fn option<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Error> {
        if self.flag()? { self.array().map(Some) } else { Ok(None) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(length as usize)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(Cow::Borrowed).map_err(|error| malformed(format!("a text is not UTF-8: {error}")))
    }

    fn list<const N: usize>(&mut self) -> Result<&'a [[u8; N]], Error> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        let length =
            count.checked_mul(N).ok_or_else(|| malformed("a list is longer than memory"))?;
        Ok(self.take(length)?.as_chunks().0)
    }

    fn hashes(&mut self, place: Place<'a>) -> Result<Cow<'a, [Hash]>, Error> {
        Ok(place.list(self.list::<32>()?.iter().map(|hash| Hash(*hash))))
    }

    fn hash(&mut self) -> Result<Hash, Error> {
        self.array().map(Hash)
    }

    fn kind(&mut self, place: Place<'a>) -> Result<Kind<'a>, Error> {
        Ok(match self.array::<1>()? {
            [1] => Kind::Assert(Assert {
                subject: self.text()?,
                value: Cow::Borrowed(self.bytes()?),
                evidence: self.hashes(place)?,
                confidence: f32::from_le_bytes(self.array()?),
                expires_ms: self.option()?.map(u64::from_le_bytes),
            }),
            [2] => Kind::Challenge { claims: self.hashes(place)?, reason: self.text()? },
            [3] => {
                Kind::Support { conflict: self.hash()?, cost: u32::from_le_bytes(self.array()?) }
            }
            [4] => Kind::Resolution(Resolution {
                conflict: self.hash()?,
                accepted: self.hashes(place)?,
                deprecated: self.hashes(place)?,
                rationale: self.text()?,
                signatures: place.list(self.list::<96>()?.iter().map(|both| {
                    let (mut authority, mut signature) = ([0; 32], [0; 64]);
                    authority.copy_from_slice(&both[..32]);
                    signature.copy_from_slice(&both[32..]);
                    Approval { authority: PublicKey(authority), signature: Signature(signature) }
                })),
            }),
            [5] => Kind::Deprecate { claim: self.hash()?, superseded_by: self.option()?.map(Hash) },
            [6] => Kind::ModelClaim {
                model: self.text()?,
                version: self.text()?,
                weights: self.hash()?,
                round: u64::from_le_bytes(self.array()?),
            },
            [7] => Kind::Trace {
                decision: Cow::Borrowed(self.bytes()?),
                rests_on: self.hashes(place)?,
            },
            [8] => Kind::Record {
                content_type: self.text()?,
                trace_id: self.option()?,
                body: Commitment { hash: self.hash()?, length: u64::from_le_bytes(self.array()?) },
            },
            [tag] => return Err(malformed(format!("there is no event kind {tag}"))),
        })
    }
}
