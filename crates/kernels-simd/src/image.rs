//! Images whose rows begin a stride apart.

/// The most pixels on a side: sums over a side then fit the integers that hold them.
const SIDE: usize = (1 << 24) - 1;

/// An image of bytes: each row has `width` pixels of `channels` bytes and begins `stride` bytes behind
/// the one before.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) shape: Shape,
}

/// An image that is written to, of bytes or of floats; its stride counts such values.
#[derive(Debug)]
pub struct ImageMut<'a, T = u8> {
    pub(crate) data: &'a mut [T],
    pub(crate) shape: Shape,
}

/// What both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) channels: usize,
    pub(crate) stride: usize,
}

impl Shape {
    /// Values of a row that are pixels.
    pub(crate) fn row(self) -> usize {
        self.width * self.channels
    }

    #[track_caller]
    fn check(self, len: usize) {
        let Shape { width, height, channels, stride } = self;
        assert!(
            (1..=SIDE).contains(&width) && (1..=SIDE).contains(&height),
            "an image of {width} × {height} pixels: sides are from 1 to {SIDE}"
        );
        assert!(matches!(channels, 1 | 3 | 4), "{channels} channels: there are 1, 3 or 4");
        let row = self.row();
        assert!(
            stride >= row,
            "stride {stride} is less than the {row} values of a row: rows overlap"
        );
        let needed = (height - 1).checked_mul(stride).and_then(|before| before.checked_add(row));
        assert!(
            needed.is_some_and(|needed| needed <= len),
            "{len} values for {height} rows of {row} with stride {stride}"
        );
    }
}

impl<'a> Image<'a> {
    /// An image of `[width, height]` pixels.
    ///
    /// # Panics
    /// If a side has no pixel or more than 16,777,215, if there are not 1, 3 or 4 channels, if rows
    /// overlap, or if `data` is shorter than they need.
    #[track_caller]
    pub fn new(
        data: &'a [u8],
        [width, height]: [usize; 2],
        channels: usize,
        stride: usize,
    ) -> Self {
        let shape = Shape { width, height, channels, stride };
        shape.check(data.len());
        Image { data, shape }
    }

    /// Row `y`, which exists.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.shape.stride..][..self.shape.row()]
    }
}

impl<'a, T> ImageMut<'a, T> {
    /// An image of `[width, height]` pixels. What lies between its rows stays as it is.
    ///
    /// # Panics
    /// As [`Image::new`].
    #[track_caller]
    pub fn new(
        data: &'a mut [T],
        [width, height]: [usize; 2],
        channels: usize,
        stride: usize,
    ) -> Self {
        let shape = Shape { width, height, channels, stride };
        shape.check(data.len());
        ImageMut { data, shape }
    }

    /// All its rows, the first one first.
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = &mut [T]> {
        let row = self.shape.row();
        // The last may end where its pixels do.
        let rows = self.data.chunks_mut(self.shape.stride).take(self.shape.height);
        rows.map(move |line| &mut line[..row])
    }

    /// The first `rows` of them, and the others; there are some of both.
    #[cfg(feature = "rayon")]
    pub(crate) fn split_at(self, rows: usize) -> (Self, Self) {
        let (above, below) = self.data.split_at_mut(rows * self.shape.stride);
        let upper = Shape { height: rows, ..self.shape };
        let lower = Shape { height: self.shape.height - rows, ..self.shape };
        (ImageMut { data: above, shape: upper }, ImageMut { data: below, shape: lower })
    }
}
