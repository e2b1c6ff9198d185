//! Image kernels against one pixel at a time.

use edgekit_kernels_simd::{Image, ImageMut, Kernels, ResizeScratch};

use super::inputs::{Placed, Values, lengths};

pub(crate) fn gray_is_bit_exact() {
    let luma = |p: &[u8]| {
        ((77 * u32::from(p[0]) + 150 * u32::from(p[1]) + 29 * u32::from(p[2]) + 128) >> 8) as u8
    };
    let mut values = Values::new(15);
    for n in lengths() {
        let mut pixels: Vec<u8> = values.of(4 * n);
        if n % 5 == 0 {
            pixels.fill(255);
        }
        for offset in [0, 1, 13] {
            for k in Kernels::available() {
                let mut gray = vec![7; n + 1];
                let rgba = Placed::new(&pixels, offset);
                k.rgba_to_gray(rgba.get(), &mut gray[..n]);
                let want: Vec<u8> = pixels.chunks(4).map(luma).chain([7]).collect();
                assert_eq!(gray, want, "{} {n}", k.isa());
                let rgb = Placed::new(&pixels[..3 * n], offset);
                k.rgb_to_gray(rgb.get(), &mut gray[..n]);
                let want: Vec<u8> = pixels[..3 * n].chunks(3).map(luma).chain([7]).collect();
                assert_eq!(gray, want, "{} {n}", k.isa());
            }
        }
    }
}

pub(crate) fn threshold_is_right_for_all_pairs() {
    let all: Vec<u8> = (0..=255).collect();
    for k in Kernels::available() {
        for limit in 0..=255 {
            for n in [256, 77] {
                let mut out = vec![7; n];
                k.threshold(&all[..n], limit, &mut out);
                let want = |x: &u8| if *x > limit { 255 } else { 0 };
                assert!(
                    all.iter().map(want).zip(&out).all(|(x, y)| x == *y),
                    "{} {limit}",
                    k.isa()
                );
            }
        }
    }
}

pub(crate) fn normalisations_are_within_their_bound() {
    let mut values = Values::new(16);
    for n in lengths() {
        let bytes: Vec<u8> = values.of(n);
        let floats: Vec<f32> = values.f32s(n).iter().map(|x| x * 3.0 + 5.0).collect();
        let mean = floats.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let variance =
            floats.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64;
        for k in Kernels::available() {
            let mut out = vec![7.0; n];
            k.normalize_u8(&bytes, 0.485, 0.229, &mut out);
            for (x, got) in bytes.iter().zip(&out) {
                let want = (f64::from(*x) / 255.0 - 0.485) / 0.229;
                assert!((f64::from(*got) - want).abs() < 1e-6, "{}: {got}, {want}", k.isa());
            }
            let mut x = floats.clone();
            k.z_score(&mut x);
            for (x, got) in floats.iter().zip(&x) {
                let want = (f64::from(*x) - mean) / (variance.sqrt() + 1e-8);
                let near = (f64::from(*got) - want).abs() < 1e-5 * (1.0 + want.abs());
                assert!(near || n == 1, "{}: {got}, {want}", k.isa());
            }
        }
    }
    for k in Kernels::available() {
        k.z_score(&mut []);
        let mut same = [3.0; 40];
        k.z_score(&mut same);
        assert_eq!(same, [0.0; 40]);
        // Deviations as small as what is added to them: with 1e-6 this would be 0.0099.
        let mut small = [1e-8, -1e-8].repeat(20);
        k.z_score(&mut small);
        assert!(small.iter().all(|x| (x.abs() - 0.5).abs() < 1e-5), "{}: {small:?}", k.isa());
    }
}

/// Sizes `[from, to]` of a side: the same, one pixel, a little and much larger and smaller.
const SIDES: [[usize; 2]; 15] = [
    [1, 1],
    [1, 5],
    [5, 1],
    [7, 7],
    [8, 16],
    [16, 8],
    [13, 29],
    [29, 13],
    [97, 31],
    [31, 97],
    [64, 21],
    [101, 100],
    [21, 64],
    [130, 65],
    [93, 31],
];

/// Calls `check` with an image, its size, the size wanted and the channels, and the result of `resize`
/// for every table, which must be the same for all and leave alone what is between the rows.
fn each_resize(
    sides: impl Fn([usize; 2]) -> bool,
    resize: impl Fn(&Kernels, Image<'_>, ImageMut<'_>, &mut ResizeScratch),
    check: impl Fn(&dyn Fn(usize, usize, usize) -> u8, [usize; 4], usize, &[u8]),
) {
    let mut values = Values::new(17);
    let mut scratch = ResizeScratch::default();
    for [width, to_width] in SIDES.into_iter().filter(|side| sides(*side)) {
        for [height, to_height] in SIDES.into_iter().filter(|side| sides(*side)) {
            for (channels, gap) in [(1, 0), (1, 3), (3, 0), (3, 2), (4, 0), (4, 5)] {
                let stride = width * channels + gap;
                // The last row ends where its pixels do.
                let pixels: Vec<u8> = values.of(stride * height - gap);
                let from = Image::new(&pixels, [width, height], channels, stride);
                let to_stride = to_width * channels + gap;
                let mut first: Option<Vec<u8>> = None;
                for k in Kernels::available() {
                    // Room for another row, which is not a part of the image.
                    let mut out = vec![77; to_stride * (to_height + 1)];
                    let to = ImageMut::new(&mut out, [to_width, to_height], channels, to_stride);
                    resize(k, from, to, &mut scratch);
                    assert_eq!(out.split_off(to_stride * to_height), vec![77; to_stride]);
                    for row in out.chunks(to_stride) {
                        assert_eq!(row[to_width * channels..], vec![77; gap], "{}", k.isa());
                    }
                    assert_eq!(first.get_or_insert_with(|| out.clone()), &out, "{}", k.isa());
                }
                let at = |x: usize, y: usize, c: usize| pixels[y * stride + x * channels + c];
                let got = first.unwrap();
                let tight: Vec<u8> = got
                    .chunks(to_stride)
                    .flat_map(|row| &row[..to_width * channels])
                    .copied()
                    .collect();
                check(&at, [width, height, to_width, to_height], channels, &tight);
            }
        }
    }
}

pub(crate) fn resize_bilinear_is_within_its_bound() {
    let place = |i: usize, from: usize, to: usize| {
        let place = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let place = place.clamp(0.0, (from - 1) as f64);
        (place as usize, (place as usize + 1).min(from - 1), place.fract())
    };
    each_resize(
        |_| true,
        Kernels::resize_bilinear,
        |at, [w, h, to_w, to_h], channels, got| {
            for (i, &got) in got.iter().enumerate() {
                let (x, y, c) = (i / channels % to_w, i / channels / to_w, i % channels);
                let ((left, right, u), (up, down, v)) = (place(x, w, to_w), place(y, h, to_h));
                let row =
                    |y| f64::from(at(left, y, c)) * (1.0 - u) + f64::from(at(right, y, c)) * u;
                let want = row(up) * (1.0 - v) + row(down) * v;
                assert!(
                    (f64::from(got) - want).abs() <= 0.64,
                    "{got} for {want}: {w}×{h} to {to_w}×{to_h}"
                );
                assert!((w, h) != (to_w, to_h) || f64::from(got) == want, "not the image itself");
            }
        },
    );
}

pub(crate) fn resize_bilinear_rounds_as_it_says() {
    // In 1/2048 pixel: halves and ties have no rounding of their own here, as sides are small.
    let place = |i: usize, from: usize, to: usize| {
        let centre = ((i as f64 + 0.5) * from as f64 * 2048.0 / to as f64 + 0.5).floor();
        let place = (centre - 1024.0).clamp(0.0, (from - 1) as f64 * 2048.0) as usize;
        (place / 2048, (place / 2048 + 1).min(from - 1), (place % 2048) as f64)
    };
    each_resize(
        |_| true,
        Kernels::resize_bilinear,
        |at, [w, h, to_w, to_h], channels, got| {
            for (i, &got) in got.iter().enumerate() {
                let (x, y, c) = (i / channels % to_w, i / channels / to_w, i % channels);
                let ((left, right, u), (up, down, v)) = (place(x, w, to_w), place(y, h, to_h));
                // Of two columns in 1/128, then of two rows in whole bytes, both to nearest.
                let between = |y| {
                    let (left, right) = (f64::from(at(left, y, c)), f64::from(at(right, y, c)));
                    ((left * (2048.0 - u) + right * u) / 16.0 + 0.5).floor()
                };
                let sum = between(up) * (2048.0 - v) + between(down) * v;
                let want = (sum / f64::from(1 << 18) + 0.5).floor();
                assert!(f64::from(got) == want, "{got} for {want}: {w}×{h} to {to_w}×{to_h}");
            }
        },
    );
}

pub(crate) fn resize_area_is_exact() {
    // Thing `i` of `from` and thing `j` of `to` on a line of `from · to` parts.
    let shared = |i: usize, j: usize, from: usize, to: usize| {
        ((i + 1) * to).min((j + 1) * from).saturating_sub((i * to).max(j * from)) as u64
    };
    let smaller = |[from, to]: [usize; 2]| to <= from;
    each_resize(smaller, Kernels::resize_area, |at, [w, h, to_w, to_h], channels, got| {
        for (i, &got) in got.iter().enumerate() {
            let (x, y, c) = (i / channels % to_w, i / channels / to_w, i % channels);
            let mut sum = 0;
            for row in y * h / to_h..((y + 1) * h).div_ceil(to_h) {
                for column in x * w / to_w..((x + 1) * w).div_ceil(to_w) {
                    let parts = shared(row, y, h, to_h) * shared(column, x, w, to_w);
                    sum += parts * u64::from(at(column, row, c));
                }
            }
            let total = (w * h) as u64;
            assert_eq!(u64::from(got), (2 * sum + total) / (2 * total), "{w}×{h} to {to_w}×{to_h}");
        }
    });
}

/// Means of so many pixels that a product with the inverse of their number would be rounded up: a sum
/// that is just not enough for the next value, and one that just is.
pub(crate) fn area_of_many_pixels_is_exact() {
    for side in [40_usize, 63, 64, 71, 127, 139] {
        let count = side * side;
        let enough = 251 * count - count / 2;
        for sum in [enough - 1, enough] {
            let mut pixels = vec![250_u8; count];
            pixels[..sum - 250 * count].fill(251);
            let want = ((2 * sum + count) / (2 * count)) as u8;
            for k in Kernels::available() {
                let mut out = [0];
                let from = Image::new(&pixels, [side, side], 1, side);
                let to = ImageMut::new(&mut out, [1, 1], 1, 1);
                k.resize_area(from, to, &mut ResizeScratch::default());
                assert_eq!(out, [want], "{} {side} {sum}", k.isa());
            }
        }
    }
}

pub(crate) fn whole_images_equal_their_rows() {
    let mut values = Values::new(18);
    for (width, height, gap) in [(1, 1, 0), (33, 7, 0), (33, 7, 9)] {
        for channels in [3, 4] {
            let stride = width * channels + gap;
            let pixels: Vec<u8> = values.of(stride * height - gap);
            let from = Image::new(&pixels, [width, height], channels, stride);
            for k in Kernels::available() {
                let mut gray = vec![7; width * height];
                k.gray_image(from, ImageMut::new(&mut gray, [width, height], 1, width));
                let mut limited = vec![7; width * channels * height];
                let to = ImageMut::new(&mut limited, [width, height], channels, width * channels);
                k.threshold_image(from, 99, to);
                let mut floats = vec![7.0; (width * channels + 2) * height];
                let apart = width * channels + 2;
                let to = ImageMut::new(&mut floats, [width, height], channels, apart);
                k.normalize_image(from, 0.4, 0.2, to);
                let rows = pixels.chunks(stride).map(|row| &row[..width * channels]);
                for (y, row) in rows.enumerate() {
                    let (mut one, mut other) = (vec![0; width], vec![0; row.len()]);
                    match channels {
                        3 => k.rgb_to_gray(row, &mut one),
                        _ => k.rgba_to_gray(row, &mut one),
                    }
                    k.threshold(row, 99, &mut other);
                    let mut normal = vec![0.0; row.len()];
                    k.normalize_u8(row, 0.4, 0.2, &mut normal);
                    normal.extend([7.0; 2]);
                    assert_eq!(floats[y * apart..][..apart], normal, "{}", k.isa());
                    assert_eq!(gray[y * width..][..width], one, "{}", k.isa());
                    assert_eq!(limited[y * row.len()..][..row.len()], other, "{}", k.isa());
                }
            }
        }
    }
}

pub(crate) fn z_score_of_images_is_within_its_bound() {
    let mut values = Values::new(19);
    // Rows whose means are far apart, so that what is between them counts; the last ends early.
    for (width, height, gap) in [(1, 1, 0), (1, 40, 0), (33, 7, 5), (64, 30, 0)] {
        let stride = 3 * width + gap;
        let row_of = |i: usize| (i / stride) as f32;
        let random = values.f32s(stride * height - gap);
        let pixels: Vec<f32> =
            random.iter().enumerate().map(|(i, x)| x + 3.0 * row_of(i)).collect();
        let is_pixel = |i: &usize| i % stride < 3 * width;
        let all = || (0..pixels.len()).filter(is_pixel).map(|i| f64::from(pixels[i]));
        let count = (3 * width * height) as f64;
        let mean = all().sum::<f64>() / count;
        let deviation = (all().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt() + 1e-8;
        for k in Kernels::available() {
            let mut got = pixels.clone();
            k.z_score_image(ImageMut::new(&mut got, [width, height], 3, stride));
            for (i, (x, got)) in pixels.iter().zip(&got).enumerate() {
                let want = (f64::from(*x) - mean) / deviation;
                let want = if is_pixel(&i) { want } else { f64::from(*x) };
                assert!((f64::from(*got) - want).abs() < 2e-5, "{}: {got}, {want}", k.isa());
            }
        }
    }
}
