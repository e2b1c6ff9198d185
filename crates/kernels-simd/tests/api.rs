//! What the public face promises besides right answers: choices, names and panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use edgekit_kernels_simd::{ErrorKind, Image, ImageMut, Isa, Kernels, ResizeScratch, Rows};

/// The message of the panic that `f` must end in.
#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic");
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a message")
}

#[test]
fn every_table_is_found_by_its_instruction_set() {
    assert_eq!(Kernels::available().next().unwrap().isa(), Isa::Scalar);
    for kernels in Kernels::available() {
        let isa = kernels.isa();
        assert_eq!(Kernels::for_isa(isa).unwrap().isa(), isa);
        assert_eq!(isa.name().parse::<Isa>().unwrap(), isa);
    }
    #[cfg(target_arch = "x86_64")]
    assert!(Kernels::for_isa(Isa::Neon).is_none());
}

#[test]
fn an_unknown_name_is_an_error_that_lists_what_there_is() {
    let error = "avx9".parse::<Isa>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownIsa);
    let text = error.to_string();
    assert!(text.contains("`avx9`") && text.contains("scalar"), "{text}");
}

/// The environment is read once per process, so each value gets a process of its own.
#[test]
fn the_environment_forces_a_table_and_never_falls_back() {
    let me = std::env::current_exe().unwrap();
    // Under an emulator the child needs the runner that cargo gave to us.
    let runner = std::env::var("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    let runner = runner.ok().filter(|_| cfg!(target_arch = "aarch64")).unwrap_or_default();
    let run = |isa: &str| {
        let mut words = runner.split_whitespace().map(Into::into).chain([me.clone()]);
        let mut command = std::process::Command::new(words.next().unwrap());
        command.args(words);
        command.args(["--exact", "api::child_prints_its_table", "--nocapture"]);
        let out = command.env("EDGEKIT_ISA", isa).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    for kernels in Kernels::available() {
        let name = kernels.isa().name();
        assert!(run(name).contains(&format!("table: {name};")), "{}", run(name));
    }
    assert!(run("avx9").contains("no instruction set is called `avx9`; available here: scalar"));
    let elsewhere = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    assert!(run(elsewhere).contains(&format!("has no kernels for `{elsewhere}`; available here")));
}

#[test]
fn child_prints_its_table() {
    match Kernels::try_get() {
        Ok(kernels) => println!("table: {};", kernels.isa()),
        Err(error) => println!("{error}"),
    }
}

/// Permission to use tiles lasts as long as the process, so this needs one of its own.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_text_of_an_error_does_not_ask_for_tiles() {
    let me = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(me);
    command.args(["--exact", "api::child_prints_what_it_may_use", "--nocapture"]);
    let out = command.env("EDGEKIT_TEST_CHILD", "1").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("available here: scalar") && text.contains("tiles: false"), "{text}");
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn child_prints_what_it_may_use() {
    const GET_PERMISSION: i32 = 0x1022;
    const TILE_DATA: u64 = 1 << 18;
    // Beside other tests the process may have asked already.
    if std::env::var_os("EDGEKIT_TEST_CHILD").is_some() {
        println!("{}", "avx9".parse::<Isa>().unwrap_err());
        let mut permitted = 0_u64;
        // SAFETY: writes one number of 64 bits, or fails where the system does not know the call.
        unsafe { libc::syscall(libc::SYS_arch_prctl, GET_PERMISSION, &mut permitted) };
        println!("tiles: {}", permitted & TILE_DATA != 0);
    }
}

#[test]
fn lengths_that_differ_panic_with_both() {
    let (a, b) = ([0.0; 5], [0.0; 7]);
    for kernels in Kernels::available() {
        let both = |text: String| assert!(text.contains('5') && text.contains('7'), "{text}");
        both(panic_of(|| _ = kernels.dot(&a, &b)));
        both(panic_of(|| _ = kernels.l2_squared(&a, &b)));
        both(panic_of(|| _ = kernels.cosine(&a, &b)));
        both(panic_of(|| _ = kernels.cosine_with_norms(&a, &b, 1.0, 1.0)));
        both(panic_of(|| _ = kernels.dot_i8(&[0; 5], &[0; 7])));
        both(panic_of(|| _ = kernels.l2_squared_i8(&[0; 5], &[0; 7])));
    }
}

#[test]
fn shapes_that_do_not_fit_panic_with_both_numbers() {
    let data = [0.0; 12];
    let rows = Rows::new(&data, 3, 4);
    let query = [0.0; 3];
    for kernels in Kernels::available() {
        let text = panic_of(|| kernels.dot_many(&data[..5], rows, &mut [0.0; 3]));
        assert_eq!(text, "query of dimension 5 for rows of dimension 3");
        let text = panic_of(|| kernels.l2_squared_many(&query, rows, &mut [0.0; 2]));
        assert_eq!(text, "room for 2 results of 3 rows");
        let text = panic_of(|| kernels.dot_gather(&query, rows, &[0, 1], &mut [0.0; 3]));
        assert_eq!(text, "room for 3 results of 2 ids");
        let text = panic_of(|| kernels.l2_squared_gather(&query, rows, &[0, 3], &mut [0.0; 2]));
        assert_eq!(text, "id 3 for 3 rows");
    }
}

#[test]
fn rows_are_counted_once_and_for_all() {
    let data = [0.0_f32; 11];
    assert_eq!(Rows::new(&data[..0], 3, 4).len(), 0);
    assert!(Rows::new(&data[..0], 3, 4).is_empty());
    assert_eq!(Rows::new(&data[..8], 3, 4).len(), 2);
    assert_eq!(Rows::new(&data[..11], 3, 4).len(), 3);
    assert!(Rows::new(&data, 3, 4).get(3).is_none());
    let text = panic_of(|| _ = Rows::new(&data[..10], 3, 4));
    assert_eq!(text, "10 values end inside row 2 (dimension 3, stride 4)");
    let text = panic_of(|| _ = Rows::new(&data, 4, 3));
    assert_eq!(text, "stride 3 is less than the dimension 4: rows overlap");
}

#[test]
fn products_and_maps_check_their_shapes() {
    use edgekit_kernels_simd::{Epilogue, GemmScratch, Matrix, MatrixMut};
    let data = [0.0; 60];
    let mut scratch = GemmScratch::default();
    for k in Kernels::available() {
        let (a, b) = (Matrix::new(&data, 3, 4, 4), Matrix::new(&data, 5, 6, 6));
        let mut c = [0.0; 18];
        let text = panic_of(|| {
            let c = MatrixMut::new(&mut c, 3, 6, 6);
            k.gemm(a, b, c, Epilogue::default(), &mut scratch);
        });
        assert_eq!(text, "3 × 4 by 5 × 6: the inner dimensions differ");
        let text = panic_of(|| k.gemv(1.0, a.transposed(), &data[..3], 0.0, &mut [0.0; 4]));
        assert!(text.contains("transposed"), "{text}");
        let text = panic_of(|| k.add(&data[..3], &data[..3], &mut [0.0; 4]));
        assert_eq!(text, "vectors of different lengths: 3 and 4");
        let text = panic_of(|| _ = k.violations(&data, &data, &data, &mut [0; 2]));
        assert_eq!(text, "room for 2 words of 64 bits for 60 values");
        let text = panic_of(|| _ = k.dot_i8_u4(&[0; 7], &[0; 4]));
        assert_eq!(text, "query of 7 values for a row of 4 bytes with 2 codes each");
        let text = panic_of(|| k.rgba_to_gray(&[0; 7], &mut [0; 2]));
        assert_eq!(text, "7 bytes for 2 pixels of 4 channels");
        let text = panic_of(|| k.quantize_i8(&data[..3], 1.0, 0, &mut [0; 4]));
        assert_eq!(text, "vectors of different lengths: 3 and 4");
        let text = panic_of(|| k.quantize_u4(&data[..7], 1.0, 0, &mut [0; 3]));
        assert_eq!(text, "3 bytes for 7 values, two a byte");
        let text = panic_of(|| k.dequantize_u4(&[0; 4], 1.0, 16, &mut [0.0; 7]));
        assert_eq!(text, "zero point 16 is not within [0, 15]");
        let text = panic_of(|| k.quantize_i8_columns(&data[..3], &[], &[], &mut [0; 3]));
        assert_eq!(text, "3 values in rows of no columns");
        let text = panic_of(|| k.clamp(&mut [0.0; 3], 1.0, f32::NAN));
        assert_eq!(text, "no value is within [1, NaN]");
        let text = panic_of(|| k.dot_tile(Rows::new(&data, 3, 3), Rows::new(&data, 4, 4), &mut []));
        assert_eq!(text, "queries of dimension 3 for rows of dimension 4");
    }
    let text = panic_of(|| _ = Matrix::new(&data, 7, 9, 9));
    assert_eq!(text, "60 values for 7 rows of 9 with stride 9");
}

#[test]
fn images_that_do_not_fit_panic_with_both_sizes() {
    let (kernels, pixels) = (Kernels::get(), vec![0; 600]);
    let image = |size: [usize; 2], channels, stride| Image::new(&pixels, size, channels, stride);
    let says = |text: String, all: &[&str]| {
        assert!(all.iter().all(|part| text.contains(part)), "{text}");
    };
    says(panic_of(|| _ = image([0, 5], 1, 5)), &["0 × 5"]);
    says(panic_of(|| _ = image([1 << 24, 1], 1, 1 << 24)), &["16777216 × 1"]);
    says(panic_of(|| _ = image([5, 5], 2, 10)), &["2 channels"]);
    says(panic_of(|| _ = image([5, 5], 3, 14)), &["stride 14", "15 values"]);
    says(panic_of(|| _ = image([200, 4], 1, 200)), &["600 values", "4 rows of 200"]);
    says(panic_of(|| _ = image([1, 1000], 1, usize::MAX)), &["600 values"]);
    let mut out = vec![0; 600];
    let mut to = |size: [usize; 2], channels, run: &dyn Fn(ImageMut<'_>)| {
        panic_of(|| run(ImageMut::new(&mut out, size, channels, size[0] * channels)))
    };
    let (gray, rgb) = (image([10, 10], 1, 10), image([10, 10], 3, 30));
    says(to([10, 10], 1, &|to| kernels.gray_image(gray, to)), &["gray of 1 channels"]);
    says(to([9, 10], 1, &|to| kernels.gray_image(rgb, to)), &["10 × 10", "9 × 10"]);
    says(to([9, 10], 1, &|to| kernels.threshold_image(gray, 1, to)), &["10 × 10", "9 × 10"]);
    let bilinear = |to: ImageMut<'_>| {
        kernels.resize_bilinear(rgb, to, &mut ResizeScratch::default());
    };
    says(to([5, 5], 1, &bilinear), &["of 3 channels", "one of 1"]);
    let area = |to: ImageMut<'_>| kernels.resize_area(gray, to, &mut ResizeScratch::default());
    says(to([5, 11], 1, &area), &["10 × 10", "5 × 11"]);
    let mut floats = vec![0.0; 600];
    let mut to = |width: usize, std| {
        let to = ImageMut::new(&mut floats, [width, 10], 3, 3 * width);
        panic_of(|| kernels.normalize_image(rgb, 0.5, std, to))
    };
    says(to(9, 0.2), &["10 × 10", "9 × 10"]);
    says(to(10, 0.0), &["deviation of 0"]);
}

#[cfg(feature = "rayon")]
#[test]
fn images_in_parallel_equal_images_in_one_go() {
    let kernels = Kernels::get();
    let pixels: Vec<u8> = (0_u32..700 * 4 * 501).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
    let image = Image::new(&pixels, [699, 501], 4, 700 * 4);
    type Work<'a> = &'a dyn Fn(Image<'_>, ImageMut<'_>, &mut ResizeScratch);
    let same = |size: [usize; 2], channels, one: Work<'_>, many: Work<'_>| {
        let stride = size[0] * channels + 3;
        let mut out = [vec![7; stride * size[1]], vec![7; stride * size[1]]];
        for (out, work) in out.iter_mut().zip([one, many]) {
            let to = ImageMut::new(out, size, channels, stride);
            work(image, to, &mut ResizeScratch::default());
        }
        assert!(out[0] == out[1]);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| {
        same([699, 501], 1, &|a, b, _| kernels.gray_image(a, b), &|a, b, _| {
            kernels.gray_image_parallel(a, b);
        });
        same([699, 501], 4, &|a, b, _| kernels.threshold_image(a, 99, b), &|a, b, _| {
            kernels.threshold_image_parallel(a, 99, b);
        });
        same([500, 800], 4, &|a, b, s| kernels.resize_bilinear(a, b, s), &|a, b, s| {
            kernels.resize_bilinear_parallel(a, b, s);
        });
        same([30_000, 1], 4, &|a, b, s| kernels.resize_bilinear(a, b, s), &|a, b, s| {
            kernels.resize_bilinear_parallel(a, b, s);
        });
        same([301, 97], 4, &|a, b, s| kernels.resize_area(a, b, s), &|a, b, s| {
            kernels.resize_area_parallel(a, b, s);
        });
        let mut floats = [vec![7.0; 2800 * 501], vec![7.0; 2800 * 501]];
        let [one, many] = &mut floats;
        kernels.normalize_image(image, 0.4, 0.2, ImageMut::new(one, [699, 501], 4, 2800));
        let to = ImageMut::new(many, [699, 501], 4, 2800);
        kernels.normalize_image_parallel(image, 0.4, 0.2, to);
        assert!(one == many && one[0] != 7.0 && one[2799] == 7.0);
        kernels.z_score_image(ImageMut::new(one, [699, 501], 4, 2800));
        kernels.z_score_image_parallel(ImageMut::new(many, [699, 501], 4, 2800));
        assert!(one == many && one[2799] == 7.0);
    });
}

#[cfg(feature = "rayon")]
#[test]
fn halving_in_parallel_equals_halving_in_one_go() {
    let pixels: Vec<u8> = (0_u32..800 * 400).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
    let image = Image::new(&pixels, [200, 400], 4, 800);
    let mut out = [vec![7; 400 * 200], vec![8; 400 * 200]];
    let (kernels, mut scratch) = (Kernels::get(), ResizeScratch::default());
    let [one, many] = &mut out;
    kernels.resize_area(image, ImageMut::new(one, [100, 200], 4, 400), &mut scratch);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| {
        let to = ImageMut::new(many, [100, 200], 4, 400);
        kernels.resize_area_parallel(image, to, &mut scratch);
    });
    assert!(one == many);
}
