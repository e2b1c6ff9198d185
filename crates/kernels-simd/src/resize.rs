//! Whole images as methods: strides, other sizes, and rows shared among threads.

use alloc::vec::Vec;

use crate::image::{Image, ImageMut, Shape};
use crate::kernels::images_resize::{ONE, Spread, mean_columns};
use crate::kernels::sqrt;
use crate::table::{Kernels, positive};

/// Room for what a change of size holds between its two directions.
///
/// It grows to what the largest image needs and is used again after.
#[derive(Debug, Default)]
pub struct ResizeScratch {
    columns: Columns,
    rows: Vec<i16>,
    pub(crate) sums: Vec<u32>,
}

/// Between which columns each pixel of a row lies.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    firsts: Vec<u32>,
    /// The share of the second for each byte of a pixel.
    shares: Vec<i16>,
}

impl Kernels {
    /// [`Kernels::rgba_to_gray`] or [`Kernels::rgb_to_gray`], as `from` has 4 or 3 channels.
    ///
    /// # Panics
    /// If the sizes differ, or `to` has more than one channel or `from` only one.
    #[track_caller]
    pub fn gray_image(&self, from: Image<'_>, to: ImageMut<'_>) {
        grays(from.shape, to.shape);
        self.gray_rows(from, 0, to);
    }

    /// [`Kernels::threshold`] of every byte.
    ///
    /// # Panics
    /// If the sizes or the channels differ.
    #[track_caller]
    pub fn threshold_image(&self, from: Image<'_>, limit: u8, to: ImageMut<'_>) {
        same_size(from.shape, to.shape);
        self.threshold_rows(from, limit, 0, to);
    }

    /// [`Kernels::normalize_u8`] of every byte.
    ///
    /// # Panics
    /// If the sizes or the channels differ, or `std` is not greater than 0.
    #[track_caller]
    pub fn normalize_image(&self, from: Image<'_>, mean: f32, std: f32, to: ImageMut<'_, f32>) {
        same_size(from.shape, to.shape);
        positive(std);
        self.normalize_rows(from, (mean, std), 0, to);
    }

    /// `(x / 255 - means[c]) / stds[c]` of every channel `c` that has a mean, into planes one behind the
    /// other, rows without gaps: what networks that see images read. Channels behind those that have a
    /// mean, such as alpha, are left out.
    ///
    /// # Panics
    /// If there is no mean, or there are more than channels, if not as many deviations, if one of them
    /// is not greater than 0, or if `planes` has not one value for each pixel of each plane.
    #[track_caller]
    pub fn normalize_planes(
        &self,
        from: Image<'_>,
        means: &[f32],
        stds: &[f32],
        planes: &mut [f32],
    ) {
        let Shape { width, height, channels, .. } = from.shape;
        let (count, deviations, room) = (means.len(), stds.len(), planes.len());
        assert!((1..=channels).contains(&count), "{count} means for {channels} channels");
        assert!(count == deviations, "{deviations} standard deviations for {count} means");
        stds.iter().for_each(|&std| positive(std));
        assert!(
            (width * height).checked_mul(count) == Some(room),
            "room for {room} values of {count} planes of {width} × {height}"
        );
        for (channel, plane) in planes.chunks_exact_mut(width * height).enumerate() {
            for (y, out) in plane.chunks_exact_mut(width).enumerate() {
                let (mean, std) = (means[channel], stds[channel]);
                self.normalize_channel(from.row(y), channels, channel, mean, std, out);
            }
        }
    }

    /// [`Kernels::z_score`] of all values of an image, whatever their channel.
    ///
    /// Rows are summed as `f32`, and their sums as `f64`.
    pub fn z_score_image(&self, mut image: ImageMut<'_, f32>) {
        let mut moments = Moments::default();
        for row in image.rows() {
            moments.add(self.mean_variance(row));
        }
        self.standardize_rows(moments.standard(), image);
    }

    /// Another size by bilinear interpolation, the same on every instruction set.
    ///
    /// Pixel `x` of `n` lies at `(x + ½) · m / n - ½` of the `m` there were (half-pixel centres), at
    /// the border if that is outside, rounded to 1/2048 of a pixel. The value between two columns is
    /// rounded to 1/128, that between two rows to the nearest byte: within 0.64 of the exact
    /// interpolation.
    ///
    /// Each pixel has at most four sources: to make an image less than half its size use
    /// [`Kernels::resize_area`]. Takes time linear in the columns of `to` times the rows of both.
    ///
    /// # Panics
    /// If the channels differ.
    #[track_caller]
    pub fn resize_bilinear(&self, from: Image<'_>, to: ImageMut<'_>, scratch: &mut ResizeScratch) {
        same_channels(from.shape, to.shape);
        let (columns, rows) = scratch.bilinear(from.shape, to.shape, 1);
        self.bilinear_rows(from, columns, (0, to.shape.height), to, rows);
    }

    /// A smaller size by area: each pixel is the exact mean of what it covers, parts of pixels by
    /// their share, rounded to nearest with halves up. The same on every instruction set.
    ///
    /// Takes time linear in the pixels of `from` and in its columns times the rows of `to`.
    ///
    /// # Panics
    /// If the channels differ, or `to` is wider or higher than `from`.
    #[track_caller]
    pub fn resize_area(&self, from: Image<'_>, to: ImageMut<'_>, scratch: &mut ResizeScratch) {
        smaller(from.shape, to.shape);
        let sums = at_least(&mut scratch.sums, from.shape.row());
        self.area_rows(from, (0, to.shape.height), to, sums);
    }

    pub(crate) fn gray_rows(&self, from: Image<'_>, y: usize, mut to: ImageMut<'_>) {
        for (y, out) in (y..).zip(to.rows()) {
            match from.shape.channels {
                4 => self.rgba_to_gray(from.row(y), out),
                _ => self.rgb_to_gray(from.row(y), out),
            }
        }
    }

    pub(crate) fn threshold_rows(
        &self,
        from: Image<'_>,
        limit: u8,
        y: usize,
        mut to: ImageMut<'_>,
    ) {
        for (y, out) in (y..).zip(to.rows()) {
            self.threshold(from.row(y), limit, out);
        }
    }

    pub(crate) fn normalize_rows(
        &self,
        from: Image<'_>,
        (mean, std): (f32, f32),
        y: usize,
        mut to: ImageMut<'_, f32>,
    ) {
        for (y, out) in (y..).zip(to.rows()) {
            self.normalize_u8(from.row(y), mean, std, out);
        }
    }

    pub(crate) fn standardize_rows(
        &self,
        (mean, factor): (f32, f32),
        mut image: ImageMut<'_, f32>,
    ) {
        for row in image.rows() {
            self.standardize(row, mean, factor);
        }
    }

    /// The rows of `to`, a part of an image of `height` rows, which begins with row `start`.
    pub(crate) fn bilinear_rows(
        &self,
        from: Image<'_>,
        columns: &Columns,
        (start, height): (usize, usize),
        mut to: ImageMut<'_>,
        rows: &mut [i16],
    ) {
        let last = from.shape.height - 1;
        // An even row is held in the one half, an odd one in the other.
        let (even, odd) = rows.split_at_mut(to.shape.row());
        let mut held = [usize::MAX; 2];
        for (y, out) in (start..).zip(to.rows()) {
            let (first, share) = between(y, from.shape.height, height);
            let second = last.min(first + 1);
            for row in [first, second] {
                if held[row % 2] != row {
                    held[row % 2] = row;
                    let room = if row % 2 == 1 { &mut *odd } else { &mut *even };
                    let (firsts, shares) = (&columns.firsts, &columns.shares);
                    let channels = from.shape.channels;
                    self.between_columns(from.row(row), channels, firsts, shares, room);
                }
            }
            let half = |row: usize| if row % 2 == 1 { &*odd } else { &*even };
            self.between_rows(half(first), half(second), share, out);
        }
    }

    /// The rows of `to`, a part of an image of `height` rows, which begins with row `start`.
    pub(crate) fn area_rows(
        &self,
        from: Image<'_>,
        (start, height): (usize, usize),
        mut to: ImageMut<'_>,
        sums: &mut [u32],
    ) {
        let shape = from.shape;
        let (wide, high) = (reduced(shape.width, to.shape.width), reduced(shape.height, height));
        if wide == [2, 1] && high == [2, 1] {
            for (y, out) in (start..).zip(to.rows()) {
                let (upper, lower) = (from.row(2 * y), from.row(2 * y + 1));
                self.halve_rows(upper, lower, shape.channels, out);
            }
            return;
        }
        let covered = (wide[0] * high[0]) as u64;
        let mut spread = Spread::starting_with(start, high);
        for out in to.rows() {
            sums.fill(0);
            spread.next(|row, weight| self.add_row(from.row(row), weight, sums));
            mean_columns(sums, shape.channels, wide, covered, out);
        }
    }
}

/// Mean and variance of an image, of whose rows they are known (Chan, Golub, LeVeque 1983).
#[derive(Default)]
pub(crate) struct Moments {
    rows: f64,
    mean: f64,
    /// The sum of the rows' variances, and that of the squared distances of their means to `mean`.
    within: f64,
    between: f64,
}

impl Moments {
    /// Takes in another row; all are equally long and not empty.
    pub(crate) fn add(&mut self, row: Option<(f32, f32)>) {
        let Some((mean, variance)) = row else { return };
        let distance = f64::from(mean) - self.mean;
        self.rows += 1.0;
        self.mean += distance / self.rows;
        self.between += distance * (f64::from(mean) - self.mean);
        self.within += f64::from(variance);
    }

    /// The mean, and what makes the standard deviation 1.
    pub(crate) fn standard(&self) -> (f32, f32) {
        let variance = (self.within + self.between) / self.rows;
        (self.mean as f32, 1.0 / (sqrt(variance as f32) + 1e-8))
    }
}

/// Where pixel `i` of `to` lies among `from` pixels: behind which, and the share of the next in
/// [`ONE`]s, 0 if there is none.
fn between(i: usize, from: usize, to: usize) -> (usize, u32) {
    // In units of 1/2048 pixel: (i + ½) · from / to, rounded, less half a pixel. Fits: sides have 24
    // bits.
    let [i, from, to, one] = [i as u64, from as u64, to as u64, u64::from(ONE)];
    let centre = ((2 * i + 1) * from * one + to) / (2 * to);
    let place = centre.saturating_sub(one / 2).min((from - 1) * one);
    ((place / one) as usize, (place % one) as u32)
}

/// A ratio in its lowest terms, which keeps the weights of an area small.
fn reduced(from: usize, to: usize) -> [usize; 2] {
    let (mut divisor, mut rest) = (from, to);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    [from / divisor, to / divisor]
}

impl ResizeScratch {
    /// Where the columns of `to` lie, and two rows for each of so many bands.
    pub(crate) fn bilinear(
        &mut self,
        from: Shape,
        to: Shape,
        bands: usize,
    ) -> (&Columns, &mut [i16]) {
        let Columns { firsts, shares } = &mut self.columns;
        firsts.clear();
        shares.clear();
        for x in 0..to.width {
            let (first, share) = between(x, from.width, to.width);
            firsts.push(first as u32);
            shares.extend(core::iter::repeat_n(share as i16, to.channels));
        }
        (&self.columns, at_least(&mut self.rows, bands * 2 * to.row()))
    }
}

/// `room` with at least `len` values.
pub(crate) fn at_least<T: Copy + Default>(room: &mut Vec<T>, len: usize) -> &mut [T] {
    if room.len() < len {
        room.resize(len, T::default());
    }
    &mut room[..len]
}

#[track_caller]
pub(crate) fn same_channels(from: Shape, to: Shape) {
    let (from, to) = (from.channels, to.channels);
    assert!(from == to, "an image of {from} channels to one of {to}");
}

#[track_caller]
pub(crate) fn same_size(from: Shape, to: Shape) {
    same_channels(from, to);
    fits(from, to, (from.width, from.height) == (to.width, to.height), "sizes differ");
}

#[track_caller]
pub(crate) fn smaller(from: Shape, to: Shape) {
    same_channels(from, to);
    fits(from, to, to.width <= from.width && to.height <= from.height, "use resize_bilinear");
}

#[track_caller]
pub(crate) fn grays(from: Shape, to: Shape) {
    let (many, one) = (from.channels, to.channels);
    assert!(many > 1 && one == 1, "gray of {many} channels to an image of {one}");
    fits(from, to, (from.width, from.height) == (to.width, to.height), "sizes differ");
}

#[track_caller]
fn fits(from: Shape, to: Shape, right: bool, what: &str) {
    assert!(
        right,
        "{} × {} pixels to {} × {}: {what}",
        from.width, from.height, to.width, to.height
    );
}
