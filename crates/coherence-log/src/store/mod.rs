//! Where the log lies: a few file operations, and the format of what they write.

#[cfg(any(unix, windows))]
mod dir;
mod files;
mod memory;
pub(crate) mod segment;

#[cfg(any(unix, windows))]
pub use dir::DirFiles;
pub use files::{Files, Map, StoredFile};
pub(crate) use files::{io_error, replace};
pub use memory::MemoryFiles;
