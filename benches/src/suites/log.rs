//! coherence-log: the tree against ct-merkle, durable appends against a plain group commit (and
//! fjall and redb as peers), conflict detection against comparing all pairs.

mod conflicts;
mod durable;
mod tree;

use std::borrow::Cow;
use std::num::NonZeroUsize;

use edgekit_coherence_log::event::{Assert, verify_batch};
use edgekit_coherence_log::{Author, Draft, Event, Hash, Kind, Verified};

use crate::Suite;

/// Declares what can be measured of the room.
pub fn declare(suite: &mut Suite) {
    tree::declare(suite);
    durable::declare(suite);
    conflicts::declare(suite);
}

/// Assertion number `i`, of about 250 bytes with three pieces of evidence.
fn event(author: &Author, i: u64, embedding: Option<Vec<f32>>) -> Event<'static> {
    let evidence: Vec<Hash> = (0..3).map(|k| Hash::of(&[&i.to_le_bytes(), &[k]])).collect();
    let kind = Kind::Assert(Assert {
        subject: Cow::Owned(format!("sensor/{}/temperature", i % 100)),
        value: Cow::Owned(i.to_le_bytes().to_vec()),
        evidence: Cow::Owned(evidence),
        confidence: 0.9,
        expires_ms: None,
    });
    let draft = Draft::new(i, [7; 32], kind);
    let draft = Draft { embedding: embedding.map(Cow::Owned), ..draft };
    draft.sign(author).expect("the numbers are in range")
}

/// Signed and checked events 0 to `count`.
fn verified(count: u64) -> Vec<Verified> {
    let author = Author::from_seed(&[1; 32]);
    let events = (0..count).map(|i| event(&author, i, None)).collect();
    let results = verify_batch(events, threads());
    results.into_iter().map(|result| result.expect("it was just signed")).collect()
}

fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
