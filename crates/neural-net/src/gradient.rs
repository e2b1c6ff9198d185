//! Gradients of the loss by all weights: through matrix products where the network is dense, else
//! sample by sample.

use aligned_vec::AVec;
use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};

use crate::Error;
use crate::dataset::Dataset;
use crate::general;
use crate::loss::Loss;
use crate::mixed::{Mixed, Precision, round};
use crate::network::{DenseLayer, Network};
use crate::run::room;

/// Multiplications that make one share of a batch: enough to pay for a thread, and small enough to
/// stay in its cache.
const SHARE: usize = 1 << 21;
/// Shares whose gradients are held at once.
const WAVE: usize = 16;
/// Weights whose gradients of all shares are added together: their sums stay in the first cache.
const PIECE: usize = 1 << 12;

/// What a gradient is of.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) network: &'a Network,
    /// Its weights, or what products take for them.
    pub(crate) weights: &'a [f32],
    pub(crate) loss: Loss,
    pub(crate) data: &'a Dataset,
    pub(crate) spans: &'a [f32],
}

impl<'a> Task<'a> {
    pub(crate) fn layer(&self, index: usize) -> DenseLayer<'a> {
        let layer = self.network.dense_layer(index);
        DenseLayer { weights: &self.weights[layer.start..][..layer.weights.len()], ..layer }
    }

    /// Inputs and targets of these rows.
    pub(crate) fn samples(&self, rows: std::ops::Range<usize>) -> (&'a [f32], &'a [f32]) {
        let (width, height) = (self.data.input_size(), self.data.target_size());
        let inputs = &self.data.inputs()[rows.start * width..rows.end * width];
        (inputs, &self.data.targets()[rows.start * height..rows.end * height])
    }
}

/// Room for a gradient and for all values between the layers.
#[derive(Debug, Default)]
struct Workspace {
    products: Products,
    dense: Dense,
    mixed: Mixed,
    values: Vec<f32>,
    arguments: Vec<f32>,
    errors: Vec<f32>,
}

/// The products that training a layer takes, and the gradient that they make.
#[derive(Debug, Default)]
pub(crate) struct Products {
    gemm: GemmScratch,
    bias: Vec<f32>,
    ones: Vec<f32>,
    sums: Vec<f32>,
    gradient: Vec<f32>,
}

/// What the way back needs of the way forth.
#[derive(Debug)]
struct Dense {
    layers: Vec<Kept>,
    delta: AVec<f32>,
    before: AVec<f32>,
}

#[derive(Debug)]
struct Kept {
    values: AVec<f32>,
    arguments: AVec<f32>,
}

impl Default for Dense {
    fn default() -> Self {
        Dense { layers: Vec::new(), delta: AVec::new(64), before: AVec::new(64) }
    }
}

impl Default for Kept {
    fn default() -> Self {
        Kept { values: AVec::new(64), arguments: AVec::new(64) }
    }
}

/// The room of several workers, and what they found together.
#[derive(Debug, Default)]
pub(crate) struct Gradients {
    precision: Precision,
    rounded: Vec<f32>,
    workers: Vec<Workspace>,
    pub(crate) sum: Vec<f32>,
}

impl Gradients {
    pub(crate) fn new(precision: Precision) -> Self {
        Gradients { precision, ..Gradients::default() }
    }

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
        let len = network.weights.len();
        let share = (SHARE / len.max(1)).clamp(128, 480);
        let count = rows.len();
        let shares = count.div_ceil(share);
        let wave = shares.clamp(1, if parallel { WAVE } else { 1 });
        if self.workers.len() < wave {
            self.workers.resize_with(wave, Workspace::default);
        }
        let kernels = Kernels::get();
        let (precision, mut weights) = (self.precision, &network.weights);
        if precision == Precision::Bf16 {
            self.rounded.clone_from(weights);
            round(kernels, &mut self.rounded);
            weights = &self.rounded;
        }
        let task = Task { network, weights, loss, data, spans };
        let at = |i: usize| rows.start + i * share..(rows.start + (i + 1) * share).min(rows.end);
        let mut done = 0;
        while done < shares {
            let now = wave.min(shares - done);
            let workers = &mut self.workers[..now];
            let work = |(i, worker): (usize, &mut Workspace)| {
                worker.pass(kernels, task, precision, at(done + i));
            };
            for_each(workers, parallel, work);
            let known = usize::from(done == 0);
            if done == 0 {
                std::mem::swap(&mut self.workers[0].products.gradient, &mut self.sum);
            }
            done += now;
            let factor = if done == shares { 1.0 / count as f32 } else { 1.0 };
            let add = |(i, sum): (usize, &mut [f32])| {
                let range = i * PIECE..i * PIECE + sum.len();
                let gradients = self.workers[known..now].iter().map(|w| &w.products.gradient);
                gradients.for_each(|gradient| kernels.axpy(1.0, &gradient[range.clone()], sum));
                kernels.scale(sum, factor);
            };
            for_each_piece(&mut self.sum, parallel, add);
        }
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

#[cfg(feature = "rayon")]
fn for_each_piece(
    values: &mut [f32],
    parallel: bool,
    work: impl Fn((usize, &mut [f32])) + Sync + Send,
) {
    use rayon::prelude::*;
    if parallel && values.len() > PIECE {
        return values.par_chunks_mut(PIECE).enumerate().for_each(work);
    }
    values.chunks_mut(PIECE).enumerate().for_each(work);
}

#[cfg(not(feature = "rayon"))]
fn for_each_piece(values: &mut [f32], _: bool, work: impl Fn((usize, &mut [f32]))) {
    values.chunks_mut(PIECE).enumerate().for_each(work);
}

#[cfg(not(feature = "rayon"))]
fn for_each(workers: &mut [Workspace], _: bool, work: impl Fn((usize, &mut Workspace))) {
    workers.iter_mut().enumerate().for_each(work);
}

impl Workspace {
    /// The summed gradient of these rows.
    fn pass(
        &mut self,
        kernels: &Kernels,
        task: Task<'_>,
        precision: Precision,
        rows: std::ops::Range<usize>,
    ) {
        self.products.gradient.resize(task.weights.len(), 0.0);
        match precision {
            Precision::Bf16 => self.mixed.pass(kernels, task, rows, &mut self.products),
            Precision::F32 if task.network.is_dense() => {
                self.dense.pass(kernels, task, rows, &mut self.products);
            }
            Precision::F32 => {
                self.products.gradient.fill(0.0);
                rows.for_each(|row| self.sample(kernels, task, row));
            }
        }
    }

    fn sample(&mut self, kernels: &Kernels, task: Task<'_>, row: usize) {
        let (network, values) = (task.network, &mut self.values);
        let (input, target) = task.samples(row..row + 1);
        general::forward(network, kernels, input, values, Some(&mut self.arguments));
        self.errors.clear();
        self.errors.resize(network.numbered(), 0.0);
        let outputs = network.numbered() - network.output_size()..;
        let (y, out) = (&values[outputs.clone()], &mut self.errors[outputs]);
        task.loss.gradient(kernels, y, target, task.spans, out);
        let (errors, gradient) = (&mut self.errors, &mut self.products.gradient);
        general::backward(network, kernels, values, &self.arguments, errors, gradient);
    }
}

impl Dense {
    fn pass(
        &mut self,
        kernels: &Kernels,
        task: Task<'_>,
        rows: std::ops::Range<usize>,
        products: &mut Products,
    ) {
        let (count, last) = (rows.len(), task.network.layers.len() - 1);
        let (inputs, targets) = task.samples(rows);
        let Dense { layers, delta, before } = self;
        layers.resize_with(layers.len().max(last + 1), Kept::default);
        for index in 1..=last {
            let layer = task.layer(index);
            let (earlier, kept) = layers.split_at_mut(index);
            let x = if index == 1 { inputs } else { &earlier[index - 1].values };
            let values = room(&mut kept[0].values, count * layer.outputs);
            products.arguments(kernels, layer, &x[..count * layer.inputs], values);
            if layer.keeps_arguments {
                room(&mut kept[0].arguments, values.len()).copy_from_slice(values);
            }
            layer.activate(kernels, values);
            if index < last {
                flush(values);
            }
        }
        let len = targets.len();
        let outputs = &layers[last].values[..len];
        task.loss.gradient(kernels, outputs, targets, task.spans, room(delta, len));
        for index in (1..=last).rev() {
            let layer = task.layer(index);
            let len = count * layer.outputs;
            let (earlier, kept) = layers.split_at_mut(index);
            let Kept { values, arguments } = &kept[0];
            let arguments = if layer.keeps_arguments { &arguments[..len] } else { &[] };
            layer.backward(kernels, &mut delta[..len], &values[..len], arguments);
            flush(&mut delta[..len]);
            let x = if index == 1 { inputs } else { &earlier[index - 1].values };
            products.by_weights(kernels, layer, &delta[..len], x);
            if index > 1 {
                products.by_inputs(kernels, layer, &delta[..len], before);
                std::mem::swap(delta, before);
            }
        }
    }
}

impl Products {
    /// The arguments of the layer's functions for rows of inputs.
    pub(crate) fn arguments(
        &mut self,
        kernels: &Kernels,
        layer: DenseLayer<'_>,
        x: &[f32],
        u: &mut [f32],
    ) {
        let rows = u.len() / layer.outputs;
        layer.arguments(kernels, x, rows, u, &mut self.bias, &mut self.gemm);
    }

    /// The gradient by the layer's weights, of that by the arguments.
    pub(crate) fn by_weights(
        &mut self,
        kernels: &Kernels,
        layer: DenseLayer<'_>,
        delta: &[f32],
        x: &[f32],
    ) {
        let (rows, stride) = (delta.len() / layer.outputs, layer.inputs + 1);
        let delta = Matrix::new(delta, rows, layer.outputs, layer.outputs);
        let x = Matrix::new(x, rows, layer.inputs, layer.inputs);
        let own = &mut self.gradient[layer.start..layer.start + stride * layer.outputs];
        let out = MatrixMut::new(own, layer.outputs, layer.inputs, stride);
        kernels.gemm(delta.transposed(), x, out, Epilogue::default(), &mut self.gemm);
        self.ones.resize(self.ones.len().max(rows), 1.0);
        self.sums.resize(self.sums.len().max(layer.outputs), 0.0);
        let sums = &mut self.sums[..layer.outputs];
        kernels.gemv_transposed(1.0, delta, &self.ones[..rows], 0.0, sums);
        own.chunks_exact_mut(stride).zip(sums).for_each(|(row, sum)| row[stride - 1] = *sum);
    }

    /// Likewise by the layer's inputs.
    pub(crate) fn by_inputs(
        &mut self,
        kernels: &Kernels,
        layer: DenseLayer<'_>,
        delta: &[f32],
        out: &mut AVec<f32>,
    ) {
        let rows = delta.len() / layer.outputs;
        let delta = Matrix::new(delta, rows, layer.outputs, layer.outputs);
        let out = room(out, rows * layer.inputs);
        let out = MatrixMut::new(out, rows, layer.inputs, layer.inputs);
        kernels.gemm(delta, layer.matrix(), out, Epilogue::default(), &mut self.gemm);
    }
}

/// Values without which nothing changes, but whose products are denormal numbers: saturated neurons
/// leave so many of them that an epoch was measured to take eight times as long.
const TINY: f32 = 1e-20;

pub(crate) fn flush(values: &mut [f32]) {
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
    use crate::run::Scratch;
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
                for rows in 1..8 {
                    let (width, height) = (network.input_size(), network.output_size());
                    let (x, y) = (&data.inputs()[..rows * width], &mut other[..rows * height]);
                    network.run_batch(x, y, &mut scratch).unwrap();
                    assert!(y.iter().zip(&one).all(|(a, b)| (a - b).abs() < 3e-5), "{sizes:?}");
                }
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
