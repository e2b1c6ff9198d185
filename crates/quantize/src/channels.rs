//! A map for each channel of a tensor.

use edgekit_kernels_simd::Kernels;

use crate::{Affine, Error, ErrorKind};

/// Columns of a row that the kernel walks at least; fewer channels are repeated up to that.
const WIDE: usize = 256;

/// One [`Affine`] map for each index of an axis: what PyTorch calls per-channel quantisation, with
/// the same codes.
///
/// Values lie in runs of `run` neighbours that share a channel, channel after channel, over and over:
/// of a shape `[2, 3, 5]` and axis 1, runs have 5 values and there are 3 channels.
///
/// ```
/// use edgekit_quantize::{Affine, PerChannel};
///
/// let maps = [Affine::new(0.1, 0)?, Affine::new(10.0, 0)?];
/// let channels = PerChannel::new(&maps, 2)?;
/// let mut codes = [0; 4];
/// channels.quantize(&[0.5, -0.3, 50.0, -30.0], &mut codes);
/// assert_eq!(codes, [5, -3, 5, -3]);
/// # Ok::<(), edgekit_quantize::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PerChannel {
    maps: Vec<Affine>,
    run: usize,
    /// The same once more where runs are of one value, as the columns of a row.
    columns: Columns,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Columns {
    scales: Vec<f32>,
    inverses: Vec<f32>,
    zero_points: Vec<i8>,
}

impl PerChannel {
    /// Channels with these maps, in runs of `run` values.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] without maps, [`ErrorKind::Shape`] for runs of no values.
    pub fn new(maps: &[Affine], run: usize) -> Result<Self, Error> {
        if maps.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "there are no channels; give a map for each"));
        }
        if run == 0 {
            return Err(Error::new(ErrorKind::Shape, "runs of 0 values; give at least 1"));
        }
        let mut columns = Columns::default();
        if run == 1 {
            let width = maps.len() * WIDE.div_ceil(maps.len());
            let repeated = || maps.iter().cycle().take(width);
            columns.scales = repeated().map(Affine::scale).collect();
            columns.inverses = repeated().map(|map| 1.0 / map.scale()).collect();
            columns.zero_points = repeated().map(Affine::zero_point).collect();
        }
        Ok(PerChannel { maps: maps.to_vec(), run, columns })
    }

    /// The map of each channel.
    pub fn maps(&self) -> &[Affine] {
        &self.maps
    }

    /// Writes the code of each value. O(n), one pass; the last run may be short.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn quantize(&self, values: &[f32], codes: &mut [i8]) {
        let (room, len) = (codes.len(), values.len());
        assert!(room == len, "room for {room} codes of {len} values");
        let kernels = Kernels::get();
        if self.run == 1 {
            let Columns { inverses, zero_points, .. } = &self.columns;
            return kernels.quantize_i8_columns(values, inverses, zero_points, codes);
        }
        let runs = values.chunks(self.run).zip(codes.chunks_mut(self.run));
        for ((values, codes), map) in runs.zip(self.maps.iter().cycle()) {
            kernels.quantize_i8(values, 1.0 / map.scale(), map.zero_point(), codes);
        }
    }

    /// Writes the value of each code. O(n), one pass; the last run may be short.
    ///
    /// # Panics
    /// If the lengths differ.
    #[track_caller]
    pub fn dequantize(&self, codes: &[i8], values: &mut [f32]) {
        let (room, len) = (values.len(), codes.len());
        assert!(room == len, "room for {room} values of {len} codes");
        let kernels = Kernels::get();
        if self.run == 1 {
            let Columns { scales, zero_points, .. } = &self.columns;
            return kernels.dequantize_i8_columns(codes, scales, zero_points, values);
        }
        let runs = codes.chunks(self.run).zip(values.chunks_mut(self.run));
        for ((codes, values), map) in runs.zip(self.maps.iter().cycle()) {
            kernels.dequantize_i8(codes, map.scale(), map.zero_point(), values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_mapped_by_its_own_channel() {
        for channels in [1, 2, 3, 100, 300] {
            let maps: Vec<Affine> = (0..channels)
                .map(|c| Affine::new(0.01 * (1 + c) as f32, (c % 50) as i8 - 20).unwrap())
                .collect();
            for run in [1, 2, 9, 64] {
                let per_channel = PerChannel::new(&maps, run).unwrap();
                for len in [0, 1, channels * run, 3 * channels * run + run / 2 + 1] {
                    let values: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin()).collect();
                    let (mut codes, mut back) = (vec![0; len], vec![0.0; len]);
                    per_channel.quantize(&values, &mut codes);
                    per_channel.dequantize(&codes, &mut back);
                    for i in 0..len {
                        let map = maps[i / run % channels];
                        let mut code = [0];
                        map.quantize(&values[i..=i], &mut code);
                        assert_eq!((codes[i], back[i]), (code[0], map.decode(code[0])), "{i}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_channels_and_no_runs_are_errors() {
        let map = Affine::new(1.0, 0).unwrap();
        assert_eq!(PerChannel::new(&[], 1).unwrap_err().kind(), ErrorKind::Empty);
        assert_eq!(PerChannel::new(&[map], 0).unwrap_err().kind(), ErrorKind::Shape);
    }
}
