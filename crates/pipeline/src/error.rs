//! What stopped a pipeline or a task, and at which item.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

/// Any error, as a stage may return it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What stopped a pipeline or a task, and at which item.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    index: Option<usize>,
    stage: Option<usize>,
    message: String,
    source: Option<BoxError>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Options that cannot work, or threads that the system would not start.
    Config,
    /// The source or a stage returned an error; it is this error's source.
    Failed,
    /// The source, a stage or a task panicked.
    Panicked,
    /// A task took longer than it may.
    TimedOut,
    /// A task was cancelled because its runtime shut down.
    Cancelled,
}

impl Error {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        let message = message.into();
        Error(Box::new(Inner {
            kind: ErrorKind::Config,
            index: None,
            stage: None,
            message,
            source: None,
        }))
    }

    pub(crate) fn failed(index: usize, stage: usize, source: BoxError) -> Self {
        let message = format!("{} failed at item {index}: {source}", name(stage));
        Error(Box::new(Inner {
            kind: ErrorKind::Failed,
            index: Some(index),
            stage: Some(stage),
            message,
            source: Some(source),
        }))
    }

    pub(crate) fn panicked(index: usize, stage: usize, panic: &(dyn Any + Send)) -> Self {
        let message = format!("{} panicked at item {index}: {}", name(stage), said(panic));
        Error(Box::new(Inner {
            kind: ErrorKind::Panicked,
            index: Some(index),
            stage: Some(stage),
            message,
            source: None,
        }))
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn task(kind: ErrorKind, index: usize, what: impl fmt::Display) -> Self {
        let message = format!("the task of item {index} {what}");
        Error(Box::new(Inner { kind, index: Some(index), stage: None, message, source: None }))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The item's place in the input, from 0, if it was an item that went wrong.
    pub fn index(&self) -> Option<usize> {
        self.0.index
    }

    /// The stage, from 1 in the order in which they were added; 0 is the source. `None` outside
    /// pipelines.
    pub fn stage(&self) -> Option<usize> {
        self.0.stage
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn name(stage: usize) -> String {
    if stage == 0 { "the source".into() } else { format!("stage {stage}") }
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
