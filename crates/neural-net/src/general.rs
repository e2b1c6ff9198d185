//! Any network, one sample at a time, connection by connection: the only way for sparse networks and
//! shortcuts, and the slow twin of the matrix products for the others.

use edgekit_kernels_simd::Kernels;

use crate::network::{Network, Source};

/// Fills `values` with the values of all neurons, and `arguments`, if wanted, with what their
/// functions saw.
pub(crate) fn forward(
    network: &Network,
    kernels: &Kernels,
    input: &[f32],
    values: &mut Vec<f32>,
    mut arguments: Option<&mut Vec<f32>>,
) {
    values.clear();
    // The biases are what no neuron writes to.
    values.resize(network.numbered(), 1.0);
    values[..input.len()].copy_from_slice(input);
    if let Some(arguments) = &mut arguments {
        arguments.clear();
        arguments.resize(network.numbered(), 0.0);
    }
    for index in 1..network.layers.len() {
        let first = network.layers[index].first;
        for (i, neuron) in network.computing(index).iter().enumerate() {
            let weights = &network.weights[neuron.start..neuron.start + neuron.inputs];
            let sum = match neuron.source {
                Source::Run(from) => kernels.dot(weights, &values[from..from + neuron.inputs]),
                Source::Listed(at) => {
                    let sources = &network.listed[at..at + neuron.inputs];
                    weights.iter().zip(sources).map(|(w, &s)| w * values[s as usize]).sum()
                }
            };
            let u = neuron.function.gain() * sum;
            values[first + i] = neuron.function.value(u);
            if let Some(arguments) = &mut arguments {
                arguments[first + i] = u;
            }
        }
    }
}

/// Adds the gradient by all weights to `gradient`. `errors` has, for each neuron, the gradient by its
/// value: that of the outputs on entry, and room for the others.
pub(crate) fn backward(
    network: &Network,
    kernels: &Kernels,
    values: &[f32],
    arguments: &[f32],
    errors: &mut [f32],
    gradient: &mut [f32],
) {
    for index in (1..network.layers.len()).rev() {
        let first = network.layers[index].first;
        for (i, neuron) in network.computing(index).iter().enumerate() {
            let at = first + i;
            let delta = errors[at] * neuron.function.slope(values[at], arguments[at]);
            let range = neuron.start..neuron.start + neuron.inputs;
            let (weights, gradient) = (&network.weights[range.clone()], &mut gradient[range]);
            match neuron.source {
                Source::Run(from) => {
                    let sources = from..from + neuron.inputs;
                    kernels.axpy(delta, &values[sources.clone()], gradient);
                    kernels.axpy(delta, weights, &mut errors[sources]);
                }
                Source::Listed(at) => {
                    let sources = &network.listed[at..at + neuron.inputs];
                    for ((w, g), &source) in weights.iter().zip(gradient).zip(sources) {
                        *g += delta * values[source as usize];
                        errors[source as usize] += delta * w;
                    }
                }
            }
        }
    }
}
