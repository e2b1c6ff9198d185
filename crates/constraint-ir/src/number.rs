//! Numbers that can be compared, hashed and encoded exactly.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::codec::{canonical_enum, malformed};
use crate::{Canonical, Error, ErrorKind, Reader};

/// A finite `f64` with a total order; `-0.0` is stored as `0.0`.
#[derive(Clone, Copy, Debug)]
pub struct Real(f64);

impl Real {
    /// Wraps a finite number.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] for NaN and infinities.
    pub fn new(value: f64) -> Result<Self, Error> {
        if value.is_finite() {
            Ok(Real(value + 0.0))
        } else {
            Err(Error::new(
                ErrorKind::OutOfRange,
                format!("{value} is not a finite number; leave the bound open instead"),
            ))
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Real {}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for Real {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl Canonical for Real {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.to_bits().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, Error> {
        let bits = u64::take(input)?;
        let real = Real::new(f64::from_bits(bits))?;
        if real.0.to_bits() == bits { Ok(real) } else { Err(malformed("-0.0 is written as 0.0")) }
    }
}

/// An integer or a real number; the two compare by value (`Integer(2)` equals `Real(2.0)`).
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An exact integer.
    Integer(i64),
    /// A real number.
    Real(Real),
}

canonical_enum!(Number { 0 = Integer(x), 1 = Real(x) });

impl Number {
    /// The nearest `f64`: the number itself, or for a large integer one beside it. Of two numbers
    /// the smaller one's is never the larger.
    #[inline]
    pub fn nearest(self) -> f64 {
        match self {
            Number::Integer(n) => n as f64,
            Number::Real(x) => x.0,
        }
    }
}

impl Ord for Number {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(b),
            (Number::Real(a), Number::Real(b)) => a.cmp(b),
            (Number::Integer(a), Number::Real(b)) => compare(*a, b.0),
            (Number::Real(a), Number::Integer(b)) => compare(*b, a.0).reverse(),
        }
    }
}

impl PartialOrd for Number {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

/// Equal values have one hash: an integer that equals a real number is exactly that `f64`.
impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nearest().to_bits().hash(state);
    }
}

/// Compares exactly: a cast of a large `i64` to `f64` would round.
fn compare(integer: i64, real: f64) -> Ordering {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if real >= TWO_63 {
        Ordering::Less
    } else if real < -TWO_63 {
        Ordering::Greater
    } else {
        // In range, so the floor is exact.
        let floor = real.floor();
        integer.cmp(&(floor as i64)).then(if real > floor {
            Ordering::Less
        } else {
            Ordering::Equal
        })
    }
}

/// One end of a range. The derived order sorts bounds; it does not compare ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// No limit on this side.
    Open,
    /// The number itself is allowed.
    Inclusive(Number),
    /// The number itself is not allowed.
    Exclusive(Number),
}

canonical_enum!(Bound { 0 = Open, 1 = Inclusive(x), 2 = Exclusive(x) });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_reals_compare_exactly() {
        let big = (1i64 << 53) + 1;
        let real = |x| Number::Real(Real::new(x).expect("finite"));
        assert!(Number::Integer(big) > real((1u64 << 53) as f64));
        assert!(Number::Integer(2) == real(2.0));
        assert!(Number::Integer(2) < real(2.5));
        assert!(Number::Integer(-3) < real(-2.5));
        assert!(Number::Integer(i64::MAX) < real(9.3e18));
        assert!(Number::Integer(i64::MIN) > real(-1e19));
        assert!(real(2.5) > Number::Integer(2));
    }

    #[test]
    fn equal_numbers_have_one_hash() {
        let hash = |n: Number| {
            let mut hasher = std::hash::DefaultHasher::new();
            n.hash(&mut hasher);
            hasher.finish()
        };
        let real = |x| Number::Real(Real::new(x).expect("finite"));
        for n in [0, 2, -7, 1 << 53, i64::MIN] {
            assert_eq!(Number::Integer(n), real(n as f64));
            assert_eq!(hash(Number::Integer(n)), hash(real(n as f64)), "{n}");
        }
        assert_ne!(hash(Number::Integer(2)), hash(real(2.5)));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Real::new(x).unwrap_err().kind(), ErrorKind::OutOfRange);
        }
        assert_eq!(Real::new(-0.0).unwrap(), Real::new(0.0).unwrap());
        assert_eq!(Real::new(-0.0).unwrap().encode(), Real::new(0.0).unwrap().encode());
    }
}
