//! A matrix in one slice: rows of `dim` values that begin `stride` apart.
#![allow(unsafe_code, reason = "rows are cut out of a slice whose shape was checked once")]

use crate::simd::prefetch_line;

/// Rows of a matrix: row `i` is `data[i · stride ..][.. dim]`.
///
/// The shape is checked once, here, so that the kernels need not check it for each row. A stride
/// that makes every row begin at a multiple of 64 bytes is worth as much as a wider instruction
/// set (see the crate's documentation).
#[derive(Debug)]
pub struct Rows<'a, T> {
    data: &'a [T],
    dim: usize,
    stride: usize,
    len: usize,
}

// Derived, they would ask the same of T.
impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// All rows of `data`; the last one may end where its `dim` values do, before its stride does.
    ///
    /// # Panics
    /// If `dim` is 0, if `stride < dim`, or if `data` ends inside a row.
    #[track_caller]
    pub fn new(data: &'a [T], dim: usize, stride: usize) -> Self {
        assert!(dim > 0, "rows of dimension 0 cannot be counted: use a dimension of at least 1");
        assert!(stride >= dim, "stride {stride} is less than the dimension {dim}: rows overlap");
        let (whole, rest) = (data.len() / stride, data.len() % stride);
        assert!(
            rest == 0 || rest >= dim,
            "{} values end inside row {whole} (dimension {dim}, stride {stride})",
            data.len()
        );
        Rows { data, dim, stride, len: whole + usize::from(rest != 0) }
    }

    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Values in a row.
    #[inline]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Values from the start of a row to the start of the next.
    #[inline]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `i`, or `None` if there are not so many.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a [T]> {
        (i < self.len).then(|| self.at(i))
    }

    /// `rows` rows from row `row` on, which exist.
    #[inline(always)]
    pub(crate) fn part(self, row: usize, rows: usize) -> Self {
        let left = self.len.saturating_sub(row);
        let data = self.data.get(row.wrapping_mul(self.stride)..).unwrap_or(&[]);
        Rows { data, len: if rows < left { rows } else { left }, ..self }
    }

    /// From the first row on.
    #[inline(always)]
    pub(crate) fn data(&self) -> &'a [T] {
        self.data
    }

    /// Row `i`, which exists: callers have checked, and an empty row instead of a panic keeps the
    /// call to the panic's formatting out of the kernels.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize) -> &'a [T] {
        self.four([i; 4])[0]
    }

    /// Four rows, which exist, as in [`at`](Self::at).
    #[inline(always)]
    pub(crate) fn four(&self, ids: [usize; 4]) -> [&'a [T]; 4] {
        let [a, b, c, d] = ids;
        let (ab, cd) = (if a > b { a } else { b }, if c > d { c } else { d });
        if (if ab > cd { ab } else { cd }) >= self.len {
            return [&[]; 4];
        }
        // SAFETY: row `i` is `data[i · stride ..][.. dim]` for every `i < len`: `new` has counted only
        // such rows, `part` begins at a row and keeps at most those behind it, and nobody else
        // makes or changes these fields.
        ids.map(
            #[inline(always)]
            |i| unsafe {
                let start = i * self.stride;
                self.data.get_unchecked(start..start + self.dim)
            },
        )
    }

    /// Asks for the first cache lines of four rows, as [`prefetch`](crate::prefetch) does.
    #[inline(always)]
    pub(crate) fn prefetch(&self, ids: [usize; 4]) {
        const LINE: usize = 64;
        let bytes = self.dim * size_of::<T>();
        let bytes = if bytes < 6 * LINE { bytes } else { 6 * LINE };
        let starts = ids.map(
            #[inline(always)]
            |i| self.data.as_ptr().wrapping_add(i.wrapping_mul(self.stride)).cast::<u8>(),
        );
        let mut at = 0;
        while at < bytes {
            for start in starts {
                prefetch_line(start.wrapping_add(at));
            }
            at += LINE;
        }
    }
}
