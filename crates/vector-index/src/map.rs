//! A read-only memory map.
#![allow(unsafe_code, reason = "mapping a file is unsafe: nobody may change it meanwhile")]

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::file::Source;
use crate::{Error, FlatIndex, HnswIndex};

/// The bytes of a file, shared.
#[derive(Clone)]
pub(crate) struct Map(Arc<memmap2::Mmap>);

impl Map {
    /// Maps a whole file.
    ///
    /// # Safety
    ///
    /// Nobody, in this process or another, may write to the file or truncate it while the map or a
    /// clone of it lives.
    pub(crate) unsafe fn new(file: &File) -> std::io::Result<Self> {
        // SAFETY: the caller promises that the file stays as it is.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map(Arc::new(map)))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl FlatIndex {
    /// Opens a file by mapping it into memory: in milliseconds whatever its size, searched where it
    /// lies, read-only. Header, lengths and section table are checked; the rest is not read. A file
    /// with damaged contents gives wrong results, never a panic; [`verify`](crate::verify) tells.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be mapped,
    /// [`Format`](crate::ErrorKind::Format) if it is not a flat index.
    ///
    /// # Safety
    ///
    /// Nobody, in this process or another, may write to the file while the index lives; if it is
    /// truncated, reading the index ends the process (SIGBUS). Replacing the file by
    /// [`save`](Self::save) is fine: the map keeps the old one.
    pub unsafe fn map(path: impl AsRef<Path>) -> Result<Self, Error> {
        // SAFETY: the caller promises that the file stays as it is.
        FlatIndex::parse(Source::Mapped(unsafe { Map::new(&File::open(path)?)? }))
    }

    /// Opens a file by reading all of it but the [`Originals`](crate::Originals), which are mapped:
    /// codes are scanned in memory, and of the originals only what is scored again is fetched. What
    /// is read is checked as [`read`](Self::read) does; read-only, if there are originals.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map), [`Format`](crate::ErrorKind::Format) for damage in what is read too.
    ///
    /// # Safety
    ///
    /// As [`map`](Self::map).
    pub unsafe fn map_originals(path: impl AsRef<Path>) -> Result<Self, Error> {
        // SAFETY: the caller promises that the file stays as it is.
        FlatIndex::parse(Source::Originals(unsafe { Map::new(&File::open(path)?)? }))
    }
}

impl HnswIndex {
    /// Opens a file by mapping it into memory: in milliseconds whatever its size, searched where it
    /// lies, read-only. Header, lengths and section table are checked; the rest is not read. A file
    /// with damaged contents gives wrong results, never a panic; [`verify`](crate::verify) tells.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be mapped,
    /// [`Format`](crate::ErrorKind::Format) if it is not an HNSW index.
    ///
    /// # Safety
    ///
    /// Nobody, in this process or another, may write to the file while the index lives; if it is
    /// truncated, reading the index ends the process (SIGBUS). Replacing the file by
    /// [`save`](Self::save) is fine: the map keeps the old one.
    pub unsafe fn map(path: impl AsRef<Path>) -> Result<Self, Error> {
        // SAFETY: the caller promises that the file stays as it is.
        HnswIndex::parse(Source::Mapped(unsafe { Map::new(&File::open(path)?)? }))
    }

    /// Opens a file by reading all of it but the [`Originals`](crate::Originals), which are mapped:
    /// walks stay in memory, and of the originals only what is scored again is fetched. What is
    /// read is checked as [`read`](Self::read) does; read-only, if there are originals.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map), [`Format`](crate::ErrorKind::Format) for damage in what is read too.
    ///
    /// # Safety
    ///
    /// As [`map`](Self::map).
    pub unsafe fn map_originals(path: impl AsRef<Path>) -> Result<Self, Error> {
        // SAFETY: the caller promises that the file stays as it is.
        HnswIndex::parse(Source::Originals(unsafe { Map::new(&File::open(path)?)? }))
    }
}
