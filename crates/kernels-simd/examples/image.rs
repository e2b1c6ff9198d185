//! An image with a stride to half its size, to gray, to black and white, and to what a network reads.

use edgekit_kernels_simd::{Image, ImageMut, Kernels, ResizeScratch};

fn main() {
    let kernels = Kernels::get();
    let (size, half, stride) = ([320, 200], [160, 100], 1344);
    let pixels: Vec<u8> = (0..size[1] * stride).map(|i| (i * 7 % 251) as u8).collect();
    let image = Image::new(&pixels, size, 4, stride);

    let (mut small, mut scratch) = (vec![0; 160 * 100 * 4], ResizeScratch::default());
    kernels.resize_area(image, ImageMut::new(&mut small, half, 4, 160 * 4), &mut scratch);
    let mut gray = vec![0; 160 * 100];
    kernels
        .gray_image(Image::new(&small, half, 4, 160 * 4), ImageMut::new(&mut gray, half, 1, 160));
    let mut black_and_white = vec![0; gray.len()];
    kernels.threshold(&gray, 127, &mut black_and_white);
    // Red, green and blue as planes of their own, with the means and deviations of ImageNet.
    let (means, stds) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let mut tensor = vec![0.0; 3 * gray.len()];
    kernels.normalize_planes(Image::new(&small, half, 4, 160 * 4), &means, &stds, &mut tensor);
    let white = black_and_white.iter().filter(|&&x| x == 255).count();
    println!("{white} of {} are white; mean {:?}", gray.len(), kernels.mean_variance(&tensor));
}
