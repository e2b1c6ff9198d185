//! No kernel reads or writes outside its slices: they end where a page begins that nobody may touch,
//! or begin where one ends.
#![cfg(unix)]

use edgekit_kernels_simd::{
    Activation, Dequantize, Epilogue, GemmScratch, Image, ImageMut, Kernels, Matrix, MatrixMut,
    Requantize, ResizeScratch, Rows, Weights,
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
            activations_at(rooms, &floats[..n], at);
            codes_in_numbers_at(rooms, &bytes[..n], at);
            // Rows for all pairs of these would take most of the time.
            if n < 70 || n % 64 < 2 {
                mixed_at(rooms, &floats[..n], at);
                byte_products_at(rooms, &bytes[..n], at);
            }
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
    all!(u8s, f32: cosine_u8_many cosine_u8_gather);
    all!(u8s, i32: dot_u8_many dot_u8_gather dot_u8_tile);
    all!(u8s, i32: l2_squared_u8_many l2_squared_u8_gather l2_squared_u8_tile);
    all!(u8s, u32: hamming_many hamming_gather hamming_tile);
    all!(u8s, f32: jaccard_many jaccard_gather);
    let half = |&x: &i8| f16::from_f32(f32::from(x));
    all!(half, f32: dot_f16_many dot_f16_gather dot_f16_tile);
    all!(half, f32: l2_squared_f16_many l2_squared_f16_gather l2_squared_f16_tile);
    all!(half, f32: cosine_f16_many cosine_f16_gather);
    let brain = |&x: &i8| bf16::from_f32(f32::from(x));
    all!(brain, f32: dot_bf16_many dot_bf16_gather dot_bf16_tile);
    all!(brain, f32: l2_squared_bf16_many l2_squared_bf16_gather l2_squared_bf16_tile);
    all!(brain, f32: cosine_bf16_many cosine_bf16_gather);
    let float = |&x: &i8| f32::from(x);
    all!(float, f32: dot_many dot_gather dot_tile);
    all!(float, f32: l2_squared_many l2_squared_gather l2_squared_tile);
    all!(float, f32: cosine_many cosine_gather);
}

/// Rows of packed codes by number and by id, in blocks of queries too.
fn codes_in_numbers_at([one, two, three]: &mut [Guarded; 3], bytes: &[i8], at: At) {
    let n = bytes.len();
    if n == 0 {
        return;
    }
    let codes: Vec<u8> = bytes.iter().map(|&x| x as u8).collect::<Vec<_>>().repeat(5);
    let rows = Rows::new(&*two.place(&codes, at), n, n);
    let out = three.place(&[0_i32; 25], at);
    for per in [2, 4] {
        let queries = Rows::new(&*one.place(&bytes.repeat(5 * per), at), per * n, per * n);
        let query = queries.get(4).unwrap();
        for k in Kernels::available() {
            if per == 2 {
                k.dot_i8_u4_many(query, rows, &mut out[20..]);
                k.dot_i8_u4_gather(query, rows, &[4, 0, 3], &mut out[22..]);
                k.dot_i8_u4_tile(queries, rows, out);
            } else {
                k.dot_i8_u2_many(query, rows, &mut out[20..]);
                k.dot_i8_u2_gather(query, rows, &[4, 0, 3], &mut out[22..]);
                k.dot_i8_u2_tile(queries, rows, out);
            }
        }
    }
}

/// A query of floats against rows of short types.
fn mixed_at([one, two, three]: &mut [Guarded; 3], floats: &[f32], at: At) {
    let n = floats.len();
    if n == 0 {
        return;
    }
    let query = &*one.place(floats, at);
    let out = three.place(&[0.0_f32; 5], at);
    macro_rules! all {
        ($from:expr, $pair:ident $many:ident $gather:ident) => {{
            let values = floats.iter().map($from).collect::<Vec<_>>().repeat(5);
            let rows = Rows::new(&*two.place(&values, at), n, n);
            for k in Kernels::available() {
                k.$pair(query, rows.get(4).unwrap());
                k.$many(query, rows, out);
                k.$gather(query, rows, &[4, 0, 3], &mut out[2..]);
            }
        }};
    }
    let half = |&x: &f32| f16::from_f32(x);
    all!(half, dot_f32_f16 dot_f32_f16_many dot_f32_f16_gather);
    all!(half, l2_squared_f32_f16 l2_squared_f32_f16_many l2_squared_f32_f16_gather);
    let brain = |&x: &f32| bf16::from_f32(x);
    all!(brain, dot_f32_bf16 dot_f32_bf16_many dot_f32_bf16_gather);
    all!(brain, l2_squared_f32_bf16 l2_squared_f32_bf16_many l2_squared_f32_bf16_gather);
    let byte = |&x: &f32| x as i8;
    all!(byte, dot_f32_i8 dot_f32_i8_many dot_f32_i8_gather);
    all!(byte, l2_squared_f32_i8 l2_squared_f32_i8_many l2_squared_f32_i8_gather);
}

/// Products of bytes, packed and not, that become bytes or values.
fn byte_products_at([one, two, three]: &mut [Guarded; 3], bytes: &[i8], at: At) {
    let k = bytes.len();
    if k == 0 {
        return;
    }
    let (rows, columns) = (5, 19);
    let a = Rows::new(&*one.place(&bytes.repeat(rows), at), k, k);
    let b = Rows::new(&*two.place(&bytes.repeat(columns), at), k, k);
    let ones = vec![1.0; columns];
    let requantize = Requantize {
        scales: &ones,
        bias: &ones,
        activation: Activation::Gelu,
        step: 0.5,
        zero_point: 3,
    };
    let meaning = Dequantize {
        row_scales: &ones[..rows],
        zero_points: &[1; 5],
        scales: &ones,
        code_sums: &[7; 19],
        bias: &ones,
    };
    let mut scratch = GemmScratch::default();
    for kernels in Kernels::available() {
        let packed = kernels.pack_weights(b);
        for b in [Weights::from(b), Weights::from(&packed)] {
            let sums = three.place(&vec![0_i32; rows * columns], at);
            kernels.gemm_i8(a, b, sums, &mut scratch);
            let out = three.place(&vec![0_i8; rows * columns], at);
            kernels.gemm_i8_requantized(a, b, requantize, out, &mut scratch);
            let out = three.place(&vec![0.0_f32; rows * columns], at);
            let activation = Activation::Tanh;
            kernels.gemm_i8_dequantized(a, b, meaning, activation, out, &mut scratch);
        }
    }
}

/// Every activation, apart and in place, and every derivative.
fn activations_at([one, two, three]: &mut [Guarded; 3], floats: &[f32], at: At) {
    let (x, room) = (&*one.place(floats, at), two.place(floats, at));
    let out = three.place(floats, at);
    for k in Kernels::available() {
        macro_rules! all {
            ($($to:ident $in_place:ident;)*) => {$(
                k.$to(x, out);
                k.$in_place(room);
            )*};
        }
        all!(
            exp exp_in_place; tanh tanh_in_place; sigmoid sigmoid_in_place; relu relu_in_place;
            gelu gelu_in_place; gelu_tanh gelu_tanh_in_place; silu silu_in_place;
            softplus softplus_in_place;
        );
        k.leaky_relu(x, 0.1, out);
        k.leaky_relu_in_place(room, 0.1);
        k.elu(x, 0.1, out);
        k.elu_in_place(room, 0.1);
        k.log_softmax(x, out);
        k.log_softmax_in_place(room);
        k.softmax_in_place(room);
        k.relu_backward(out, x);
        k.leaky_relu_backward(out, x, 0.1);
        k.elu_backward(out, x, 0.1);
        k.sigmoid_backward(out, x);
        k.tanh_backward(out, x);
        k.silu_backward(out, x);
        k.gelu_backward(out, x);
        k.gelu_tanh_backward(out, x);
        k.softplus_backward(out, x);
        k.softmax_backward(out, x);
        k.log_softmax_backward(out, x);
    }
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
    }
    let (a, b) = (&*one.place(&bf16s, at), &*two.place(&i8s, at));
    for k in Kernels::available() {
        k.dot_bf16(a, a);
        k.cosine_bf16(a, a);
        k.dot_f32_bf16(query, a);
        k.dot_f32_i8(query, b);
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
        k.dequantize_i8_columns(codes, &floats[..n.min(7)], &ones[..n.min(7)], x);
    }
    let brains = &*two.place(&vec![bf16::ZERO; n], at);
    for k in Kernels::available() {
        k.widen_bf16(brains, x);
    }
    let bytes = two.place(&vec![0_u8; n], at);
    for k in Kernels::available() {
        k.quantize_u8(x, 2.0, 3, bytes);
        k.dequantize_u8(bytes, 2.0, 3, x);
        k.normalize_u8(bytes, 0.4, 0.2, x);
    }
    let sums = &*two.place(&vec![5_i32; n], at);
    let (zeros, ones) = (vec![1; n], vec![0.5; n]);
    let meaning = Dequantize {
        row_scales: &[2.0],
        zero_points: &[3],
        scales: &ones,
        code_sums: &zeros,
        bias: &ones,
    };
    for k in Kernels::available() {
        k.dequantize_sums(sums, meaning, x);
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
        k.sub(a, b, out);
        k.mul(a, b, out);
        k.lerp(a, b, 0.3, out);
        k.scale(out, 0.9);
        k.axpy(0.3, a, out);
        k.clamp(out, -1.0, 1.0);
        k.ema(out, a, 0.1);
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
        let packed = k.pack(row);
        let c = MatrixMut::new(out, n, n, n);
        k.gemm(column, &packed, c, Epilogue::default(), &mut scratch);
        let square = Matrix::new(out, n, n, n);
        let mut y = vec![0.0; n];
        k.gemv(1.0, square, a, 0.0, &mut y);
        k.gemv_transposed(1.0, square, a, 0.0, &mut y);
    }
}
