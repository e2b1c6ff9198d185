//! Why a request got no answer: one opaque error with a kind.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Any error, as a processor may return it for an item.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why a request got no answer, or why a batcher could not be built.
///
/// Cheap to clone: the error of a whole batch is handed to each of its requests.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration that cannot work.
    Config,
    /// The request named a priority level that is not configured.
    Priority,
    /// The request alone weighs more than a whole batch may.
    TooHeavy,
    /// The queue, or the request's priority level, is full.
    QueueFull,
    /// The request's time was over while every slot for batches was taken.
    QueueTimeout,
    /// The batcher is shut down, or the runtime that it lived on is gone.
    Closed,
    /// The batcher was told to [`abort`](crate::Batcher::abort).
    Aborted,
    /// The processor returned an error for this item; it is the error's source.
    Item,
    /// The processor panicked on this request's batch.
    Panicked,
    /// The processor returned more or fewer results than the batch had items.
    WrongCount,
    /// The processor did not finish this request's batch in time.
    ServiceTimeout,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner { kind, message: message.into(), source: None }))
    }

    pub(crate) fn item(source: BoxError) -> Self {
        let message = format!("the processor refused this item: {source}");
        Error(Arc::new(Inner { kind: ErrorKind::Item, message, source: Some(source) }))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
