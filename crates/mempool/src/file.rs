//! `MappedFile`: a read-only file in memory, mapped or read, and typed views of it with checked bounds.
#![allow(
    unsafe_code,
    reason = "mapping a file into memory is unsafe by nature: see `MappedFile::open`"
)]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aligned_vec::{AVec, ConstAlign};
use bytemuck::AnyBitPattern;
use memmap2::Mmap;

use crate::{Error, ErrorKind};

/// What the system is told about how a mapping will be used. A hint: systems that have no such call
/// ignore it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Advice {
    /// Nothing special.
    #[default]
    Normal,
    /// Pages are wanted in no order: do not read ahead.
    Random,
    /// Pages are wanted in order: read ahead, and drop what is behind.
    Sequential,
    /// All of it is wanted soon: start to read now, in the background.
    WillNeed,
}

/// Whether pages are loaded when the file is opened or when they are first touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefault {
    /// On first touch: opening costs nothing, the first pass waits for the disk.
    #[default]
    OnTouch,
    /// On opening (Linux; elsewhere as `OnTouch`): opening waits for the disk, nothing later does.
    OnOpen,
}

/// How a file is mapped.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapOptions {
    /// The hint given for the whole mapping.
    pub advice: Advice,
    /// When pages are loaded.
    pub prefault: Prefault,
}

/// A file's bytes, read-only, their start aligned to at least 64 bytes.
#[derive(Debug)]
pub struct MappedFile {
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Mapped(Mmap),
    Heap(AVec<u8, ConstAlign<64>>),
}

impl MappedFile {
    /// Maps a file without reading it: processes that map the same file share its pages.
    ///
    /// # Safety
    /// Nobody may change or truncate the file while it is mapped. Its bytes are lent as `&[T]`, which
    /// must not change, and a page cut off by truncation kills the process when it is touched
    /// (SIGBUS). Replacing the file by renaming another over it, as [`save_model`](crate::save_model)
    /// does, is fine. Where that cannot be promised, use [`read`](Self::read).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be opened or mapped.
    pub unsafe fn open(path: impl AsRef<Path>, options: MapOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let cannot = |what: &str| format!("cannot {what} {}", path.display());
        let file = File::open(path).map_err(|e| Error::io(cannot("open"), e))?;
        let mut how = memmap2::MmapOptions::new();
        if options.prefault == Prefault::OnOpen {
            how.populate();
        }
        // SAFETY: that nobody changes the file meanwhile is what our caller promises.
        let map = unsafe { how.map(&file) }.map_err(|e| Error::io(cannot("map"), e))?;
        let mapped = MappedFile { storage: Storage::Mapped(map) };
        mapped.advise(options.advice)?;
        Ok(mapped)
    }

    /// Reads a file into memory of our own: safe whatever happens to the file, at the price of a copy.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be opened or read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let cannot = |e| Error::io(format!("cannot read {}", path.display()), e);
        let mut file = File::open(path).map_err(cannot)?;
        let len = file.metadata().map_err(cannot)?.len() as usize;
        let mut bytes = AVec::new(64);
        bytes.resize(len, 0);
        file.read_exact(&mut bytes).map_err(cannot)?;
        Ok(MappedFile { storage: Storage::Heap(bytes) })
    }

    /// A copy of bytes that are in memory already, aligned as a file's are.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        MappedFile { storage: Storage::Heap(AVec::from_slice(64, bytes)) }
    }

    /// All bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.storage {
            Storage::Mapped(map) => map,
            Storage::Heap(bytes) => bytes,
        }
    }

    /// `count` elements that start at byte `offset`, in this machine's byte order.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBounds`] if they are not all in the file, [`ErrorKind::Misaligned`] if
    /// `offset` is not a multiple of the type's alignment.
    pub fn view<T: AnyBitPattern>(&self, offset: usize, count: usize) -> Result<&[T], Error> {
        let bytes = count
            .checked_mul(size_of::<T>())
            .and_then(|len| self.bytes().get(offset..offset.checked_add(len)?))
            .ok_or_else(|| {
                let (len, size) = (self.bytes().len(), size_of::<T>());
                let what = format!(
                    "{count} elements of {size} bytes at {offset} do not fit a file of {len} bytes"
                );
                Error::new(ErrorKind::OutOfBounds, what)
            })?;
        typed(bytes)
    }

    /// Tells the system how the bytes will be used. A file that was read rather than mapped needs no
    /// such hint, nor do systems other than Unix.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system refuses.
    pub fn advise(&self, advice: Advice) -> Result<(), Error> {
        #[cfg(unix)]
        if let Storage::Mapped(map) = &self.storage
            && !map.is_empty()
        {
            let hint = match advice {
                Advice::Normal => memmap2::Advice::Normal,
                Advice::Random => memmap2::Advice::Random,
                Advice::Sequential => memmap2::Advice::Sequential,
                Advice::WillNeed => memmap2::Advice::WillNeed,
            };
            map.advise(hint).map_err(|e| Error::io(format!("cannot advise {advice:?}"), e))?;
        }
        #[cfg(not(unix))]
        let _ = advice;
        Ok(())
    }
}

/// Bytes as elements, if they are aligned for them.
pub(crate) fn typed<T: AnyBitPattern>(bytes: &[u8]) -> Result<&[T], Error> {
    bytemuck::try_cast_slice(bytes).map_err(|_| {
        let (len, size, align) = (bytes.len(), size_of::<T>(), align_of::<T>());
        let what = format!(
            "{len} bytes at {:p} are not a slice of elements of {size} bytes aligned to {align}; \
             copy them out instead",
            bytes.as_ptr()
        );
        Error::new(ErrorKind::Misaligned, what)
    })
}
