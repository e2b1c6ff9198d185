//! Pixels of four bytes, which gain from sets that multiply bytes.

use super::pixels;
use crate::kernels::images;

family! {
    bytes Pixels in pixels;

    /// Red, green, blue and alpha to gray by BT.601, `(77 R + 150 G + 29 B + 128) >> 8`: bit-exact
    /// on every instruction set. Alpha is ignored.
    ///
    /// # Panics
    /// Unless `rgba` has four bytes for each of `gray`.
    pub fn rgba_to_gray(rgba: &[u8], gray: &mut [u8]) {
        check { pixels(rgba.len(), 4, gray.len()) } run images::rgba_to_gray
    }
}
