//! Packs mixed features into one integer state.

use crate::{Error, ErrorKind};

/// One feature of a state and how many bits it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field {
    /// One of `count` values, 0 to `count` − 1: ⌈log₂ count⌉ bits.
    Discrete {
        /// How many values there are.
        count: u64,
    },
    /// A real number in `low..high`, cut into `bins` equal bins; what lies outside goes to the
    /// first or last one.
    Binned {
        /// Where the first bin begins.
        low: f64,
        /// Where the last bin ends.
        high: f64,
        /// How many bins.
        bins: u64,
    },
    /// A number of that many bits, such as a hash of a context.
    Bits(u32),
}

/// The value of one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feature {
    /// For [`Field::Discrete`] and [`Field::Bits`].
    Index(u64),
    /// For [`Field::Binned`].
    Real(f64),
}

/// Packs features into the bits of a `u64`, the first feature lowest.
///
/// ```
/// use edgekit_qlearning::{Feature, Field, StateEncoder};
///
/// let encoder = StateEncoder::new(&[
///     Field::Discrete { count: 5 },                        // 3 bits
///     Field::Binned { low: 0.0, high: 1.0, bins: 16 },     // 4 bits
///     Field::Bits(55),
/// ])?;
/// let state = encoder.encode(&[Feature::Index(4), Feature::Real(0.5), Feature::Index(1)])?;
/// assert_eq!(state, 4 | 8 << 3 | 1 << 7);
/// assert_eq!(encoder.decode(state)?, [4, 8, 1]);
/// # Ok::<(), edgekit_qlearning::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StateEncoder {
    fields: Vec<Field>,
}

impl StateEncoder {
    /// An encoder of these fields.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is no field, a field is empty, or they need more than 64 bits.
    pub fn new(fields: &[Field]) -> Result<Self, Error> {
        let bad = |what: String| Err(Error::new(ErrorKind::Config, what));
        for field in fields {
            match *field {
                Field::Discrete { count: 0 } | Field::Bits(0) | Field::Binned { bins: 0, .. } => {
                    return bad(format!("{field:?} has no values; give 1 or more"));
                }
                Field::Binned { low, high, .. } if !(low < high && (high - low).is_finite()) => {
                    return bad(format!("{field:?}: low must be below high and both finite"));
                }
                _ => {}
            }
        }
        let bits: u64 = fields.iter().map(|f| u64::from(f.bits())).sum();
        if fields.is_empty() || bits > 64 {
            return bad(format!("{} fields of {bits} bits: they must fit 1 to 64", fields.len()));
        }
        Ok(StateEncoder { fields: fields.to_vec() })
    }

    /// How many bits a state takes.
    pub fn bits(&self) -> u32 {
        self.fields.iter().map(|f| f.bits()).sum()
    }

    /// Packs one feature per field.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if their number or kinds differ from the fields', an index is out of
    /// range or a real number is NaN.
    pub fn encode(&self, features: &[Feature]) -> Result<u64, Error> {
        let bad = |what: String| Err(Error::new(ErrorKind::State, what));
        if features.len() != self.fields.len() {
            return bad(format!("{} features for {} fields", features.len(), self.fields.len()));
        }
        let (mut state, mut shift) = (0u64, 0);
        for (at, (field, feature)) in self.fields.iter().zip(features).enumerate() {
            let code = match (*field, *feature) {
                (Field::Discrete { count }, Feature::Index(index)) if index < count => index,
                (Field::Bits(bits), Feature::Index(index)) if bits >= 64 || index >> bits == 0 => {
                    index
                }
                (Field::Binned { low, high, bins }, Feature::Real(value)) if !value.is_nan() => {
                    // A cast from float saturates: what is below the first bin becomes 0.
                    (((value - low) / (high - low) * bins as f64) as u64).min(bins - 1)
                }
                _ => {
                    return bad(format!("feature {at}, {feature:?}, is no value of {field:?}"));
                }
            };
            state |= code.checked_shl(shift).unwrap_or(0);
            shift += field.bits();
        }
        Ok(state)
    }

    /// The index or bin of each field.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if no features have that code.
    pub fn decode(&self, state: u64) -> Result<Vec<u64>, Error> {
        let mut left = u128::from(state);
        let codes: Vec<u64> = self
            .fields
            .iter()
            .map(|field| {
                let code = left & ((1u128 << field.bits()) - 1);
                left >>= field.bits();
                code as u64
            })
            .collect();
        let valid = self.fields.iter().zip(&codes).all(|(field, &code)| match *field {
            Field::Discrete { count } => code < count,
            Field::Binned { bins, .. } => code < bins,
            Field::Bits(_) => true,
        });
        if !valid || left != 0 {
            return Err(Error::new(
                ErrorKind::State,
                format!("{state:#x} is not a state of {:?}", self.fields),
            ));
        }
        Ok(codes)
    }
}

impl Field {
    fn bits(&self) -> u32 {
        match *self {
            Field::Discrete { count } | Field::Binned { bins: count, .. } => {
                u64::BITS - (count - 1).leading_zeros()
            }
            Field::Bits(bits) => bits,
        }
    }
}
