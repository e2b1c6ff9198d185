//! Packed states: every combination has its own code and is found again in it.

use edgekit_qlearning::{ErrorKind, Feature, Field, StateEncoder};
use proptest::prelude::*;

#[test]
fn a_mixed_layout_of_64_bits_fits_and_65_do_not() {
    let mut fields = vec![
        Field::Discrete { count: 8 },
        Field::Discrete { count: 4 },
        Field::Binned { low: 0.0, high: 1.0, bins: 16 },
        Field::Bits(55),
    ];
    let encoder = StateEncoder::new(&fields).unwrap();
    assert_eq!(encoder.bits(), 64);
    let hash = (1 << 55) - 1;
    let features =
        [Feature::Index(7), Feature::Index(3), Feature::Real(0.999), Feature::Index(hash)];
    assert_eq!(encoder.encode(&features).unwrap(), u64::MAX);
    fields.push(Field::Bits(1));
    assert_eq!(StateEncoder::new(&fields).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn what_is_no_value_of_its_field_is_refused_and_what_lies_outside_its_bins_is_not() {
    let encoder = StateEncoder::new(&[
        Field::Discrete { count: 3 },
        Field::Binned { low: -1.0, high: 1.0, bins: 4 },
    ])
    .unwrap();
    let code = |value| encoder.encode(&[Feature::Index(0), Feature::Real(value)]).unwrap() >> 2;
    let values = [f64::NEG_INFINITY, -2.0, -1.0, -0.5, 0.0, 0.99, 1.0, 7.0, f64::INFINITY];
    assert_eq!(values.map(code), [0, 0, 0, 1, 2, 3, 3, 3, 3]);
    for bad in [
        vec![Feature::Index(3), Feature::Real(0.0)],
        vec![Feature::Index(0), Feature::Real(f64::NAN)],
        vec![Feature::Real(0.0), Feature::Real(0.0)],
        vec![Feature::Index(0)],
    ] {
        assert_eq!(encoder.encode(&bad).unwrap_err().kind(), ErrorKind::State, "{bad:?}");
    }
    assert_eq!(encoder.decode(3).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(encoder.decode(1 << 4).unwrap_err().kind(), ErrorKind::State);
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(
        counts in prop::collection::vec(1u64..2000, 1..5),
        picks in prop::collection::vec(any::<u64>(), 5),
    ) {
        let fields: Vec<Field> = counts.iter().map(|&count| Field::Discrete { count }).collect();
        let encoder = StateEncoder::new(&fields).unwrap();
        let indices: Vec<u64> = counts.iter().zip(&picks).map(|(c, p)| p % c).collect();
        let features: Vec<Feature> = indices.iter().map(|&i| Feature::Index(i)).collect();
        let state = encoder.encode(&features).unwrap();
        prop_assert_eq!(encoder.decode(state).unwrap(), indices);
    }
}
