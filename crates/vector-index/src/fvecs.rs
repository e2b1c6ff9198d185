//! Reading `.fvecs` and `.ivecs`, the files that nearest-neighbour data sets come in.
//!
//! A row is a little-endian `i32` dimension followed by as many little-endian values, `f32` or
//! `i32`. All rows of a file have the same dimension (<http://corpus-texmex.irisa.fr/>).

use std::io::Read;

use crate::{Error, ErrorKind};

/// Rows of equal length, one behind the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix<T> {
    /// Values per row; 0 if there are no rows.
    pub dim: usize,
    /// All rows: row `i` is `values[i · dim .. (i + 1) · dim]`.
    pub values: Vec<T>,
}

impl<T> Matrix<T> {
    /// The rows in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, T> {
        self.values.chunks_exact(self.dim.max(1))
    }
}

/// Reads vectors of `f32` to the end of `from`. Buffering is not needed: it reads once.
///
/// # Errors
///
/// [`Format`](ErrorKind::Format) for a dimension below 1 or that changes, and for a row that is cut
/// off; [`Io`](ErrorKind::Io) if reading fails.
pub fn read_fvecs(from: impl Read) -> Result<Matrix<f32>, Error> {
    read(from, f32::from_le_bytes)
}

/// Reads vectors of `i32` (usually ids of true neighbours) to the end of `from`.
///
/// # Errors
///
/// As [`read_fvecs`].
pub fn read_ivecs(from: impl Read) -> Result<Matrix<i32>, Error> {
    read(from, i32::from_le_bytes)
}

fn read<T>(mut from: impl Read, value: impl Fn([u8; 4]) -> T) -> Result<Matrix<T>, Error> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let refuse = |what: String| Err(Error::new(ErrorKind::Format, what));
    let Some((first, _)) = bytes.split_first_chunk() else {
        return if bytes.is_empty() {
            Ok(Matrix { dim: 0, values: Vec::new() })
        } else {
            refuse(format!("{} bytes are too few for a row of .fvecs or .ivecs", bytes.len()))
        };
    };
    let dim = i32::from_le_bytes(*first);
    if dim < 1 {
        return refuse(format!("the first row says that it has {dim} values"));
    }
    // Where sizes have 32 bits, that of a row may not fit one.
    let row_bytes = 4 * (dim as u64 + 1);
    if !(bytes.len() as u64).is_multiple_of(row_bytes) {
        return refuse(format!(
            "{} bytes are no whole number of rows of {dim} values ({row_bytes} bytes each); is the file cut off?",
            bytes.len()
        ));
    }
    let row_bytes = row_bytes as usize;
    let mut values = Vec::with_capacity(bytes.len() / 4 - bytes.len() / row_bytes);
    for (i, row) in bytes.chunks_exact(row_bytes).enumerate() {
        let (words, _) = row.as_chunks::<4>();
        let found = i32::from_le_bytes(words[0]);
        if found != dim {
            return refuse(format!("row {i} says that it has {found} values, row 0 has {dim}"));
        }
        values.extend(words[1..].iter().map(|&word| value(word)));
    }
    Ok(Matrix { dim: dim as usize, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(dim: i32, values: &[f32]) -> Vec<u8> {
        let values = values.iter().flat_map(|v| v.to_le_bytes());
        dim.to_le_bytes().into_iter().chain(values).collect()
    }

    #[test]
    fn rows_come_back() {
        let bytes = [row(2, &[1.0, -2.5]), row(2, &[0.0, 3.0])].concat();
        let matrix = read_fvecs(&bytes[..]).unwrap();
        assert_eq!(matrix, Matrix { dim: 2, values: vec![1.0, -2.5, 0.0, 3.0] });
        assert_eq!(matrix.rows().nth(1), Some([0.0, 3.0].as_slice()));
        assert_eq!(read_ivecs(&row(1, &[f32::from_bits(7)])[..]).unwrap().values, [7]);
        assert_eq!(read_fvecs(&[][..]).unwrap().rows().count(), 0);
    }

    #[test]
    fn what_is_no_fvecs_file_is_refused() {
        let good = [row(2, &[1.0, 2.0]), row(2, &[3.0, 4.0])].concat();
        for cut in 1..good.len() {
            let whole_rows = cut % 12 == 0;
            assert_eq!(read_fvecs(&good[..cut]).is_ok(), whole_rows, "cut at {cut}");
        }
        for bytes in [
            row(0, &[]),
            row(-1, &[1.0]),
            row(i32::MAX, &[1.0]),
            [row(2, &[1.0, 2.0]), row(3, &[1.0, 2.0])].concat(),
        ] {
            assert_eq!(read_fvecs(&bytes[..]).unwrap_err().kind(), ErrorKind::Format);
        }
    }
}
