//! Proof bundles: events, proofs and a signed checkpoint in one JSON file that verifies offline.
//!
//! There is one way to write a bundle, and every byte of it is verified: by a hash, a signature, or
//! by being where it must be.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::error::{Error, ErrorKind, malformed};
use crate::event::{Event, Kind, Verified};
use crate::hash::Hash;
use crate::log::Log;
use crate::note::{Checkpoint, Note, NoteKey};
use crate::proof::verify_inclusion;

const FORMAT: &str = "edgekit-log-bundle-v1";

/// What a verified bundle holds.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The checkpoint that all the events are proven against.
    pub checkpoint: Checkpoint,
    /// The events, in the order of the log.
    pub events: Vec<Proven>,
}

/// An event of a bundle: signed by its author, and in the log.
#[derive(Clone, Debug)]
pub struct Proven {
    /// Its place in the log.
    pub index: u64,
    /// The event.
    pub event: Event<'static>,
    /// The body of a record, if the bundle brings it.
    pub body: Option<Body>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    checkpoint: String,
    events: Vec<WrittenEvent>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent {
    index: u64,
    event: String,
    proof: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<WrittenBody>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBody {
    salt: String,
    bytes: String,
}

impl Log {
    /// Bundles these events, in the order of the log, with proofs against the signed checkpoint
    /// `note` of this log. Bodies that are there come along; erased ones do not.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if an event is not below the checkpoint's size;
    /// [`ErrorKind::Conflict`] if the checkpoint is not of this log; [`ErrorKind::Io`],
    /// [`ErrorKind::Corrupt`].
    pub fn bundle(&self, indices: &[u64], note: &Note) -> Result<String, Error> {
        let checkpoint = Checkpoint::parse(note.text())?;
        if self.root_at(checkpoint.size)? != checkpoint.root {
            let message = format!("the checkpoint of {} is not of this log", checkpoint.origin);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let mut indices = indices.to_vec();
        indices.sort_unstable();
        indices.dedup();
        let mut events = Vec::with_capacity(indices.len());
        for index in indices {
            let proof = self.prove_inclusion(index, checkpoint.size)?;
            let body = match self.event(index)?.kind() {
                Kind::Record { .. } => self.body(index).ok(),
                _ => None,
            };
            events.push(WrittenEvent {
                index,
                event: BASE64_STANDARD.encode(self.encoded(index)?),
                proof: proof.iter().map(|hash| BASE64_STANDARD.encode(hash.0)).collect(),
                body: body.map(|body| WrittenBody {
                    salt: BASE64_STANDARD.encode(body.salt),
                    bytes: BASE64_STANDARD.encode(body.bytes),
                }),
            });
        }
        let written = Written { format: FORMAT.to_owned(), checkpoint: note.to_string(), events };
        Ok(written.to_json())
    }
}

impl Bundle {
    /// Verifies a bundle: the form, every signature under the checkpoint (the log's, which must be
    /// there, and those of witnesses, each by one of `witnesses`), every event's signature, every
    /// inclusion proof, every body.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`], [`ErrorKind::Signature`], [`ErrorKind::NotFound`] for a signature
    /// that is missing or by an unknown key, [`ErrorKind::Proof`], [`ErrorKind::Corrupt`] for a
    /// body.
    pub fn verify(json: &[u8], log: &NoteKey, witnesses: &[NoteKey]) -> Result<Bundle, Error> {
        let written: Written = serde_json::from_slice(json).map_err(|source| {
            Error::caused(ErrorKind::Malformed, "the bundle is not of this form", source)
        })?;
        if written.format != FORMAT {
            let message = format!("the bundle's format is {:?}, not {FORMAT:?}", written.format);
            return Err(Error::new(ErrorKind::Version, message));
        }
        if written.to_json().as_bytes() != json {
            return Err(malformed("the bundle is not written the way it is written here"));
        }
        let note = Note::parse(written.checkpoint.as_bytes())?;
        if note.to_string() != written.checkpoint {
            return Err(malformed("the bundle's checkpoint is not written the usual way"));
        }
        note.verify(log)?;
        let mut known = 1;
        for witness in witnesses {
            known += usize::from(note.verify(witness).is_ok());
        }
        if known != note.signatures().len() {
            let message =
                "a signature under the checkpoint is not by the log nor by a witness given";
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        let checkpoint = Checkpoint::parse(note.text())?;
        let mut events: Vec<Proven> = Vec::with_capacity(written.events.len());
        for event in &written.events {
            let proven = event.verify(&checkpoint)?;
            if events.last().is_some_and(|last| last.index >= proven.index) {
                return Err(malformed("the bundle's events are not in the order of the log"));
            }
            events.push(proven);
        }
        Ok(Bundle { checkpoint, events })
    }
}

impl Written {
    fn to_json(&self) -> String {
        // Strings, numbers and lists only: there is nothing that could fail to be written.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

impl WrittenEvent {
    fn verify(&self, checkpoint: &Checkpoint) -> Result<Proven, Error> {
        let verified = Verified::new(Event::decode(&decode(&self.event)?)?)?;
        let mut proof = Vec::with_capacity(self.proof.len());
        for hash in &self.proof {
            proof.push(Hash(array(hash)?));
        }
        let (index, size) = (self.index, checkpoint.size);
        verify_inclusion(&verified.id(), index, size, &proof, &checkpoint.root)?;
        let body = match (&self.body, verified.event().kind()) {
            (None, _) => None,
            (Some(written), Kind::Record { body: commitment, .. }) => {
                let body = Body { salt: array(&written.salt)?, bytes: decode(&written.bytes)? };
                if body.commitment() != *commitment {
                    let message = format!("the body of event {index} is not the one recorded");
                    return Err(Error::new(ErrorKind::Corrupt, message));
                }
                Some(body)
            }
            (Some(_), _) => {
                return Err(malformed(format!("event {index} has a body, but is no record")));
            }
        };
        Ok(Proven { index, event: verified.into_event(), body })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    BASE64_STANDARD.decode(text).map_err(|source| {
        Error::caused(ErrorKind::Malformed, "the bundle's base64 is wrong", source)
    })
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    decode(text)?.try_into().map_err(|_| malformed(format!("{text:?} is not {N} bytes in base64")))
}
