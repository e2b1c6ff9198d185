//! Cascade-2: a network that grows one neuron at a time until it is good enough.
//!
//! After Fahlman's Cascade-Correlation (Fahlman and Lebiere, 1990) in the second form, which FANN has:
//! candidates learn to *be* the error that is left, through weights of their own to each output, not
//! only to correlate with it. What is installed is never trained again, so that its values are
//! computed once and kept as a column of a matrix.

use std::ops::ControlFlow;

use aligned_vec::AVec;
use edgekit_kernels_simd::{Epilogue, GemmScratch, Kernels, Matrix, MatrixMut};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::activation::{Activation, Function};
use crate::builder::Parts;
use crate::dataset::Dataset;
use crate::evaluate::{BIT_FAIL_LIMIT, Evaluation};
use crate::general;
use crate::loss::Loss;
use crate::network::{Kind, Network};
use crate::optimizer::{Algorithm, Circumstances, Optimizer, Rprop};
use crate::run::Scratch;
use crate::{Error, ErrorKind};

/// How a network grows. The defaults are FANN's.
#[derive(Clone, Debug, PartialEq)]
pub struct CascadeConfig {
    /// Neurons that may be added.
    pub max_neurons: usize,
    /// Growing ends at this mean squared error.
    pub mse: f64,
    /// Growing ends with so few failed bits; `None` if they do not matter.
    pub bit_fail: Option<usize>,
    /// Kinds of candidates.
    pub candidates: Vec<Function>,
    /// Candidates of each kind, which begin at different weights.
    pub groups: usize,
    /// Epochs of one training of the outputs, or of the candidates, at most.
    pub max_epochs: usize,
    /// Such a training ends when the error changed by less than [`change`](Self::change) in so many
    /// epochs.
    pub stagnation: usize,
    /// Part of the error.
    pub change: f64,
    /// Part of the candidate's weights to the outputs with which it is installed.
    pub weight_multiplier: f32,
    /// Decides the candidates' first weights.
    pub seed: u64,
}

impl Default for CascadeConfig {
    fn default() -> Self {
        use Activation::*;
        let kinds = [
            Sigmoid,
            SigmoidSymmetric,
            Gaussian,
            GaussianSymmetric,
            Elliot,
            ElliotSymmetric,
            SinSymmetric,
            CosSymmetric,
            Sin,
            Cos,
        ];
        let of_each = |activation| [0.25, 0.5, 0.75, 1.0].map(|s| Function::from((activation, s)));
        CascadeConfig {
            max_neurons: 30,
            mse: 1e-3,
            bit_fail: None,
            candidates: kinds.into_iter().flat_map(of_each).collect(),
            groups: 2,
            max_epochs: 150,
            stagnation: 12,
            change: 0.01,
            weight_multiplier: 0.4,
            seed: 0,
        }
    }
}

/// What is said before the first neuron and after each.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CascadeProgress {
    /// Neurons added so far.
    pub neurons: usize,
    /// The function of the last.
    pub installed: Option<Function>,
    /// The network on the samples, run as it is now.
    pub training: Evaluation,
}

/// Trains the outputs of a network with shortcuts and adds hidden neurons to it, each a layer that
/// sees all before it, until the error is small enough, `max_neurons` were added, or the callback asks
/// for the end. The hidden neurons that it has already stay as they are.
///
/// An epoch of the candidates takes O(samples · inputs · candidates), as matrix products.
///
/// ```
/// use edgekit_neural_net::{CascadeConfig, Dataset, Network, cascade};
/// use std::ops::ControlFlow;
///
/// let inputs = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let xor = Dataset::from_rows(&inputs, 2, &[0.0, 1.0, 1.0, 0.0], 1)?;
/// let network = Network::builder(&[2, 1]).shortcut().build()?;
/// let config = CascadeConfig::default();
/// let grown = cascade(network, &xor, &config, |_| ControlFlow::Continue(()))?;
/// assert!(grown.layer_sizes().len() > 2);
/// # Ok::<(), edgekit_neural_net::Error>(())
/// ```
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) unless the network has all shortcuts and the candidates and
/// outputs have slopes, [`Config`](ErrorKind::Config) without candidates or epochs,
/// [`Shape`](ErrorKind::Shape) if the samples do not fit.
pub fn cascade(
    network: Network,
    data: &Dataset,
    config: &CascadeConfig,
    mut progress: impl FnMut(&CascadeProgress) -> ControlFlow<()>,
) -> Result<Network, Error> {
    network.check_data(data)?;
    network.check_trainable()?;
    config.check()?;
    if network.kind != Kind::Shortcut || !network.is_full() {
        let why = "a cascade grows on all shortcuts: build the network with `shortcut`";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    let mut growth = Growth::new(network, data, config);
    let mut installed = None;
    for neurons in 0.. {
        growth.train_outputs();
        let training = growth.evaluate()?;
        let told = progress(&CascadeProgress { neurons, installed, training });
        let passes = |most| training.bit_fail <= most;
        if training.mse <= config.mse
            || config.bit_fail.is_some_and(passes)
            || neurons == config.max_neurons
            || told.is_break()
        {
            break;
        }
        installed = Some(growth.add()?);
    }
    growth.network.check_weights()?;
    Ok(growth.network)
}

impl CascadeConfig {
    fn check(&self) -> Result<(), Error> {
        let stuck = self.candidates.iter().find(|f| !f.activation.is_trainable());
        if let Some(f) = stuck {
            let why = format!("candidates of {:?} have no slope to train by", f.activation);
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.candidates.iter().try_for_each(|f| f.check())?;
        let counts = [self.candidates.len(), self.groups, self.max_epochs, self.stagnation];
        if counts.contains(&0) || !self.change.is_finite() || !self.weight_multiplier.is_finite() {
            return Err(Error::config(format!(
                "{} candidates of {} groups for {} epochs: a cascade needs some of each",
                counts[0], counts[1], counts[2]
            )));
        }
        Ok(())
    }
}

struct Growth<'a> {
    network: Network,
    data: &'a Dataset,
    config: &'a CascadeConfig,
    kernels: &'static Kernels,
    rng: Pcg64Mcg,
    /// A row a sample, a column for each neuron that the outputs see; room for those to come.
    seen: AVec<f32>,
    stride: usize,
    /// A row a sample: what the outputs should be more than they are.
    residual: Vec<f32>,
    gemm: GemmScratch,
    scratch: Scratch,
}

/// When a training does not get on any more.
struct Patience {
    best: f64,
    since: usize,
}

impl Patience {
    fn is_over(&mut self, error: f64, config: &CascadeConfig) -> bool {
        if error < self.best * (1.0 - config.change) {
            *self = Patience { best: error, since: 0 };
        }
        self.since += 1;
        self.since > config.stagnation
    }
}

impl<'a> Growth<'a> {
    fn new(network: Network, data: &'a Dataset, config: &'a CascadeConfig) -> Self {
        let kernels = Kernels::get();
        let width = network.numbered() - network.output_size();
        let stride = width + config.max_neurons;
        let mut seen = AVec::new(64);
        seen.resize(data.len() * stride, 0.0);
        let mut scratch = Scratch::default();
        for (i, row) in seen.chunks_exact_mut(stride).enumerate() {
            general::forward(&network, kernels, data.input(i), &mut scratch.values, None);
            row[..width].copy_from_slice(&scratch.values[..width]);
        }
        Growth {
            kernels,
            seen,
            stride,
            rng: Pcg64Mcg::seed_from_u64(config.seed),
            residual: vec![0.0; data.targets().len()],
            gemm: GemmScratch::default(),
            scratch,
            network,
            data,
            config,
        }
    }

    fn evaluate(&mut self) -> Result<Evaluation, Error> {
        self.network.evaluate(self.data, Loss::Mse, BIT_FAIL_LIMIT, &mut self.scratch)
    }

    /// How many neurons the outputs see.
    fn width(&self) -> usize {
        self.network.numbered() - self.network.output_size()
    }

    /// Trains the weights of the outputs, keeps the best ones, and notes what is still missing.
    fn train_outputs(&mut self) {
        let (n, width, outputs) = (self.data.len(), self.width(), self.network.output_size());
        let last = self.network.layers.len() - 1;
        let functions: Vec<Function> = self.network.functions(last).collect();
        let start = self.network.computing(last)[0].start;
        let mut optimizer = Optimizer::new(Algorithm::Rprop(Rprop::default()), outputs * width);
        let mut weights = self.network.weights[start..].to_vec();
        let mut best = (f64::INFINITY, weights.clone());
        let (mut gradient, mut u) = (vec![0.0; weights.len()], vec![0.0; n * outputs]);
        let mut delta = u.clone();
        let mut patience = Patience { best: f64::INFINITY, since: 0 };
        for epoch in 0..=self.config.max_epochs {
            let seen = Matrix::new(&self.seen, n, width, self.stride);
            let matrix = Matrix::new(&weights, outputs, width, width);
            let out = MatrixMut::new(&mut u, n, outputs, outputs);
            self.kernels.gemm(seen, matrix.transposed(), out, Epilogue::default(), &mut self.gemm);
            let mut error = 0.0;
            for (i, delta) in delta.iter_mut().enumerate() {
                let f = functions[i % outputs];
                let argument = f.gain() * u[i];
                let y = f.value(argument);
                let d = y - self.data.targets()[i];
                self.residual[i] = -d;
                error += f64::from(d * d);
                *delta = d * f.slope(y, argument);
            }
            if error < best.0 {
                best.0 = error;
                best.1.copy_from_slice(&weights);
            }
            if epoch == self.config.max_epochs || patience.is_over(error, self.config) {
                break;
            }
            let delta = Matrix::new(&delta, n, outputs, outputs).transposed();
            let out = MatrixMut::new(&mut gradient, outputs, width, width);
            self.kernels.gemm(delta, seen, out, Epilogue::default(), &mut self.gemm);
            let at = Circumstances { factor: 1.0, samples: n, mse: 0.0 };
            optimizer.step(&mut weights, &gradient, at, &mut self.rng);
        }
        self.network.weights[start..].copy_from_slice(&best.1);
        // The residuals are those of the last epoch, which need not be the best.
        let mut y = vec![0.0; outputs];
        for i in 0..n {
            let row = &self.seen[i * self.stride..i * self.stride + width];
            for (o, y) in y.iter_mut().enumerate() {
                let f = functions[o];
                *y = f.value(f.gain() * self.kernels.dot(&best.1[o * width..(o + 1) * width], row));
            }
            let residual = &mut self.residual[i * outputs..(i + 1) * outputs];
            self.kernels.sub(self.data.target(i), &y, residual);
        }
    }

    /// Trains the candidates and installs the best of them.
    fn add(&mut self) -> Result<Function, Error> {
        let functions: Vec<Function> =
            (0..self.config.groups).flat_map(|_| self.config.candidates.iter().copied()).collect();
        let (n, width, outputs) = (self.data.len(), self.width(), self.network.output_size());
        let count = functions.len();
        // The weights of all candidates' inputs, then those to the outputs.
        let split = count * width;
        let bound = 1.0 / (width as f32).sqrt();
        let mut weights: Vec<f32> = (0..split + count * outputs)
            .map(|i| self.rng.random_range(-1.0..1.0) * if i < split { 1.0 } else { bound })
            .collect();
        let mut optimizer = Optimizer::new(Algorithm::Rprop(Rprop::default()), weights.len());
        let mut gradient = vec![0.0; weights.len()];
        let (mut arguments, mut values) = (vec![0.0; count * n], vec![0.0; count * n]);
        let (mut delta, mut products) = (vec![0.0; count * n], vec![0.0; count * outputs]);
        let wanted: f64 = self.residual.iter().map(|e| f64::from(*e).powi(2)).sum();
        let mut best = (f64::INFINITY, 0, Vec::new(), Vec::new());
        let mut patience = Patience { best: f64::INFINITY, since: 0 };
        for epoch in 0..=self.config.max_epochs {
            let (ins, outs) = weights.split_at(split);
            let seen = Matrix::new(&self.seen, n, width, self.stride);
            let residual = Matrix::new(&self.residual, n, outputs, outputs);
            let (ins, plain) = (Matrix::new(ins, count, width, width), Epilogue::default());
            let room = MatrixMut::new(&mut arguments, count, n, n);
            self.kernels.gemm(ins, seen.transposed(), room, plain, &mut self.gemm);
            let rows = arguments.chunks_exact_mut(n).zip(values.chunks_exact_mut(n));
            for ((arguments, values), function) in rows.zip(&functions) {
                self.kernels.scale(arguments, function.gain());
                values.copy_from_slice(arguments);
                function.apply(self.kernels, values);
            }
            // How much of the residuals each would take, were it installed as it is.
            let room = MatrixMut::new(&mut products, count, outputs, outputs);
            let matrix = Matrix::new(&values, count, n, n);
            self.kernels.gemm(matrix, residual, room, plain, &mut self.gemm);
            let mut least = f64::INFINITY;
            for c in 0..count {
                let own = &values[c * n..(c + 1) * n];
                let square = self.kernels.dot(own, own);
                let range = c * outputs..(c + 1) * outputs;
                let (out, product) = (&outs[range.clone()], &products[range.clone()]);
                let mut left = wanted;
                let gradient = &mut gradient[split..][range];
                for ((g, w), p) in gradient.iter_mut().zip(out).zip(product) {
                    left += f64::from(*w) * (f64::from(w * square) - 2.0 * f64::from(*p));
                    *g = w * square - p;
                }
                least = least.min(left);
                if left < best.0 {
                    let ins = weights[c * width..(c + 1) * width].to_vec();
                    best = (left, c, ins, out.to_vec());
                }
            }
            if epoch == self.config.max_epochs || patience.is_over(least, self.config) {
                break;
            }
            // What their inputs' weights should do: Σ w·(w·v − e) for each candidate and sample.
            let room = MatrixMut::new(&mut delta, count, n, n);
            let matrix = Matrix::new(outs, count, outputs, outputs);
            self.kernels.gemm(matrix, residual.transposed(), room, plain, &mut self.gemm);
            for c in 0..count {
                let range = c * n..(c + 1) * n;
                let out = &outs[c * outputs..(c + 1) * outputs];
                let square = self.kernels.dot(out, out);
                let (delta, values) = (&mut delta[range.clone()], &values[range.clone()]);
                delta.iter_mut().zip(values).for_each(|(d, v)| *d = v * square - *d);
                functions[c].backward(self.kernels, delta, values, &arguments[range]);
            }
            let room = MatrixMut::new(&mut gradient[..split], count, width, width);
            let delta = Matrix::new(&delta, count, n, n);
            self.kernels.gemm(delta, seen, room, plain, &mut self.gemm);
            let at = Circumstances { factor: 1.0, samples: n, mse: 0.0 };
            optimizer.step(&mut weights, &gradient, at, &mut self.rng);
        }
        let (_, winner, ins, outs) = best;
        let function = functions.get(winner).copied().unwrap_or(functions[0]);
        self.install(function, &ins, &outs)?;
        Ok(function)
    }

    /// Puts a neuron in front of the outputs.
    fn install(&mut self, function: Function, ins: &[f32], outs: &[f32]) -> Result<(), Error> {
        let (width, outputs) = (self.width(), self.network.output_size());
        if ins.len() != width {
            let why = "no candidate has a finite error: scale the samples";
            return Err(Error::new(ErrorKind::NotFinite, why));
        }
        let last = self.network.layers.len() - 1;
        let start = self.network.computing(last)[0].start;
        let (hidden, old) = self.network.weights.split_at(start);
        let mut weights = [hidden, ins].concat();
        for (row, out) in old.chunks_exact(width).zip(outs) {
            weights.extend_from_slice(row);
            weights.push(out * self.config.weight_multiplier);
        }
        let mut sizes: Vec<usize> = self.network.layer_sizes().collect();
        sizes.insert(last, 1);
        let mut functions: Vec<Function> =
            self.network.neurons.iter().map(|n| n.function).collect();
        functions.insert(functions.len() - outputs, function);
        let (kind, connection_rate, sources) = (Kind::Shortcut, 1.0, None);
        let parts = Parts { kind, sizes, connection_rate, functions, sources, weights };
        self.network = Network::from_parts(parts)?;
        for row in self.seen.chunks_exact_mut(self.stride) {
            let u = function.gain() * self.kernels.dot(ins, &row[..width]);
            row[width] = function.value(u);
        }
        Ok(())
    }
}
