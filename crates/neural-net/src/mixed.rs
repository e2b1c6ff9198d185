//! Gradients with operands of 16 bits: everything that is multiplied is rounded to bfloat16, everything
//! that is summed up is `f32`.

use aligned_vec::AVec;
use edgekit_kernels_simd::Kernels;
use half::bf16;
use serde::{Deserialize, Serialize};

use crate::gradient::{Products, Task, flush};
use crate::run::room;

/// What the matrix products of training multiply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Precision {
    /// `f32` throughout.
    #[default]
    F32,
    /// Mixed precision (Micikevicius et al., 2018; with bfloat16, Kalamkar et al., 2019): weights,
    /// inputs, neurons' values and gradients by their arguments are rounded to bfloat16, to one part in
    /// 512, before they are multiplied, forth and back. Products are summed up in `f32`; the loss is that
    /// of `f32` outputs, and steps are made on `f32` weights. Evaluations and runs of the network are in
    /// `f32`.
    ///
    /// It halves what is kept of the samples between the way forth and back, to 2 bytes a neuron and
    /// sample (functions whose slope their value does not tell keep their arguments too, in `f32`), and
    /// takes 4 bytes a weight for the rounded ones. It is here to train as machines with bfloat16
    /// products do: without such products it is slower, since operands are rounded and widened
    /// for those of `f32`.
    ///
    /// For dense networks, and algorithms that step after batches.
    Bf16,
}

/// What the way back needs of the way forth.
#[derive(Debug)]
pub(crate) struct Mixed {
    /// Of the inputs and of each hidden layer.
    values: Vec<Vec<bf16>>,
    arguments: Vec<AVec<f32>>,
    /// One layer's at a time.
    wide: AVec<f32>,
    next: AVec<f32>,
    delta: AVec<f32>,
    before: AVec<f32>,
}

impl Default for Mixed {
    fn default() -> Self {
        let empty = || AVec::new(64);
        let (values, arguments) = (Vec::new(), Vec::new());
        let (wide, next, delta, before) = (empty(), empty(), empty(), empty());
        Mixed { values, arguments, wide, next, delta, before }
    }
}

impl Mixed {
    /// The summed gradient of these rows.
    pub(crate) fn pass(
        &mut self,
        kernels: &Kernels,
        task: Task<'_>,
        rows: std::ops::Range<usize>,
        products: &mut Products,
    ) {
        let (count, last) = (rows.len(), task.network.layers.len() - 1);
        let (inputs, targets) = task.samples(rows);
        let Mixed { values, arguments, wide, next, delta, before } = self;
        values.resize_with(values.len().max(last), Vec::new);
        arguments.resize_with(arguments.len().max(last + 1), || AVec::new(64));
        room(wide, inputs.len()).copy_from_slice(inputs);
        for index in 1..=last {
            let layer = task.layer(index);
            let x = &mut wide[..count * layer.inputs];
            let kept = &mut values[index - 1];
            kept.resize(kept.len().max(x.len()), bf16::ZERO);
            kernels.narrow_bf16(x, &mut kept[..x.len()]);
            kernels.widen_bf16(&kept[..x.len()], x);
            let y = room(next, count * layer.outputs);
            products.arguments(kernels, layer, x, y);
            if layer.keeps_arguments {
                room(&mut arguments[index], y.len()).copy_from_slice(y);
            }
            layer.activate(kernels, y);
            if index < last {
                flush(y);
            }
            std::mem::swap(wide, next);
        }
        let len = targets.len();
        task.loss.gradient(kernels, &wide[..len], targets, task.spans, room(delta, len));
        for index in (1..=last).rev() {
            let layer = task.layer(index);
            let len = count * layer.outputs;
            let kept = if layer.keeps_arguments { &arguments[index][..len] } else { &[] };
            layer.backward(kernels, &mut delta[..len], &wide[..len], kept);
            flush(&mut delta[..len]);
            round(kernels, &mut delta[..len]);
            let x = room(next, count * layer.inputs);
            kernels.widen_bf16(&values[index - 1][..x.len()], x);
            products.by_weights(kernels, layer, &delta[..len], x);
            if index > 1 {
                products.by_inputs(kernels, layer, &delta[..len], before);
                std::mem::swap(delta, before);
            }
            std::mem::swap(wide, next);
        }
    }
}

/// Rounds each value to the nearest bfloat16.
pub(crate) fn round(kernels: &Kernels, values: &mut [f32]) {
    let mut narrow = [bf16::ZERO; 512];
    for values in values.chunks_mut(narrow.len()) {
        let narrow = &mut narrow[..values.len()];
        kernels.narrow_bf16(values, narrow);
        kernels.widen_bf16(narrow, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::{Activation, Function};
    use crate::dataset::Dataset;
    use crate::gradient::Gradients;
    use crate::loss::Loss;
    use crate::network::Network;

    fn samples(inputs: usize, targets: usize, rows: usize) -> Dataset {
        let value = |i: usize| (i * i * 31 % 997) as f32 / 997.0;
        let x: Vec<f32> = (0..inputs * rows).map(|i| 2.0 * value(i + 5) - 1.0).collect();
        let t: Vec<f32> = (0..targets * rows).map(|i| 0.05 + 0.9 * value(i + 77)).collect();
        Dataset::from_rows(&x, inputs, &t, targets).unwrap()
    }

    fn gradient(network: &Network, data: &Dataset, loss: Loss, precision: Precision) -> Vec<f32> {
        let mut gradients = Gradients::new(precision);
        gradients.mean(network, loss, data, 0..data.len(), &network.spans(), false);
        gradients.sum
    }

    fn distance(a: &[f32], b: &[f32]) -> f64 {
        let squares =
            |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let off = squares(&mut a.iter().zip(b).map(|(a, b)| a - b));
        (off / squares(&mut b.iter().copied())).sqrt()
    }

    /// The slow twin: one sample and one product after the other, summed up in `f64`.
    fn twin(network: &Network, data: &Dataset, loss: Loss) -> Vec<f32> {
        let brief = |x: f32| bf16::from_f32(x).to_f32();
        let (last, spans) = (network.layers.len() - 1, network.spans());
        let mut sums = vec![0.0_f64; network.weights.len()];
        for row in 0..data.len() {
            let mut values = vec![data.input(row).iter().map(|x| brief(*x)).collect::<Vec<f32>>()];
            let mut arguments = vec![Vec::new()];
            for index in 1..=last {
                let layer = network.dense_layer(index);
                let x = &values[index - 1];
                let argument = |(weights, neuron): (&[f32], &crate::network::Neuron)| {
                    let terms = weights.iter().zip(x.iter().chain([&1.0]));
                    let sum: f64 = terms.map(|(w, x)| f64::from(brief(*w)) * f64::from(*x)).sum();
                    (f64::from(neuron.function.gain()) * sum) as f32
                };
                let rows = layer.weights.chunks_exact(layer.inputs + 1).zip(layer.neurons);
                let u: Vec<f32> = rows.map(argument).collect();
                let y = u.iter().zip(layer.neurons).map(|(u, n)| n.function.value(*u));
                values.push(y.map(|y| if index < last { brief(y) } else { y }).collect());
                arguments.push(u);
            }
            let mut errors = vec![0.0; network.output_size()];
            loss.gradient(Kernels::get(), &values[last], data.target(row), &spans, &mut errors);
            for index in (1..=last).rev() {
                let layer = network.dense_layer(index);
                let mut before = vec![0.0_f64; layer.inputs];
                for (j, neuron) in layer.neurons.iter().enumerate() {
                    let slope = neuron.function.slope(values[index][j], arguments[index][j]);
                    let delta = f64::from(brief(errors[j] * slope));
                    for i in 0..layer.inputs {
                        let weight = network.weights[neuron.start + i];
                        sums[neuron.start + i] += delta * f64::from(values[index - 1][i]);
                        before[i] += delta * f64::from(brief(weight));
                    }
                    sums[neuron.start + layer.inputs] += delta;
                }
                errors = before.into_iter().map(|error| error as f32).collect();
            }
        }
        sums.iter().map(|sum| (sum / data.len() as f64) as f32).collect()
    }

    #[test]
    fn operands_are_rounded_and_nothing_else() {
        for activation in Activation::ALL.into_iter().filter(|a| a.is_trainable()) {
            for loss in [Loss::Mse, Loss::Mae, Loss::Tanh, Loss::CrossEntropy] {
                let f = Function { activation, steepness: 0.5 };
                let builder = Network::builder(&[7, 19, 11, 3]).hidden(f).output(f);
                let mut network = builder.seed(5).build().unwrap();
                network.randomize(-0.8, 0.8, 9).unwrap();
                network.set_neuron_function(1, 2, (Activation::SigmoidSymmetric, 0.9)).unwrap();
                let data = samples(7, 3, 64);
                let mixed = gradient(&network, &data, loss, Precision::Bf16);
                let plain = gradient(&network, &data, loss, Precision::F32);
                let twin = twin(&network, &data, loss);
                let (far, near) = (distance(&mixed, &plain), distance(&mixed, &twin));
                let what = format!("{activation:?}, {loss:?}: {near:.2e} and {far:.2e}");
                assert!(near < 3e-4 && near < 0.2 * far, "{what}");
                // The slope of the absolute error jumps where rounding moves an output past its target.
                assert!(far < 2e-2 || loss == Loss::Mae, "{what}");
            }
        }
    }

    #[test]
    fn what_rounding_hides_changes_no_gradient() {
        let mut network = Network::builder(&[7, 19, 3]).seed(5).build().unwrap();
        round(Kernels::get(), &mut network.weights);
        let data = samples(7, 3, 200);
        let before = gradient(&network, &data, Loss::Mse, Precision::Bf16);
        let mut moved = network.clone();
        moved.weights.iter_mut().for_each(|w| *w *= 1.0 + 1e-3);
        assert_eq!(gradient(&moved, &data, Loss::Mse, Precision::Bf16), before);
        assert_ne!(gradient(&moved, &data, Loss::Mse, Precision::F32), before);
        moved.weights.iter_mut().for_each(|w| *w *= 1.0 + 1e-2);
        assert_ne!(gradient(&moved, &data, Loss::Mse, Precision::Bf16), before);
    }

    #[test]
    fn sums_are_longer_than_their_terms() {
        // A sum of ones in bfloat16 ends at 256.
        let f = Function { activation: Activation::Linear, steepness: 1.0 };
        let mut network = Network::builder(&[1, 1]).output(f).build().unwrap();
        network.set_weights(&[0.0, 0.0]).unwrap();
        let data = Dataset::from_rows(&[1.0; 1000], 1, &[-1.0; 1000], 1).unwrap();
        assert_eq!(gradient(&network, &data, Loss::Mse, Precision::Bf16), [1.0, 1.0]);
    }
}
