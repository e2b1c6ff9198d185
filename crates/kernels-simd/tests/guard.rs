//! No kernel reads or writes outside its slices: they end where a page begins that nobody may touch,
//! or begin where one ends.
#![cfg(unix)]

use edgekit_kernels_simd::{
    Epilogue, GemmScratch, Image, ImageMut, Kernels, Matrix, MatrixMut, ResizeScratch, Rows,
};
use half::{bf16, f16};

/// Memory between two pages that trap.
struct Guarded {
    base: *mut u8,
    page: usize,
    pages: usize,
}

impl Guarded {
    fn new(bytes: usize) -> Self {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let pages = bytes.div_ceil(page) + 2;
        // SAFETY: maps fresh memory, which nothing else uses, and then forbids its first and last
        // page.
        let base = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let all = libc::PROT_READ | libc::PROT_WRITE;
            let base = libc::mmap(std::ptr::null_mut(), pages * page, all, flags, -1, 0);
            assert!(base != libc::MAP_FAILED);
            let last = base.byte_add((pages - 1) * page);
            assert_eq!(libc::mprotect(base, page, libc::PROT_NONE), 0);
            assert_eq!(libc::mprotect(last, page, libc::PROT_NONE), 0);
            base.cast::<u8>()
        };
        Guarded { base, page, pages }
    }

    /// `values` with their last one before the trap, or with their first one behind the other.
    fn place<T: Copy>(&mut self, values: &[T], at_end: At) -> &mut [T] {
        let room = (self.pages - 2) * self.page;
        assert!(size_of_val(values) <= room);
        let offset = match at_end {
            At::End => room - size_of_val(values),
            At::Start => 0,
        };
        // SAFETY: inside the pages that may be touched, aligned as a page less whole values is, and
        // borrowed from `self` for as long as the slice lives.
        unsafe {
            let start = self.base.add(self.page + offset).cast::<T>();
            start.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts_mut(start, values.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and the last use of it.
        unsafe { libc::munmap(self.base.cast(), self.pages * self.page) };
    }
}

#[derive(Clone, Copy)]
enum At {
    Start,
    End,
}

#[test]
fn nothing_outside_of_the_slices_is_touched() {
    let mut rooms = [Guarded::new(40_000), Guarded::new(40_000), Guarded::new(40_000)];
    let floats: Vec<f32> = (0..1024).map(|i| (i as f32).sin()).collect();
    let bytes: Vec<i8> = (0..1024).map(|i| i as i8).collect();
    for at in [At::Start, At::End] {
        for n in (0..=257).chain([509, 521, 1021]) {
            let rooms = &mut rooms;
            let [one, two, three] = &mut *rooms;
            let (a, b) = (&*one.place(&floats[..n], at), &*two.place(&floats[..n], at));
            for k in Kernels::available() {
                k.dot(a, b);
                k.l2_squared(a, b);
                k.cosine(a, b);
                k.cosine_with_norms(a, b, 1.0, 1.0);
                k.norm(a);
                k.sum(a);
                k.min_max(a);
                k.mean_variance(a);
            }
            if n > 0 {
                let rows = &*two.place(&floats[..n].repeat(7), at);
                let rows = Rows::new(rows, n, n);
                let out = three.place(&[0.0_f32; 7], at);
                for k in Kernels::available() {
                    k.dot_many(a, rows, out);
                    k.l2_squared_many(a, rows, out);
                    k.dot_gather(a, rows, &[6, 0, 3, 2, 6, 5, 1], out);
                    k.l2_squared_gather(a, rows, &[6, 0, 3, 2, 6, 5, 1], out);
                }
            }
            bytes_at(rooms, &bytes[..n], at);
            rows_at(rooms, &bytes[..n], at);
            halves_at(rooms, &floats[..n], at);
            maps_at(rooms, &floats[..n], at);
        }
    }
}

fn bytes_at([one, two, three]: &mut [Guarded; 3], bytes: &[i8], at: At) {
    let n = bytes.len();
    let (a, b) = (&*one.place(bytes, at), &*two.place(bytes, at));
    for k in Kernels::available() {
        k.dot_i8(a, b);
        k.l2_squared_i8(a, b);
        k.cosine_i8(a, b);
    }
    let bytes: Vec<u8> = bytes.iter().map(|&x| x as u8).collect();
    let (a, b) = (&*one.place(&bytes, at), &*two.place(&bytes, at));
    let out = three.place(&bytes, at);
    for k in Kernels::available() {
        k.dot_u8(a, b);
        k.l2_squared_u8(a, b);
        k.cosine_u8(a, b);
        k.hamming(a, b);
        k.jaccard(a, b);
        k.threshold(a, 100, out);
        k.rgba_to_gray(&a[..n / 4 * 4], &mut out[..n / 4]);
        k.rgb_to_gray(&a[..n / 3 * 3], &mut out[..n / 3]);
    }
    if n > 0 {
        let weights = &*three.place(&vec![3_i8; n], at);
        let mut scratch = GemmScratch::default();
        for k in Kernels::available() {
            let (a, b) = (Rows::new(a, n, n), Rows::new(weights, n, n));
            k.gemm_u8_i8(a, b, &mut [0], &mut scratch);
            k.gemm_i8(b, b, &mut [0], &mut scratch);
        }
    }
    // Whole and broken blocks of tiles, whose rows are multiplied where they are.
    if n > 0 && n.is_multiple_of(4) {
        let (rows, columns) = (37, 21);
        let left = &*one.place(&bytes.repeat(rows), at);
        let right = &*two.place(&vec![3_i8; columns * n], at);
        let out = three.place(&vec![0_i32; rows * columns], at);
        let mut scratch = GemmScratch::default();
        for k in Kernels::available() {
            k.gemm_u8_i8(Rows::new(left, n, n), Rows::new(right, n, n), out, &mut scratch);
        }
    }
    // Codes that end at a page, with queries that do.
    for codes in [2, 4] {
        let query = &*one.place(&vec![3_i8; codes * n], at);
        let row = &*two.place(&bytes, at);
        for k in Kernels::available() {
            match codes {
                2 => _ = k.dot_i8_u4(query, row),
                _ => _ = k.dot_i8_u2(query, row),
            }
        }
    }
}

/// Rows of short types by number and by id, in blocks of queries too.
fn rows_at([one, two, three]: &mut [Guarded; 3], bytes: &[i8], at: At) {
    let n = bytes.len();
    if n == 0 {
        return;
    }
    const IDS: [u32; 6] = [4, 0, 3, 2, 4, 1];
    macro_rules! all {
        ($from:expr, $out:ty: $many:ident $gather:ident $($tile:ident)?) => {{
            let values = bytes.iter().map($from).collect::<Vec<_>>().repeat(5);
            let (queries, rows) = (&*one.place(&values, at), &*two.place(&values, at));
            let (queries, rows) = (Rows::new(queries, n, n), Rows::new(rows, n, n));
            let query = queries.get(0).unwrap();
            let out = three.place(&[<$out>::default(); 25], at);
            for k in Kernels::available() {
                k.$many(query, rows, &mut out[20..]);
                k.$gather(query, rows, &IDS, &mut out[19..]);
                $(k.$tile(queries, rows, out);)?
            }
        }};
    }
    let (i8s, u8s) = (|&x: &i8| x, |&x: &i8| x as u8);
    all!(i8s, i32: dot_i8_many dot_i8_gather dot_i8_tile);
    all!(i8s, i32: l2_squared_i8_many l2_squared_i8_gather l2_squared_i8_tile);
    all!(i8s, f32: cosine_i8_many cosine_i8_gather);
    all!(u8s, i32: dot_u8_many dot_u8_gather dot_u8_tile);
    all!(u8s, u32: hamming_many hamming_gather hamming_tile);
    all!(u8s, f32: jaccard_many jaccard_gather);
    let half = |&x: &i8| f16::from_f32(f32::from(x));
    all!(half, f32: dot_f16_many dot_f16_gather dot_f16_tile);
    all!(half, f32: cosine_f16_many cosine_f16_gather);
    let brain = |&x: &i8| bf16::from_f32(f32::from(x));
    all!(brain, f32: dot_bf16_many dot_bf16_gather dot_bf16_tile);
    all!(brain, f32: l2_squared_bf16_many l2_squared_bf16_gather l2_squared_bf16_tile);
}

#[test]
fn images_keep_to_their_pixels() {
    let mut rooms = [Guarded::new(90_000), Guarded::new(90_000), Guarded::new(360_000)];
    let pixels: Vec<u8> = (0..90_000).map(|i| (i * 7 % 251) as u8).collect();
    let mut scratch = ResizeScratch::default();
    for at in [At::Start, At::End] {
        for ([width, height], channels) in
            [([64, 3], 1), ([67, 5], 3), ([16, 16], 4), ([131, 6], 4), ([130, 2], 4)]
        {
            let [one, two, three] = &mut rooms;
            let stride = width * channels + 2;
            // The last row ends where its pixels do.
            let len = stride * height - 2;
            let from =
                Image::new(&*one.place(&pixels[..len], at), [width, height], channels, stride);
            let floats = three.place(&vec![0.0_f32; len], at);
            for k in Kernels::available() {
                for [w, h] in [[width, height], [width / 2, height / 2], [width / 3, 1]] {
                    let (stride, size) = (w * channels + 1, [w, h]);
                    let out = two.place(&pixels[..stride * h - 1], at);
                    let to = ImageMut::new(out, size, channels, stride);
                    k.resize_area(from, to, &mut scratch);
                    let to = ImageMut::new(out, size, channels, stride);
                    k.resize_bilinear(from, to, &mut scratch);
                }
                if channels > 1 {
                    let out = two.place(&pixels[..width * height], at);
                    k.gray_image(from, ImageMut::new(out, [width, height], 1, width));
                }
                let size = [width, height];
                k.normalize_image(from, 0.4, 0.2, ImageMut::new(floats, size, channels, stride));
                let planes = &mut floats[..width * height];
                k.normalize_planes(from, &[0.4], &[0.2], planes);
                k.z_score_image(ImageMut::new(floats, size, channels, stride));
            }
        }
    }
}

fn halves_at([one, two, three]: &mut [Guarded; 3], floats: &[f32], at: At) {
    let f16s: Vec<f16> = floats.iter().map(|&x| f16::from_f32(x)).collect();
    let bf16s: Vec<bf16> = floats.iter().map(|&x| bf16::from_f32(x)).collect();
    let i8s = vec![5_i8; floats.len()];
    let query = &*three.place(floats, at);
    let (a, b) = (&*one.place(&f16s, at), &*two.place(&f16s, at));
    for k in Kernels::available() {
        k.dot_f16(a, b);
        k.cosine_f16(a, b);
        k.l2_squared_f32_f16(query, a);
        k.cosine_f32_f16(query, a);
    }
    let (a, b) = (&*one.place(&bf16s, at), &*two.place(&i8s, at));
    for k in Kernels::available() {
        k.dot_bf16(a, a);
        k.cosine_bf16(a, a);
        k.dot_f32_bf16(query, a);
        k.dot_f32_i8(query, b);
        k.cosine_f32_bf16(query, a);
        k.cosine_f32_i8(query, b);
    }
    codes_at([one, two, three], floats, at);
}

fn codes_at([one, two, three]: [&mut Guarded; 3], floats: &[f32], at: At) {
    let n = floats.len();
    let (wide, ones) = (vec![f16::ZERO; n], vec![1_i8; n]);
    let x = &*one.place(floats, at);
    let out = two.place(&ones, at);
    for k in Kernels::available() {
        k.finite_min_max(x);
        k.quantize_i8(x, 2.0, 3, out);
        k.quantize_i8_columns(x, &x[..n.min(7)], &ones[..n.min(7)], out);
    }
    let packed = two.place(&vec![0_u8; n.div_ceil(2)], at);
    for k in Kernels::available() {
        k.quantize_u4(x, 2.0, 3, packed);
    }
    let halves = two.place(&wide, at);
    let brains = three.place(&vec![bf16::ZERO; n], at);
    for k in Kernels::available() {
        k.narrow_f16(x, halves);
        k.narrow_bf16(x, brains);
    }
    let (x, halves) = (three.place(floats, at), &*halves);
    for k in Kernels::available() {
        k.widen_f16(halves, x);
    }
    let codes = &*two.place(&ones, at);
    for k in Kernels::available() {
        k.dequantize_i8(codes, 2.0, 3, x);
    }
    let packed = &*two.place(&vec![0_u8; n.div_ceil(2)], at);
    for k in Kernels::available() {
        k.dequantize_u4(packed, 2.0, 3, x);
    }
}

fn maps_at([one, two, three]: &mut [Guarded; 3], floats: &[f32], at: At) {
    let n = floats.len();
    let (a, b) = (&*one.place(floats, at), &*two.place(floats, at));
    let out = three.place(floats, at);
    for k in Kernels::available() {
        k.add(a, b, out);
        k.fma(a, b, a, out);
        k.q_update(out, a, b, 0.1, 0.9);
        k.gelu(a, out);
        k.softmax(a, out);
        k.softplus_in_place(out);
        k.normalize(out);
        k.z_score(out);
        k.argmax(a);
        k.count_above(a, 0.1);
        k.top_k(a, &mut [(0.0, 0); 3]);
    }
    let mask = three.place(&vec![0_u64; n.div_ceil(64)], at);
    for k in Kernels::available() {
        k.violations(a, b, b, mask);
    }
    // A product of a column and a row, and a product with a vector.
    let mut scratch = GemmScratch::default();
    let n = n.min(64);
    let (a, b) = (&a[..n], &b[..n]);
    let out = three.place(&vec![0.0; n * n], at);
    for k in Kernels::available() {
        let (column, row) = (Matrix::new(a, n, 1, 1), Matrix::new(b, 1, n, n));
        let c = MatrixMut::new(out, n, n, n);
        k.gemm(column, row, c, Epilogue::default(), &mut scratch);
        // The same read transposed.
        let c = MatrixMut::new(out, n, n, n);
        k.gemm(row.transposed(), column.transposed(), c, Epilogue::default(), &mut scratch);
        let square = Matrix::new(out, n, n, n);
        let mut y = vec![0.0; n];
        k.gemv(1.0, square, a, 0.0, &mut y);
        k.gemv_transposed(1.0, square, a, 0.0, &mut y);
    }
}
