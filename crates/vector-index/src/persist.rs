//! Indexes as files: what goes into which section, and what must hold before it is believed.

use std::io::Write;
use std::path::Path;

use edgekit_quantize::{BinaryCodec, CodeBits, ScalarCodec};

use crate::file::{Header, Parsed, Source, Tag, refuse, save, write_to};
use crate::hnsw::{HnswIndex, Links};
use crate::store::Body;
use crate::stored::Stored;
use crate::vectors::{ROTATION, Vectors, check_dim, check_sums};
use crate::{Error, ErrorKind, FlatIndex, HnswConfig, Metric, Originals, Storage};

const FLAT: u8 = 1;
const HNSW: u8 = 2;

impl FlatIndex {
    /// Writes the index to a file, atomically: `path` holds the old file or the whole new one,
    /// whatever happens.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save(path.as_ref(), &self.header(), &self.vectors.sections())
    }

    /// Writes what [`save`](Self::save) writes, for files that contain an index among other things:
    /// [`from_bytes`](Self::from_bytes) reads it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if writing fails.
    pub fn write_to(&self, out: impl Write) -> Result<(), Error> {
        write_to(out, &self.header(), &self.vectors.sections())
    }

    fn header(&self) -> Header {
        Header { kind: FLAT, ..self.vectors.header() }
    }

    /// Reads an index from a file and checks all of it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be read, [`Format`](crate::ErrorKind::Format)
    /// if it is not a flat index or is damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        FlatIndex::parse(Source::read(path.as_ref())?)
    }

    /// [`read`](Self::read) from the bytes of a file.
    ///
    /// # Errors
    ///
    /// [`Format`](crate::ErrorKind::Format) likewise.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        FlatIndex::parse(Source::Read(bytes))
    }

    pub(crate) fn parse(source: Source) -> Result<Self, Error> {
        let parsed = Parsed::new(source)?;
        if parsed.header.kind != FLAT {
            return refuse("the file holds no flat index".into());
        }
        let vectors = Vectors::parse(&parsed)?;
        if vectors.len() != vectors.slots() {
            return refuse("a flat index has no free slots, this file lists some".into());
        }
        if !vectors.ids.is_mapped() {
            vectors.check_contents()?;
        }
        Ok(FlatIndex { vectors })
    }
}

impl HnswIndex {
    /// Writes the index to a file, atomically: `path` holds the old file or the whole new one,
    /// whatever happens.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        save(path.as_ref(), &self.header(), &self.sections())
    }

    /// Writes what [`save`](Self::save) writes, for files that contain an index among other things:
    /// [`from_bytes`](Self::from_bytes) reads it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if writing fails.
    pub fn write_to(&self, out: impl Write) -> Result<(), Error> {
        write_to(out, &self.header(), &self.sections())
    }

    fn header(&self) -> Header {
        let config = &self.config;
        Header {
            kind: HNSW,
            m: config.m as u32,
            ef_construction: u32::try_from(config.ef_construction).unwrap_or(u32::MAX),
            alpha: config.alpha,
            seed: config.seed,
            entry: self.entry.unwrap_or(u32::MAX),
            ..self.vectors.header()
        }
    }

    fn sections(&self) -> Vec<(Tag, &[u8])> {
        let mut sections = self.vectors.sections();
        sections.extend(self.links.sections());
        sections
    }

    /// Reads an index from a file and checks all of it: checksums, ids, links, and that every
    /// vector is reachable.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be read, [`Format`](crate::ErrorKind::Format)
    /// if it is not an HNSW index or is damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        HnswIndex::parse(Source::read(path.as_ref())?)
    }

    /// [`read`](Self::read) from the bytes of a file.
    ///
    /// # Errors
    ///
    /// [`Format`](crate::ErrorKind::Format) likewise.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        HnswIndex::parse(Source::Read(bytes))
    }

    pub(crate) fn parse(source: Source) -> Result<Self, Error> {
        let parsed = Parsed::new(source)?;
        let header = parsed.header;
        if header.kind != HNSW {
            return refuse("the file holds no HNSW index".into());
        }
        let vectors = Vectors::parse(&parsed)?;
        let config = HnswConfig {
            metric: vectors.metric,
            storage: vectors.storage,
            m: header.m as usize,
            ef_construction: header.ef_construction as usize,
            alpha: header.alpha,
            seed: header.seed,
        };
        if let Err(error) = config.validate() {
            return refuse(error.to_string());
        }
        let links = Links::parse(&parsed, config.m, vectors.slots())?;
        let entry = (header.entry != u32::MAX).then_some(header.entry);
        let entry_is_right = match entry {
            Some(entry) => (entry as usize) < vectors.slots() && !vectors.is_dead(entry),
            None => vectors.len() == 0,
        };
        if !entry_is_right {
            return refuse(format!("the search would start at {entry:?}, which is not there"));
        }
        let index = HnswIndex::from_parts(config, vectors, links, entry);
        if !index.vectors.ids.is_mapped() {
            index.vectors.check_contents()?;
            index.validate()?;
        }
        Ok(index)
    }
}

/// Checks a file of either kind wholly: every checksum, and all that [`HnswIndex::read`] checks. For
/// files that are to be mapped, whose opening checks only the header.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) if the file cannot be read, [`Format`](crate::ErrorKind::Format) if
/// it is damaged.
pub fn verify(path: impl AsRef<Path>) -> Result<(), Error> {
    let source = Source::read(path.as_ref())?;
    if source.kind() == Some(FLAT) {
        FlatIndex::parse(source).map(|_| ())
    } else {
        HnswIndex::parse(source).map(|_| ())
    }
}

impl Vectors {
    fn header(&self) -> Header {
        let (storage, originals) = match self.storage {
            Storage::F32 => (0, Originals::None),
            Storage::F16 => (1, Originals::None),
            Storage::Bf16 => (2, Originals::None),
            Storage::Int8(originals) => (3, originals),
            Storage::Int4(originals) => (4, originals),
            Storage::Binary(originals) => (5, originals),
        };
        Header {
            metric: match self.metric {
                Metric::Cosine => 0,
                Metric::InnerProduct => 1,
                Metric::L2Squared => 2,
            },
            storage,
            originals: match originals {
                Originals::None => 0,
                Originals::F16 => 1,
                Originals::F32 => 2,
            },
            dim: self.dim as u32,
            slots: self.slots() as u64,
            max_norm: self.max_norm,
            ..Header::default()
        }
    }

    fn sections(&self) -> Vec<(Tag, &[u8])> {
        let mut sections = vec![(Tag::Codes, self.codes.bytes())];
        if let Body::Int8(codec, _, squares) | Body::Int4(codec, _, squares) = &self.codes.body {
            sections.push((Tag::Squares, bytemuck::cast_slice(squares)));
            sections.push((Tag::Middles, bytemuck::cast_slice(codec.middle())));
            sections.push((Tag::Steps, bytemuck::cast_slice(codec.step())));
        }
        if let Body::Binary(codec, _) = &self.codes.body {
            sections.push((Tag::Middles, bytemuck::cast_slice(codec.middle())));
        }
        if let Some(originals) = &self.originals {
            sections.push((Tag::Originals, originals.bytes()));
        }
        sections.push((Tag::Norms, bytemuck::cast_slice(&self.norms)));
        sections.push((Tag::Ids, bytemuck::cast_slice(&self.ids)));
        sections.push((Tag::Free, bytemuck::cast_slice(&self.free)));
        sections
    }

    fn parse(parsed: &Parsed) -> Result<Self, Error> {
        let header = parsed.header;
        let (n, dim) = (parsed.slots()?, header.dim as usize);
        if let Err(error) = check_dim(dim) {
            return refuse(error.to_string());
        }
        let metric = match header.metric {
            0 => Metric::Cosine,
            1 => Metric::InnerProduct,
            2 => Metric::L2Squared,
            other => return refuse(format!("metric {other} is unknown")),
        };
        let originals = match header.originals {
            0 => Originals::None,
            1 => Originals::F16,
            2 => Originals::F32,
            other => return refuse(format!("originals {other} are unknown")),
        };
        let rows = |tag, elements: usize| parsed.exact::<f32>(tag, n.checked_mul(elements));
        let halves = |elements: usize| n.checked_mul(elements);
        let by_line = |size: usize, len: usize| len.next_multiple_of(64 / size);
        let squares = || {
            let len = if metric == Metric::L2Squared { n } else { 0 };
            parsed.exact::<f32>(Tag::Squares, Some(len))
        };
        let row_len = |codec: &ScalarCodec| n.checked_mul(by_line(1, codec.code_len()));
        let (storage, codes) = match header.storage {
            0 => (Storage::F32, Body::F32(rows(Tag::Codes, by_line(4, dim))?)),
            1 => (Storage::F16, Body::F16(parsed.exact(Tag::Codes, halves(by_line(2, dim)))?)),
            2 => (Storage::Bf16, Body::Bf16(parsed.exact(Tag::Codes, halves(by_line(2, dim)))?)),
            3 => {
                if let Err(error) = check_sums(CodeBits::Eight, dim) {
                    return refuse(error.to_string());
                }
                let codec = parsed.codec(CodeBits::Eight)?;
                let codes = parsed.exact(Tag::Codes, row_len(&codec))?;
                (Storage::Int8(originals), Body::Int8(codec, codes, squares()?))
            }
            4 => {
                let codec = parsed.codec(CodeBits::Four)?;
                let codes = parsed.exact(Tag::Codes, row_len(&codec))?;
                (Storage::Int4(originals), Body::Int4(codec, codes, squares()?))
            }
            5 => {
                let middle = parsed.exact::<f32>(Tag::Middles, Some(dim))?.to_vec();
                let codec = BinaryCodec::from_parts(middle, ROTATION)
                    .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
                let len = n.checked_mul(by_line(1, codec.code_len()));
                (Storage::Binary(originals), Body::Binary(codec, parsed.exact(Tag::Codes, len)?))
            }
            other => return refuse(format!("storage {other} is unknown")),
        };
        let originals = match storage.originals() {
            Originals::None => None,
            Originals::F16 => {
                Some(Body::F16(parsed.exact(Tag::Originals, halves(by_line(2, dim)))?))
            }
            Originals::F32 => Some(Body::F32(rows(Tag::Originals, by_line(4, dim))?)),
        };
        let norms = parsed.exact(Tag::Norms, Some(n))?;
        let ids = parsed.exact(Tag::Ids, Some(n))?;
        let stored = Stored::new(metric, dim, storage, codes, originals, norms, ids);
        let mut vectors = Vectors::from(stored);
        if !header.max_norm.is_finite() {
            return refuse(format!("the longest vector has length {}", header.max_norm));
        }
        vectors.max_norm = header.max_norm;
        for &slot in parsed.array::<u32>(Tag::Free)?.iter() {
            if slot as usize >= n || vectors.is_dead(slot) {
                return refuse(format!("slot {slot} cannot be free, or is free twice"));
            }
            vectors.set_free(slot);
        }
        Ok(vectors)
    }

    /// Whether no two vectors have one id, and all could have been inserted.
    fn check_contents(&self) -> Result<(), Error> {
        if let Body::Int8(_, _, squares) | Body::Int4(_, _, squares) = &self.codes.body
            && !squares.iter().all(|square| square.is_finite())
        {
            return refuse("a squared length is not finite".into());
        }
        if let Body::Binary(codec, codes) = &self.codes.body {
            let stride = codes.len() / self.slots().max(1);
            let finite = |code: &[u8]| {
                let (factor, square) = codec.factors(code);
                factor.is_finite() && square.is_finite()
            };
            if !codes.chunks_exact(stride.max(1)).all(finite) {
                return refuse("a factor of a binary code is not finite".into());
            }
        }
        // NaN is in no range.
        let norm = |&slot: &u32| self.norms[slot as usize];
        if let Some(slot) = self.live().find(|slot| !(0.0..=self.max_norm).contains(&norm(slot))) {
            let (norm, max) = (norm(&slot), self.max_norm);
            return refuse(format!("vector {slot} has length {norm}, and the longest one {max}"));
        }
        let mut buffer = vec![0.0; self.dim];
        for slot in self.live() {
            let originals = self.originals.as_ref().filter(|store| !store.is_mapped());
            for store in [Some(&self.codes), originals].into_iter().flatten() {
                let row = store.row(slot, &mut buffer);
                let square: f32 = row.iter().map(|x| x * x).sum();
                if !(0.0..=f32::MAX / 4.0).contains(&square) {
                    return refuse(format!("vector {slot} is not finite or too long"));
                }
            }
            if self.slot(self.id(slot)) != Some(slot) {
                return refuse(format!("id {} is there twice", self.id(slot)));
            }
        }
        Ok(())
    }
}
