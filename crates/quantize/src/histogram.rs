//! Counts of values by magnitude, and the ranges that can be read off them.

use crate::error::check_values;
use crate::{Affine, Error, ErrorKind, Scheme};

/// Mantissa bits that tell bins apart: bins are 1/256 of their value wide, half a step of an 8-bit
/// code at the end of the range, where it matters most.
const MANTISSA_BITS: u32 = 8;
const SHIFT: u32 = 23 - MANTISSA_BITS;
const BINS: usize = 1 << (32 - SHIFT);

/// Ranges tried between the smallest and the widest.
const CANDIDATES: usize = 128;

/// Uniform bins and codes of the KL criterion, as TensorRT's calibrator has them.
const UNIFORM: usize = 2048;

/// How many values there were of each magnitude.
///
/// A bin is all `f32`s that agree in sign, exponent and the first eight bits of the mantissa. So
/// there is nothing to configure, no first batch decides anything, an outlier spoils no resolution,
/// and the order of the data cannot matter. Memory: 1 MiB, whatever the stream's length.
///
/// Source of the criteria: percentile and MSE as in Nagel et al., "A White Paper on Neural Network
/// Quantization" (arXiv 2106.08295, section 3.1); KL as in Migacz, "8-bit Inference with TensorRT"
/// (GTC 2017).
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    low: u32,
    high: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BINS], total: 0, low: u32::MAX, high: 0 }
    }
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Histogram::default()
    }

    /// Counts more values. An empty slice is no values.
    ///
    /// # Errors
    /// [`ErrorKind::NotFinite`]; nothing is counted then.
    pub fn observe(&mut self, values: &[f32]) -> Result<(), Error> {
        if values.is_empty() {
            return Ok(());
        }
        check_values(values)?;
        for &value in values {
            let key = ordered(value);
            self.low = self.low.min(key);
            self.high = self.high.max(key);
            self.counts[(key >> SHIFT) as usize] += 1;
        }
        self.total += values.len() as u64;
        Ok(())
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The smallest and the largest value, exactly.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] before the first value.
    pub fn range(&self) -> Result<(f32, f32), Error> {
        if self.total == 0 {
            return Err(Error::new(
                ErrorKind::Empty,
                "no values were observed; observe some first",
            ));
        }
        Ok((unordered(self.low), unordered(self.high)))
    }

    /// The value below which `percent` per cent of the values lie, to about 0.2 % of itself.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] before the first value, [`ErrorKind::Config`] unless `percent` is
    /// 0 to 100.
    pub fn percentile(&self, percent: f64) -> Result<f32, Error> {
        let (low, high) = self.range()?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("percentile {percent}: give 0 to 100"),
            ));
        }
        // Rank among n values counted from 0, as numpy's default has it.
        let rank = percent / 100.0 * (self.total - 1) as f64;
        let mut below = 0;
        for (start, end, count) in self.bins() {
            let last = (below + count - 1) as f64;
            if rank <= last || below + count == self.total {
                // Values are taken to lie evenly inside their bin.
                let share = (rank - below as f64 + 0.5) / count as f64;
                let value = start + (end - start) * share.clamp(0.0, 1.0);
                return Ok((value as f32).clamp(low, high));
            }
            below += count;
        }
        Ok(high)
    }

    /// The range without the `tail` per cent of values at either end that lie farthest out.
    ///
    /// # Errors
    /// As [`Histogram::percentile`]; `tail` must be 0 to 50.
    pub fn percentile_range(&self, tail: f64) -> Result<(f32, f32), Error> {
        if !(0.0..=50.0).contains(&tail) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("a tail of {tail} % at either end: give 0 to 50"),
            ));
        }
        Ok((self.percentile(tail)?, self.percentile(100.0 - tail)?))
    }

    /// The range whose 8-bit codes have the least mean squared error over what was observed.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] before the first value.
    pub fn mse_range(&self, scheme: Scheme) -> Result<(f32, f32), Error> {
        self.best_range(scheme, |low, high| {
            let map = Affine::from_range(low, high, scheme)?;
            let error = |value: f64| {
                let mut code = [0];
                map.quantize(&[value as f32], &mut code);
                let off = f64::from(map.decode(code[0])) - value;
                off * off
            };
            Ok(self.bins().map(|(start, end, n)| error(0.5 * (start + end)) * n as f64).sum())
        })
    }

    /// The range whose 8-bit codes lose the least information: the least Kullback–Leibler
    /// divergence of the clipped distribution from its quantised one.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] before the first value.
    pub fn kl_range(&self, scheme: Scheme) -> Result<(f32, f32), Error> {
        let (low, high) = self.range()?;
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        if low == high {
            return Ok((0.0, 0.0));
        }
        let width = (high - low) / UNIFORM as f64;
        let mut uniform = vec![0.0; UNIFORM];
        for (start, end, count) in self.bins() {
            spread(&mut uniform, (start - low) / width, (end - low) / width, count as f64);
        }
        let codes = match scheme {
            Scheme::Symmetric => 255.0,
            Scheme::Asymmetric => 256.0,
        };
        self.best_range(scheme, |from, to| {
            Ok(divergence(&uniform, low, width, f64::from(from), f64::from(to), codes))
        })
    }

    /// The candidate with the least cost: 128 shares of the reach of symmetric codes; of asymmetric
    /// ones first of the upper end, then of the lower.
    fn best_range(
        &self,
        scheme: Scheme,
        cost: impl Fn(f32, f32) -> Result<f64, Error>,
    ) -> Result<(f32, f32), Error> {
        let (low, high) = self.range()?;
        let (low, high) = (low.min(0.0), high.max(0.0));
        let least = |range: &dyn Fn(f32) -> (f32, f32)| {
            let mut best = (range(1.0), f64::INFINITY);
            for i in (1..=CANDIDATES).rev() {
                let candidate = range(i as f32 / CANDIDATES as f32);
                let cost = cost(candidate.0, candidate.1)?;
                // Strictly less: of equals the widest, which clips nothing.
                if cost < best.1 {
                    best = (candidate, cost);
                }
            }
            Ok(best.0)
        };
        match scheme {
            Scheme::Symmetric => {
                let reach = high.max(-low);
                least(&|share| (-reach * share, reach * share))
            }
            Scheme::Asymmetric => {
                let (_, high) = least(&|share| (low, high * share))?;
                least(&|share| (low * share, high))
            }
        }
    }

    /// `(start, end, count)` of the bins that hold something, in order of value.
    fn bins(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        let (first, last) = ((self.low >> SHIFT) as usize, (self.high >> SHIFT) as usize);
        let held = if self.total == 0 { &[] } else { &self.counts[first..=last] };
        held.iter().enumerate().filter(|&(_, &count)| count > 0).map(move |(i, &count)| {
            let key = ((first + i) as u32) << SHIFT;
            let start = f64::from(unordered(key.max(self.low)));
            let end = f64::from(unordered((key | ((1 << SHIFT) - 1)).min(self.high)));
            (start, end, count)
        })
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let range = self.range().ok();
        f.debug_struct("Histogram").field("count", &self.total).field("range", &range).finish()
    }
}

/// Bits of a float that sort as the float does.
fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    bits ^ ((((bits as i32) >> 31) as u32) | 0x8000_0000)
}

fn unordered(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ 0x8000_0000 } else { !key })
}

/// Adds `mass` to the bins between `start` and `end` (in bins), in proportion to the overlap.
fn spread(bins: &mut [f64], start: f64, end: f64, mass: f64) {
    let last = bins.len() - 1;
    let (from, to) = ((start as usize).min(last), (end as usize).min(last));
    if from == to {
        bins[from] += mass;
        return;
    }
    for (i, bin) in bins.iter_mut().enumerate().take(to + 1).skip(from) {
        let overlap = end.min((i + 1) as f64) - start.max(i as f64);
        *bin += mass * overlap.max(0.0) / (end - start);
    }
}

/// KL divergence of the distribution clipped to `from..=to` from what `codes` equal steps make of
/// it: each step's mass spread evenly over those of its bins that hold something.
fn divergence(bins: &[f64], low: f64, width: f64, from: f64, to: f64, codes: f64) -> f64 {
    let at = |value: f64| (((value - low) / width).max(0.0) as usize).min(bins.len() - 1);
    let (first, last) = (at(from), at(to - 0.5 * width));
    let mut clipped = bins[first..=last].to_vec();
    let kept = clipped.len();
    let code = |i: usize| {
        let middle = low + (first + i) as f64 * width + 0.5 * width;
        (((middle - from) / (to - from) * codes).clamp(0.0, codes - 1.0)) as usize
    };
    // What is quantised is the inside; what is compared with has the clipped mass at its ends.
    let mut mass = vec![(0.0, 0_u32); codes as usize];
    for (i, &inside) in clipped.iter().enumerate() {
        let step = &mut mass[code(i)];
        step.0 += inside;
        step.1 += u32::from(inside > 0.0);
    }
    let inside: Vec<f64> = clipped.clone();
    clipped[0] += bins[..first].iter().sum::<f64>();
    clipped[kept - 1] += bins[last + 1..].iter().sum::<f64>();
    let (total, quantised_total): (f64, f64) = (clipped.iter().sum(), inside.iter().sum());
    if quantised_total == 0.0 {
        return f64::INFINITY;
    }
    let mut sum = 0.0;
    for (i, &p) in clipped.iter().enumerate() {
        if p == 0.0 {
            continue;
        }
        let (step, held) = mass[code(i)];
        let q = if inside[i] > 0.0 { step / f64::from(held) / quantised_total } else { 0.0 };
        let p = p / total;
        // A bin that only the clipped mass fills has no code of its own; TensorRT's smoothing.
        sum += p * (p / q.max(1e-9)).ln();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f32>) -> Histogram {
        let mut histogram = Histogram::new();
        histogram.observe(&values.into_iter().collect::<Vec<_>>()).unwrap();
        histogram
    }

    #[test]
    fn percentiles_are_right_on_shifted_one_sided_and_skewed_data() {
        let unit = (0..10_000).map(|i| (i as f32 + 0.5) / 10_000.0);
        let data: [(&str, Vec<f32>); 5] = [
            ("both signs", unit.clone().map(|u| 2.0 * u - 1.0).collect()),
            ("one-sided", unit.clone().collect()),
            ("negative", unit.clone().map(|u| -3.0 * u).collect()),
            ("shifted", unit.clone().map(|u| 100.0 + u).collect()),
            ("skewed", unit.clone().map(|u| -(1.0 - u).ln()).collect()),
        ];
        for (name, mut values) in data {
            let histogram = of(values.iter().copied());
            values.sort_by(f32::total_cmp);
            for percent in [0.0, 0.1, 1.0, 25.0, 50.0, 99.0, 99.9, 100.0] {
                let seen = histogram.percentile(percent).unwrap();
                let rank = (percent / 100.0 * (values.len() - 1) as f64).round() as usize;
                // Between its neighbours in rank, give or take a bin.
                let low = values[rank.saturating_sub(1)];
                let high = values[(rank + 1).min(values.len() - 1)];
                let slack = seen.abs() / 256.0;
                assert!(
                    (low - slack..=high + slack).contains(&seen),
                    "{name} {percent}: {seen} is not in {low}..={high}"
                );
            }
        }
    }

    #[test]
    fn symmetric_data_has_a_symmetric_range_and_not_a_sliver() {
        let (low, high) =
            of((-1000..=1000).map(|i| i as f32 / 1000.0)).percentile_range(1.0).unwrap();
        assert!((low + 0.98).abs() < 0.005 && (high - 0.98).abs() < 0.005, "{low} {high}");
    }

    #[test]
    fn an_outlier_is_clipped_by_percentile_mse_and_kl() {
        let mut values: Vec<f32> =
            (0..100_000).map(|i| ((i * 7919) % 2001) as f32 / 1000.0 - 1.0).collect();
        values.push(30.0);
        let mirrored = of(values.iter().map(|x| -x));
        let (low, high) = mirrored.mse_range(Scheme::Asymmetric).unwrap();
        assert!((low + 26.5).abs() < 0.6 && high > 0.9, "{low} {high}");
        let histogram = of(values);
        assert_eq!(histogram.range().unwrap().1, 30.0);
        assert!(histogram.percentile_range(0.1).unwrap().1 < 1.01);
        // Clipping at c costs (30 - c)², rounding n · (c / 127)² / 12: least at c = 19.8. With
        // codes spread over -1..c it is n · ((c + 1) / 255)² / 12, least at 26.5.
        let symmetric = histogram.mse_range(Scheme::Symmetric).unwrap();
        assert!((symmetric.1 - 19.8).abs() < 0.4, "{symmetric:?}");
        let asymmetric = histogram.mse_range(Scheme::Asymmetric).unwrap();
        assert!((asymmetric.1 - 26.5).abs() < 0.6 && asymmetric.0 < -0.95, "{asymmetric:?}");
        for scheme in [Scheme::Symmetric, Scheme::Asymmetric] {
            let kl = histogram.kl_range(scheme).unwrap().1;
            assert!((0.9..20.0).contains(&kl), "{scheme:?} kl {kl}");
        }
    }

    #[test]
    fn the_mse_range_is_the_best_of_those_that_were_tried() {
        let values: Vec<f32> =
            (0..5000).map(|i| ((i as f32 * 0.61803).fract() - 0.5) * (i % 97) as f32).collect();
        let cost = |(low, high): (f32, f32)| -> f64 {
            let map = Affine::from_range(low, high, Scheme::Symmetric).unwrap();
            let mut codes = vec![0; values.len()];
            map.quantize(&values, &mut codes);
            values.iter().zip(codes).map(|(&x, c)| f64::from(map.decode(c) - x).powi(2)).sum()
        };
        let histogram = of(values.iter().copied());
        let best = cost(histogram.mse_range(Scheme::Symmetric).unwrap());
        let (low, high) = histogram.range().unwrap();
        for share in [1.0, 0.9, 0.75, 0.5, 0.25] {
            assert!(best <= 1.02 * cost((low * share, high * share)), "{share}");
        }
    }

    #[test]
    fn bad_input_is_a_typed_error_and_counts_nothing() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.range().unwrap_err().kind(), ErrorKind::Empty);
        assert_eq!(histogram.observe(&[1.0, f32::NAN]).unwrap_err().kind(), ErrorKind::NotFinite);
        histogram.observe(&[]).unwrap();
        assert_eq!(histogram.count(), 0);
        histogram.observe(&[5.0]).unwrap();
        assert_eq!(histogram.percentile(50.0).unwrap(), 5.0);
        assert_eq!(histogram.percentile(101.0).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(histogram.percentile_range(f64::NAN).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(histogram.kl_range(Scheme::Symmetric).unwrap().1, 5.0);
    }
}
