//! `MemoryMonitor`: samples of memory use become one pressure, smoothed and with an eye on its trend.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Error, Pressure, Tier};

/// Where a [`MemoryMonitor`] gets its numbers: [`SystemSource`](crate::SystemSource), or any closure
/// of that shape.
pub trait MemorySource: Send {
    /// Memory in use now.
    ///
    /// # Errors
    /// Whatever keeps the source from knowing.
    fn usage(&mut self) -> Result<MemoryUsage, Error>;
}

impl<F: FnMut() -> Result<MemoryUsage, Error> + Send> MemorySource for F {
    fn usage(&mut self) -> Result<MemoryUsage, Error> {
        self()
    }
}

/// Memory in use, all in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Resident memory of this process.
    pub process_bytes: u64,
    /// Memory that cannot be had any more, whoever uses it: the machine's, or the control group's if
    /// that one is tighter.
    pub used_bytes: u64,
    /// What `used_bytes` may become at most.
    pub limit_bytes: u64,
}

/// What a monitor has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryReport {
    /// The last sample.
    pub usage: MemoryUsage,
    /// What each watched pool said at that moment, in bytes.
    pub pools: Vec<(String, u64)>,
    /// The pressure after that sample.
    pub pressure: Pressure,
}

/// Watches memory and says how tight it is.
///
/// With `p` the used share of the limit in each of the last [`WINDOW`](Self::WINDOW) samples,
/// oldest first, the pressure is `mean(p) + (last - first) / 2`, clamped to 0..=1: memory that fills
/// up is tight before it is full. It takes no samples by itself; call [`sample`](Self::sample) from
/// a timer, at an interval that suits the program (a second is usual).
///
/// Sampling costs what its source costs (about 30 µs for the system's); [`pressure`](Self::pressure)
/// is one atomic load.
///
/// ```
/// use edgekit_mempool::{MemoryMonitor, MemoryUsage, Tier};
/// let mut used_bytes = 600;
/// let monitor = MemoryMonitor::new(move || {
///     used_bytes += 100;
///     Ok(MemoryUsage { process_bytes: 10, used_bytes, limit_bytes: 1000 })
/// });
/// monitor.sample()?; // 0.7
/// monitor.sample()?; // mean 0.75, half the trend 0.05
/// assert!((monitor.pressure().fraction() - 0.80).abs() < 1e-9);
/// assert_eq!(monitor.tier(), Tier::Medium);
/// # Ok::<(), edgekit_mempool::Error>(())
/// ```
pub struct MemoryMonitor {
    state: Mutex<State>,
    /// The bits of the last pressure.
    pressure: AtomicU64,
}

struct State {
    source: Box<dyn MemorySource>,
    pools: Vec<(String, Box<dyn Fn() -> u64 + Send>)>,
    samples: VecDeque<f64>,
}

impl MemoryMonitor {
    /// How many samples count.
    pub const WINDOW: usize = 100;

    /// A monitor that has seen nothing: no pressure.
    pub fn new(source: impl MemorySource + 'static) -> Self {
        let samples = VecDeque::with_capacity(Self::WINDOW);
        MemoryMonitor {
            state: Mutex::new(State { source: Box::new(source), pools: Vec::new(), samples }),
            pressure: AtomicU64::new(Pressure::NONE.fraction().to_bits()),
        }
    }

    /// Reports also what a pool holds, for instance `|| GlobalPools::get().bytes()`. Pools are part
    /// of the process, so they do not add to the pressure.
    pub fn watch(&self, name: impl Into<String>, bytes: impl Fn() -> u64 + Send + 'static) {
        self.lock().pools.push((name.into(), Box::new(bytes)));
    }

    /// Takes a sample.
    ///
    /// # Errors
    /// The source's own; the pressure then stays what it was.
    pub fn sample(&self) -> Result<MemoryReport, Error> {
        let mut state = self.lock();
        let usage = state.source.usage()?;
        if state.samples.len() == Self::WINDOW {
            state.samples.pop_front();
        }
        let now = Pressure::of_bytes(usage.used_bytes, usage.limit_bytes).fraction();
        state.samples.push_back(now);
        let mean = state.samples.iter().sum::<f64>() / state.samples.len() as f64;
        let trend = now - state.samples[0];
        let pressure = Pressure::clamped(mean + trend / 2.0);
        self.pressure.store(pressure.fraction().to_bits(), Relaxed);
        let pools = state.pools.iter().map(|(name, bytes)| (name.clone(), bytes())).collect();
        Ok(MemoryReport { usage, pools, pressure })
    }

    /// The pressure after the last sample.
    #[inline]
    pub fn pressure(&self) -> Pressure {
        Pressure::clamped(f64::from_bits(self.pressure.load(Relaxed)))
    }

    /// The tier of [`pressure`](Self::pressure).
    pub fn tier(&self) -> Tier {
        self.pressure().tier()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMonitor").field("pressure", &self.pressure()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorKind;

    fn monitor_of(mut samples: impl FnMut() -> u64 + Send + 'static) -> MemoryMonitor {
        MemoryMonitor::new(move || {
            Ok(MemoryUsage { process_bytes: 1, used_bytes: samples(), limit_bytes: 1000 })
        })
    }

    proptest! {
        /// Against the formula, written out over all that was seen.
        #[test]
        fn is_the_mean_of_a_hundred_plus_half_the_trend(
            samples in prop::collection::vec(0_u64..=1000, 1..260),
        ) {
            let mut left = samples.clone().into_iter();
            let monitor = monitor_of(move || left.next().unwrap());
            for seen in 1..=samples.len() {
                monitor.sample().unwrap();
                let window = &samples[seen.saturating_sub(100)..seen];
                let mean = window.iter().sum::<u64>() as f64 / window.len() as f64;
                let trend = window[window.len() - 1] as f64 - window[0] as f64;
                let expected = ((mean + trend / 2.0) / 1000.0).clamp(0.0, 1.0);
                prop_assert!((monitor.pressure().fraction() - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn one_percent_of_use_is_low() {
        let monitor = monitor_of(|| 10);
        assert_eq!(monitor.sample().unwrap().pressure.tier(), Tier::Low);
    }

    #[test]
    fn a_rising_use_is_tighter_than_its_mean_and_a_falling_one_less() {
        let mut up = 0;
        let rising = monitor_of(move || {
            up += 100;
            up
        });
        let mut down = 1000;
        let falling = monitor_of(move || {
            down -= 100;
            down
        });
        for _ in 0..9 {
            rising.sample().unwrap();
            falling.sample().unwrap();
        }
        assert!((rising.pressure().fraction() - 0.9).abs() < 1e-9, "mean 0.5 and half of 0.8");
        assert!((falling.pressure().fraction() - 0.1).abs() < 1e-9);
    }

    #[test]
    fn pools_are_reported_beside_and_a_failing_source_changes_nothing() {
        let mut calls = 0;
        let monitor = MemoryMonitor::new(move || {
            calls += 1;
            if calls == 2 {
                return Err(Error::new(ErrorKind::Unsupported, "gone"));
            }
            Ok(MemoryUsage { process_bytes: 7, used_bytes: 800, limit_bytes: 1000 })
        });
        monitor.watch("frames", || 42);
        let report = monitor.sample().unwrap();
        assert_eq!((report.usage.process_bytes, report.pools.len()), (7, 1));
        assert_eq!(report.pools[0], ("frames".to_owned(), 42));
        assert_eq!(monitor.sample().unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(monitor.pressure(), report.pressure);
    }
}
