//! `Pressure` and `Tier`: how tight memory is, as types, so that a percentage is never taken for a share.

use std::fmt;

use crate::{Error, ErrorKind};

/// How tight memory is: 0 is idle, 1 is full. Made from bytes, a fraction or a percentage, each by
/// its own constructor; there is no way to pass one for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Pressure(f64);

impl Pressure {
    /// No pressure.
    pub const NONE: Pressure = Pressure(0.0);
    /// All memory is in use.
    pub const FULL: Pressure = Pressure(1.0);

    /// The pressure of `used` bytes out of `limit`; above the limit it is full, and so it is where
    /// the limit is zero.
    pub fn of_bytes(used: u64, limit: u64) -> Pressure {
        if used >= limit { Pressure::FULL } else { Pressure(used as f64 / limit as f64) }
    }

    /// From a fraction.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] unless it is in 0..=1.
    pub fn from_fraction(fraction: f64) -> Result<Pressure, Error> {
        Self::checked(fraction, || format!("a pressure of {fraction} is not in 0..=1"))
    }

    /// From a percentage.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] unless it is in 0..=100.
    pub fn from_percent(percent: f64) -> Result<Pressure, Error> {
        Self::checked(percent / 100.0, || format!("a pressure of {percent} % is not in 0..=100 %"))
    }

    /// A number in 0..=1.
    pub fn fraction(self) -> f64 {
        self.0
    }

    /// The tier it belongs to.
    pub fn tier(self) -> Tier {
        match self.0 {
            p if p >= 0.95 => Tier::Critical,
            p if p >= 0.85 => Tier::High,
            p if p >= 0.70 => Tier::Medium,
            _ => Tier::Low,
        }
    }

    /// The nearest pressure there is; NaN is none.
    pub(crate) fn clamped(value: f64) -> Pressure {
        if value.is_nan() { Pressure::NONE } else { Pressure(value.clamp(0.0, 1.0)) }
    }

    fn checked(value: f64, what: impl FnOnce() -> String) -> Result<Pressure, Error> {
        if (0.0..=1.0).contains(&value) {
            Ok(Pressure(value))
        } else {
            Err(Error::new(ErrorKind::OutOfRange, what()))
        }
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}

/// What to make of a [`Pressure`].
///
/// | tier | from | share to evict |
/// |---|---|---|
/// | low | 0 | 10 % |
/// | medium | 0.70 | 20 % |
/// | high | 0.85 | 30 % |
/// | critical | 0.95 | 50 % |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Below 0.70.
    Low,
    /// From 0.70.
    Medium,
    /// From 0.85.
    High,
    /// From 0.95.
    Critical,
}

impl Tier {
    /// The tier's share of so many bytes, rounded up: how much an eviction in this tier should free.
    pub fn share_of(self, bytes: u64) -> u64 {
        let percent: u128 = match self {
            Tier::Low => 10,
            Tier::Medium => 20,
            Tier::High => 30,
            Tier::Critical => 50,
        };
        // At most half of a u64.
        (u128::from(bytes) * percent).div_ceil(100) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_percent_is_not_full() {
        assert_eq!(Pressure::from_percent(1.0).unwrap().tier(), Tier::Low);
        assert_eq!(Pressure::from_fraction(1.0).unwrap().tier(), Tier::Critical);
        assert_eq!(Pressure::from_fraction(70.0).unwrap_err().kind(), ErrorKind::OutOfRange);
        assert_eq!(Pressure::from_percent(101.0).unwrap_err().kind(), ErrorKind::OutOfRange);
        assert_eq!(Pressure::from_fraction(f64::NAN).unwrap_err().kind(), ErrorKind::OutOfRange);
        assert_eq!(Pressure::from_fraction(-0.1).unwrap_err().kind(), ErrorKind::OutOfRange);
    }

    #[test]
    fn tiers_begin_where_they_should() {
        for (fraction, tier) in [
            (0.0, Tier::Low),
            (0.699, Tier::Low),
            (0.70, Tier::Medium),
            (0.849, Tier::Medium),
            (0.85, Tier::High),
            (0.949, Tier::High),
            (0.95, Tier::Critical),
            (1.0, Tier::Critical),
        ] {
            assert_eq!(Pressure::from_fraction(fraction).unwrap().tier(), tier, "{fraction}");
        }
    }

    #[test]
    fn shares_are_exact_and_do_not_overflow() {
        let shares = [Tier::Low, Tier::Medium, Tier::High, Tier::Critical];
        assert_eq!(shares.map(|t| t.share_of(1000)), [100, 200, 300, 500]);
        assert_eq!(shares.map(|t| t.share_of(1)), [1; 4]);
        assert_eq!(Tier::Critical.share_of(u64::MAX), u64::MAX / 2 + 1);
    }

    #[test]
    fn bytes_above_the_limit_are_full() {
        assert_eq!(Pressure::of_bytes(5, 10).fraction(), 0.5);
        assert_eq!(Pressure::of_bytes(11, 10), Pressure::FULL);
        assert_eq!(Pressure::of_bytes(0, 0), Pressure::FULL);
    }
}
