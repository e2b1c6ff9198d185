//! The file format: one header, a table of sections, and the arrays of an index as they are.
//!
//! All numbers are little endian. The header is 128 bytes, its checksum covers it and the table:
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | magic `EKVINDEX` |
//! | 8..12 | version, 1 |
//! | 12..16 | what it is: 1 flat, 2 HNSW; metric; storage; originals (one byte each) |
//! | 16..20, 20..24 | dimension; number of sections |
//! | 24..32 | number of slots |
//! | 32..36, 36..40, 40..44, 44..48 | m, ef_construction, alpha, entry node |
//! | 48..56, 56..60 | seed; length of the longest vector |
//! | 64..72 | length of the file |
//! | 120..128 | XXH3 of bytes 0..120 and the table |
//!
//! A line of the table is 32 bytes: tag, zero, start, length in bytes, XXH3 of the section. Tags ascend.
//! Sections start at multiples of 64 bytes, so that a map of the file can be searched where it lies.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::{BufWriter, ErrorKind::AlreadyExists, Read, Write};
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use edgekit_quantize::ScalarCodec;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::map::Map;
use crate::slab::Slab;
use crate::{Error, ErrorKind};

const MAGIC: [u8; 8] = *b"EKVINDEX";
const VERSION: u32 = 1;
const HEADER: usize = 128;
const LINE: usize = 32;
const ALIGN: usize = 64;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Tag {
    Codes = 1,
    Squares,
    Middles,
    Steps,
    Originals,
    Norms,
    Ids,
    Free,
    Base,
    Upper,
    UpperStart,
    Levels,
    Parents,
}

/// The numbers of a header.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) metric: u8,
    pub(crate) storage: u8,
    pub(crate) originals: u8,
    pub(crate) dim: u32,
    pub(crate) slots: u64,
    pub(crate) m: u32,
    pub(crate) ef_construction: u32,
    pub(crate) alpha: f32,
    pub(crate) entry: u32,
    pub(crate) seed: u64,
    pub(crate) max_norm: f32,
}

/// Writes an index beside `path`, syncs it to the disk and moves it there, so that whoever opens
/// `path` finds the old file or the new one, whole.
pub(crate) fn save(path: &Path, header: &Header, sections: &[(Tag, &[u8])]) -> Result<(), Error> {
    little_endian()?;
    let (temporary, file) = beside(path)?;
    let written = write(file, header, sections).and_then(|()| {
        fs::rename(&temporary, path)?;
        // The new name is on the disk when its directory is.
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        #[cfg(unix)]
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        #[cfg(not(unix))]
        let _ = directory;
        Ok(())
    });
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    Ok(written?)
}

/// A new file beside `path` that nobody else writes to: not another thread, nor another process on
/// another machine or in another container, whose number may be the same.
fn beside(path: &Path) -> std::io::Result<(PathBuf, File)> {
    loop {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{:016x}.tmp", RandomState::new().hash_one(0)));
        let temporary = path.with_file_name(name);
        match File::create_new(&temporary) {
            Err(error) if error.kind() == AlreadyExists => {}
            made => return Ok((temporary, made?)),
        }
    }
}

fn write(file: File, header: &Header, sections: &[(Tag, &[u8])]) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    put(&mut out, header, sections)?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

/// Writes the bytes of an index file anywhere.
pub(crate) fn write_to(
    mut out: impl Write,
    header: &Header,
    sections: &[(Tag, &[u8])],
) -> Result<(), Error> {
    little_endian()?;
    Ok(put(&mut out, header, sections)?)
}

fn put(out: &mut impl Write, header: &Header, sections: &[(Tag, &[u8])]) -> std::io::Result<()> {
    let mut table = Vec::with_capacity(sections.len() * LINE);
    let mut end = HEADER + sections.len() * LINE;
    for (tag, bytes) in sections {
        let start = end.next_multiple_of(ALIGN);
        table.extend((*tag as u32).to_le_bytes());
        table.extend([0; 4]);
        table.extend((start as u64).to_le_bytes());
        table.extend((bytes.len() as u64).to_le_bytes());
        table.extend(xxh3_64(bytes).to_le_bytes());
        end = start + bytes.len();
    }
    out.write_all(&header.encode(sections.len(), end, &table))?;
    out.write_all(&table)?;
    let mut at = HEADER + table.len();
    for (_, bytes) in sections {
        let start = at.next_multiple_of(ALIGN);
        out.write_all(&[0; ALIGN][..start - at])?;
        out.write_all(bytes)?;
        at = start + bytes.len();
    }
    Ok(())
}

impl Header {
    fn encode(&self, sections: usize, len: usize, table: &[u8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &[self.kind, self.metric, self.storage, self.originals]);
        put(16, &self.dim.to_le_bytes());
        put(20, &(sections as u32).to_le_bytes());
        put(24, &self.slots.to_le_bytes());
        put(32, &self.m.to_le_bytes());
        put(36, &self.ef_construction.to_le_bytes());
        put(40, &self.alpha.to_le_bytes());
        put(44, &self.entry.to_le_bytes());
        put(48, &self.seed.to_le_bytes());
        put(56, &self.max_norm.to_le_bytes());
        put(64, &(len as u64).to_le_bytes());
        let sum = checksum(&bytes, table);
        bytes[120..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER]) -> Self {
        Header {
            kind: bytes[12],
            metric: bytes[13],
            storage: bytes[14],
            originals: bytes[15],
            dim: number(bytes, 16),
            slots: long(bytes, 24),
            m: number(bytes, 32),
            ef_construction: number(bytes, 36),
            alpha: f32::from_bits(number(bytes, 40)),
            entry: number(bytes, 44),
            seed: long(bytes, 48),
            max_norm: f32::from_bits(number(bytes, 56)),
        }
    }
}

/// Where the bytes of a file are.
pub(crate) enum Source {
    /// Read into memory; arrays are copied out of it.
    Read(Vec<u8>),
    /// Mapped; arrays stay where they are.
    Mapped(Map),
    /// Mapped; originals stay where they are, all else is copied out of it.
    Originals(Map),
}

impl Source {
    /// Reads a file, of one that is no index or says that it is shorter no more than it takes to see
    /// that.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        (&file).take(HEADER as u64).read_to_end(&mut bytes)?;
        let (_, len) = head(&bytes)?;
        let rest = len.saturating_sub(HEADER as u64);
        let there = file.metadata()?.len().min(rest);
        bytes.try_reserve_exact(there as usize).map_err(std::io::Error::from)?;
        // One byte more, so that a longer file is refused as it is elsewhere.
        file.take(rest.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(Source::Read(bytes))
    }

    /// Whether a section is copied, and so worth checking as it is read anyway.
    fn copies(&self, tag: u32) -> bool {
        match self {
            Source::Read(_) => true,
            Source::Mapped(_) => false,
            Source::Originals(_) => tag != Tag::Originals as u32,
        }
    }
}

/// A file whose header and table are right: every section lies within it.
pub(crate) struct Parsed {
    source: Source,
    pub(crate) header: Header,
    /// `(tag, start, length)`.
    sections: Vec<(u32, usize, usize)>,
}

impl Parsed {
    /// Checks header and table, and the checksum of every section that is read.
    pub(crate) fn new(source: Source) -> Result<Self, Error> {
        little_endian()?;
        let bytes = source.bytes();
        let (head, len) = head(bytes)?;
        let rest = &bytes[HEADER..];
        if len != bytes.len() as u64 {
            return refuse(format!("the file has {} bytes and should have {len}", bytes.len()));
        }
        let table = (number(head, 20) as usize).checked_mul(LINE).and_then(|len| rest.get(..len));
        let Some(table) = table else {
            return refuse("the table of sections is longer than the file".into());
        };
        // A fuzzer would hardly get past checksums.
        let sums_count = !cfg!(fuzzing);
        if sums_count && checksum(head, table) != long(head, 120) {
            return refuse("the header's checksum is wrong: the file is damaged".into());
        }
        let mut sections: Vec<(u32, usize, usize)> = Vec::new();
        for line in table.chunks_exact(LINE) {
            let (tag, start, len) = (number(line, 0), long(line, 8), long(line, 16));
            // So there are no more of them than there are tags, and no section is summed twice.
            let last = sections.last().map_or(0, |section| section.0);
            if !(last + 1..=Tag::Parents as u32).contains(&tag) {
                return refuse(format!("section {tag} is unknown or out of order"));
            }
            let end = start.checked_add(len).filter(|&end| end <= bytes.len() as u64);
            if end.is_none() || !start.is_multiple_of(ALIGN as u64) {
                return refuse(format!("section {tag} does not lie within the file"));
            }
            let (start, len) = (start as usize, len as usize);
            if sums_count
                && source.copies(tag)
                && xxh3_64(&bytes[start..start + len]) != long(line, 24)
            {
                return refuse(format!(
                    "the checksum of section {tag} is wrong: the file is damaged"
                ));
            }
            sections.push((tag, start, len));
        }
        let header = Header::decode(head);
        Ok(Parsed { source, header, sections })
    }

    /// A section of any length, as an array.
    pub(crate) fn array<T: Pod>(&self, tag: Tag) -> Result<Slab<T>, Error> {
        let found = self.sections.iter().find(|section| section.0 == tag as u32);
        let Some(&(_, start, len)) = found else {
            return refuse(format!("section {tag:?} is missing"));
        };
        if !len.is_multiple_of(size_of::<T>()) {
            return refuse(format!("section {tag:?} is cut off at {len} bytes"));
        }
        let values = len / size_of::<T>();
        match &self.source {
            Source::Mapped(map) | Source::Originals(map) if !self.source.copies(tag as u32) => {
                match Slab::mapped(map, start, values) {
                    Some(slab) => Ok(slab),
                    None => refuse(format!("section {tag:?} is not aligned in memory")),
                }
            }
            source => {
                let bytes = &source.bytes()[start..start + len];
                let mut slab = Slab::new();
                slab.owned().resize(values, T::zeroed());
                bytemuck::cast_slice_mut(slab.owned()).copy_from_slice(bytes);
                Ok(slab)
            }
        }
    }

    /// A section of exactly `len` values.
    pub(crate) fn exact<T: Pod>(&self, tag: Tag, len: Option<usize>) -> Result<Slab<T>, Error> {
        let slab = self.array(tag)?;
        if Some(slab.len()) != len {
            return refuse(format!(
                "section {tag:?} has {} values, which do not fit the header",
                slab.len()
            ));
        }
        Ok(slab)
    }

    /// The codec of the codes.
    pub(crate) fn codec(&self, bits: edgekit_quantize::CodeBits) -> Result<ScalarCodec, Error> {
        let dim = Some(self.header.dim as usize);
        let middles = self.exact::<f32>(Tag::Middles, dim)?.to_vec();
        let steps = self.exact::<f32>(Tag::Steps, dim)?.to_vec();
        ScalarCodec::from_parts(bits, middles, steps)
            .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))
    }

    /// How many slots there are; refused beyond what an index can address.
    pub(crate) fn slots(&self) -> Result<usize, Error> {
        match usize::try_from(self.header.slots) {
            Ok(slots) if slots <= crate::pool::MAX_IDS => Ok(slots),
            _ => refuse(format!("{} vectors are more than an index holds", self.header.slots)),
        }
    }
}

impl Source {
    /// What the file says that it is.
    pub(crate) fn kind(&self) -> Option<u8> {
        self.bytes().get(12).copied()
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Source::Read(bytes) => bytes,
            Source::Mapped(map) | Source::Originals(map) => map,
        }
    }
}

pub(crate) fn refuse<T>(what: String) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Format, what))
}

/// The header of what is an index file, and how long it says the file is.
fn head(bytes: &[u8]) -> Result<(&[u8; HEADER], u64), Error> {
    let Some(head) = bytes.first_chunk::<HEADER>() else {
        return refuse(format!("{} bytes are too few for an index file", bytes.len()));
    };
    if head[..8] != MAGIC {
        return refuse("this is no index file: it does not begin with EKVINDEX".into());
    }
    let version = number(head, 8);
    if version != VERSION {
        return refuse(format!("version {version} of the format is unknown; this reads {VERSION}"));
    }
    Ok((head, long(head, 64)))
}

fn checksum(head: &[u8; HEADER], table: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&head[..120]);
    hash.update(table);
    hash.digest()
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn little_endian() -> Result<(), Error> {
    if cfg!(target_endian = "big") {
        return Err(Error::new(
            ErrorKind::Config,
            "index files are little endian and used as they are; this machine is big endian",
        ));
    }
    Ok(())
}
