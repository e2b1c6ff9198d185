//! Image kernels on 512 × 512 pixels, and images of another size.

use std::hint::black_box;

use edgekit_kernels_simd::{Image, ImageMut, Isa, Kernels, ResizeScratch};

use super::{bytes, naive, values};
use crate::Suite;

const SIDE: usize = 512;
const PIXELS: usize = SIDE * SIDE;

pub(super) fn declare(suite: &mut Suite) {
    if !["gray", "threshold", "z-score", "resize"].iter().any(|what| suite.wants(&id(what))) {
        return;
    }
    let best = Kernels::get();
    let unsigned = |n| -> Vec<u8> { bytes(n, 1).iter().map(|&x| x as u8).collect() };
    let rgba = unsigned(4 * PIXELS);
    let (mut want, mut gray) = (vec![0; PIXELS], vec![0; PIXELS]);
    naive::rgba_to_gray(&rgba, &mut want);
    best.rgba_to_gray(&rgba, &mut gray);
    suite.check(id("gray"), want == gray, || "not what the loop finds".into());
    let (mut want, mut got) = (gray.clone(), gray.clone());
    naive::threshold(&gray, 127, &mut want);
    best.threshold(&gray, 127, &mut got);
    suite.check(id("threshold"), want == got, || "not what the loop finds".into());
    let (mut want, mut got) = (values(PIXELS, 1), values(PIXELS, 1));
    naive::z_score(&mut want);
    best.z_score(&mut got);
    let near = want.iter().zip(got.iter()).all(|(want, got)| (want - got).abs() < 1e-3);
    suite.check(id("z-score"), near, || "not what the loop finds".into());
    for side in [768, 256, 200] {
        let resized = |kernels: &Kernels| {
            let (mut out, mut scratch) = (vec![0; side * side * 4], ResizeScratch::default());
            let from = Image::new(&rgba, [SIDE; 2], 4, 4 * SIDE);
            let to = ImageMut::new(&mut out, [side; 2], 4, 4 * side);
            if side > SIDE {
                kernels.resize_bilinear(from, to, &mut scratch);
            } else {
                kernels.resize_area(from, to, &mut scratch);
            }
            out
        };
        // One pixel at a time, which the tests compare with the definition.
        let same = Kernels::for_isa(Isa::Scalar).is_some_and(|k| resized(k) == resized(best));
        suite.check(id("resize"), same, || format!("to {side}: not what scalar finds"));
    }

    let (x, mut out) = (rgba.clone(), gray.clone());
    suite.time("kernels/gray/512/naive", move || naive::rgba_to_gray(black_box(&x), &mut out));
    let (x, mut out) = (rgba.clone(), gray.clone());
    suite.time("kernels/gray/512/best", move || best.rgba_to_gray(black_box(&x), &mut out));

    // What only the second-level cache holds, and what the first one does.
    for side in [SIDE, 64] {
        let pixels = &gray[..side * side];
        let (x, mut out) = (pixels.to_vec(), pixels.to_vec());
        suite.time(format!("kernels/threshold/{side}/naive"), move || {
            naive::threshold(black_box(&x), black_box(127), &mut out)
        });
        let (x, mut out) = (pixels.to_vec(), pixels.to_vec());
        suite.time(format!("kernels/threshold/{side}/best"), move || {
            best.threshold(black_box(&x), black_box(127), &mut out)
        });
    }

    // In place, so that after the first time the mean is 0 and the deviation 1.
    let mut x = values(PIXELS, 1);
    suite.time("kernels/z-score/512/naive", move || naive::z_score(black_box(&mut x)));
    let mut x = values(PIXELS, 1);
    suite.time("kernels/z-score/512/best", move || best.z_score(black_box(&mut x)));

    let (x, mut out, mut scratch) =
        (rgba.clone(), vec![0; 768 * 768 * 4], ResizeScratch::default());
    suite.time("kernels/resize-bilinear/512-768/best", move || {
        let from = Image::new(black_box(&x), [SIDE; 2], 4, 4 * SIDE);
        best.resize_bilinear(from, ImageMut::new(&mut out, [768; 2], 4, 4 * 768), &mut scratch);
    });
    // A half, which has a way of its own, and a ratio that is not whole.
    for side in [256, 200] {
        let (x, mut out, mut scratch) =
            (rgba.clone(), vec![0; side * side * 4], ResizeScratch::default());
        suite.time(format!("kernels/resize-area/512-{side}/best"), move || {
            let from = Image::new(black_box(&x), [SIDE; 2], 4, 4 * SIDE);
            best.resize_area(from, ImageMut::new(&mut out, [side; 2], 4, 4 * side), &mut scratch);
        });
    }

    #[cfg(feature = "peers")]
    peers(suite);
}

fn id(what: &str) -> String {
    format!("kernels/{what}")
}

/// The `yuv` crate, whose gray is that of BT.601 with weights of its own, and OpenCV.
#[cfg(feature = "peers")]
fn peers(suite: &mut Suite) {
    let rgba: Vec<u8> = bytes(4 * PIXELS, 1).iter().map(|&x| x as u8).collect();
    let side = SIDE as u32;
    let mut gray = yuv::YuvGrayImageMut::<u8>::alloc(side, side);
    suite.time("kernels/gray/512/yuv", move || {
        let (range, matrix) = (yuv::YuvRange::Full, yuv::YuvStandardMatrix::Bt601);
        yuv::rgba_to_yuv400(&mut gray, black_box(&rgba), 4 * side, range, matrix)
    });
    for (id, what) in [
        ("kernels/gray/512/opencv", "gray"),
        ("kernels/threshold/512/opencv", "threshold"),
        ("kernels/z-score/512/opencv", "z-score"),
        ("kernels/resize-bilinear/512-768/opencv", "resize-bilinear"),
        ("kernels/resize-area/512-256/opencv", "resize-area"),
        ("kernels/resize-area/512-200/opencv", "resize-area-200"),
    ] {
        super::python::time(suite, id, "images.py", what);
    }
}
