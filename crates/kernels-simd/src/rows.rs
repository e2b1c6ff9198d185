//! A matrix in one slice: rows of `dim` values that begin `stride` apart.

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
        let data = self.data.get(row.wrapping_mul(self.stride)..).unwrap_or(&[]);
        Rows { data, len: rows, ..self }
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
        let start = i.wrapping_mul(self.stride);
        self.data.get(start..start.wrapping_add(self.dim)).unwrap_or(&[])
    }
}
