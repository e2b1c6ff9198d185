//! Whole images with their rows shared among rayon's threads; the results are the same.

use alloc::vec::Vec;

use rayon::prelude::*;

use crate::image::{Image, ImageMut};
use crate::resize::{Moments, ResizeScratch, at_least, grays, same_channels, same_size, smaller};
use crate::table::{Kernels, positive};

impl Kernels {
    /// [`Kernels::gray_image`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::gray_image`].
    #[track_caller]
    pub fn gray_image_parallel(&self, from: Image<'_>, to: ImageMut<'_>) {
        grays(from.shape, to.shape);
        let bands = bands(from.shape.row() * from.shape.height);
        share(0, to, &mut [], bands, &|y, to, _: &mut [()]| self.gray_rows(from, y, to));
    }

    /// [`Kernels::threshold_image`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::threshold_image`].
    #[track_caller]
    pub fn threshold_image_parallel(&self, from: Image<'_>, limit: u8, to: ImageMut<'_>) {
        same_size(from.shape, to.shape);
        let bands = bands(from.shape.row() * from.shape.height);
        let work = |y, to: ImageMut<'_>, _: &mut [()]| self.threshold_rows(from, limit, y, to);
        share(0, to, &mut [], bands, &work);
    }

    /// [`Kernels::normalize_image`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::normalize_image`].
    #[track_caller]
    pub fn normalize_image_parallel(
        &self,
        from: Image<'_>,
        mean: f32,
        std: f32,
        to: ImageMut<'_, f32>,
    ) {
        same_size(from.shape, to.shape);
        positive(std);
        let bands = bands(from.shape.row() * from.shape.height);
        share(0, to, &mut [], bands, &|y, to, _: &mut [()]| {
            self.normalize_rows(from, (mean, std), y, to);
        });
    }

    /// [`Kernels::z_score_image`] on the threads of the current rayon pool; allocates eight bytes a row.
    pub fn z_score_image_parallel(&self, image: ImageMut<'_, f32>) {
        let (row, values) = (image.shape.row(), image.shape.row() * image.shape.height);
        let lines = image.data.par_chunks(image.shape.stride).take(image.shape.height);
        // In the order of the rows, so that the sum is the same however many threads there are.
        let rows: Vec<_> = lines.map(|line| self.mean_variance(&line[..row])).collect();
        let mut moments = Moments::default();
        rows.into_iter().for_each(|row| moments.add(row));
        let standard = moments.standard();
        share(0, image, &mut [], bands(size_of::<f32>() * values), &|_, image, _: &mut [()]| {
            self.standardize_rows(standard, image);
        });
    }

    /// [`Kernels::resize_bilinear`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::resize_bilinear`].
    #[track_caller]
    pub fn resize_bilinear_parallel(
        &self,
        from: Image<'_>,
        to: ImageMut<'_>,
        scratch: &mut ResizeScratch,
    ) {
        same_channels(from.shape, to.shape);
        let height = to.shape.height;
        let bands = bands(to.shape.row() * height);
        let (columns, rows) = scratch.bilinear(from.shape, to.shape, bands);
        share(0, to, rows, bands, &|y, to, rows: &mut [i16]| {
            self.bilinear_rows(from, columns, (y, height), to, rows);
        });
    }

    /// [`Kernels::resize_area`] on the threads of the current rayon pool.
    ///
    /// # Panics
    /// As [`Kernels::resize_area`].
    #[track_caller]
    pub fn resize_area_parallel(
        &self,
        from: Image<'_>,
        to: ImageMut<'_>,
        scratch: &mut ResizeScratch,
    ) {
        smaller(from.shape, to.shape);
        let height = to.shape.height;
        let bands = bands(from.shape.row() * from.shape.height);
        let sums = at_least(&mut scratch.sums, bands * from.shape.row());
        share(0, to, sums, bands, &|y, to, sums: &mut [u32]| {
            self.area_rows(from, (y, height), to, sums);
        });
    }
}

/// Into how many bands of rows to cut work on so many bytes: some for each thread, so that one which
/// starts late leaves some to the others, and none too small to be worth handing over.
fn bands(bytes: usize) -> usize {
    const WORTH: usize = 1 << 16;
    (bytes / WORTH).clamp(1, 4 * rayon::current_num_threads())
}

/// Calls `work` for bands of rows, each with its first row and its part of the scratch.
fn share<P: Send, T: Send>(
    y: usize,
    to: ImageMut<'_, P>,
    scratch: &mut [T],
    bands: usize,
    work: &(impl Fn(usize, ImageMut<'_, P>, &mut [T]) + Sync),
) {
    let upper = to.shape.height * (bands / 2) / bands;
    if upper == 0 {
        return work(y, to, scratch);
    }
    let (above, below) = to.split_at(upper);
    let first = bands / 2;
    let (one, other) = scratch.split_at_mut(scratch.len() / bands * first);
    rayon::join(
        || share(y, above, one, first, work),
        || share(y + upper, below, other, bands - first, work),
    );
}
