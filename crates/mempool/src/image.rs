//! `ImageView`: a window into somebody else's pixels, cut out again and again without a copy.

use crate::{Error, ErrorKind};

/// How many bytes a pixel has, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One byte of brightness.
    Gray,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, opacity.
    Rgba,
}

impl Channels {
    /// Bytes per pixel: 1, 3 or 4.
    pub const fn count(self) -> usize {
        match self {
            Channels::Gray => 1,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }
}

/// Borrowed pixels, row after row, `stride` bytes from one row's start to the next one's.
///
/// It is a slice and four numbers: copying it copies no pixel, and a subview borrows from the same
/// memory for as long.
///
/// ```
/// use edgekit_mempool::{Channels, ImageView};
/// let pixels: Vec<u8> = (0..48).collect(); // 4 × 4, RGB
/// let image = ImageView::new(&pixels, 4, 4, Channels::Rgb)?;
/// let middle = image.subview(1, 1, 2, 2)?;
/// assert_eq!(middle.pixel(0, 0), Some(&[15, 16, 17][..]));
/// assert_eq!(middle.rows().map(<[u8]>::len).sum::<usize>(), 12);
/// # Ok::<(), edgekit_mempool::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageView<'a> {
    /// Starts at the first pixel and ends after the last one.
    bytes: &'a [u8],
    width: usize,
    height: usize,
    stride: usize,
    channels: Channels,
}

impl<'a> ImageView<'a> {
    /// A view of pixels without gaps between rows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidGeometry`] if `bytes` is too short, or a size overflows.
    pub fn new(
        bytes: &'a [u8],
        width: usize,
        height: usize,
        channels: Channels,
    ) -> Result<Self, Error> {
        let stride = width.checked_mul(channels.count()).ok_or_else(|| too_large(width, height))?;
        Self::with_stride(bytes, width, height, channels, stride)
    }

    /// A view of rows that start `stride` bytes after each other. The last row needs no more bytes
    /// than its pixels.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidGeometry`] if rows overlap, `bytes` is too short, or a size overflows.
    pub fn with_stride(
        bytes: &'a [u8],
        width: usize,
        height: usize,
        channels: Channels,
        stride: usize,
    ) -> Result<Self, Error> {
        let row = width.checked_mul(channels.count()).ok_or_else(|| too_large(width, height))?;
        if stride < row {
            let what = format!("rows of {row} bytes overlap at a stride of {stride}");
            return Err(Error::new(ErrorKind::InvalidGeometry, what));
        }
        let needed = if width == 0 || height == 0 {
            0
        } else {
            stride
                .checked_mul(height - 1)
                .and_then(|before| before.checked_add(row))
                .ok_or_else(|| too_large(width, height))?
        };
        let bytes = bytes.get(..needed).ok_or_else(|| {
            let have = bytes.len();
            let what = format!(
                "{width} × {height} pixels of {} bytes at a stride of {stride} need {needed} bytes, \
                 there are {have}",
                channels.count()
            );
            Error::new(ErrorKind::InvalidGeometry, what)
        })?;
        Ok(ImageView { bytes, width, height, stride, channels })
    }

    /// Pixels per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bytes from one row's start to the next one's.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// What a pixel is.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// The bytes of the pixel in column `x` of row `y`; `None` outside of the view.
    #[inline]
    pub fn pixel(&self, x: usize, y: usize) -> Option<&'a [u8]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let channels = self.channels.count();
        self.bytes.get(y * self.stride + x * channels..)?.get(..channels)
    }

    /// Row `y`, without the gap behind it; `None` outside of the view.
    #[inline]
    pub fn row(&self, y: usize) -> Option<&'a [u8]> {
        if y >= self.height {
            return None;
        }
        let row = self.width * self.channels.count();
        if row == 0 { Some(&[]) } else { self.bytes.get(y * self.stride..)?.get(..row) }
    }

    /// All rows, from the top.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let view = *self;
        (0..view.height).map(move |y| view.row(y).unwrap_or_default())
    }

    /// The rectangle of `width` × `height` pixels whose upper left corner is at (`x`, `y`): the same
    /// bytes, no copy. It lives as long as the pixels, not as this view.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidGeometry`] if it is not all inside of this view.
    pub fn subview(
        &self,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
    ) -> Result<ImageView<'a>, Error> {
        let inside = |start: usize, len: usize, whole| {
            start.checked_add(len).is_some_and(|end| end <= whole)
        };
        if !inside(x, width, self.width) || !inside(y, height, self.height) {
            let what = format!(
                "a window of {width} × {height} at ({x}, {y}) leaves the image of {} × {}",
                self.width, self.height
            );
            return Err(Error::new(ErrorKind::InvalidGeometry, what));
        }
        let first =
            if width == 0 || height == 0 { 0 } else { y * self.stride + x * self.channels.count() };
        Self::with_stride(&self.bytes[first..], width, height, self.channels, self.stride)
    }

    /// All pixels as one slice, where no gap lies between rows.
    pub fn as_contiguous(&self) -> Option<&'a [u8]> {
        let dense = self.height <= 1 || self.stride == self.width * self.channels.count();
        dense.then_some(self.bytes)
    }
}

fn too_large(width: usize, height: usize) -> Error {
    let what = format!("{width} × {height} pixels are more bytes than can be addressed");
    Error::new(ErrorKind::InvalidGeometry, what)
}
