//! Integer networks as safetensors: codes and what they mean, under one checksum.

use std::collections::HashMap;
use std::path::Path;

use aligned_vec::AVec;
use edgekit_quantize::Affine;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::Error;
use crate::activation::{Activation, Function};
use crate::atomic;
use crate::error::check_finite;
use crate::int8::{Layer, MOST_INPUTS, QuantizedNetwork};

/// The only key of the metadata: the order of several would be that of a hash map.
const KEY: &str = "edgekit.neural-net";
/// What its value begins with; the checksum follows, in hexadecimal.
const VERSION: &str = "int8 version 1 crc32 ";
/// What there is of each layer, with the type of its values.
const PARTS: [(&str, Dtype); 7] = [
    ("weight", Dtype::I8),
    ("scale", Dtype::F32),
    ("bias", Dtype::F32),
    ("activation", Dtype::U8),
    ("steepness", Dtype::F32),
    ("input.scale", Dtype::F32),
    ("input.zero_point", Dtype::I8),
];

impl QuantizedNetwork {
    /// The network as a safetensors file. For layer `i`, counted from 0, `layers.i.input.scale` and
    /// `layers.i.input.zero_point` say how its inputs become codes `x`, as [`Affine`] has it;
    /// `layers.i.weight` (`i8`, `[outputs, inputs]`) has codes `w`, `layers.i.scale` and
    /// `layers.i.bias` one value each a neuron, and the argument of neuron `j` is
    /// `scaleⱼ · Σₖ xₖ wⱼₖ + biasⱼ`: steepness and zero point are in both already.
    /// `layers.i.activation` (`u8`, FANN's numbers) and `layers.i.steepness` are its function. A CRC-32
    /// of all names, shapes and values is in the metadata. The same network gives the same bytes.
    ///
    /// # Errors
    /// None that data could cause.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let (outputs, functions) = (layer.outputs(), layer.functions.iter());
            let steepness: Vec<f32> = functions.clone().map(|f| f.steepness).collect();
            let values = [
                (vec![outputs, layer.inputs], layer.codes.iter().map(|&code| code as u8).collect()),
                (vec![outputs], floats(&layer.scales)),
                (vec![outputs], floats(&layer.biases)),
                (vec![outputs], functions.map(|f| f.activation as u8).collect()),
                (vec![outputs], floats(&steepness)),
                (vec![1], floats(&[layer.affine.scale()])),
                (vec![1], vec![layer.affine.zero_point() as u8]),
            ];
            let parts = PARTS.iter().zip(values);
            tensors.extend(parts.map(|(&(part, dtype), (shape, data))| {
                (format!("layers.{index}.{part}"), dtype, shape, data)
            }));
        }
        let mut sum = Checksum::default();
        let views = tensors.iter().map(|(name, dtype, shape, data)| {
            let view = TensorView::new(*dtype, shape.clone(), data)?;
            sum.add(name, &view);
            Ok((name.as_str(), view))
        });
        let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let told = HashMap::from([(KEY.to_owned(), sum.told())]);
        views
            .and_then(|views| safetensors::serialize(views, Some(told)))
            .map_err(|error| Error::format(format!("the tensors cannot be written: {error}")))
    }

    /// Reads what [`to_safetensors`](Self::to_safetensors) wrote; outputs are the same to the bit.
    /// Takes memory in proportion to the bytes.
    ///
    /// # Errors
    /// [`Format`](crate::ErrorKind::Format) for other files, other versions and damage.
    pub fn from_safetensors(bytes: &[u8]) -> Result<QuantizedNetwork, Error> {
        let wrong =
            |what: &str| Error::format(format!("not an integer network that can be read: {what}"));
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| wrong(&error.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| wrong(&error.to_string()))?;
        let told = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let told = told.ok_or_else(|| wrong(&format!("its metadata have no {KEY:?}")))?;
        if !told.starts_with(VERSION) {
            return Err(wrong(&format!("{told:?}, this reads {VERSION:?}")));
        }
        let count = file.len() / PARTS.len();
        if count == 0 || count * PARTS.len() != file.len() {
            return Err(wrong(&format!("{} tensors, {} for each layer", file.len(), PARTS.len())));
        }
        let (mut sum, mut layers) = (Checksum::default(), Vec::<Layer>::new());
        for index in 0..count {
            let mut views = Vec::with_capacity(PARTS.len());
            for (part, dtype) in PARTS {
                let name = format!("layers.{index}.{part}");
                let view = file.tensor(&name).map_err(|error| wrong(&error.to_string()))?;
                sum.add(&name, &view);
                if view.dtype() != dtype {
                    return Err(wrong(&format!("{name} is of type {:?}", view.dtype())));
                }
                views.push(view);
            }
            let layer = layer(&views).map_err(|what| wrong(&format!("layer {index}: {what}")))?;
            if layers.last().is_some_and(|before| before.outputs() != layer.inputs) {
                return Err(wrong(&format!("layer {index} does not fit the layer before it")));
            }
            layers.push(layer);
        }
        if *told != sum.told() {
            return Err(wrong("its checksum is wrong"));
        }
        Ok(QuantizedNetwork { layers })
    }

    /// Writes the network to a file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        atomic::write(path.as_ref(), &[&self.to_safetensors()?])
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), and as [`from_safetensors`](Self::from_safetensors).
    pub fn load(path: impl AsRef<Path>) -> Result<QuantizedNetwork, Error> {
        QuantizedNetwork::from_safetensors(&std::fs::read(path)?)
    }
}

/// A layer of what [`PARTS`] lists, or what is wrong with it.
fn layer(views: &[TensorView<'_>]) -> Result<Layer, String> {
    let &[outputs, inputs] = views[0].shape() else {
        return Err("its weights are no matrix".into());
    };
    if inputs == 0 || outputs == 0 || inputs.max(outputs) > MOST_INPUTS {
        return Err(format!("{inputs} inputs and {outputs} outputs, of 1 to {MOST_INPUTS}"));
    }
    for (view, (part, _)) in views.iter().zip(PARTS).skip(1) {
        let expected = if part.starts_with("input.") { 1 } else { outputs };
        if view.shape() != [expected] {
            return Err(format!("{part} of shape {:?}, not [{expected}]", view.shape()));
        }
    }
    let floats = |at: usize| -> Result<Vec<f32>, String> {
        let (values, _) = views[at].data().as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        check_finite(&values, PARTS[at].0).map_err(|error| error.to_string())?;
        Ok(values)
    };
    let functions = views[3].data().iter().zip(floats(4)?).map(|(&number, steepness)| {
        let activation = Activation::ALL.get(usize::from(number)).copied();
        let activation = activation.ok_or_else(|| format!("activation {number}"))?;
        let function = Function { activation, steepness };
        function.check().map_err(|error| error.to_string())?;
        Ok(function)
    });
    let functions = functions.collect::<Result<Vec<_>, String>>()?;
    let affine = Affine::new(floats(5)?[0], views[6].data()[0] as i8);
    let affine = affine.map_err(|error| error.to_string())?;
    let codes = AVec::from_iter(64, views[0].data().iter().map(|&byte| byte as i8));
    Ok(Layer::new(codes, floats(1)?, floats(2)?, functions, affine))
}

/// Of names, shapes and values.
#[derive(Default)]
struct Checksum(crc32fast::Hasher);

impl Checksum {
    fn add(&mut self, name: &str, view: &TensorView<'_>) {
        self.0.update(name.as_bytes());
        for &size in view.shape() {
            self.0.update(&(size as u64).to_le_bytes());
        }
        self.0.update(view.data());
    }

    /// What the metadata say.
    fn told(&self) -> String {
        format!("{VERSION}{:08x}", self.0.clone().finalize())
    }
}
