//! The integer layer against plain integers, bit for bit, and against floats, nearly.

use edgekit_kernels_simd::{Activation, Kernels};
use edgekit_quantize::{
    Affine, ErrorKind, Fidelity, Format, Input, LinearScratch, QuantizedLinear, QuantizedTensor,
    Scheme, from_safetensors, to_safetensors,
};

use crate::tensors::{SCHEMES, wave};

const ACTIVATIONS: [Activation; 10] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Elu { alpha: 0.7 },
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Softplus,
];

/// The definition: exact sums, then three roundings.
fn reference(
    x: &[i8],
    map: Affine,
    weights: &QuantizedTensor,
    bias: &[f32],
    activation: Activation,
) -> Vec<f32> {
    let codes = weights.codes();
    (0..bias.len())
        .map(|j| {
            let row = &codes[j * x.len()..][..x.len()];
            let zero = i64::from(map.zero_point());
            let sum: i64 =
                x.iter().zip(row).map(|(&x, &w)| (i64::from(x) - zero) * i64::from(w as i8)).sum();
            let sum = i32::try_from(sum).unwrap();
            let maps = weights.maps();
            let value = sum as f32 * (map.scale() * maps[j % maps.len()].scale()) + bias[j];
            activated(activation, value)
        })
        .collect()
}

/// Where it is plain arithmetic, the definition; otherwise the kernel, which has tests of its own.
fn activated(activation: Activation, value: f32) -> f32 {
    match activation {
        Activation::Identity => value,
        Activation::Relu => value.max(0.0),
        Activation::LeakyRelu { slope } if value < 0.0 => slope * value,
        Activation::LeakyRelu { .. } => value,
        other => {
            let mut value = [value];
            Kernels::get().activate(other, &mut value);
            value[0]
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn it_equals_plain_integers_to_the_bit() {
    let mut scratch = LinearScratch::default();
    for (inputs, outputs) in [(1, 1), (3, 2), (63, 17), (64, 5), (65, 33), (257, 70), (1024, 9)] {
        let (weights, bias) = (wave(inputs * outputs), wave(outputs));
        for format in [
            Format::Int8(Scheme::Symmetric),
            Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 0 },
        ] {
            let tensor = QuantizedTensor::quantize(&weights, &[outputs, inputs], format).unwrap();
            for activation in ACTIVATIONS {
                let layer = QuantizedLinear::from_tensor(&tensor, &bias, activation).unwrap();
                assert_eq!((layer.inputs(), layer.outputs()), (inputs, outputs));
                for rows in [0, 1, 2, 33, 50] {
                    let x: Vec<f32> = wave(rows * inputs).iter().map(|x| x * 0.7 + 0.1).collect();
                    check(&layer, &tensor, &bias, activation, &x, &mut scratch);
                }
            }
        }
    }
}

fn check(
    layer: &QuantizedLinear,
    tensor: &QuantizedTensor,
    bias: &[f32],
    activation: Activation,
    x: &[f32],
    scratch: &mut LinearScratch,
) {
    let (inputs, outputs) = (layer.inputs(), layer.outputs());
    let given = Affine::new(0.05, -17).unwrap();
    let output = Affine::new(0.3, 11).unwrap();
    let inputs_of = [Input::Static(given)].into_iter().chain(SCHEMES.map(Input::Dynamic));
    for input in inputs_of {
        let mut out = vec![7.0; x.len() / inputs * outputs];
        layer.run(x, input, &mut out, scratch).unwrap();
        for (row, out) in x.chunks(inputs).zip(out.chunks(outputs)) {
            let map = match input {
                Input::Static(map) => map,
                Input::Dynamic(scheme) => Affine::from_values(row, scheme).unwrap(),
            };
            let mut codes = vec![0; inputs];
            map.quantize(row, &mut codes);
            let want = reference(&codes, map, tensor, bias, activation);
            assert_eq!(bits(out), bits(&want), "{inputs} × {outputs} {input:?}");

            let mut values = vec![0.0; outputs];
            layer.run_codes(&codes, map, &mut values, scratch).unwrap();
            assert_eq!(bits(&values), bits(&want));
            let (mut got, mut want_codes) = (vec![0; outputs], vec![0; outputs]);
            layer.requantize(&codes, map, output, &mut got, scratch).unwrap();
            output.quantize(&want, &mut want_codes);
            assert_eq!(got, want_codes);
        }
    }
}

/// More rows than stay in the second-level cache together.
#[test]
fn a_large_batch_equals_its_rows() {
    let (map, output) = (Affine::new(0.01, 4).unwrap(), Affine::new(0.1, -20).unwrap());
    for (inputs, outputs, rows) in [(4096, 3, 70), (5, 3000, 75)] {
        let (weights, bias, x) = (wave(inputs * outputs), wave(outputs), wave(rows * inputs));
        let layer = QuantizedLinear::new(&weights, inputs, &bias, Activation::Silu).unwrap();
        let mut codes = vec![0; x.len()];
        map.quantize(&x, &mut codes);
        let all = |count: usize| {
            let (mut values, mut bytes) = (vec![0.0; rows * outputs], vec![0; rows * outputs]);
            let (input, mut room) = (Input::Dynamic(Scheme::Symmetric), LinearScratch::default());
            for (x, out) in x.chunks(count * inputs).zip(values.chunks_mut(count * outputs)) {
                layer.run(x, input, out, &mut room).unwrap();
            }
            for (x, out) in codes.chunks(count * inputs).zip(bytes.chunks_mut(count * outputs)) {
                layer.requantize(x, map, output, out, &mut room).unwrap();
            }
            (bits(&values), bytes)
        };
        assert!(all(rows) == all(1), "{inputs} × {outputs}");
    }
}

/// The largest sum there can be, and one more input than may be.
#[test]
fn sums_do_not_overflow() {
    let most = 65_536;
    let weights = vec![-1.0; most];
    let layer = QuantizedLinear::new(&weights, most, &[0.0], Activation::Identity).unwrap();
    let map = Affine::new(1.0, -128).unwrap();
    let mut out = [0.0];
    layer.run_codes(&vec![127; most], map, &mut out, &mut LinearScratch::default()).unwrap();
    let exact = -255.0 * 127.0 * most as f32;
    assert!((out[0] / (exact * (1.0 / 127.0)) - 1.0).abs() < 1e-6, "{}", out[0]);
    let weights = vec![-1.0; most + 1];
    let error = QuantizedLinear::new(&weights, most + 1, &[0.0], Activation::Identity);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Shape);
}

#[test]
fn it_is_near_the_layer_in_floats() {
    let (inputs, outputs, rows) = (128, 40, 12);
    let (weights, bias, x) = (wave(inputs * outputs), wave(outputs), wave(rows * inputs));
    let layer = QuantizedLinear::new(&weights, inputs, &bias, Activation::Identity).unwrap();
    let exact: Vec<f32> = x
        .chunks(inputs)
        .flat_map(|row| {
            weights.chunks(inputs).zip(&bias).map(move |(weights, bias)| {
                weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>() + bias
            })
        })
        .collect();
    let mut out = vec![0.0; exact.len()];
    for scheme in SCHEMES {
        let scratch = &mut LinearScratch::default();
        layer.run(&x, Input::Dynamic(scheme), &mut out, scratch).unwrap();
        let kept = Fidelity::between(&exact, &out).unwrap();
        assert!(kept.sqnr_db > 35.0 && kept.cosine > 0.9998, "{kept:?}");
    }
    assert!(layer.bytes() * 3 < 4 * weights.len());
}

#[test]
fn a_layer_from_a_file_is_the_same_layer() {
    let (weights, bias) = (wave(15), wave(3));
    let format = Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 0 };
    let tensor = QuantizedTensor::quantize(&weights, &[3, 5], format).unwrap();
    let file = to_safetensors(&[("layer", &tensor)]).unwrap();
    let read = &from_safetensors(&file).unwrap()[0].1;
    let layer = QuantizedLinear::from_tensor(read, &bias, Activation::Relu).unwrap();
    assert_eq!(layer, QuantizedLinear::new(&weights, 5, &bias, Activation::Relu).unwrap());
}

#[test]
fn a_warm_layer_allocates_nothing() {
    let layer = QuantizedLinear::new(&wave(70 * 33), 70, &wave(33), Activation::Relu).unwrap();
    let (x, mut out, mut scratch) = (wave(20 * 70), vec![0.0; 20 * 33], LinearScratch::default());
    let (map, codes, mut bytes) = (Affine::new(0.1, 3).unwrap(), vec![5; 20 * 70], vec![0; 660]);
    let mut all = || {
        layer.run(&x, Input::Dynamic(Scheme::Asymmetric), &mut out, &mut scratch).unwrap();
        layer.requantize(&codes, map, map, &mut bytes, &mut scratch).unwrap();
    };
    all();
    assert_eq!(allocation_counter::measure(all).count_total, 0);
}

#[test]
fn what_does_not_fit_is_a_typed_error() {
    let kind = |weights: &[f32], inputs, bias: &[f32]| {
        QuantizedLinear::new(weights, inputs, bias, Activation::Identity).unwrap_err().kind()
    };
    assert_eq!(kind(&[], 0, &[]), ErrorKind::Empty);
    assert_eq!(kind(&[1.0, 2.0], 2, &[]), ErrorKind::Shape);
    assert_eq!(kind(&[1.0, 2.0], 1, &[0.0]), ErrorKind::Shape);
    assert_eq!(kind(&[1.0, 2.0], 2, &[f32::NAN]), ErrorKind::NotFinite);
    for format in [
        Format::F16,
        Format::Int8(Scheme::Asymmetric),
        Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 1 },
    ] {
        let tensor = QuantizedTensor::quantize(&[1.0, 2.0], &[1, 2], format).unwrap();
        let error = QuantizedLinear::from_tensor(&tensor, &[0.0], Activation::Identity);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Config, "{format:?}");
    }
    let layer = QuantizedLinear::new(&wave(6), 3, &wave(2), Activation::Identity).unwrap();
    let scratch = &mut LinearScratch::default();
    let input = Input::Dynamic(Scheme::Symmetric);
    let mut run = |x: &[f32], out: &mut [f32]| layer.run(x, input, out, scratch);
    assert_eq!(run(&[0.0; 4], &mut [0.0; 2]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(run(&[0.0; 3], &mut [0.0; 4]).unwrap_err().kind(), ErrorKind::Shape);
    let mut out = [7.0; 4];
    let bad = [0.0, 1.0, 2.0, 0.0, f32::NAN, 1.0];
    assert_eq!(run(&bad, &mut out).unwrap_err().kind(), ErrorKind::NotFinite);
    assert_eq!(out, [7.0; 4]);
}
