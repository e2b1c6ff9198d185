//! Strict Ed25519: a signature is right or wrong, alone and in a batch, for everybody.
//!
//! The usual batch equation accepts some signatures that single verification refuses (and the other
//! way round) when a key or a nonce point has a component of small order. Here a key must be
//! canonical and free of torsion, and the nonce point R is *recomputed* and compared byte for byte:
//! with such a key the recomputed point is canonical and free of torsion too, so R must be. A batch
//! is the same check spread over cores; it cannot disagree.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use super::codec::{check, encode_unsigned, entry_of};
use super::{Draft, Event, Id};
use crate::error::{Error, ErrorKind};
use crate::hash::leaf_hash;

/// Put before the encoding when it is signed, so that no signature for something else fits.
const EVENT_PREFIX: &[u8] = b"edgekit event v1\0";

/// An Ed25519 public key; 32 bytes that may or may not be a good key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(
    /// The compressed point.
    pub [u8; 32],
);

/// An Ed25519 signature: R and s.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(
    /// R in the first 32 bytes, s in the last.
    pub [u8; 64],
);

/// Somebody who signs: an Ed25519 key pair. The secret is wiped when it is dropped.
#[derive(Clone)]
pub struct Author(SigningKey);

impl Author {
    /// The key pair of a 32-byte secret seed, which must come from a good random source.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Author(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs any message. For events use [`Draft::sign`].
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Author({})", self.key())
    }
}

impl<'a> Draft<'a> {
    /// Signs the draft.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if a confidence is not from 0 to 1 or an embedding holds a number
    /// that is not finite; [`ErrorKind::TooLarge`] from 4 GiB on.
    pub fn sign(self, author: &Author) -> Result<Event<'a>, Error> {
        check(&self)?;
        let message = encode_unsigned(&self, &author.key());
        if u32::try_from(message.len()).is_err() {
            let message = format!("the event has {} bytes; lengths have 32 bits", message.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let signature = author.sign(&[EVENT_PREFIX, &message].concat());
        Ok(Event { draft: self, author: author.key(), signature })
    }
}

/// An event whose signature was checked. Having one is the proof, so the log takes these.
#[derive(Clone, Debug)]
pub struct Verified {
    event: Event<'static>,
    encoded: Vec<u8>,
    id: Id,
}

impl Verified {
    /// Checks the signature of `event`. Checking several is faster with [`verify_batch`].
    ///
    /// # Errors
    /// [`ErrorKind::WeakKey`] if the author's key is not canonical or not in the prime-order
    /// subgroup, [`ErrorKind::Signature`] if the signature is not that key's over this event.
    pub fn new(event: Event<'static>) -> Result<Self, Error> {
        verify_with(&mut Keys::default(), event)
    }

    /// The event.
    pub fn event(&self) -> &Event<'static> {
        &self.event
    }

    /// Its id.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Its canonical encoding.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The event without the proof.
    pub fn into_event(self) -> Event<'static> {
        self.event
    }
}

/// Public keys that were found good, so that a key is checked once and not once for each event.
#[derive(Default)]
pub struct Keys(HashMap<PublicKey, VerifyingKey>);

impl Keys {
    /// The limit on remembered keys; beyond it all are forgotten, or strangers could fill memory.
    const LIMIT: usize = 65_536;

    fn get(&mut self, key: &PublicKey) -> Result<&VerifyingKey, Error> {
        if !self.0.contains_key(key) {
            let good = check_key(key)?;
            if self.0.len() >= Self::LIMIT {
                self.0.clear();
            }
            self.0.insert(*key, good);
        }
        Ok(&self.0[key])
    }
}

/// Whether `signature` is `key`'s over `message`, strictly (see the module's text).
///
/// # Errors
/// As [`Verified::new`].
pub fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), Error> {
    check_signature(&check_key(key)?, message, signature)
}

/// As [`Verified::new`], remembering the author's key in `keys`.
///
/// # Errors
/// As [`Verified::new`].
pub fn verify_with(keys: &mut Keys, event: Event<'static>) -> Result<Verified, Error> {
    let key = keys.get(&event.author)?;
    let mut message = EVENT_PREFIX.to_vec();
    message.extend_from_slice(&encode_unsigned(&event.draft, &event.author));
    check_signature(key, &message, &event.signature)?;
    message.extend_from_slice(&event.signature.0);
    message.drain(..EVENT_PREFIX.len());
    let id = leaf_hash(&entry_of(&message));
    Ok(Verified { event, encoded: message, id })
}

/// Checks many signatures on up to `threads` threads. Result i is that of event i, and exactly what
/// [`Verified::new`] says of it.
pub fn verify_batch(
    events: Vec<Event<'static>>,
    threads: NonZeroUsize,
) -> Vec<Result<Verified, Error>> {
    let share = events.len().div_ceil(threads.get()).max(1);
    let mut shares = Vec::new();
    let mut events = events.into_iter();
    loop {
        let part: Vec<_> = events.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        shares.push(part);
    }
    let check = |part: Vec<Event<'static>>| -> Vec<_> {
        let mut keys = Keys::default();
        part.into_iter().map(|event| verify_with(&mut keys, event)).collect()
    };
    let Some(own) = shares.pop() else { return Vec::new() };
    std::thread::scope(|scope| {
        let others: Vec<_> = shares.into_iter().map(|part| scope.spawn(|| check(part))).collect();
        let own = check(own);
        let mut results = Vec::new();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results.extend(own);
        results
    })
}

fn check_key(key: &PublicKey) -> Result<VerifyingKey, Error> {
    let weak = |why: &str| Error::new(ErrorKind::WeakKey, format!("the public key {key} {why}"));
    let compressed = CompressedEdwardsY(key.0);
    let point = compressed.decompress().ok_or_else(|| weak("is no point of the curve"))?;
    if point.compress() != compressed {
        return Err(weak("is not canonically encoded"));
    }
    if point.is_small_order() || !point.is_torsion_free() {
        return Err(weak("is not in the prime-order subgroup"));
    }
    VerifyingKey::from_bytes(&key.0).map_err(|_| weak("is no Ed25519 key"))
}

fn check_signature(key: &VerifyingKey, message: &[u8], signature: &Signature) -> Result<(), Error> {
    // Refuses s of the group order and above, recomputes R and compares its bytes, and refuses an R
    // of small order; the key is known to be free of torsion, so any accepted R is as well.
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).map_err(|_| {
        let key = PublicKey(key.to_bytes());
        Error::new(ErrorKind::Signature, format!("the signature is not that of {key} over this"))
    })
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&crate::Hash(self.0), f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl serde::Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::Hash(self.0).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::Hash::deserialize(deserializer).map(|hash| PublicKey(hash.0))
    }
}
