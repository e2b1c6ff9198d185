//! One sample forth and back and its step at once, for dense networks.

use edgekit_kernels_simd::Kernels;

use crate::loss::Loss;
use crate::network::Network;
use crate::run::single;

/// Room for one sample.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    layers: Vec<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    values: Vec<f32>,
    arguments: Vec<f32>,
    delta: Vec<f32>,
}

/// Rate and momentum of a step, and the last steps, which are empty without momentum.
pub(crate) struct Descent<'a> {
    pub(crate) rate: f32,
    pub(crate) momentum: f32,
    pub(crate) last: &'a mut [f32],
}

impl Sample {
    pub(crate) fn descend(
        &mut self,
        network: &mut Network,
        kernels: &Kernels,
        loss: Loss,
        (input, target): (&[f32], &[f32]),
        spans: &[f32],
        descent: &mut Descent<'_>,
    ) {
        let last = network.layers.len() - 1;
        self.layers.resize_with(self.layers.len().max(last + 1), Kept::default);
        for index in 1..=last {
            let layer = network.dense_layer(index);
            let (before, kept) = self.layers.split_at_mut(index);
            let Kept { values, arguments, .. } = &mut kept[0];
            values.resize(layer.outputs, 0.0);
            let x = if index == 1 { input } else { &before[index - 1].values };
            single(kernels, layer, x, values);
            if layer.keeps_arguments {
                arguments.clone_from(values);
            }
            layer.activate(kernels, values);
        }
        let Kept { values, delta, .. } = &mut self.layers[last];
        delta.resize(values.len(), 0.0);
        loss.gradient(kernels, values, target, spans, delta);
        for index in (1..=last).rev() {
            let layer = network.dense_layer(index);
            let (before, kept) = self.layers.split_at_mut(index);
            let Kept { values, arguments, delta } = &mut kept[0];
            layer.backward(kernels, delta, values, arguments);
            if index > 1 {
                // Before the weights move.
                let out = &mut before[index - 1].delta;
                out.resize(layer.inputs, 0.0);
                kernels.gemv_transposed(1.0, layer.matrix(), delta, 0.0, out);
            }
            let (inputs, outputs, start) = (layer.inputs, layer.outputs, layer.start);
            let x = if index == 1 { input } else { &before[index - 1].values[..] };
            let range = start..start + (inputs + 1) * outputs;
            let rows = network.weights[range.clone()].chunks_exact_mut(inputs + 1);
            if descent.momentum == 0.0 {
                for (row, d) in rows.zip(&*delta) {
                    let step = -descent.rate * d;
                    kernels.axpy(step, x, &mut row[..inputs]);
                    row[inputs] += step;
                }
            } else {
                let lasts = descent.last[range].chunks_exact_mut(inputs + 1);
                for ((row, last), d) in rows.zip(lasts).zip(&*delta) {
                    let step = -descent.rate * d;
                    kernels.scale(last, descent.momentum);
                    kernels.axpy(step, x, &mut last[..inputs]);
                    last[inputs] += step;
                    kernels.axpy(1.0, last, row);
                }
            }
        }
    }
}
