//! Image kernels against one pixel at a time.

use edgekit_kernels_simd::Kernels;

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
    }
}
