//! Reading `.npy`, the files that NumPy saves arrays in.
//!
//! A magic, a version, and a Python dictionary that says what follows
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>). Vectors are a
//! two-dimensional array of `f32` in C order, as `numpy.save` writes one.

use std::io::Read;

use crate::{Error, ErrorKind, Matrix};

/// Reads a matrix of little-endian `f32` to the end of `from`. It reads once; buffering is not
/// needed.
///
/// # Errors
///
/// [`Format`](ErrorKind::Format) for anything but a two-dimensional `<f4` array in C order, and if
/// the file does not end with it; [`Io`](ErrorKind::Io) if reading fails.
pub fn read_npy(mut from: impl Read) -> Result<Matrix<f32>, Error> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let (header, data) = split(&bytes).ok_or_else(|| {
        Error::new(ErrorKind::Format, "this is no .npy file of version 1 to 3, or it is cut off")
    })?;
    let refuse = |what: String| Err(Error::new(ErrorKind::Format, what));
    let value = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start());
    if !value("'descr':").is_some_and(|rest| rest.starts_with("'<f4'")) {
        return refuse(format!("only little-endian f32 ('<f4') is read, the file says {header}"));
    }
    if !value("'fortran_order':").is_some_and(|rest| rest.starts_with("False")) {
        return refuse(format!("only C order is read, the file says {header}"));
    }
    let shape = value("'shape':").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let shape: Vec<Option<usize>> = shape
        .map(|(shape, _)| shape.split(',').filter(|part| !part.trim().is_empty()))
        .map(|parts| parts.map(|part| part.trim().parse().ok()).collect())
        .unwrap_or_default();
    let [Some(rows), Some(dim)] = shape[..] else {
        return refuse(format!("a matrix has two dimensions, the file says {header}"));
    };
    let len = rows.checked_mul(dim).and_then(|len| len.checked_mul(4));
    if len != Some(data.len()) {
        return refuse(format!("{rows} × {dim} values do not take {} bytes", data.len()));
    }
    let (words, _) = data.as_chunks::<4>();
    Ok(Matrix { dim, values: words.iter().map(|&word| f32::from_le_bytes(word)).collect() })
}

/// The dictionary and what is behind it.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (len, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return None,
    };
    let (header, data) = rest.split_at_checked(len)?;
    Some((std::str::from_utf8(header).ok()?.trim(), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, header: &str, values: &[f32]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    const GOOD: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n";

    #[test]
    fn what_numpy_writes_is_read() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, -6.5];
        for version in [1, 2, 3] {
            let matrix = read_npy(&file(version, GOOD, &values)[..]).unwrap();
            assert_eq!(matrix, Matrix { dim: 3, values: values.to_vec() });
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let values = [0.0; 6];
        let good = file(1, GOOD, &values);
        for len in 0..good.len() {
            assert_eq!(read_npy(&good[..len]).unwrap_err().kind(), ErrorKind::Format, "{len}");
        }
        for (from, to) in [
            ("<f4", "<f8"),
            ("<f4", ">f4"),
            ("False", "True"),
            ("(2, 3)", "(6,)"),
            ("(2, 3)", "(1, 2, 3)"),
            ("(2, 3)", "(2, 4)"),
            ("(2, 3)", "(-2, 3)"),
            ("(2, 3)", "(18446744073709551615, 3)"),
            ("shape", "form"),
        ] {
            let bytes = file(1, &GOOD.replace(from, to), &values);
            assert_eq!(read_npy(&bytes[..]).unwrap_err().kind(), ErrorKind::Format, "{to}");
        }
        assert!(read_npy(&file(4, GOOD, &values)[..]).is_err());
    }
}
