//! The data set that the project carries: vectors as f16 in a safetensors file, texts beside it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::{Dtype, SafeTensors};

/// A package of the data set: what a person reads beside a neighbour.
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) synopsis: String,
}

/// Vectors in rows, and for each row its text.
pub(crate) struct Table {
    pub(crate) dim: usize,
    pub(crate) values: Vec<f32>,
    pub(crate) texts: Vec<Text>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dim..][..self.dim]
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dim)
    }
}

/// The 2,000 vectors to search and the 100 held-out queries.
pub(crate) struct Sample {
    pub(crate) base: Table,
    pub(crate) query: Table,
}

/// Reads `data/debian2k` of the workspace.
pub(crate) fn load() -> Result<Sample, Box<dyn Error>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/debian2k"));
    let bytes = fs::read(folder.join("vectors.safetensors"))?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    Ok(Sample {
        base: table(&tensors, "base", &folder.join("base.tsv"))?,
        query: table(&tensors, "query", &folder.join("query.tsv"))?,
    })
}

fn table(tensors: &SafeTensors, name: &str, texts: &Path) -> Result<Table, Box<dyn Error>> {
    let tensor = tensors.tensor(name)?;
    let &[rows, dim] = tensor.shape() else {
        return Err(
            format!("tensor {name:?} has shape {:?}, expected rows × dim", tensor.shape()).into()
        );
    };
    if tensor.dtype() != Dtype::F16 {
        return Err(format!("tensor {name:?} holds {:?}, expected F16", tensor.dtype()).into());
    }
    let (halves, _) = tensor.data().as_chunks::<2>();
    let values = halves.iter().map(|&two| f16::from_le_bytes(two).to_f32()).collect();
    let texts: Vec<Text> = fs::read_to_string(texts)?
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, synopsis)| Text { name: name.into(), synopsis: synopsis.into() })
        .collect();
    if texts.len() != rows {
        return Err(format!("{name:?} has {rows} vectors but {} texts", texts.len()).into());
    }
    Ok(Table { dim, values, texts })
}
