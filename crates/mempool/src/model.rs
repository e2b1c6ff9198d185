//! `MmapModel`: safetensors files, mapped, checked once, and lent tensor by tensor without a copy.
//!
//! The format (<https://github.com/huggingface/safetensors>): eight bytes, little endian, that say
//! how long the header is; the header, JSON, with each tensor's element type, shape and place; the
//! tensors, little endian, row-major, without gaps. It has no checksum: a flipped bit in a weight is
//! not noticed here.
#![allow(unsafe_code, reason = "hands `MappedFile::open`'s contract on to the caller")]

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorInfo};

use crate::file::typed;
use crate::{Error, ErrorKind, MapOptions, MappedFile};

pub use safetensors::Dtype;

/// A model file whose header has been checked: each tensor it lists lies inside of it.
///
/// Opening costs the header (O(tensors)), looking a tensor up one hash. Nothing is copied.
///
/// ```
/// use edgekit_mempool::{MmapModel, TensorData, save_model};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("model.safetensors");
/// let weights = [0.5_f32, -0.5, 0.25, 0.0];
/// save_model(&path, &[("layer.weight", TensorData::new(&[2, 2], &weights)?)], &[("v", "1")])?;
/// let model = MmapModel::read(&path)?;
/// assert_eq!(model.tensor("layer.weight")?.as_slice::<f32>()?, weights);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MmapModel {
    file: MappedFile,
    data_start: usize,
    header: Metadata,
}

/// One tensor of a [`MmapModel`], lent.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'m> {
    dtype: Dtype,
    shape: &'m [usize],
    bytes: &'m [u8],
}

/// A number that tensors can be made of.
pub trait TensorElement: Pod + sealed::Sealed {
    /// What safetensors calls it.
    const DTYPE: Dtype;
}

/// A tensor to be written by [`save_model`].
#[derive(Clone, Copy, Debug)]
pub struct TensorData<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: &'a [u8],
}

impl MmapModel {
    /// Maps a model file.
    ///
    /// # Safety
    /// As [`MappedFile::open`]: nobody may change or truncate the file while it is mapped.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be opened or mapped, [`ErrorKind::Malformed`] if it is
    /// not a whole and consistent safetensors file.
    pub unsafe fn open(path: impl AsRef<Path>, options: MapOptions) -> Result<Self, Error> {
        // SAFETY: our caller's promise is the one asked for.
        Self::parse(unsafe { MappedFile::open(path, options) }?)
    }

    /// Reads a model file into memory of our own, safe whatever happens to the file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::parse(MappedFile::read(path)?)
    }

    /// Checks a file's header.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] if it is not a whole and consistent safetensors file.
    pub fn parse(file: MappedFile) -> Result<Self, Error> {
        let (data_start, header) = parse_header(file.bytes())?;
        Ok(MmapModel { file, data_start, header })
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn tensor(&self, name: &str) -> Result<Tensor<'_>, Error> {
        let info = self.header.info(name).ok_or_else(|| {
            let what = format!("no tensor `{name}` among the {} of this model", self.len());
            Error::new(ErrorKind::NotFound, what)
        })?;
        let TensorInfo { dtype, shape, data_offsets: (start, end) } = info;
        // Inside the file: `parse_header` has checked that the last tensor ends where it does.
        let bytes = &self.file.bytes()[self.data_start..][*start..*end];
        Ok(Tensor { dtype: *dtype, shape, bytes })
    }

    /// The names of all tensors, in the order in which they lie in the file.
    pub fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// How many tensors.
    pub fn len(&self) -> usize {
        self.header.tensors().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A value of the file's own metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The file behind, for [`advise`](MappedFile::advise).
    pub fn file(&self) -> &MappedFile {
        &self.file
    }
}

impl<'m> Tensor<'m> {
    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The length of each dimension, the outermost first; empty for a scalar.
    pub fn shape(&self) -> &'m [usize] {
        self.shape
    }

    /// The elements' bytes, little endian.
    pub fn bytes(&self) -> &'m [u8] {
        self.bytes
    }

    /// The elements, row-major, where they lie.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] if the tensor has another element type, [`ErrorKind::Misaligned`] if
    /// the writer did not align it (then [`to_vec`](Self::to_vec) works), and
    /// [`ErrorKind::Unsupported`] on a big-endian machine.
    pub fn as_slice<T: TensorElement>(&self) -> Result<&'m [T], Error> {
        self.check_type::<T>()?;
        typed(self.bytes)
    }

    /// A copy of the elements, whatever their alignment.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] and [`ErrorKind::Unsupported`] as [`as_slice`](Self::as_slice).
    pub fn to_vec<T: TensorElement>(&self) -> Result<Vec<T>, Error> {
        self.check_type::<T>()?;
        Ok(self.bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
    }

    fn check_type<T: TensorElement>(&self) -> Result<(), Error> {
        if cfg!(target_endian = "big") {
            let what = "safetensors are little endian and this machine is not; convert `bytes`";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        if self.dtype != T::DTYPE {
            let what = format!("the tensor is of {}, not of {}", self.dtype, T::DTYPE);
            return Err(Error::new(ErrorKind::WrongType, what));
        }
        Ok(())
    }
}

impl<'a> TensorData<'a> {
    /// A tensor of that shape, row-major.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidGeometry`] if the shape's product is not the number of elements.
    pub fn new<T: TensorElement>(shape: &'a [usize], elements: &'a [T]) -> Result<Self, Error> {
        let product = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        if product != Some(elements.len()) {
            let n = elements.len();
            let what = format!("a tensor of shape {shape:?} does not have {n} elements");
            return Err(Error::new(ErrorKind::InvalidGeometry, what));
        }
        Ok(TensorData { dtype: T::DTYPE, shape, bytes: bytemuck::cast_slice(elements) })
    }
}

impl safetensors::View for TensorData<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a safetensors file: whole and on the disk, or not at all. A file that is there already is
/// replaced by a rename, so that a process that has it mapped keeps the old one.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] if two tensors share a name or one is called `__metadata__`;
/// [`ErrorKind::Io`] if the file cannot be written; [`ErrorKind::Unsupported`] on a big-endian
/// machine.
pub fn save_model(
    path: impl AsRef<Path>,
    tensors: &[(&str, TensorData<'_>)],
    metadata: &[(&str, &str)],
) -> Result<(), Error> {
    if cfg!(target_endian = "big") {
        let what = "safetensors are little endian and this machine is not";
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    let mut names = BTreeSet::from(["__metadata__"]);
    if let Some((name, _)) = tensors.iter().find(|(name, _)| !names.insert(name)) {
        let what = format!("the tensor name `{name}` is taken; choose another");
        return Err(Error::new(ErrorKind::InvalidConfig, what));
    }
    let path = path.as_ref();
    let cannot = |e| Error::io(format!("cannot write {}", path.display()), e);
    let metadata: HashMap<String, String> =
        metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let metadata = Some(metadata).filter(|m| !m.is_empty());
    let partial = partial_path(path);
    let written = safetensors::serialize_to_file(tensors.iter().copied(), metadata, &partial)
        .map_err(std::io::Error::other)
        .and_then(|()| File::open(&partial)?.sync_all())
        .and_then(|()| std::fs::rename(&partial, path))
        .and_then(|()| sync_parent(path));
    if written.is_err() {
        // Best effort: what failed is what the caller must hear of.
        let _ = std::fs::remove_file(&partial);
    }
    written.map_err(cannot)
}

/// A name beside `path` that no other writer uses: not another thread, nor a process in another
/// container, whose number may be the same.
fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.partial", RandomState::new().hash_one(0)));
    path.with_file_name(name)
}

/// Makes the rename itself durable.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Where the tensors start, and what the header says. The `safetensors` crate checks that tensors
/// follow each other without gaps and are as long as their shapes say; that they end where the file
/// ends is checked here, because its own check adds without looking for an overflow.
fn parse_header(bytes: &[u8]) -> Result<(usize, Metadata), Error> {
    let malformed = |what: String| Error::new(ErrorKind::Malformed, what);
    let len = bytes.len();
    let Some((prefix, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(malformed(format!("a file of {len} bytes is too short for a model")));
    };
    let header_len = u64::from_le_bytes(*prefix);
    let header = usize::try_from(header_len)
        .ok()
        .filter(|&n| n <= MAX_HEADER_BYTES)
        .and_then(|n| rest.get(..n))
        .ok_or_else(|| {
            malformed(format!(
                "a header of {header_len} bytes does not fit: the file has {len} and \
                 {MAX_HEADER_BYTES} is the most; it is truncated or not a safetensors file"
            ))
        })?;
    let metadata: Metadata = serde_json::from_slice(header)
        .map_err(|e| malformed(format!("the model's header is not valid: {e}")))?;
    let data_len = rest.len() - header.len();
    if metadata.data_len() != data_len {
        let claimed = metadata.data_len();
        return Err(malformed(format!(
            "the header lists {claimed} bytes of tensors and the file has {data_len}; \
             it is truncated or has been appended to"
        )));
    }
    Ok((prefix.len() + header.len(), metadata))
}

/// The limit that the format's own library sets.
const MAX_HEADER_BYTES: usize = 100_000_000;

macro_rules! elements {
    ($($element:ty => $dtype:ident),* $(,)?) => {
        $(
            impl TensorElement for $element {
                const DTYPE: Dtype = Dtype::$dtype;
            }
            impl sealed::Sealed for $element {}
        )*
    };
}

elements! {
    f64 => F64, f32 => F32, f16 => F16, bf16 => BF16,
    i64 => I64, i32 => I32, i16 => I16, i8 => I8,
    u64 => U64, u32 => U32, u16 => U16, u8 => U8,
}

mod sealed {
    pub trait Sealed {}
}
