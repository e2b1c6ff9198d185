//! A tensor in fewer bits.

use aligned_vec::{AVec, ConstAlign};
use edgekit_kernels_simd::Kernels;
use half::{bf16, f16};

use crate::error::check_values;
use crate::int4::{self, Group};
use crate::{Affine, Error, ErrorKind, Fidelity, PerChannel, Scheme};

/// How a tensor's values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 8-bit codes, one scale and zero point for all.
    Int8(Scheme),
    /// 8-bit codes, a scale and zero point for each index of one axis.
    Int8PerChannel {
        /// Where the codes of a channel's range lie.
        scheme: Scheme,
        /// The axis, counted from 0.
        axis: usize,
    },
    /// 4-bit codes, two a byte, a scale (and code of zero) for each group of neighbours along the
    /// last axis. Groups do not cross rows; a row's last group may be short.
    Int4 {
        /// Where the codes of a group's range lie.
        scheme: Scheme,
        /// Values in a group.
        group: Group,
    },
    /// IEEE 754 half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl Format {
    /// How many neighbouring values share a scale, of an 8-bit tensor of that shape.
    fn run(self, shape: &[usize]) -> usize {
        match self {
            Format::Int8PerChannel { axis, .. } => shape[axis + 1..].iter().product(),
            _ => shape.iter().product(),
        }
    }
}

/// Halves that are converted at a time.
const BLOCK: usize = 512;

/// Values of a shape, stored in a [`Format`], 64-byte aligned, the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedTensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) format: Format,
    pub(crate) data: AVec<u8, ConstAlign<64>>,
    pub(crate) scales: Vec<f32>,
    /// Codes of zero: `i8` for 8-bit formats, 0 to 15 for 4-bit ones; none for symmetric 8-bit.
    pub(crate) zero_points: Vec<i8>,
}

impl QuantizedTensor {
    /// Quantises `values` of the given shape, each range learned from its own values. O(n).
    ///
    /// ```
    /// use edgekit_quantize::{Format, QuantizedTensor, Scheme};
    ///
    /// let weights = [0.5, -1.0, 0.25, 100.0, -50.0, 25.0];
    /// let format = Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 0 };
    /// let tensor = QuantizedTensor::quantize(&weights, &[2, 3], format)?;
    /// let lost = tensor.fidelity(&weights)?;
    /// assert!(lost.sqnr_db > 40.0);
    /// # Ok::<(), edgekit_quantize::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Empty`], [`ErrorKind::NotFinite`], and [`ErrorKind::Shape`] unless the shape's
    /// product is the number of values and the axis is one of it. With [`Format::F16`] and
    /// [`Format::Bf16`], [`ErrorKind::NotFinite`] also for values that round to infinity: those
    /// beyond 65,504 and 3.39e38.
    pub fn quantize(values: &[f32], shape: &[usize], format: Format) -> Result<Self, Error> {
        check_values(values)?;
        let mut tensor = Self::empty(shape, format)?;
        if tensor.len() != values.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("{} values for shape {shape:?}", values.len()),
            ));
        }
        match format {
            Format::Int8(scheme) => {
                let map = Affine::from_values(values, scheme)?;
                return tensor.fill_int8(values, &[map]);
            }
            Format::Int8PerChannel { scheme, axis } => {
                let maps = channel_maps(values, shape, axis, scheme)?;
                return tensor.fill_int8(values, &maps);
            }
            Format::Int4 { scheme, group } => {
                let cols = tensor.cols();
                let rows = tensor.data.chunks_exact_mut(cols.div_ceil(2));
                for (row, codes) in values.chunks_exact(cols).zip(rows) {
                    let bytes = codes.chunks_mut(group.size() / 2);
                    for (values, codes) in row.chunks(group.size()).zip(bytes) {
                        let (scale, zero) = int4::encode(values, scheme, codes);
                        tensor.scales.push(scale);
                        tensor.zero_points.push(zero as i8);
                    }
                }
            }
            Format::F16 => {
                tensor.fill_halves(values, Kernels::narrow_f16, f16::to_le_bytes);
                let infinite = |two| f16::from_le_bytes(two).is_infinite();
                tensor.check_halves(values, 65_504.0, infinite)?;
            }
            Format::Bf16 => {
                tensor.fill_halves(values, Kernels::narrow_bf16, bf16::to_le_bytes);
                let infinite = |two| bf16::from_le_bytes(two).is_infinite();
                tensor.check_halves(values, 3.389e38, infinite)?;
            }
        }
        Ok(tensor)
    }

    /// Quantises `values` to 8 bits with one given map, for ranges that an
    /// [`Observer`](crate::Observer) learned. O(n).
    ///
    /// # Errors
    /// As [`QuantizedTensor::quantize`].
    pub fn quantize_with(values: &[f32], shape: &[usize], map: Affine) -> Result<Self, Error> {
        check_values(values)?;
        let scheme = if map.zero_point() == 0 { Scheme::Symmetric } else { Scheme::Asymmetric };
        let tensor = Self::empty(shape, Format::Int8(scheme))?;
        if tensor.len() != values.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("{} values for shape {shape:?}", values.len()),
            ));
        }
        tensor.fill_int8(values, &[map])
    }

    /// A tensor of that shape whose codes are all zero bytes and whose scales are missing.
    pub(crate) fn empty(shape: &[usize], format: Format) -> Result<Self, Error> {
        let product = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
        let len = match product {
            Some(len) if len > 0 && !shape.is_empty() && len <= isize::MAX as usize / 4 => len,
            _ => {
                return Err(Error::new(
                    ErrorKind::Shape,
                    format!("shape {shape:?} has no values or too many"),
                ));
            }
        };
        if let Format::Int8PerChannel { axis, .. } = format
            && axis >= shape.len()
        {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("axis {axis} of shape {shape:?}; axes count from 0"),
            ));
        }
        let cols = shape[shape.len() - 1];
        let bytes = match format {
            Format::Int8(_) | Format::Int8PerChannel { .. } => len,
            Format::Int4 { .. } => len / cols * cols.div_ceil(2),
            Format::F16 | Format::Bf16 => 2 * len,
        };
        let mut data = AVec::with_capacity(64, bytes);
        data.resize(bytes, 0);
        Ok(QuantizedTensor {
            shape: shape.to_vec(),
            format,
            data,
            scales: Vec::new(),
            zero_points: Vec::new(),
        })
    }

    /// How many scales the format has for that shape.
    pub(crate) fn groups(&self) -> usize {
        match self.format {
            Format::Int8(_) => 1,
            Format::Int8PerChannel { axis, .. } => self.shape[axis],
            Format::Int4 { group, .. } => {
                self.len() / self.cols() * self.cols().div_ceil(group.size())
            }
            Format::F16 | Format::Bf16 => 0,
        }
    }

    fn fill_int8(mut self, values: &[f32], maps: &[Affine]) -> Result<Self, Error> {
        let codes = bytemuck::cast_slice_mut(&mut self.data);
        PerChannel::new(maps, self.format.run(&self.shape))?.quantize(values, codes);
        self.scales = maps.iter().map(Affine::scale).collect();
        if maps.iter().any(|map| map.zero_point() != 0) {
            self.zero_points = maps.iter().map(Affine::zero_point).collect();
        }
        Ok(self)
    }

    fn cols(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// The values, each within half a step of what it was. O(n).
    pub fn dequantize(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        match self.format {
            Format::Int8(_) | Format::Int8PerChannel { .. } => {
                let run = self.format.run(&self.shape);
                // There is a map for each channel, whatever a tensor was made from.
                if let Ok(channels) = PerChannel::new(&self.maps(), run) {
                    channels.dequantize(bytemuck::cast_slice(&self.data), &mut values);
                }
            }
            Format::Int4 { group, .. } => {
                let kernels = Kernels::get();
                let mut scales = self.scales.iter().zip(&self.zero_points);
                let cols = self.cols();
                let rows = self.data.chunks_exact(cols.div_ceil(2));
                for (row, codes) in values.chunks_exact_mut(cols).zip(rows) {
                    let bytes = codes.chunks(group.size() / 2);
                    for ((values, codes), (&scale, &zero)) in
                        row.chunks_mut(group.size()).zip(bytes).zip(&mut scales)
                    {
                        kernels.dequantize_u4(codes, scale, zero as u8, values);
                    }
                }
            }
            Format::F16 => self.halves(&mut values, f16::from_le_bytes, Kernels::widen_f16),
            Format::Bf16 => self.halves(&mut values, bf16::from_le_bytes, Kernels::widen_bf16),
        }
        values
    }

    /// Narrows a block at a time into a buffer, of which the bytes are stored in file order.
    fn fill_halves<T: Copy + Default>(
        &mut self,
        values: &[f32],
        narrow: impl Fn(&Kernels, &[f32], &mut [T]),
        bytes: impl Fn(T) -> [u8; 2],
    ) {
        let (kernels, mut buffer) = (Kernels::get(), [T::default(); BLOCK]);
        for (values, stored) in values.chunks(BLOCK).zip(self.data.chunks_mut(2 * BLOCK)) {
            let halves = &mut buffer[..values.len()];
            narrow(kernels, values, halves);
            for (two, &half) in stored.as_chunks_mut::<2>().0.iter_mut().zip(&*halves) {
                *two = bytes(half);
            }
        }
    }

    fn halves<T: Copy + Default>(
        &self,
        values: &mut [f32],
        half: impl Fn([u8; 2]) -> T,
        widen: impl Fn(&Kernels, &[T], &mut [f32]),
    ) {
        let (kernels, mut buffer) = (Kernels::get(), [T::default(); BLOCK]);
        for (values, stored) in values.chunks_mut(BLOCK).zip(self.data.chunks(2 * BLOCK)) {
            let halves = &mut buffer[..values.len()];
            for (slot, &two) in halves.iter_mut().zip(stored.as_chunks::<2>().0) {
                *slot = half(two);
            }
            widen(kernels, halves, values);
        }
    }

    /// Refuses values that became infinite.
    fn check_halves(
        &self,
        values: &[f32],
        limit: f32,
        infinite: impl Fn([u8; 2]) -> bool,
    ) -> Result<(), Error> {
        match self.data.as_chunks::<2>().0.iter().position(|&two| infinite(two)) {
            None => Ok(()),
            Some(at) => Err(Error::new(
                ErrorKind::NotFinite,
                format!(
                    "value {at} is {}, beyond {limit}: scale it or use another format",
                    values[at]
                ),
            )),
        }
    }

    /// The maps of an 8-bit tensor: one, or one a channel. None for other formats.
    pub fn maps(&self) -> Vec<Affine> {
        let zero_points = self.zero_points.iter().copied().chain(std::iter::repeat(0));
        match self.format {
            Format::Int8(_) | Format::Int8PerChannel { .. } => self
                .scales
                .iter()
                .zip(zero_points)
                .filter_map(|(&scale, zero)| Affine::new(scale, zero).ok())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What was lost against the original.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if `original` has another length.
    pub fn fidelity(&self, original: &[f32]) -> Result<Fidelity, Error> {
        Fidelity::between(original, &self.dequantize())
    }

    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How values are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many values there are; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a tensor is never empty")]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The codes as bytes: `i8` codes, pairs of 4-bit codes, or little-endian halves.
    pub fn codes(&self) -> &[u8] {
        &self.data
    }

    /// Bytes of codes, scales and zero points.
    pub fn bytes(&self) -> usize {
        self.data.len() + 4 * self.scales.len() + self.zero_points.len()
    }

    /// How many times smaller than `f32` it is, scales counted.
    pub fn compression_ratio(&self) -> f64 {
        (4 * self.len()) as f64 / self.bytes() as f64
    }
}

/// One map for each index of `axis`, from the least and greatest value there.
fn channel_maps(
    values: &[f32],
    shape: &[usize],
    axis: usize,
    scheme: Scheme,
) -> Result<Vec<Affine>, Error> {
    let channels = shape[axis];
    let inner: usize = shape[axis + 1..].iter().product();
    let mut ranges = vec![(0.0_f32, 0.0_f32); channels];
    if inner == 1 {
        for row in values.chunks_exact(channels) {
            for ((low, high), &x) in ranges.iter_mut().zip(row) {
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
            }
        }
    } else {
        let kernels = Kernels::get();
        for (run, channel) in values.chunks_exact(inner).zip((0..channels).cycle()) {
            let (low, high) = kernels.min_max(run).unwrap_or((0.0, 0.0));
            let range = &mut ranges[channel];
            *range = (range.0.min(low), range.1.max(high));
        }
    }
    ranges.into_iter().map(|(low, high)| Affine::from_range(low, high, scheme)).collect()
}
