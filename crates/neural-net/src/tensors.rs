//! Dense networks as safetensors: what other programs read without knowing FANN.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::activation::{Activation, Function};
use crate::atomic;
use crate::builder::Parts;
use crate::network::{Kind, Network};
use crate::{Error, ErrorKind};

impl Network {
    /// The network as a safetensors file: for layer `i`, counted from 0, `layers.i.weight` of shape
    /// `[outputs, inputs]` and `layers.i.bias`, both `f32`; `layers.i.activation` (`u8`, FANN's numbers)
    /// and `layers.i.steepness`, one of each a neuron.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) unless the network is dense.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        if !self.is_dense() {
            let why = "sparse networks and shortcuts are no matrices: save them with `to_fann`";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let bytes = |values: &mut dyn Iterator<Item = f32>| -> Vec<u8> {
            values.flat_map(f32::to_le_bytes).collect()
        };
        let mut tensors = Vec::new();
        for index in 1..self.layers.len() {
            let layer = self.dense_layer(index);
            let (inputs, outputs) = (layer.inputs, layer.outputs);
            let rows = layer.weights.chunks_exact(inputs + 1);
            let weights = bytes(&mut rows.flat_map(|row| &row[..inputs]).copied());
            let functions = || layer.neurons.iter().map(|neuron| neuron.function);
            let mut put = |name: &str, dtype, shape, data: Vec<u8>| {
                tensors.push((format!("layers.{}.{name}", index - 1), dtype, shape, data));
            };
            put("weight", Dtype::F32, vec![outputs, inputs], weights);
            put("bias", Dtype::F32, vec![outputs], bytes(&mut layer.biases()));
            let numbers = functions().map(|f| f.activation as u8).collect();
            put("activation", Dtype::U8, vec![outputs], numbers);
            let steepness = bytes(&mut functions().map(|f| f.steepness));
            put("steepness", Dtype::F32, vec![outputs], steepness);
        }
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, data)| {
                Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), data)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let format = HashMap::from([("format".to_owned(), "edgekit-neural-net 1".to_owned())]);
        views
            .and_then(|views| safetensors::serialize(views, Some(format)))
            .map_err(|error| Error::format(format!("the tensors cannot be written: {error}")))
    }

    /// Reads what [`to_safetensors`](Self::to_safetensors) wrote. Networks of other programs need only
    /// the weights and biases: without functions all neurons are [`Activation::Linear`] with steepness
    /// 1, to be set afterwards.
    ///
    /// # Errors
    /// [`Format`](ErrorKind::Format) for damage, other types and shapes that do not follow each other,
    /// [`NotFinite`](ErrorKind::NotFinite).
    pub fn from_safetensors(bytes: &[u8]) -> Result<Network, Error> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| Error::format(format!("not a safetensors file: {error}")))?;
        let (mut sizes, mut functions, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0.. {
            let name = |what: &str| format!("layers.{index}.{what}");
            let Ok(matrix) = file.tensor(&name("weight")) else { break };
            let wrong = |what: &str| Error::format(format!("layer {index}: {what}"));
            let &[outputs, inputs] = matrix.shape() else {
                return Err(wrong("its weights are no matrix"));
            };
            match sizes.last() {
                None => sizes.push(inputs),
                Some(&before) if before != inputs => {
                    return Err(wrong(&format!("{inputs} inputs behind a layer of {before}")));
                }
                Some(_) => {}
            }
            if inputs == 0 || outputs == 0 {
                return Err(wrong("it is empty"));
            }
            sizes.push(outputs);
            let floats = |view: TensorView<'_>, len: usize| {
                let (values, _) = view.data().as_chunks::<4>();
                let values = values.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>();
                let right = view.dtype() == Dtype::F32 && values.len() == len;
                right.then_some(values).ok_or_else(|| wrong("a tensor of another type or shape"))
            };
            let optional = |what: &str| file.tensor(&name(what)).ok();
            let bias = optional("bias").ok_or_else(|| wrong("it has no bias"))?;
            let (matrix, bias) = (floats(matrix, inputs * outputs)?, floats(bias, outputs)?);
            for (row, bias) in matrix.chunks_exact(inputs).zip(bias) {
                weights.extend_from_slice(row);
                weights.push(bias);
            }
            let plain = Function { activation: Activation::Linear, steepness: 1.0 };
            match (optional("activation"), optional("steepness")) {
                (Some(numbers), Some(steepness)) => {
                    let steepness = floats(steepness, outputs)?;
                    let numbers = numbers.data();
                    if numbers.len() != outputs {
                        return Err(wrong("activations of another number"));
                    }
                    for (&number, steepness) in numbers.iter().zip(steepness) {
                        let activation = Activation::ALL.get(usize::from(number)).copied();
                        let activation =
                            activation.ok_or_else(|| wrong("an unknown activation"))?;
                        functions.push(Function { activation, steepness });
                    }
                }
                (None, None) => functions.extend(std::iter::repeat_n(plain, outputs)),
                _ => return Err(wrong("activations need a steepness each")),
            }
        }
        if sizes.is_empty() {
            return Err(Error::format("there is no tensor named \"layers.0.weight\""));
        }
        let (kind, connection_rate, sources) = (Kind::Layered, 1.0, None);
        Network::from_parts(Parts { kind, sizes, connection_rate, functions, sources, weights })
    }

    /// Writes a network file whose format the name's end decides: `.net` is FANN's, `.safetensors` the
    /// other. The file is replaced as a whole or not at all.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io), [`Unsupported`](ErrorKind::Unsupported) for other names.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let bytes = match FileFormat::of(path)? {
            FileFormat::Fann => self.to_fann().into_bytes(),
            FileFormat::Safetensors => self.to_safetensors()?,
        };
        atomic::write(path, &[&bytes])
    }

    /// Reads a file that [`save`](Self::save), libfann or another program wrote.
    ///
    /// # Errors
    /// As [`save`](Self::save), [`from_fann`](Self::from_fann) and
    /// [`from_safetensors`](Self::from_safetensors).
    pub fn load(path: impl AsRef<Path>) -> Result<Network, Error> {
        let path = path.as_ref();
        let format = FileFormat::of(path)?;
        let bytes = std::fs::read(path)?;
        match format {
            FileFormat::Safetensors => Network::from_safetensors(&bytes),
            FileFormat::Fann => {
                let text = std::str::from_utf8(&bytes);
                Network::from_fann(text.map_err(|_| Error::format("the file is not text"))?)
            }
        }
    }
}

enum FileFormat {
    Fann,
    Safetensors,
}

impl FileFormat {
    fn of(path: &Path) -> Result<Self, Error> {
        match path.extension().and_then(|end| end.to_str()) {
            Some("net") => Ok(FileFormat::Fann),
            Some("safetensors") => Ok(FileFormat::Safetensors),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{}: name it .net or .safetensors", path.display()),
            )),
        }
    }
}
