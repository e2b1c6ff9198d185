//! Content that can be erased: the log holds a salted hash, the content lies beside it.
//!
//! The salt is as secret as the content and is erased with it. What remains in the log, a hash of
//! 256 random bits and something, says nothing about what it was, and every proof still verifies.

use crate::hash::Hash;

/// What the log keeps of a body: SHA-256 of a prefix, the salt, the length and the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The salted hash.
    pub hash: Hash,
    /// How many bytes the body has.
    pub length: u64,
}

/// A body and the salt that its commitment was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// 32 bytes from a good random source, never used twice.
    pub salt: [u8; 32],
    /// The content.
    pub bytes: Vec<u8>,
}

impl Body {
    /// What goes into the event.
    pub fn commitment(&self) -> Commitment {
        let length = self.bytes.len() as u64;
        let hash =
            Hash::of(&[b"edgekit body v1\0", &self.salt, &length.to_le_bytes(), &self.bytes]);
        Commitment { hash, length }
    }
}
