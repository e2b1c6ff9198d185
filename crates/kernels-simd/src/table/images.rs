//! Image kernels: each takes a run of pixels, for a strided image a row of it.

use super::{pixels, positive, same_len};
use crate::kernels::{images, images_resize};

family! {
    Images in images;

    /// [`Kernels::rgba_to_gray`](super::Kernels::rgba_to_gray) of pixels without alpha.
    ///
    /// # Panics
    /// Unless `rgb` has three bytes for each of `gray`.
    pub fn rgb_to_gray(rgb: &[u8], gray: &mut [u8]) {
        check { pixels(rgb.len(), 3, gray.len()) } run images::rgb_to_gray
    }
    /// 255 where a value is strictly greater than `limit`, else 0; values are unsigned.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn threshold(gray: &[u8], limit: u8, out: &mut [u8]) {
        check { same_len(gray.len(), out.len()) } run images::threshold
    }
    /// `(x / 255 - mean) / std`, what image networks are fed with. Within 3 roundings of the terms.
    ///
    /// # Panics
    /// If the lengths differ, or `std` is not greater than 0.
    pub fn normalize_u8(x: &[u8], mean: f32, std: f32, out: &mut [f32]) {
        check { same_len(x.len(), out.len()); positive(std) } run images::normalize_u8
    }
    pub(crate) fn normalize_channel(
        pixels: &[u8],
        channels: usize,
        channel: usize,
        mean: f32,
        std: f32,
        out: &mut [f32],
    ) {
        check {} run images::normalize_channel
    }
    /// `(x - mean) / (σ + 1e-8)` with the population's mean and standard deviation, in place;
    /// nothing happens to an empty slice.
    pub fn z_score(x: &mut [f32]) {
        check {} run images::z_score
    }
    pub(crate) fn standardize(x: &mut [f32], mean: f32, factor: f32) {
        check {} run images::standardize
    }
    pub(crate) fn between_columns(
        row: &[u8],
        channels: usize,
        firsts: &[u32],
        shares: &[i16],
        out: &mut [i16],
    ) {
        check {} run images_resize::between_columns
    }
    pub(crate) fn between_rows(first: &[i16], second: &[i16], share: u32, out: &mut [u8]) {
        check {} run images_resize::between_rows
    }
    pub(crate) fn halve_rows(upper: &[u8], lower: &[u8], channels: usize, out: &mut [u8]) {
        check {} run images_resize::halve_rows
    }
    pub(crate) fn add_row(row: &[u8], weight: u32, sums: &mut [u32]) {
        check {} run images_resize::add_row
    }
}
