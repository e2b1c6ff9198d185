//! What constraints come to by themselves, kept from one compilation to the next.

use std::sync::Arc;

use edgekit_constraint_ir::{Constraint, ContentId};
use serde_json::Value;

use crate::{Error, Part, Unsupported};

/// A piece for each constraint of a slot, in the order of their ids.
#[derive(Debug)]
pub(crate) struct Pieces<T> {
    pieces: Vec<(ContentId, T)>,
    /// Whether they are not those of the last document.
    changed: bool,
}

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Pieces { pieces: Vec::new(), changed: false }
    }
}

impl<T> Pieces<T> {
    /// Makes what is missing for `wanted`, which comes in the order of ids, and drops the rest.
    /// O(old and new pieces + what is made).
    ///
    /// # Errors
    /// That of `make`. What was not reached by then is made again the next time.
    pub(crate) fn bring<'c>(
        &mut self,
        wanted: impl Iterator<Item = (ContentId, &'c Constraint)>,
        mut make: impl FnMut(&'c Constraint) -> Result<T, Error>,
    ) -> Result<(), Error> {
        let mut old = std::mem::take(&mut self.pieces).into_iter().peekable();
        for (id, constraint) in wanted {
            while old.next_if(|(other, _)| *other < id).is_some() {
                self.changed = true;
            }
            let piece = match old.next_if(|(other, _)| *other == id) {
                Some((_, piece)) => piece,
                None => {
                    self.changed = true;
                    make(constraint)?
                }
            };
            self.pieces.push((id, piece));
        }
        self.changed |= old.next().is_some();
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ContentId, &T)> {
        self.pieces.iter().map(|(id, piece)| (*id, piece))
    }
}

/// The document of the last compilation and what it was joined from.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The schemas that it consists of: the keywords of each that are left out.
    pub(crate) schemas: Pieces<Vec<Unsupported>>,
    /// The schemas that constraints on members stand for, or why there is none.
    pub(crate) members: Pieces<Result<Value, String>>,
    joined: Option<Arc<Value>>,
}

impl Document {
    /// The document: as it is if no piece has changed, and in its old place if it comes out the
    /// same, so that it is cheap to compare.
    pub(crate) fn join(
        &mut self,
        join: impl FnOnce(&Pieces<Result<Value, String>>) -> Value,
    ) -> Part {
        let joined = match self.joined.take() {
            Some(old) if !self.schemas.changed && !self.members.changed => old,
            old => {
                let new = join(&self.members);
                old.filter(|old| **old == new).unwrap_or_else(|| Arc::new(new))
            }
        };
        (self.schemas.changed, self.members.changed) = (false, false);
        Part::Schema(Arc::clone(self.joined.insert(joined)))
    }
}
