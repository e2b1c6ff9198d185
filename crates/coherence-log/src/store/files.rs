//! The file operations that the log needs, as a trait, so that tests can fail each of them.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// A flat directory of files. Names are ASCII without separators.
///
/// Nothing that was written counts until it is synced: a crash may keep any part of it. A file that
/// was created, renamed or removed is only so after [`sync_dir`](Files::sync_dir).
pub trait Files: Send + Sync + 'static {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;
    /// Makes an empty file, in place of one that may be there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;
    /// Renames a file, in place of one that may be there, at once.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// One open file.
pub trait StoredFile: Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset`; an end before that is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file off after `length` bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
    /// The content as it is now, to be read for as long as the map is kept. What is mapped must
    /// not be cut off meanwhile.
    fn map(&self) -> io::Result<Map>;
}

/// The bytes of a file, mapped or copied.
pub struct Map(Box<dyn Deref<Target = [u8]> + Send + Sync>);

impl Map {
    /// A map over anything that is bytes.
    pub fn new(bytes: impl Deref<Target = [u8]> + Send + Sync + 'static) -> Self {
        Map(Box::new(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Puts `bytes` in place of the file `name`, wholly or not at all, durably.
pub(crate) fn replace(files: &dyn Files, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = format!("{name}.new");
    let file = files.create(&fresh)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    files.rename(&fresh, name)?;
    files.sync_dir()
}

/// An [`ErrorKind::Io`] that says what was attempted.
pub(crate) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    |source| Error::caused(ErrorKind::Io, what, source)
}
