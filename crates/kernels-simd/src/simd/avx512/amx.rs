//! Products of bytes in AMX's tiles: eight registers of sixteen rows of 64 bytes.
//!
//! `tdpbusd` and `tdpbssd` multiply sixteen rows of 64 bytes by sixteen columns: 16,384 products, where
//! one of VNNI's has 64. The compiler's intrinsics for them are not stable yet, so they are written as
//! assembly. What is in the tiles lives within one assembly statement, which configures them first and
//! releases them last: no other code, signal handler or thread ever finds them in use.
#![allow(unsafe_code, reason = "assembly; the token proves that its instructions exist")]

use core::arch::asm;
use core::mem::offset_of;

use crate::rows::Rows;
use crate::simd::product::{TILE_COLUMNS, Tile, tile_depth};

/// Rows and columns of a block of results, which is two tiles by two.
const BLOCK: usize = TILE_COLUMNS;
/// Rows of a tile, and its columns of four bytes each.
const SIDE: usize = BLOCK / 2;

/// Proves AMX-TILE and AMX-INT8, and that the system lets this process use them.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Amx(());

impl Avx512Amx {
    /// The compiler knows no stable feature that could prove it.
    ///
    /// # Safety
    /// [`is_permitted`] has said so.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Avx512Amx(())
    }

    /// Writes the product of the rows of `a` and as many columns as `sums` has, [`BLOCK`]
    /// at most; `signed` says whether the bytes of `a` are.
    ///
    /// The rows are whole steps of [`tile_depth`] bytes. `b` has a row for each four bytes of them,
    /// `4 · width` bytes apart, with four bytes of each column in it. Where something of that is
    /// missing, nothing is written.
    #[inline(always)]
    pub(crate) fn product(
        self,
        a: Rows<'_, u8>,
        signed: bool,
        (b, width): (&[u8], usize),
        sums: Tile<'_, i32>,
    ) {
        let (rows, cols, depth) = (sums.rows, sums.cols, tile_depth(a.dim()));
        let Some(steps) = a.dim().checked_div(depth) else { return };
        let fits = rows > 0
            && (1..=BLOCK).contains(&cols)
            && steps * depth == a.dim()
            && (rows - 1) * a.stride() + a.dim() <= a.data().len()
            && (a.dim() / 4 - 1) * 4 * width + 4 * cols <= b.len()
            && (rows - 1) * sums.stride + cols <= sums.data.len();
        if !fits {
            return;
        }
        let (mut a_at, mut to, mut left) = (a.data().as_ptr(), sums.data.as_mut_ptr(), rows);
        // All whole blocks at once, then the rows that are left in tiles of their number.
        while left > 0 {
            let height = if left < BLOCK { left } else { BLOCK };
            let run = Run {
                tiles: Tiles::new(height, cols, depth),
                blocks: left / height,
                steps,
                depth,
                a: a_at,
                a_stride: a.stride(),
                b: b.as_ptr(),
                b_stride: 4 * width,
                b_step: depth * width,
                to,
                to_stride: 4 * sums.stride,
            };
            // SAFETY: the token proves the instructions; `blocks` times `height` rows are in both
            // slices, and `cols` columns in each row of `b`, as was compared.
            unsafe { run.multiply(height > SIDE, cols > SIDE, signed) };
            let done = run.blocks * height;
            a_at = a_at.wrapping_add(done * a.stride());
            to = to.wrapping_add(done * sums.stride);
            left -= done;
        }
    }
}

/// What one statement does: blocks of rows below each other, strides in bytes.
#[repr(C)]
struct Run {
    tiles: Tiles,
    blocks: usize,
    steps: usize,
    depth: usize,
    a: *const u8,
    a_stride: usize,
    b: *const u8,
    b_stride: usize,
    b_step: usize,
    to: *mut i32,
    to_stride: usize,
}

/// What is only there with a second tile.
macro_rules! second {
    (1, $text:expr) => {
        ""
    };
    (2, $text:expr) => {
        $text
    };
}

/// A run with one or two tiles of rows and of columns.
///
/// Tiles 0 to 3 are results, two in each row of tiles; 4 and 5 rows of `A`; 6 and 7 columns of `B`.
macro_rules! run {
    ($run:ident, $dot:literal, $rows:tt, $cols:tt) => {
        asm!(
            "ldtilecfg [{run} + {TILES}]",
            "2:",
            "mov {k}, [{run} + {STEPS}]",
            "mov {b}, [{run} + {B}]",
            "mov {x}, {a}",
            "tilezero tmm0",
            second!($cols, "tilezero tmm1"),
            second!($rows, "tilezero tmm2"),
            second!($rows, second!($cols, "tilezero tmm3")),
            "3:",
            "tileloadd tmm4, [{x} + {a_stride}]",
            "tileloadd tmm6, [{b} + {b_stride}]",
            concat!($dot, " tmm0, tmm4, tmm6"),
            second!($cols, "tileloadd tmm7, [{b} + {b_stride} + 64]"),
            second!($cols, concat!($dot, " tmm1, tmm4, tmm7")),
            "mov {half}, {a_stride}",
            "shl {half}, 4",
            "add {half}, {x}",
            second!($rows, "tileloadd tmm5, [{half} + {a_stride}]"),
            second!($rows, concat!($dot, " tmm2, tmm5, tmm6")),
            second!($rows, second!($cols, concat!($dot, " tmm3, tmm5, tmm7"))),
            "add {b}, [{run} + {B_STEP}]",
            "add {x}, [{run} + {DEPTH}]",
            "dec {k}",
            "jnz 3b",
            "tilestored [{to} + {to_stride}], tmm0",
            second!($cols, "tilestored [{to} + {to_stride} + 64], tmm1"),
            "mov {half}, {to_stride}",
            "shl {half}, 4",
            "add {to}, {half}",
            second!($rows, "tilestored [{to} + {to_stride}], tmm2"),
            second!($rows, second!($cols, "tilestored [{to} + {to_stride} + 64], tmm3")),
            "add {to}, {half}",
            "mov {half}, {a_stride}",
            "shl {half}, 5",
            "add {a}, {half}",
            "dec {blocks}",
            "jnz 2b",
            "tilerelease",
            run = in(reg) $run,
            TILES = const offset_of!(Run, tiles),
            STEPS = const offset_of!(Run, steps),
            DEPTH = const offset_of!(Run, depth),
            B = const offset_of!(Run, b),
            B_STEP = const offset_of!(Run, b_step),
            blocks = inout(reg) $run.blocks => _,
            a = inout(reg) $run.a => _,
            a_stride = in(reg) $run.a_stride,
            b_stride = in(reg) $run.b_stride,
            to = inout(reg) $run.to => _,
            to_stride = in(reg) $run.to_stride,
            b = out(reg) _,
            x = out(reg) _,
            k = out(reg) _,
            half = out(reg) _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

impl Run {
    /// # Safety
    /// Tiles may be used; the rows of all blocks, in both slices, and all columns in each row of `b`
    /// exist; `steps` and `blocks` are above 0.
    #[inline(always)]
    unsafe fn multiply(&self, two_rows: bool, two_cols: bool, signed: bool) {
        let run = self;
        // SAFETY: as the caller promises. What is read and written is inside of what exists; all
        // registers that change are named, and tiles are released as they were found.
        unsafe {
            match (two_rows, two_cols, signed) {
                (true, true, false) => run!(run, "tdpbusd", 2, 2),
                (true, true, true) => run!(run, "tdpbssd", 2, 2),
                (true, false, false) => run!(run, "tdpbusd", 2, 1),
                (true, false, true) => run!(run, "tdpbssd", 2, 1),
                (false, true, false) => run!(run, "tdpbusd", 1, 2),
                (false, true, true) => run!(run, "tdpbssd", 1, 2),
                (false, false, false) => run!(run, "tdpbusd", 1, 1),
                (false, false, true) => run!(run, "tdpbssd", 1, 1),
            }
        }
    }
}

/// The shapes of the tiles as `ldtilecfg` reads them: palette 1 of Intel's manual, volume 1, chapter
/// 18.
#[repr(C, align(64))]
struct Tiles {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    #[inline(always)]
    fn new(rows: usize, cols: usize, depth: usize) -> Self {
        let mut tiles = Tiles {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        let (rows, cols) = (halves(rows), halves(cols));
        for i in 0..2 {
            for j in 0..2 {
                tiles.shape(2 * i + j, rows[i], cols[j]);
            }
            tiles.shape(4 + i, rows[i], depth / 4);
            tiles.shape(6 + i, depth / 4, cols[i]);
        }
        tiles
    }

    /// A tile that has either no rows or no columns has neither.
    #[inline(always)]
    fn shape(&mut self, tile: usize, rows: usize, cols: usize) {
        if rows > 0 && cols > 0 {
            self.rows[tile] = rows as u8;
            self.row_bytes[tile] = 4 * cols as u16;
        }
    }
}

/// What of `n` is in the first and in the second tile.
#[inline(always)]
fn halves(n: usize) -> [usize; 2] {
    if n > SIDE { [SIDE, n - SIDE] } else { [n, 0] }
}

/// Whether the processor has tiles and the system lets this process use them, which is asked once.
///
/// Linux has the registers saved only for a process that asks. It is asked for all of its threads; it
/// refuses where the stack that a thread has for signals could not hold 8 KiB more.
#[cfg(all(target_os = "linux", target_pointer_width = "64", feature = "std", not(miri)))]
pub(crate) fn is_permitted() -> bool {
    use std::sync::OnceLock;
    static PERMITTED: OnceLock<bool> = OnceLock::new();

    #[target_feature(enable = "xsave")]
    fn ask() -> bool {
        const TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
        const SAVED: u64 = 1 << 17 | 1 << 18;
        const ARCH_PRCTL: usize = 158;
        const REQUEST_PERMISSION: usize = 0x1023;
        const TILE_DATA: usize = 18;
        use core::arch::x86_64::{__cpuid_count, __get_cpuid_max, _xgetbv};
        let exist = __get_cpuid_max(0).0 >= 7
            && __cpuid_count(7, 0).edx & TILE_AND_INT8 == TILE_AND_INT8
            // SAFETY: register 0 exists where the system has switched XSAVE on, which its detection
            // looks at.
            && unsafe { _xgetbv(0) } & SAVED == SAVED;
        exist && {
            let refused: usize;
            // SAFETY: a system call that reads and writes no memory of ours.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") ARCH_PRCTL => refused,
                    in("rdi") REQUEST_PERMISSION,
                    in("rsi") TILE_DATA,
                    out("rcx") _,
                    out("r11") _,
                    options(nostack),
                );
            }
            refused == 0
        }
    }

    *PERMITTED.get_or_init(|| {
        // SAFETY: XSAVE was detected, and that the system has switched it on.
        std::arch::is_x86_feature_detected!("xsave") && unsafe { ask() }
    })
}

/// Elsewhere nobody can be asked.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64", feature = "std", not(miri))))]
pub(crate) fn is_permitted() -> bool {
    false
}
