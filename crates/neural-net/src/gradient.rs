//! Gradients of the loss by all weights: through matrix products where the network is dense, else
//! sample by sample.

use aligned_vec::AVec;
use edgekit_kernels_simd::{Epilogue, Kernels, Matrix, MatrixMut};

use crate::Error;
use crate::dataset::Dataset;
use crate::general;
use crate::loss::Loss;
use crate::network::Network;
use crate::run::{Scratch, room};

/// Multiplications that make one share of a batch: enough to pay for a thread, and small enough to
/// stay in its cache.
const SHARE: usize = 1 << 21;
/// Shares whose gradients are held at once.
const WAVE: usize = 16;

/// Room for a gradient and for all values between the layers.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    scratch: Scratch,
    layers: Vec<Kept>,
    arguments: Vec<f32>,
    errors: Vec<f32>,
    ones: Vec<f32>,
    sums: Vec<f32>,
    gradient: Vec<f32>,
}

/// What the way back needs of a layer.
#[derive(Debug)]
struct Kept {
    values: AVec<f32>,
    arguments: AVec<f32>,
    delta: AVec<f32>,
}

impl Default for Kept {
    fn default() -> Self {
        Kept { values: AVec::new(64), arguments: AVec::new(64), delta: AVec::new(64) }
    }
}

/// The room of several workers, and what they found together.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    workers: Vec<Workspace>,
    pub(crate) sum: Vec<f32>,
}

impl Gradients {
    /// Puts the mean gradient of the rows `from..to` into [`sum`](Self::sum).
    ///
    /// The rows are cut into shares whose size depends on the network alone, and the shares are added
    /// in their order: threads change nothing but the time.
    pub(crate) fn mean(
        &mut self,
        network: &Network,
        loss: Loss,
        data: &Dataset,
        rows: std::ops::Range<usize>,
        spans: &[f32],
        parallel: bool,
    ) {
        let weights = network.weights.len();
        let share = (SHARE / weights.max(1)).clamp(128, 480);
        let count = rows.len();
        self.sum.clear();
        self.sum.resize(weights, 0.0);
        let shares = count.div_ceil(share);
        let wave = shares.clamp(1, if parallel { WAVE } else { 1 });
        if self.workers.len() < wave {
            self.workers.resize_with(wave, Workspace::default);
        }
        let kernels = Kernels::get();
        let at = |i: usize| rows.start + i * share..(rows.start + (i + 1) * share).min(rows.end);
        let mut done = 0;
        while done < shares {
            let now = wave.min(shares - done);
            let workers = &mut self.workers[..now];
            let work = |(i, worker): (usize, &mut Workspace)| {
                worker.pass(network, kernels, loss, data, at(done + i), spans);
            };
            for_each(workers, parallel, work);
            if shares == 1 {
                std::mem::swap(&mut self.workers[0].gradient, &mut self.sum);
            } else {
                let gradients = self.workers[..now].iter().map(|worker| &worker.gradient);
                gradients.for_each(|gradient| kernels.axpy(1.0, gradient, &mut self.sum));
            }
            done += now;
        }
        kernels.scale(&mut self.sum, 1.0 / count.max(1) as f32);
    }
}

#[cfg(feature = "rayon")]
fn for_each(
    workers: &mut [Workspace],
    parallel: bool,
    work: impl Fn((usize, &mut Workspace)) + Sync + Send,
) {
    use rayon::prelude::*;
    if parallel && workers.len() > 1 {
        return workers.par_iter_mut().enumerate().for_each(work);
    }
    workers.iter_mut().enumerate().for_each(work);
}

#[cfg(not(feature = "rayon"))]
fn for_each(workers: &mut [Workspace], _: bool, work: impl Fn((usize, &mut Workspace))) {
    workers.iter_mut().enumerate().for_each(work);
}

impl Workspace {
    /// The summed gradient of these rows.
    fn pass(
        &mut self,
        network: &Network,
        kernels: &Kernels,
        loss: Loss,
        data: &Dataset,
        rows: std::ops::Range<usize>,
        spans: &[f32],
    ) {
        self.gradient.resize(network.weights.len(), 0.0);
        if network.is_dense() {
            return self.dense(network, kernels, loss, data, rows, spans);
        }
        self.gradient.fill(0.0);
        rows.for_each(|row| self.sample(network, kernels, loss, data, row, spans));
    }

    fn sample(
        &mut self,
        network: &Network,
        kernels: &Kernels,
        loss: Loss,
        data: &Dataset,
        row: usize,
        spans: &[f32],
    ) {
        let values = &mut self.scratch.values;
        general::forward(network, kernels, data.input(row), values, Some(&mut self.arguments));
        self.errors.clear();
        self.errors.resize(network.numbered(), 0.0);
        let outputs = network.numbered() - network.output_size()..;
        let (y, out) = (&values[outputs.clone()], &mut self.errors[outputs]);
        loss.gradient(kernels, y, data.target(row), spans, out);
        let (errors, gradient) = (&mut self.errors, &mut self.gradient);
        general::backward(network, kernels, values, &self.arguments, errors, gradient);
    }

    fn dense(
        &mut self,
        network: &Network,
        kernels: &Kernels,
        loss: Loss,
        data: &Dataset,
        rows: std::ops::Range<usize>,
        spans: &[f32],
    ) {
        let (count, last) = (rows.len(), network.layers.len() - 1);
        let inputs = &data.inputs()[rows.start * data.input_size()..rows.end * data.input_size()];
        let targets =
            &data.targets()[rows.start * data.target_size()..rows.end * data.target_size()];
        self.layers.resize_with(self.layers.len().max(last + 1), Kept::default);
        self.ones.resize(self.ones.len().max(count), 1.0);
        let Scratch { gemm, bias, .. } = &mut self.scratch;
        for index in 1..=last {
            let layer = network.dense_layer(index);
            let (before, kept) = self.layers.split_at_mut(index);
            let x = if index == 1 { inputs } else { &before[index - 1].values };
            let x = &x[..count * layer.inputs];
            let values = room(&mut kept[0].values, count * layer.outputs);
            layer.arguments(kernels, x, count, values, bias, gemm);
            if layer.keeps_arguments {
                room(&mut kept[0].arguments, values.len()).copy_from_slice(values);
            }
            layer.activate(kernels, values);
            if index < last {
                flush(values);
            }
        }
        let Kept { values, delta, .. } = &mut self.layers[last];
        let len = count * network.output_size();
        loss.gradient(kernels, &values[..len], targets, spans, room(delta, len));
        for index in (1..=last).rev() {
            let layer = network.dense_layer(index);
            let len = count * layer.outputs;
            let (before, kept) = self.layers.split_at_mut(index);
            let Kept { values, arguments, delta } = &mut kept[0];
            let delta = &mut delta[..len];
            let arguments = if layer.keeps_arguments { &arguments[..len] } else { &[] };
            layer.backward(kernels, delta, &values[..len], arguments);
            flush(delta);
            let stride = layer.inputs + 1;
            let delta = Matrix::new(delta, count, layer.outputs, layer.outputs);
            let own = &mut self.gradient[layer.start..layer.start + stride * layer.outputs];
            let x = if index == 1 { inputs } else { &before[index - 1].values };
            let x = Matrix::new(x, count, layer.inputs, layer.inputs);
            let out = MatrixMut::new(own, layer.outputs, layer.inputs, stride);
            kernels.gemm(delta.transposed(), x, out, Epilogue::default(), gemm);
            self.sums.resize(self.sums.len().max(layer.outputs), 0.0);
            let sums = &mut self.sums[..layer.outputs];
            kernels.gemv_transposed(1.0, delta, &self.ones[..count], 0.0, sums);
            own.chunks_exact_mut(stride).zip(sums).for_each(|(row, sum)| row[stride - 1] = *sum);
            if index > 1 {
                let out = room(&mut before[index - 1].delta, count * layer.inputs);
                let out = MatrixMut::new(out, count, layer.inputs, layer.inputs);
                kernels.gemm(delta, layer.matrix(), out, Epilogue::default(), gemm);
            }
        }
    }
}

/// Values without which nothing changes, but whose products are denormal numbers: saturated neurons
/// leave so many of them that an epoch was measured to take eight times as long.
const TINY: f32 = 1e-20;

fn flush(values: &mut [f32]) {
    for value in values {
        *value = if value.abs() < TINY { 0.0 } else { *value };
    }
}

impl Network {
    /// The gradient of the mean [`Loss`] by all weights, for checks and for optimisers of one's own.
    /// O(samples · weights).
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if the samples do not fit or there is none,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a function without slope.
    pub fn gradient(&self, data: &Dataset, loss: Loss) -> Result<Vec<f32>, Error> {
        self.check_data(data)?;
        self.check_trainable()?;
        let mut room = Gradients::default();
        room.mean(self, loss, data, 0..data.len(), &self.spans(), false);
        Ok(room.sum)
    }

    pub(crate) fn check_data(&self, data: &Dataset) -> Result<(), Error> {
        if data.is_empty() {
            return Err(Error::shape("there are no samples: add some first"));
        }
        let sizes = (data.input_size(), data.target_size());
        if sizes == (self.input_size(), self.output_size()) {
            return Ok(());
        }
        Err(Error::shape(format!(
            "samples of {} inputs and {} targets for a network of {} and {}",
            sizes.0,
            sizes.1,
            self.input_size(),
            self.output_size()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::{Activation, Function};
    use crate::builder::Builder;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    pub(crate) const LOSSES: [Loss; 4] = [Loss::Mse, Loss::Mae, Loss::Tanh, Loss::CrossEntropy];

    fn samples(inputs: usize, targets: usize, n: usize, seed: u64) -> Dataset {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut data = Dataset::new(inputs, targets).unwrap();
        for _ in 0..n {
            let x: Vec<f32> = (0..inputs).map(|_| rng.random_range(-1.0..1.0)).collect();
            let t: Vec<f32> = (0..targets).map(|_| rng.random_range(0.05..0.95)).collect();
            data.push(&x, &t).unwrap();
        }
        data
    }

    fn objective(network: &Network, data: &Dataset, loss: Loss) -> f64 {
        let mut y = vec![0.0; network.output_size()];
        let mut scratch = Scratch::default();
        let sum: f64 = (0..data.len())
            .map(|i| {
                network.run(data.input(i), &mut y, &mut scratch).unwrap();
                loss.objective(&y, data.target(i), &network.spans())
            })
            .sum();
        sum / data.len() as f64
    }

    /// Compares the gradient with differences of what `run` gives. Where a kink lies between both
    /// ends, the slopes of the two sides differ, and the gradient must be between them.
    fn check(network: &Network, data: &Dataset, loss: Loss) {
        let gradient = network.gradient(data, loss).unwrap();
        let here = objective(network, data, loss);
        for (i, found) in gradient.into_iter().enumerate() {
            let h = 4e-3_f32;
            let moved = |by: f32| {
                let mut network = network.clone();
                network.weights[i] += by;
                objective(&network, data, loss)
            };
            let (left, right) =
                ((here - moved(-h)) / f64::from(h), (moved(h) - here) / f64::from(h));
            let (low, high) = (left.min(right), left.max(right));
            let slack = 3e-3 * (1.0 + here.abs().max(low.abs()).max(high.abs()));
            let found = f64::from(found);
            assert!(
                found > low - slack && found < high + slack,
                "{loss:?}, weight {i}: {found} is not within {low} and {high}"
            );
        }
    }

    fn trainable() -> impl Iterator<Item = Activation> {
        Activation::ALL.into_iter().filter(|a| a.is_trainable())
    }

    #[test]
    fn every_activation_and_loss_passes_the_difference_check() {
        let data = samples(3, 2, 5, 1);
        for activation in trainable() {
            for steepness in [0.5, 1.0] {
                for loss in LOSSES {
                    let f = Function { activation, steepness };
                    let builder = Network::builder(&[3, 4, 2]).hidden(f).output(f).seed(5);
                    let mut network = builder.build().unwrap();
                    network.randomize(-0.8, 0.8, 9).unwrap();
                    check(&network, &data, loss);
                }
            }
        }
    }

    #[test]
    fn sparse_and_shortcut_networks_pass_it_too() {
        let data = samples(4, 2, 6, 2);
        let shapes: [fn(Builder) -> Builder; 2] = [|b| b.connection_rate(0.5), |b| b.shortcut()];
        for shape in shapes {
            for activation in [Activation::Sigmoid, Activation::Gaussian, Activation::SinSymmetric]
            {
                let builder = Network::builder(&[4, 5, 3, 2]).hidden(activation);
                let mut network = shape(builder).seed(3).build().unwrap();
                network.randomize(-0.7, 0.7, 4).unwrap();
                assert!(!network.is_dense());
                check(&network, &data, Loss::Mse);
            }
        }
    }

    /// The same network, which hides that it is dense.
    fn hidden_density(network: &Network) -> Network {
        let mut twin = network.clone();
        for i in 0..twin.neurons.len() {
            let sources: Vec<u32> = twin.sources(&twin.neurons[i]).map(|s| s as u32).collect();
            twin.neurons[i].source = crate::network::Source::Listed(twin.listed.len());
            twin.listed.extend(sources);
        }
        twin.refresh();
        assert!(!twin.is_dense());
        twin
    }

    #[test]
    fn matrix_products_and_single_connections_agree() {
        for sizes in [&[3, 2][..], &[1, 1, 1], &[17, 33, 5], &[5, 64, 9, 31, 2]] {
            for activation in trainable() {
                let builder = Network::builder(sizes).hidden(activation).output(activation);
                let mut network = builder.seed(8).build().unwrap();
                network.randomize(-0.5, 0.5, 8).unwrap();
                // One layer of mixed functions.
                network.set_neuron_function(1, 0, (Activation::Elliot, 0.7)).unwrap();
                let twin = hidden_density(&network);
                let data = samples(sizes[0], sizes[sizes.len() - 1], 37, 6);
                let (mut one, mut other) = (data.targets().to_vec(), data.targets().to_vec());
                let mut scratch = Scratch::default();
                network.run_batch(data.inputs(), &mut one, &mut scratch).unwrap();
                twin.run_batch(data.inputs(), &mut other, &mut scratch).unwrap();
                assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 3e-5), "{sizes:?}");
                let mut alone = vec![0.0; network.output_size()];
                network.run(data.input(36), &mut alone, &mut scratch).unwrap();
                let last = &one[36 * alone.len()..];
                assert!(alone.iter().zip(last).all(|(a, b)| (a - b).abs() < 3e-5), "{sizes:?}");
                for loss in LOSSES {
                    let one = network.gradient(&data, loss).unwrap();
                    let other = twin.gradient(&data, loss).unwrap();
                    let off = one.iter().zip(&other).map(|(a, b)| (a - b).abs() / (1.0 + b.abs()));
                    // The slope of a piece may differ where a value is on its edge.
                    let off = off.fold(0.0, f32::max);
                    assert!(off < 2e-4 || !smooth(activation), "{sizes:?} {activation:?} {off}");
                }
            }
        }
    }

    fn smooth(activation: Activation) -> bool {
        use Activation::*;
        !matches!(
            activation,
            SigmoidStepwise | SigmoidSymmetricStepwise | LinearPiece | LinearPieceSymmetric
        )
    }

    #[test]
    fn shares_add_up() {
        let network = Network::builder(&[9, 21, 4]).seed(1).build().unwrap();
        let data = samples(9, 4, 1111, 3);
        let whole = network.gradient(&data, Loss::Mse).unwrap();
        let mut sum = vec![0.0_f64; whole.len()];
        for i in 0..data.len() {
            let one = network.gradient(&data.select(&[i]), Loss::Mse).unwrap();
            sum.iter_mut().zip(&one).for_each(|(s, g)| *s += f64::from(*g));
        }
        for (a, b) in whole.iter().zip(&sum) {
            assert!((f64::from(*a) - b / 1111.0).abs() < 1e-6);
        }
    }
}
