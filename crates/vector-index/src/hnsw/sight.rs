//! What building reads of the vectors, which need not be what searches read.

use edgekit_quantize::{CodeBits, ScalarCodec};

use crate::store::{Query, Store, codes};
use crate::vectors::{Vectors, check_sums};
use crate::{Originals, Storage};

/// Rows that the codes' ranges are learned from.
const SAMPLE: usize = 2_000;

/// The rows by which links are chosen.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) vectors: &'a Vectors,
    /// What walks read.
    pub(super) walked: &'a Store,
    /// What scores again what a walk found, if something can do better.
    pub(super) finer: Option<&'a Store>,
    /// What links are chosen by.
    pub(super) exact: &'a Store,
    /// What must not be visited.
    pub(super) dead: &'a [u64],
}

impl<'a> Sight<'a> {
    /// As searches read them; or with codes of one byte a value, made for the time of a build, instead
    /// of larger rows, and instead of signs that nothing else is kept of, from which rows are slow to
    /// make again.
    pub(super) fn through(vectors: &'a Vectors, scout: Option<&'a Store>) -> Self {
        let (walked, finer) = (&vectors.codes, vectors.originals.as_ref());
        let sight = Sight { vectors, walked, finer, exact: vectors.exact(), dead: vectors.dead() };
        match (scout, vectors.storage) {
            (Some(scout), Storage::Binary(_)) => Sight { walked: scout, exact: scout, ..sight },
            (Some(scout), _) => Sight { walked: scout, finer: Some(sight.exact), ..sight },
            (None, _) => sight,
        }
    }

    /// Makes the vector in `slot` a query of a walk.
    pub(super) fn query_of(&self, slot: u32, out: &mut Query) {
        out.take(self.exact, slot);
        self.walked.aim(out);
    }
}

/// Codes for [`Sight::through`] of all vectors; none for storage that is fast as it is, nor for rows
/// that are too long for codes of a byte.
pub(super) fn scout(vectors: &Vectors) -> Option<Store> {
    match vectors.storage {
        Storage::F32 | Storage::F16 | Storage::Bf16 | Storage::Binary(Originals::None) => {}
        Storage::Int8(_) | Storage::Int4(_) | Storage::Binary(_) => return None,
    }
    let (dim, slots) = (vectors.dim, vectors.slots());
    check_sums(CodeBits::Eight, dim).ok()?;
    let (exact, mut buffer) = (vectors.exact(), vec![0.0; dim]);
    let mut sample = Vec::new();
    for slot in (0..slots as u32).step_by(slots.div_ceil(SAMPLE).max(1)) {
        sample.extend_from_slice(exact.row(slot, &mut buffer));
    }
    let codec = ScalarCodec::learn(CodeBits::Eight, dim, sample.chunks_exact(dim)).ok()?;
    let mut scout = Store::new(vectors.metric, dim, codes(codec));
    scout.reserve(slots);
    for slot in 0..slots {
        scout.set(slot, exact.row(slot as u32, &mut buffer));
    }
    Some(scout)
}
