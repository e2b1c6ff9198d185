//! No kernel reads or writes outside its slices: they end where a page begins that nobody may touch,
//! or begin where one ends.
#![cfg(unix)]

use edgekit_kernels_simd::{Kernels, Rows};

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
            let [one, two, three] = &mut rooms;
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
            let (a, b) = (&*one.place(&bytes[..n], at), &*two.place(&bytes[..n], at));
            for k in Kernels::available() {
                k.dot_i8(a, b);
                k.l2_squared_i8(a, b);
            }
        }
    }
}
