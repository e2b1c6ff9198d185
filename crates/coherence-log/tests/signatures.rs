//! Adversarial Ed25519: one by one and in a batch, the answer is the same, and the strict one.

use std::num::NonZeroUsize;

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use ed25519_dalek::VerifyingKey;
use edgekit_coherence_log::event::{verify, verify_batch};
use edgekit_coherence_log::{ErrorKind, Event, PublicKey, Signature, Verified};

use sha2::{Digest, Sha512};

use crate::support::claim;

const PREFIX: &[u8] = b"edgekit event v1\0";
/// Where the author's key begins in an event without previous link.
const KEY_AT: usize = 4 + 1 + 8;

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// Signs with secret `a` for the key `aB + key_torsion`, with nonce point `rB + r_torsion`.
fn forge(
    message: &[u8],
    a: u64,
    key_torsion: EdwardsPoint,
    r_torsion: EdwardsPoint,
) -> ([u8; 32], [u8; 64]) {
    let (a, r) = (Scalar::from(a), Scalar::from(987_654_321u64));
    let key = (ED25519_BASEPOINT_POINT * a + key_torsion).compress().to_bytes();
    let nonce = (ED25519_BASEPOINT_POINT * r + r_torsion).compress().to_bytes();
    let s = r + challenge(&nonce, &key, message) * a;
    (key, [nonce, s.to_bytes()].concat().try_into().unwrap())
}

/// An event of the forged key with its forged signature.
fn event(time: u64, a: u64, key_torsion: EdwardsPoint, r_torsion: EdwardsPoint) -> Event<'static> {
    let mut bytes = claim(1, time, "s", "v").encode();
    let unsigned = bytes.len() - 64;
    let (key, _) = forge(b"", a, key_torsion, r_torsion);
    bytes[KEY_AT..KEY_AT + 32].copy_from_slice(&key);
    let message = [PREFIX, &bytes[..unsigned]].concat();
    let (_, signature) = forge(&message, a, key_torsion, r_torsion);
    bytes[unsigned..].copy_from_slice(&signature);
    Event::decode(&bytes).unwrap()
}

#[test]
fn single_and_batch_agree_on_adversarial_signatures() {
    let none = EIGHT_TORSION[0];
    let mut events = vec![];
    for time in 0..16 {
        events.push(event(time, 12345, none, none)); // good
        events.push(claim(2, time, "s", "v")); // good
        for torsion in &EIGHT_TORSION[1..] {
            events.push(event(time, 12345, *torsion, none)); // mixed key
            events.push(event(time, 12345, none, *torsion)); // mixed R
            events.push(event(time, 12345, *torsion, *torsion)); // both
            events.push(event(time, 0, *torsion, none)); // small-order key
        }
        events.push(event(time, 0, none, none)); // identity key
    }
    let alone: Vec<_> = events.iter().cloned().map(Verified::new).collect();
    let kinds = |all: &[Result<Verified, _>]| -> Vec<Option<ErrorKind>> {
        all.iter().map(|r| r.as_ref().err().map(edgekit_coherence_log::Error::kind)).collect()
    };
    for threads in [1, 3, 64, 1000] {
        let batch = verify_batch(events.clone(), NonZeroUsize::new(threads).unwrap());
        assert_eq!(kinds(&batch), kinds(&alone));
    }
    assert_eq!(alone.iter().filter(|r| r.is_ok()).count(), 32);
    // The library's lenient check, and even its strict one, take some of these: the case is real.
    let taken = |strict: bool| {
        let check = |event: &Event| {
            let bytes = event.encode();
            let message = [PREFIX, &bytes[..bytes.len() - 64]].concat();
            let signature = ed25519_dalek::Signature::from_bytes(&event.signature().0);
            VerifyingKey::from_bytes(&event.author().0).is_ok_and(|key| match strict {
                true => key.verify_strict(&message, &signature).is_ok(),
                false => ed25519_dalek::Verifier::verify(&key, &message, &signature).is_ok(),
            })
        };
        events.iter().filter(|event| check(event)).count()
    };
    assert!(taken(true) > 32, "mixed-order keys pass verify_strict when the challenge allows");
    assert!(taken(false) > taken(true));
}

#[test]
fn non_canonical_encodings_are_refused() {
    let message = b"message";
    let none = EIGHT_TORSION[0];
    let (key, signature) = forge(message, 5, none, none);
    assert!(verify(&PublicKey(key), message, &Signature(signature)).is_ok());
    assert!(verify(&PublicKey(key), b"other", &Signature(signature)).is_err());
    // s + l, which is the same number modulo the group order.
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut malleated = signature;
    let mut carry = 0;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + add + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    let refused = verify(&PublicKey(key), message, &Signature(malleated)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Signature);
    // y = p + 1 encodes the identity a second time; so does 1 with the sign bit.
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xee, 0x7f);
    let mut signed_one = [0; 32];
    (signed_one[0], signed_one[31]) = (1, 0x80);
    for weak in [second, signed_one, [0xff; 32], [0; 32]] {
        let refused = verify(&PublicKey(weak), message, &Signature(signature)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WeakKey, "{weak:?}");
    }
    // R of small order, which fits the equation for everybody who knows the key's secret.
    let a = Scalar::from(5u64);
    let r = none.compress().to_bytes();
    let s = challenge(&r, &key, message) * a;
    let small: [u8; 64] = [r, s.to_bytes()].concat().try_into().unwrap();
    assert!(verify(&PublicKey(key), message, &Signature(small)).is_err());
}
