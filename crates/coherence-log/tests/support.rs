//! What several tests need: authors, drafts, arbitrary events.

use std::borrow::Cow;

use edgekit_coherence_log::body::Commitment;
use edgekit_coherence_log::event::{Approval, Assert, Resolution};
use edgekit_coherence_log::{Author, Draft, Event, Hash, Kind, PublicKey, Signature};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) const CONTEXT: [u8; 32] = [7; 32];

pub(crate) fn author(n: u8) -> Author {
    Author::from_seed(&[n; 32])
}

/// An assertion of `subject` = `value` by author `n`.
pub(crate) fn claim(n: u8, time_ms: u64, subject: &str, value: &str) -> Event<'static> {
    let kind = Kind::Assert(Assert {
        subject: Cow::Owned(subject.into()),
        value: Cow::Owned(value.into()),
        evidence: Cow::Borrowed(&[]),
        confidence: 0.9,
        expires_ms: None,
    });
    Draft::new(time_ms, CONTEXT, kind).sign(&author(n)).unwrap()
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn hashes() -> impl Strategy<Value = Cow<'static, [Hash]>> {
    vec(hash(), 0..4).prop_map(Cow::Owned)
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    ".{0,12}".prop_map(Cow::Owned)
}

fn bytes() -> impl Strategy<Value = Cow<'static, [u8]>> {
    vec(any::<u8>(), 0..40).prop_map(Cow::Owned)
}

fn approval() -> impl Strategy<Value = Approval> {
    (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(key, half)| Approval {
        authority: PublicKey(key),
        signature: Signature([half, half].concat().try_into().unwrap()),
    })
}

pub(crate) fn kind() -> impl Strategy<Value = Kind<'static>> {
    let assert = (text(), bytes(), hashes(), 0f32..=1.0, any::<Option<u64>>()).prop_map(
        |(subject, value, evidence, confidence, expires_ms)| {
            Kind::Assert(Assert { subject, value, evidence, confidence, expires_ms })
        },
    );
    let resolution = (hash(), hashes(), hashes(), text(), vec(approval(), 0..3)).prop_map(
        |(conflict, accepted, deprecated, rationale, signatures)| {
            let signatures = Cow::Owned(signatures);
            Kind::Resolution(Resolution { conflict, accepted, deprecated, rationale, signatures })
        },
    );
    prop_oneof![
        assert,
        resolution,
        (hashes(), text()).prop_map(|(claims, reason)| Kind::Challenge { claims, reason }),
        (hash(), any::<u32>()).prop_map(|(conflict, cost)| Kind::Support { conflict, cost }),
        (hash(), proptest::option::of(hash()))
            .prop_map(|(claim, superseded_by)| Kind::Deprecate { claim, superseded_by }),
        (text(), text(), hash(), any::<u64>()).prop_map(|(model, version, weights, round)| {
            Kind::ModelClaim { model, version, weights, round }
        }),
        (bytes(), hashes()).prop_map(|(decision, rests_on)| Kind::Trace { decision, rests_on }),
        (text(), any::<Option<[u8; 16]>>(), hash(), any::<u64>()).prop_map(
            |(content_type, trace_id, hash, length)| {
                Kind::Record { content_type, trace_id, body: Commitment { hash, length } }
            }
        ),
    ]
}

pub(crate) fn draft() -> impl Strategy<Value = Draft<'static>> {
    let embedding = proptest::option::of(vec(-1e3f32..1e3, 0..6).prop_map(Cow::Owned));
    (proptest::option::of(hash()), any::<u64>(), any::<[u8; 32]>(), embedding, kind()).prop_map(
        |(previous, time_ms, context, embedding, kind)| Draft {
            previous,
            time_ms,
            context,
            embedding,
            kind,
        },
    )
}

/// A log whose clock stands at 100 seconds.
pub(crate) fn config() -> edgekit_coherence_log::Config {
    let clock = edgekit_coherence_log::Clock::new(|| 100_000);
    edgekit_coherence_log::Config {
        clock,
        max_ahead: std::time::Duration::from_secs(300),
        ..Default::default()
    }
}

/// A record by author `n` and its body, salted by its time.
pub(crate) fn record(
    n: u8,
    time_ms: u64,
    bytes: &[u8],
) -> (Event<'static>, edgekit_coherence_log::body::Body) {
    let mut salt = [n; 32];
    salt[..8].copy_from_slice(&time_ms.to_le_bytes());
    let body = edgekit_coherence_log::body::Body { salt, bytes: bytes.to_vec() };
    let kind =
        Kind::Record { content_type: "text/plain".into(), trace_id: None, body: body.commitment() };
    (Draft::new(time_ms, CONTEXT, kind).sign(&author(n)).unwrap(), body)
}
