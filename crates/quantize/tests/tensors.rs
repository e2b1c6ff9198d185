//! Every format, on many shapes, against its definition.

use edgekit_quantize::{
    Affine, ErrorKind, Fidelity, Format, Group, Observer, QuantizedTensor, Scheme,
};
use proptest::prelude::*;

pub(crate) const SCHEMES: [Scheme; 2] = [Scheme::Symmetric, Scheme::Asymmetric];

/// Every format that a tensor of that many axes can have.
pub(crate) fn formats(axes: usize) -> Vec<Format> {
    let mut all = vec![Format::F16, Format::Bf16];
    for scheme in SCHEMES {
        all.push(Format::Int8(scheme));
        all.extend((0..axes).map(|axis| Format::Int8PerChannel { scheme, axis }));
        all.extend(
            [Group::G32, Group::G64, Group::G128].map(|group| Format::Int4 { scheme, group }),
        );
    }
    all
}

pub(crate) fn wave(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.37).sin() * (1.0 + (i % 11) as f32) + 0.25).collect()
}

#[test]
fn every_format_keeps_every_shape() {
    for shape in [vec![1], vec![7], vec![257], vec![3, 5], vec![4, 33, 2], vec![2, 3, 1, 65]] {
        let values = wave(shape.iter().product());
        for format in formats(shape.len()) {
            let tensor = QuantizedTensor::quantize(&values, &shape, format).unwrap();
            let lost = tensor.fidelity(&values).unwrap();
            let floor = match format {
                Format::F16 => 60.0,
                Format::Bf16 => 45.0,
                Format::Int4 { .. } => 12.0,
                _ => 30.0,
            };
            assert!(lost.sqnr_db > floor, "{format:?} {shape:?}: {lost:?}");
            assert_eq!((tensor.len(), tensor.shape()), (values.len(), shape.as_slice()));
        }
    }
}

/// The slow twin: each value by the map of its channel, found by division and remainder.
#[test]
fn each_axis_is_quantised_by_its_own_channels() {
    let shape = [3, 4, 5];
    let values = wave(60);
    for scheme in SCHEMES {
        for axis in 0..3 {
            let tensor =
                QuantizedTensor::quantize(&values, &shape, Format::Int8PerChannel { scheme, axis })
                    .unwrap();
            let inner: usize = shape[axis + 1..].iter().product();
            let channel = |i: usize| i / inner % shape[axis];
            for c in 0..shape[axis] {
                let own: Vec<f32> =
                    (0..60).filter(|&i| channel(i) == c).map(|i| values[i]).collect();
                assert_eq!(tensor.maps()[c], Affine::from_values(&own, scheme).unwrap());
            }
            for (i, &code) in tensor.codes().iter().enumerate() {
                let mut expected = [0];
                tensor.maps()[channel(i)].quantize(&values[i..=i], &mut expected);
                assert_eq!(code as i8, expected[0], "{scheme:?} axis {axis} at {i}");
                assert_eq!(tensor.dequantize()[i], tensor.maps()[channel(i)].decode(code as i8));
            }
        }
    }
}

#[test]
fn channels_of_different_size_do_not_spoil_each_other() {
    let values: Vec<f32> =
        wave(128).into_iter().chain(wave(128).iter().map(|x| x * 1e-3)).collect();
    let quiet = |format| {
        let tensor = QuantizedTensor::quantize(&values, &[2, 128], format).unwrap();
        Fidelity::between(&values[128..], &tensor.dequantize()[128..]).unwrap().sqnr_db
    };
    let scheme = Scheme::Symmetric;
    assert!(quiet(Format::Int8(scheme)) < 5.0);
    assert!(quiet(Format::Int8PerChannel { scheme, axis: 0 }) > 35.0);
}

#[test]
fn compression_is_what_it_is_called() {
    let values = wave(256 * 1024);
    let ratio = |format| {
        QuantizedTensor::quantize(&values, &[256, 1024], format).unwrap().compression_ratio()
    };
    let scheme = Scheme::Symmetric;
    assert!(ratio(Format::Int8(scheme)) > 3.999);
    assert!(ratio(Format::Int8PerChannel { scheme, axis: 0 }) > 3.98);
    assert!(ratio(Format::Int4 { scheme, group: Group::G128 }) > 7.38);
    assert_eq!(ratio(Format::F16), 2.0);
}

#[test]
fn a_learned_range_is_used_as_it_is() {
    let mut observer = Observer::new(edgekit_quantize::Calibration::MinMax).unwrap();
    observer.observe(&[0.0, 6.0]).unwrap();
    let map = observer.affine(Scheme::Asymmetric).unwrap();
    let tensor = QuantizedTensor::quantize_with(&[-1.0, 3.0, 9.0], &[3], map).unwrap();
    assert_eq!(tensor.maps(), [map]);
    assert_eq!(tensor.codes().iter().map(|&c| c as i8).collect::<Vec<_>>(), [-128, 0, 127]);
}

#[test]
fn what_cannot_be_quantised_is_a_typed_error() {
    let int8 = Format::Int8(Scheme::Symmetric);
    let kind = |values: &[f32], shape: &[usize], format| {
        QuantizedTensor::quantize(values, shape, format).unwrap_err().kind()
    };
    assert_eq!(kind(&[], &[0], int8), ErrorKind::Empty);
    assert_eq!(kind(&[1.0, f32::NAN], &[2], int8), ErrorKind::NotFinite);
    assert_eq!(kind(&[f32::INFINITY], &[1], Format::F16), ErrorKind::NotFinite);
    assert_eq!(kind(&[70_000.0], &[1], Format::F16), ErrorKind::NotFinite);
    assert_eq!(kind(&[f32::MAX], &[1], Format::Bf16), ErrorKind::NotFinite);
    assert_eq!(kind(&[1.0, 2.0], &[3], int8), ErrorKind::Shape);
    assert_eq!(kind(&[1.0, 2.0], &[], int8), ErrorKind::Shape);
    assert_eq!(kind(&[1.0], &[usize::MAX, 3], int8), ErrorKind::Shape);
    let axis = Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 1 };
    assert_eq!(kind(&[1.0], &[1], axis), ErrorKind::Shape);
}

proptest! {
    /// Whatever is finite comes back within half a step of its channel.
    #[test]
    fn nothing_finite_is_lost(
        values in prop::collection::vec(-1e6_f32..1e6, 1..200),
        asymmetric in any::<bool>(),
    ) {
        let scheme = if asymmetric { Scheme::Asymmetric } else { Scheme::Symmetric };
        let tensor = QuantizedTensor::quantize(&values, &[values.len()], Format::Int8(scheme)).unwrap();
        let step = tensor.maps()[0].scale();
        // The code of zero is rounded too: at the far end that may cost another half step.
        let slack = if asymmetric { 1.001 } else { 0.501 } * step;
        for (x, y) in values.iter().zip(tensor.dequantize()) {
            prop_assert!((x - y).abs() <= slack, "{x} {y} {step}");
        }
    }
}
