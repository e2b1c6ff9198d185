//! Integer networks in files, and what is done with damaged and hostile ones.

use std::collections::HashMap;

use edgekit_neural_net::{
    Activation, Calibration, Dataset, ErrorKind, Network, QuantizedNetwork, QuantizedScratch,
};
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::{digits, digits_network};

fn small() -> QuantizedNetwork {
    let inputs: Vec<f32> = (0..40).map(|i| (i * 7 % 40) as f32 / 20.0 - 0.5).collect();
    let data = Dataset::from_rows(&inputs, 2, &[0.5; 20], 1).unwrap();
    let mut network = Network::builder(&[2, 3, 1]).seed(4).build().unwrap();
    network.set_neuron_function(1, 2, (Activation::Gaussian, 0.7)).unwrap();
    network.quantize(&data, Calibration::MinMax).unwrap()
}

fn outputs(network: &QuantizedNetwork, inputs: &[f32]) -> Vec<u32> {
    let rows = inputs.len() / network.input_size();
    let mut outputs = vec![0.0; rows * network.output_size()];
    network.run_batch(inputs, &mut outputs, &mut QuantizedScratch::default()).unwrap();
    outputs.into_iter().map(f32::to_bits).collect()
}

fn refused(bytes: &[u8]) -> String {
    let error = QuantizedNetwork::from_safetensors(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format, "{error}");
    error.to_string()
}

#[test]
fn files_keep_every_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.int8.safetensors");
    let data = digits();
    let network = digits_network(20, 3).quantize(&data, Calibration::MinMax).unwrap();
    network.save(&path).unwrap();
    network.save(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
    let again = QuantizedNetwork::load(&path).unwrap();
    assert_eq!(outputs(&again, data.inputs()), outputs(&network, data.inputs()));
    assert_eq!(again.bytes(), network.bytes());
    assert_eq!(again.to_safetensors().unwrap(), std::fs::read(&path).unwrap());
    let nowhere = QuantizedNetwork::load(folder.path().join("nothing")).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Io);
    let nowhere = network.save(folder.path().join("no/folder")).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Io);
}

#[test]
fn every_damaged_bit_and_every_cut_is_noticed() {
    let mut bytes = small().to_safetensors().unwrap();
    for at in 0..bytes.len() {
        refused(&bytes[..at]);
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            refused(&bytes);
            bytes[at] ^= 1 << bit;
        }
    }
    assert_eq!(outputs(&QuantizedNetwork::from_safetensors(&bytes).unwrap(), &[0.3, 0.9]).len(), 1);
}

/// Name, type, shape and values.
type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// The parts of [`small`], changed, under a checksum that is right.
fn forged(change: impl FnOnce(&mut Vec<Tensor>)) -> Vec<u8> {
    let bytes = small().to_safetensors().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let parts = ["weight", "scale", "bias", "activation", "steepness", "input.scale"];
    let parts = parts.into_iter().chain(["input.zero_point"]);
    let names = (0..2).flat_map(|i| parts.clone().map(move |part| format!("layers.{i}.{part}")));
    let tensor = |name: String| {
        let view = file.tensor(&name).unwrap();
        (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())
    };
    let mut tensors: Vec<Tensor> = names.map(tensor).collect();
    change(&mut tensors);
    let mut crc = crc32fast::Hasher::new();
    for (name, _, shape, data) in &tensors {
        crc.update(name.as_bytes());
        shape.iter().for_each(|&size| crc.update(&(size as u64).to_le_bytes()));
        crc.update(data);
    }
    let told = format!("int8 version 1 crc32 {:08x}", crc.finalize());
    let told = HashMap::from([("edgekit.neural-net".to_owned(), told)]);
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize(views, Some(told)).unwrap()
}

#[test]
fn contradictions_are_noticed_under_a_right_checksum() {
    assert_eq!(forged(|_| {}), small().to_safetensors().unwrap());
    type Change = fn(&mut Vec<Tensor>);
    let cases: [(&str, Change); 10] = [
        ("layer 0: its weights are no matrix", |t| t[0].2 = vec![6]),
        ("does not fit the layer before it", |t| {
            t[7].2 = vec![1, 2];
            t[7].3.truncate(2);
        }),
        ("layer 1: bias of shape [1, 1]", |t| t[9].2 = vec![1, 1]),
        ("position 0 of the scale", |t| t[1].3[..4].copy_from_slice(&f32::NAN.to_le_bytes())),
        ("layer 0: activation 18", |t| t[3].3[1] = 18),
        ("layer 0: steepness -1", |t| t[4].3[..4].copy_from_slice(&(-1_f32).to_le_bytes())),
        ("layer 1: scale 0", |t| t[12].3.fill(0)),
        ("is of type U8", |t| t[6].1 = Dtype::U8),
        ("13 tensors", |t| t.truncate(13)),
        ("layers.0.weight", |t| t[0].0 = "layers.2.weight".into()),
    ];
    for (part, change) in cases {
        let told = refused(&forged(change));
        assert!(told.contains(part), "{told:?} does not name {part:?}");
    }
    let empty = |t: &mut Vec<Tensor>| {
        t[0].2 = vec![0, 2];
        t[0].3.clear();
    };
    assert!(refused(&forged(empty)).contains("0 outputs"));
}

#[test]
fn other_files_are_told_apart() {
    let network = Network::builder(&[2, 3, 1]).build().unwrap();
    assert!(refused(&network.to_safetensors().unwrap()).contains("edgekit.neural-net"));
    let error = Network::from_safetensors(&small().to_safetensors().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    let text = String::from_utf8_lossy(&small().to_safetensors().unwrap()).into_owned();
    assert!(text.contains("int8 version 1"));
    let mut bytes = small().to_safetensors().unwrap();
    let at = text.find("version 1").unwrap();
    bytes[at + 8] = b'2';
    assert!(refused(&bytes).contains("version 2"));
    // A header that promises more than there is.
    let header = br#"{"layers.0.weight":{"dtype":"I8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.push(0);
    refused(&bytes);
    refused(&u64::MAX.to_le_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shape_survives(
        sizes in proptest::collection::vec(1..70_usize, 2..5),
        function in (0..18_usize, 1..20_u32),
        seed in any::<u64>(),
    ) {
        let function = (Activation::ALL[function.0], function.1 as f32 / 8.0);
        let builder = Network::builder(&sizes).hidden(function).output(function);
        let network = builder.seed(seed).build().unwrap();
        let (width, height) = (network.input_size(), network.output_size());
        let inputs: Vec<f32> = (0..5 * width).map(|i| (i * i % 37) as f32 / 9.0 - 2.0).collect();
        let data = Dataset::from_rows(&inputs, width, &vec![0.0; 5 * height], height).unwrap();
        let network = network.quantize(&data, Calibration::MinMax).unwrap();
        let bytes = network.to_safetensors().unwrap();
        let again = QuantizedNetwork::from_safetensors(&bytes).unwrap();
        for rows in [1, 5] {
            let inputs = &inputs[..rows * width];
            prop_assert_eq!(outputs(&again, inputs), outputs(&network, inputs));
        }
        prop_assert_eq!(again.to_safetensors().unwrap(), bytes);
    }
}
