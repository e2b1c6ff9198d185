//! Events: one encoding each, ids that depend on every field, hostile bytes refused.

use edgekit_coherence_log::event::{Arena, Assert, MAX_ENTRY_BYTES, Resolution};
use edgekit_coherence_log::hash::leaf_hash;
use edgekit_coherence_log::{Draft, ErrorKind, Event, Hash, Kind, Verified};
use proptest::prelude::*;

use crate::support::{CONTEXT, author, claim, draft};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn encoding_round_trips_on_heap_and_in_arena(draft in draft()) {
        let event = draft.sign(&author(1)).unwrap();
        let bytes = event.encode();
        let decoded = Event::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &event);
        prop_assert_eq!(decoded.encode(), bytes.clone());
        prop_assert_eq!(event.id(), leaf_hash(&bytes));
        let arena = Arena::new();
        prop_assert_eq!(arena.decode(&bytes).unwrap(), &event);
        prop_assert_eq!(arena.decode(&bytes).unwrap().clone().into_owned(), event);
    }

    /// A flipped bit is refused by the decoder or by the signature, and changes the id.
    #[test]
    fn no_flipped_bit_goes_unseen(draft in draft(), at in any::<usize>(), bit in 0u8..8) {
        let event = draft.sign(&author(1)).unwrap();
        let mut bytes = event.encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = Event::decode(&bytes) {
            prop_assert_eq!(changed.encode(), bytes);
            prop_assert_ne!(changed.id(), event.id());
            let kind = Verified::new(changed).unwrap_err().kind();
            prop_assert!(matches!(kind, ErrorKind::Signature | ErrorKind::WeakKey));
        }
    }

    #[test]
    fn every_cut_and_every_tail_is_refused(draft in draft(), at in any::<usize>()) {
        let mut bytes = draft.sign(&author(1)).unwrap().encode();
        let cut = at % bytes.len();
        prop_assert!(Event::decode(&bytes[..cut]).is_err());
        bytes.push(0);
        prop_assert_eq!(Event::decode(&bytes).unwrap_err().kind(), ErrorKind::Malformed);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Event::decode(&bytes);
        let mut bytes = [b"EKE\x01\0".as_slice(), &bytes].concat();
        let _ = Event::decode(&bytes);
        // A list that claims to be longer than memory allocates nothing.
        bytes.truncate(77);
        bytes.extend([1, 255, 255, 255, 255]);
        prop_assert!(Event::decode(&bytes).is_err());
    }
}

/// An earlier system's ids left the content out, so that claims of one millisecond collided.
#[test]
fn different_claims_of_one_millisecond_have_different_ids() {
    let (a, b) = (claim(1, 5, "s", "x"), claim(1, 5, "s", "y"));
    assert_ne!(a.id(), b.id());
    assert_ne!(claim(1, 5, "ab", "c").id(), claim(1, 5, "a", "bc").id());
    assert_ne!(claim(1, 5, "s", "x").id(), claim(2, 5, "s", "x").id());
}

#[test]
fn unknown_versions_are_told_from_nonsense() {
    let mut bytes = claim(1, 5, "s", "x").encode();
    bytes[3] = 2;
    assert_eq!(Event::decode(&bytes).unwrap_err().kind(), ErrorKind::Version);
    bytes[0] = b'X';
    assert_eq!(Event::decode(&bytes).unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn numbers_out_of_range_are_refused_before_signing_and_when_decoding() {
    let with = |confidence: f32, embedding: Option<Vec<f32>>| {
        let kind = Kind::Assert(Assert {
            subject: "s".into(),
            value: b"v".as_slice().into(),
            evidence: (&[]).into(),
            confidence,
            expires_ms: None,
        });
        let draft = Draft::new(1, CONTEXT, kind);
        Draft { embedding: embedding.map(Into::into), ..draft }.sign(&author(1))
    };
    for confidence in [f32::NAN, -0.1, 1.1, -0.0, f32::INFINITY] {
        assert_eq!(with(confidence, None).unwrap_err().kind(), ErrorKind::Invalid);
    }
    for x in [f32::NAN, f32::INFINITY] {
        assert_eq!(with(0.5, Some(vec![1.0, x])).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let good = with(0.5, None).unwrap().encode();
    let at = good.windows(4).position(|w| w == 0.5f32.to_le_bytes()).unwrap();
    for bad in [f32::NAN, -0.0, 1.5] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&bad.to_le_bytes());
        assert_eq!(Event::decode(&bytes).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

/// An earlier system signed accepted ‖ deprecated without lengths: one signature fitted both.
#[test]
fn resolutions_that_differ_have_different_messages() {
    let of = |accepted: &[Hash], deprecated: &[Hash], rationale: &str| Resolution {
        conflict: Hash([1; 32]),
        accepted: accepted.to_vec().into(),
        deprecated: deprecated.to_vec().into(),
        rationale: rationale.to_owned().into(),
        signatures: vec![].into(),
    };
    let (a, b) = (Hash([2; 32]), Hash([3; 32]));
    let messages = [
        of(&[a, b], &[], "r").message(&CONTEXT),
        of(&[a], &[b], "r").message(&CONTEXT),
        of(&[], &[a, b], "r").message(&CONTEXT),
        of(&[b], &[a], "r").message(&CONTEXT),
        of(&[a], &[b], "s").message(&CONTEXT),
        of(&[a], &[b], "r").message(&[8; 32]),
    ];
    for (i, x) in messages.iter().enumerate() {
        assert!(messages[i + 1..].iter().all(|y| x != y));
    }
}

#[test]
fn an_event_above_an_entry_keeps_one_id() {
    let small = claim(1, 5, "s", &"v".repeat(MAX_ENTRY_BYTES - 400));
    assert_eq!(small.id(), leaf_hash(&small.encode()));
    let large = claim(1, 5, "s", &"v".repeat(MAX_ENTRY_BYTES));
    assert_ne!(large.id(), leaf_hash(&large.encode()));
    assert_eq!(Verified::new(large.clone()).unwrap().id(), large.id());
    assert_ne!(claim(1, 5, "s", &"w".repeat(MAX_ENTRY_BYTES)).id(), large.id());
}
