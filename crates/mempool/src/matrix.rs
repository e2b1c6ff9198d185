//! `MatrixPool`: 64-byte aligned matrices for gradients and activations, by shape or size class.

use std::fmt;
use std::ops::{Deref, DerefMut};

use aligned_vec::{AVec, ConstAlign};

use crate::{Buffer, BufferPool, Error, ErrorKind, PoolConfig, PoolStats, PooledBuffer};

/// The alignment of each matrix in bytes: a cache line, and the widest vector register there is.
pub const MATRIX_ALIGN: usize = 64;

/// How a [`MatrixPool`] behaves.
#[derive(Clone, Debug)]
pub struct MatrixPoolConfig {
    /// Shapes `(rows, columns)` that will be asked for again and again, such as those of a
    /// network's layers: each gets a pool of exactly its size. Shapes of one size share a pool.
    pub shapes: Vec<(usize, usize)>,
    /// Free matrices kept per listed shape and per size class.
    pub max_retained: usize,
}

impl Default for MatrixPoolConfig {
    fn default() -> Self {
        MatrixPoolConfig { shapes: Vec::new(), max_retained: 16 }
    }
}

/// A pool of row-major matrices whose first element is aligned to [`MATRIX_ALIGN`] bytes.
///
/// Shapes listed in the configuration are served from buffers of exactly their size, all others
/// from size classes (powers of two of the element count, so at most half is unused), and those
/// above 2²⁶ elements are not kept. `get` is O(log shapes) and leaves stale, initialised contents in
/// place; [`get_zeroed`](Self::get_zeroed) costs a pass over the memory.
///
/// ```
/// use edgekit_mempool::{MatrixPool, MatrixPoolConfig};
/// let layers = vec![(128, 784), (10, 128)];
/// let pool = MatrixPool::<f32>::new(MatrixPoolConfig { shapes: layers, ..Default::default() })?;
/// let mut gradient = pool.get_zeroed(128, 784)?;
/// gradient.row_mut(3)[7] = 0.5;
/// assert_eq!(gradient[3 * 784 + 7], 0.5);
/// # Ok::<(), edgekit_mempool::Error>(())
/// ```
pub struct MatrixPool<E: Copy + Default + Send + 'static> {
    /// Sorted by element count.
    exact: Vec<(usize, BufferPool<Block<E>>)>,
    classes: Vec<BufferPool<Block<E>>>,
    oversized: BufferPool<Block<E>>,
}

/// A lent matrix: a slice of `rows * columns` elements, row after row. Dropped, it goes back.
#[must_use = "the matrix goes back to its pool at once if it is not kept"]
pub struct PooledMatrix<'p, E: Copy + Default + Send + 'static> {
    block: PooledBuffer<Block<E>, &'p BufferPool<Block<E>>>,
    rows: usize,
    columns: usize,
}

/// The memory of a matrix: a whole class, initialised once and never shortened.
pub(crate) struct Block<E>(AVec<E, ConstAlign<MATRIX_ALIGN>>);

const MIN_CLASS: u32 = 4;
const MAX_CLASS: u32 = 26;

impl<E: Copy + Default + Send + 'static> MatrixPool<E> {
    /// A pool for the shapes listed and for any other.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidGeometry`] if a listed shape has more elements than can be addressed.
    pub fn new(config: MatrixPoolConfig) -> Result<Self, Error> {
        let pool = |elements: usize, max_retained| {
            let config = PoolConfig { max_retained, ..PoolConfig::default() };
            BufferPool::new(config, move || Block::new(elements))
        };
        let mut sizes = config
            .shapes
            .iter()
            .map(|&(rows, columns)| elements::<E>(rows, columns))
            .collect::<Result<Vec<_>, _>>()?;
        sizes.sort_unstable();
        sizes.dedup();
        Ok(MatrixPool {
            exact: sizes
                .into_iter()
                .map(|elements| Ok((elements, pool(elements, config.max_retained)?)))
                .collect::<Result<_, Error>>()?,
            classes: (MIN_CLASS..=MAX_CLASS)
                .map(|class| pool(1 << class, config.max_retained))
                .collect::<Result<_, _>>()?,
            oversized: pool(0, 0)?,
        })
    }

    /// A matrix with whatever its last user left in it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidGeometry`] if the shape has more elements than can be addressed.
    #[inline]
    pub fn get(&self, rows: usize, columns: usize) -> Result<PooledMatrix<'_, E>, Error> {
        let elements = elements::<E>(rows, columns)?;
        let block = match self.pool_of(elements) {
            Some(pool) => pool.get(),
            None => self.oversized.adopt(Block::new(elements)),
        };
        Ok(PooledMatrix { block, rows, columns })
    }

    /// A matrix of zeros (of `E::default()`).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_zeroed(&self, rows: usize, columns: usize) -> Result<PooledMatrix<'_, E>, Error> {
        let mut matrix = self.get(rows, columns)?;
        matrix.fill(E::default());
        Ok(matrix)
    }

    /// Frees what is retained for all threads and for the calling one. Returns how many matrices.
    pub fn trim(&self) -> usize {
        self.pools().map(BufferPool::trim).sum()
    }

    /// The statistics of all shapes and classes added up. `peak_bytes` is the sum of their peaks, an
    /// upper bound of the true one.
    pub fn stats(&self) -> PoolStats {
        self.pools().map(BufferPool::stats).sum()
    }

    fn pool_of(&self, elements: usize) -> Option<&BufferPool<Block<E>>> {
        if let Ok(i) = self.exact.binary_search_by_key(&elements, |(size, _)| *size) {
            return Some(&self.exact[i].1);
        }
        let class = elements.max(1 << MIN_CLASS).checked_next_power_of_two()?.ilog2() - MIN_CLASS;
        self.classes.get(class as usize)
    }

    fn pools(&self) -> impl Iterator<Item = &BufferPool<Block<E>>> {
        self.exact.iter().map(|(_, pool)| pool).chain(&self.classes).chain([&self.oversized])
    }
}

impl<E: Copy + Default + Send + 'static> fmt::Debug for MatrixPool<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatrixPool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl<E: Copy + Default + Send + 'static> PooledMatrix<'_, E> {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `r`, of `columns` elements.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row(&self, r: usize) -> &[E] {
        self.check_row(r);
        &self[r * self.columns..][..self.columns]
    }

    /// Row `r`, to be written.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row_mut(&mut self, r: usize) -> &mut [E] {
        self.check_row(r);
        let columns = self.columns;
        &mut self[r * columns..][..columns]
    }

    #[track_caller]
    fn check_row(&self, r: usize) {
        assert!(r < self.rows, "row {r} of a matrix of {} rows", self.rows);
    }
}

impl<E: Copy + Default + Send + 'static> Deref for PooledMatrix<'_, E> {
    type Target = [E];

    #[inline]
    fn deref(&self) -> &[E] {
        &self.block.0[..self.rows * self.columns]
    }
}

impl<E: Copy + Default + Send + 'static> DerefMut for PooledMatrix<'_, E> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [E] {
        let elements = self.rows * self.columns;
        &mut self.block.0[..elements]
    }
}

impl<E: Copy + Default + Send + fmt::Debug + 'static> fmt::Debug for PooledMatrix<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {} {:?}", self.rows, self.columns, &**self)
    }
}

impl<E: Copy + Default> Block<E> {
    fn new(elements: usize) -> Self {
        let mut block = AVec::new(MATRIX_ALIGN);
        block.resize(elements, E::default());
        Block(block)
    }
}

impl<E: Copy + Default + Send> Buffer for Block<E> {
    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<E>()
    }

    /// Nothing: the elements stay initialised, so that a matrix can be lent without a pass over it.
    fn clear(&mut self) {}

    fn wipe(&mut self) {
        self.0.fill(E::default());
    }
}

/// The element count of a shape whose bytes can be addressed.
fn elements<E>(rows: usize, columns: usize) -> Result<usize, Error> {
    rows.checked_mul(columns)
        .filter(|n| n.checked_mul(size_of::<E>().max(1)).is_some_and(|b| b <= isize::MAX as usize))
        .ok_or_else(|| {
            let what = format!("a matrix of {rows} × {columns} is larger than memory can be");
            Error::new(ErrorKind::InvalidGeometry, what)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_shapes_are_exact_and_others_go_by_class() {
        let config = MatrixPoolConfig { shapes: vec![(3, 100), (100, 3)], max_retained: 4 };
        let pool = MatrixPool::<f32>::new(config).unwrap();
        drop(pool.get(3, 100).unwrap());
        assert_eq!(pool.stats().bytes, 1200, "300 elements, not 512");
        drop(pool.get(100, 3).unwrap());
        assert_eq!((pool.stats().hits, pool.stats().misses), (1, 1), "same size, same pool");
        drop(pool.get(3, 101).unwrap());
        drop(pool.get(500, 1).unwrap());
        assert_eq!((pool.stats().hits, pool.stats().misses), (2, 2), "303 and 500 share 512");
    }

    #[test]
    fn aligned_in_each_class_for_each_element() {
        let floats = MatrixPool::<f32>::new(MatrixPoolConfig::default()).unwrap();
        let bytes = MatrixPool::<i8>::new(MatrixPoolConfig::default()).unwrap();
        for n in [0, 1, 15, 17, 1000, 70_000] {
            assert_eq!(floats.get(1, n).unwrap().as_ptr() as usize % MATRIX_ALIGN, 0);
            assert_eq!(bytes.get(n, 1).unwrap().as_ptr() as usize % MATRIX_ALIGN, 0);
            assert_eq!(bytes.get(n, 1).unwrap().len(), n);
        }
    }

    #[test]
    fn zeroing_is_a_choice() {
        let pool = MatrixPool::<f32>::new(MatrixPoolConfig::default()).unwrap();
        pool.get(4, 4).unwrap().fill(7.0);
        assert!(pool.get(4, 4).unwrap().iter().all(|&x| x == 7.0));
        assert!(pool.get_zeroed(4, 4).unwrap().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn a_shape_that_overflows_is_an_error() {
        let pool = MatrixPool::<f32>::new(MatrixPoolConfig::default()).unwrap();
        for (rows, columns) in [(usize::MAX, 2), (usize::MAX / 4, 2), (1 << 32, 1 << 32)] {
            let kind = pool.get(rows, columns).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::InvalidGeometry);
        }
    }

    #[test]
    #[should_panic(expected = "row 2 of a matrix of 2 rows")]
    fn a_row_that_is_not_there_panics_with_both_numbers() {
        let pool = MatrixPool::<i8>::new(MatrixPoolConfig::default()).unwrap();
        pool.get(2, 3).unwrap().row(2);
    }
}
