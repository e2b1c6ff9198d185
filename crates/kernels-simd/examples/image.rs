//! An image with a stride to gray, to black and white, and to what a network is fed with.

use edgekit_kernels_simd::Kernels;

fn main() {
    let kernels = Kernels::get();
    let (width, height, stride) = (320, 200, 1344);
    let image: Vec<u8> = (0..height * stride).map(|i| (i * 7 % 251) as u8).collect();

    let mut gray = vec![0; width * height];
    for (row, gray) in image.chunks(stride).zip(gray.chunks_mut(width)) {
        kernels.rgba_to_gray(&row[..4 * width], gray);
    }
    let mut black_and_white = vec![0; gray.len()];
    kernels.threshold(&gray, 127, &mut black_and_white);
    let mut tensor = vec![0.0; gray.len()];
    kernels.normalize_u8(&gray, 0.485, 0.229, &mut tensor);
    let white = black_and_white.iter().filter(|&&x| x == 255).count();
    println!("{white} of {} are white; mean {:?}", gray.len(), kernels.mean_variance(&tensor));
}
