//! Requests and their keys: the canonical bytes of everything that decides the masks.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use edgekit_constraint_compile::{ENGINE_VERSION, Goal, Options};
use edgekit_constraint_ir::{Canonical, ConstraintSet, ContentId, Error as IrError, Reader};
use serde_json::Value;

use crate::{Error, ErrorKind};

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// A document that obeys one schema.
    Schema(Value),
    /// Constraints, compiled for a goal.
    Constraints(ConstraintSet, Goal),
}

impl Canonical for Asked {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Asked::Schema(schema) => put_schema(schema, out),
            Asked::Constraints(set, goal) => put_constraints(set, goal, out),
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, IrError> {
        match u8::take(input)? {
            0 => Ok(Asked::Schema(<Value as Canonical>::take(input)?)),
            1 => Ok(Asked::Constraints(ConstraintSet::take(input)?, Goal::take(input)?)),
            n => Err(IrError::malformed(format!("{n} is no tag of what is asked for"))),
        }
    }
}

/// Everything that decides the masks: what is asked for, how it is compiled, for which tokenizer,
/// with which engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The engine's version.
    pub engine: String,
    /// The tokenizer's id.
    pub tokenizer: String,
    /// How it is compiled.
    pub options: Options,
    /// What is asked for.
    pub asked: Asked,
}

impl Request {
    /// Reads the bytes of a [`Key`]. They need not be trusted.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] for anything but the canonical bytes of a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |what: &str| Error::new(ErrorKind::Malformed, format!("no request: {what}"));
        let request = <Request as Canonical>::decode(bytes).map_err(|e| wrong(&e.to_string()))?;
        // Lines and columns can be read, but no key has them.
        if request.encode() == bytes { Ok(request) } else { Err(wrong("it is not canonical")) }
    }

    /// The key of the request.
    pub fn key(&self) -> Key {
        Key::of(self.encode())
    }
}

impl Canonical for Request {
    fn put(&self, out: &mut Vec<u8>) {
        self.engine.put(out);
        self.tokenizer.put(out);
        self.options.put(out);
        self.asked.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, IrError> {
        Ok(Request {
            engine: String::take(input)?,
            tokenizer: String::take(input)?,
            options: Options::take(input)?,
            asked: Asked::take(input)?,
        })
    }
}

/// The canonical bytes of a request and their xxh3-128. A clone shares the bytes.
///
/// Two keys are equal if their bytes are: a collision of the hash costs time and nothing else.
#[derive(Clone, Debug)]
pub struct Key {
    id: ContentId,
    bytes: Arc<[u8]>,
}

impl Key {
    /// The key of these bytes. O(n).
    pub fn of(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Key { id: ContentId::of(&bytes), bytes }
    }

    /// The hash.
    pub fn id(&self) -> ContentId {
        self.id
    }

    /// The bytes, which [`Request::decode`] reads.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && (Arc::ptr_eq(&self.bytes, &other.bytes) || self.bytes == other.bytes)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.id.get() as u64);
    }
}

/// Makes the keys of one cache: what all of them share is encoded once.
#[derive(Clone, Debug)]
pub(crate) struct KeyMaker {
    prefix: Vec<u8>,
}

impl KeyMaker {
    pub(crate) fn new(tokenizer: &str, options: &Options) -> Self {
        // The request of an empty schema without that schema.
        let empty = Request {
            engine: ENGINE_VERSION.into(),
            tokenizer: tokenizer.into(),
            options: *options,
            asked: Asked::Schema(Value::Null),
        };
        let mut prefix = empty.encode();
        let mut asked = Vec::new();
        empty.asked.put(&mut asked);
        prefix.truncate(prefix.len() - asked.len());
        KeyMaker { prefix }
    }

    pub(crate) fn schema(&self, schema: &Value) -> Key {
        self.key(|out| put_schema(schema, out))
    }

    pub(crate) fn constraints(&self, set: &ConstraintSet, goal: &Goal) -> Key {
        self.key(|out| put_constraints(set, goal, out))
    }

    /// Whether a request was made for the same tokenizer, options and engine.
    #[cfg(feature = "redis")]
    pub(crate) fn matches(&self, request: &Request) -> bool {
        request.encode().starts_with(&self.prefix)
    }

    fn key(&self, put: impl FnOnce(&mut Vec<u8>)) -> Key {
        let mut out = Vec::with_capacity(self.prefix.len() + 2048);
        out.extend_from_slice(&self.prefix);
        put(&mut out);
        Key::of(out)
    }
}

fn put_schema(schema: &Value, out: &mut Vec<u8>) {
    out.push(0);
    schema.put(out);
}

fn put_constraints(set: &ConstraintSet, goal: &Goal, out: &mut Vec<u8>) {
    out.push(1);
    // Lines and columns do not decide masks, and an id does not cover them.
    let placed = set.iter().any(|(_, c)| c.origin.line != 0 || c.origin.column != 0);
    let set = if placed { Cow::Owned(without_lines(set)) } else { Cow::Borrowed(set) };
    set.put(out);
    goal.put(out);
}

fn without_lines(set: &ConstraintSet) -> ConstraintSet {
    set.iter()
        .map(|(_, c)| {
            let mut c = c.as_ref().clone();
            (c.origin.line, c.origin.column) = (0, 0);
            c
        })
        .collect()
}
