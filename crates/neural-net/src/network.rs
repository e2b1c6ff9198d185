//! What a network is: layers of neurons, where each gets its inputs from, and all weights in one row.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::activation::{Activation, Function};
use crate::builder::Builder;
use crate::error::check_finite;

/// A multi-layer perceptron with FANN's meaning.
///
/// Neurons are numbered layer by layer, inputs first. A layered network has a bias neuron, always 1,
/// last in each layer but the output's; a network with shortcuts has one, after its inputs, and each
/// neuron sees all neurons of all earlier layers. [`weights`](Self::weights) has the weights of the
/// first neuron of the first hidden layer, in the order of its inputs, the bias last in layered
/// networks; then those of the next neuron, and so on: FANN's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub(crate) kind: Kind,
    pub(crate) layers: Vec<Layer>,
    /// Those that compute: hidden and output neurons.
    pub(crate) neurons: Vec<Neuron>,
    /// Inputs of neurons that do not simply see neighbours.
    pub(crate) listed: Vec<u32>,
    pub(crate) weights: Vec<f32>,
    pub(crate) connection_rate: f32,
    /// Whether layers are matrices; [`Network::refresh`] finds out.
    pub(crate) dense: bool,
}

/// How layers are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Each layer sees the layer before it.
    #[default]
    Layered,
    /// Each layer sees all layers before it.
    Shortcut,
}

/// Neurons of one layer; the bias is not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layer {
    /// Number of the first neuron.
    pub(crate) first: usize,
    pub(crate) size: usize,
    /// Index of the first neuron among those that compute; of no meaning for the inputs.
    pub(crate) computing: usize,
    /// That of all its neurons, if they have the same.
    pub(crate) function: Option<Function>,
    /// Whether one of them has a slope that the value does not tell.
    pub(crate) keeps_arguments: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neuron {
    /// Where its weights begin, and how many inputs it has.
    pub(crate) start: usize,
    pub(crate) inputs: usize,
    pub(crate) source: Source,
    pub(crate) function: Function,
}

/// Where a neuron's inputs come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    /// Neurons that follow each other from this one.
    Run(usize),
    /// Neurons that are listed from this index.
    Listed(usize),
}

impl Network {
    /// Starts a network with layers of these sizes: inputs, hidden layers, outputs.
    ///
    /// ```
    /// use edgekit_neural_net::{Activation, Network};
    /// let network = Network::builder(&[64, 128, 10]).hidden(Activation::Sigmoid).seed(7).build()?;
    /// assert_eq!(network.weights().len(), 65 * 128 + 129 * 10);
    /// # Ok::<(), edgekit_neural_net::Error>(())
    /// ```
    pub fn builder(sizes: &[usize]) -> Builder {
        Builder::new(sizes)
    }

    /// Inputs of the network.
    pub fn input_size(&self) -> usize {
        self.layers[0].size
    }

    /// Outputs of the network.
    pub fn output_size(&self) -> usize {
        self.layers[self.layers.len() - 1].size
    }

    /// Neurons of each layer, from the inputs to the outputs, without the biases.
    pub fn layer_sizes(&self) -> impl ExactSizeIterator<Item = usize> {
        self.layers.iter().map(|layer| layer.size)
    }

    /// How layers are connected.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which part of the possible connections there is, as asked for when it was built.
    pub fn connection_rate(&self) -> f32 {
        self.connection_rate
    }

    /// All weights.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Replaces all weights.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if their number is another,
    /// [`NotFinite`](crate::ErrorKind::NotFinite); the network is then as before.
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), Error> {
        if weights.len() != self.weights.len() {
            return Err(Error::shape(format!(
                "{} weights for a network of {}",
                weights.len(),
                self.weights.len()
            )));
        }
        check_finite(weights, "weights")?;
        self.weights.copy_from_slice(weights);
        Ok(())
    }

    /// The functions of layer `layer`, 1 being the first hidden one.
    ///
    /// # Panics
    /// If there is no such layer, or if it is that of the inputs.
    #[track_caller]
    pub fn functions(&self, layer: usize) -> impl ExactSizeIterator<Item = Function> {
        assert!(layer > 0, "the inputs have no functions: layers are counted from 1");
        self.computing(layer).iter().map(|neuron| neuron.function)
    }

    /// Gives all neurons of a layer one function.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) for a steepness that is not positive, or if there is no
    /// such layer.
    pub fn set_function(&mut self, layer: usize, f: impl Into<Function>) -> Result<(), Error> {
        let size = self.layers.get(layer).map_or(0, |l| if layer == 0 { 0 } else { l.size });
        if size == 0 {
            let last = self.layers.len() - 1;
            return Err(Error::config(format!("layer {layer}: give 1 to {last}")));
        }
        let function = f.into();
        function.check()?;
        let first = self.layers[layer].computing;
        self.neurons[first..first + size].iter_mut().for_each(|n| n.function = function);
        self.refresh();
        Ok(())
    }

    /// Gives one neuron of a layer its own function.
    ///
    /// # Errors
    /// As [`set_function`](Self::set_function), or if there is no such neuron.
    pub fn set_neuron_function(
        &mut self,
        layer: usize,
        neuron: usize,
        f: impl Into<Function>,
    ) -> Result<(), Error> {
        let function = f.into();
        function.check()?;
        match self.layers.get(layer) {
            Some(at) if layer > 0 && neuron < at.size => {
                self.neurons[at.computing + neuron].function = function;
                self.refresh();
                Ok(())
            }
            _ => Err(Error::config(format!("there is no neuron {neuron} in a layer {layer}"))),
        }
    }

    /// Whether every neuron sees exactly the layer before it and the bias: such networks are matrix
    /// products.
    pub fn is_dense(&self) -> bool {
        self.dense
    }

    /// Whether every neuron sees all it can.
    pub(crate) fn is_full(&self) -> bool {
        let full = |index: usize| {
            let before = self.layers[index - 1];
            let (from, seen) = match self.kind {
                Kind::Layered => (before.first, before.size + 1),
                Kind::Shortcut => (0, self.layers[index].first),
            };
            let expected = (seen, Source::Run(from));
            self.computing(index).iter().all(|neuron| (neuron.inputs, neuron.source) == expected)
        };
        (1..self.layers.len()).all(full)
    }

    /// Learns anew what is true of whole layers, after neurons were altered.
    pub(crate) fn refresh(&mut self) {
        self.dense = self.kind == Kind::Layered && self.is_full();
        for index in 1..self.layers.len() {
            let neurons = self.computing(index);
            let first = neurons[0].function;
            let function = neurons.iter().all(|n| n.function == first).then_some(first);
            let keeps_arguments = neurons.iter().any(|n| n.function.needs_argument());
            self.layers[index] = Layer { function, keeps_arguments, ..self.layers[index] };
        }
    }

    /// Whether every function has a slope.
    pub(crate) fn check_trainable(&self) -> Result<(), Error> {
        let stuck = self.neurons.iter().map(|n| n.function.activation).find(|a| !a.is_trainable());
        match stuck {
            None => Ok(()),
            Some(activation) => Err(Error::new(
                crate::ErrorKind::Unsupported,
                format!("{activation:?} has no slope to train by: choose another activation"),
            )),
        }
    }

    /// Refuses NaN and infinite weights: whatever trained them diverged.
    pub(crate) fn check_weights(&self) -> Result<(), Error> {
        check_finite(&self.weights, "weights")
    }

    /// 2 for outputs between −1 and 1, else 1.
    pub(crate) fn output_spans(&self) -> impl Iterator<Item = f32> {
        let span = |f: Function| if f.activation.is_symmetric() { 2.0 } else { 1.0 };
        self.functions(self.layers.len() - 1).map(span)
    }

    pub(crate) fn spans(&self) -> Vec<f32> {
        self.output_spans().collect()
    }

    /// Neurons, biases included, as they are numbered.
    pub(crate) fn numbered(&self) -> usize {
        let last = self.layers[self.layers.len() - 1];
        last.first + last.size
    }

    pub(crate) fn computing(&self, layer: usize) -> &[Neuron] {
        let layer = self.layers[layer];
        &self.neurons[layer.computing..layer.computing + layer.size]
    }

    pub(crate) fn sources(&self, neuron: &Neuron) -> impl Iterator<Item = usize> {
        let (run, listed) = match neuron.source {
            Source::Run(first) => (first..first + neuron.inputs, &[][..]),
            Source::Listed(at) => (0..0, &self.listed[at..at + neuron.inputs]),
        };
        run.chain(listed.iter().map(|&source| source as usize))
    }

    /// A layer of a dense network as a matrix.
    pub(crate) fn dense_layer(&self, layer: usize) -> DenseLayer<'_> {
        let (inputs, neurons) = (self.layers[layer - 1].size, self.computing(layer));
        let Layer { function, keeps_arguments, .. } = self.layers[layer];
        let start = neurons[0].start;
        let weights = &self.weights[start..start + (inputs + 1) * neurons.len()];
        DenseLayer {
            inputs,
            outputs: neurons.len(),
            start,
            weights,
            neurons,
            function,
            keeps_arguments,
        }
    }
}

/// A matrix of `outputs` rows of weights, each with its bias at the end.
#[derive(Clone, Copy)]
pub(crate) struct DenseLayer<'a> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Where its weights begin among all.
    pub(crate) start: usize,
    pub(crate) weights: &'a [f32],
    pub(crate) neurons: &'a [Neuron],
    /// That of all neurons, if there is only one.
    pub(crate) function: Option<Function>,
    /// Whether the arguments must be kept for the slopes.
    pub(crate) keeps_arguments: bool,
}

impl From<(Activation, f32)> for Function {
    fn from((activation, steepness): (Activation, f32)) -> Self {
        Function { activation, steepness }
    }
}
