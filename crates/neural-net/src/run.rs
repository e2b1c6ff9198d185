//! Running networks: one sample, or many through matrix products.

use aligned_vec::AVec;
use edgekit_kernels_simd::{
    Activation as Fused, Epilogue, GemmScratch, Kernels, Matrix, MatrixMut,
};

use crate::Error;
use crate::general;
use crate::network::{DenseLayer, Network};

/// Rows that go through all layers together: as many as a matrix product packs at once.
const ROWS: usize = 480;
/// So few rows are run one by one: a product would put all weights in another order for them.
const FEW: usize = 4;

/// Room for what is between the layers. It grows to what the largest network needs (a few hundred
/// rows of its widest layers) and then stays, so that nothing is allocated per call.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) gemm: GemmScratch,
    pub(crate) bias: Vec<f32>,
    one: AVec<f32>,
    other: AVec<f32>,
    pub(crate) values: Vec<f32>,
    pub(crate) outputs: Vec<f32>,
    pub(crate) spans: Vec<f32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            gemm: GemmScratch::default(),
            bias: Vec::new(),
            one: AVec::new(64),
            other: AVec::new(64),
            values: Vec::new(),
            outputs: Vec::new(),
            spans: Vec::new(),
        }
    }
}

impl Network {
    /// The outputs for one sample. O(weights).
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) unless `input` and `output` have the network's sizes. NaN
    /// and infinities are passed on as they are.
    pub fn run(
        &self,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        self.check_rows(input.len(), output.len(), 1)?;
        self.run_one(Kernels::get(), input, output, scratch);
        Ok(())
    }

    /// The outputs for many samples, row by row: `inputs` has `n · input_size` values and `outputs`
    /// has room for `n · output_size`. Each layer is a matrix product with bias and steepness fused; four
    /// rows and fewer are run one by one.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_batch(
        &self,
        inputs: &[f32],
        outputs: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let (width, height) = (self.input_size(), self.output_size());
        self.check_rows(inputs.len(), outputs.len(), inputs.len() / width)?;
        let kernels = Kernels::get();
        if !self.is_dense() || inputs.len() <= FEW * width {
            let rows = inputs.chunks_exact(width).zip(outputs.chunks_exact_mut(height));
            rows.for_each(|(input, output)| self.run_one(kernels, input, output, scratch));
            return Ok(());
        }
        let blocks = inputs.chunks(ROWS * width).zip(outputs.chunks_mut(ROWS * height));
        for (inputs, outputs) in blocks {
            self.run_block(kernels, inputs, outputs, scratch);
        }
        Ok(())
    }

    fn run_one(&self, kernels: &Kernels, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        if !self.is_dense() {
            general::forward(self, kernels, input, &mut scratch.values, None);
            return output.copy_from_slice(&scratch.values[self.numbered() - output.len()..]);
        }
        let last = self.layers.len() - 1;
        let Scratch { one, other, .. } = scratch;
        for index in 1..=last {
            let layer = self.dense_layer(index);
            let x = if index == 1 { input } else { &one[..layer.inputs] };
            let y = if index == last { &mut *output } else { room(other, layer.outputs) };
            single(kernels, layer, x, y);
            layer.activate(kernels, y);
            std::mem::swap(one, other);
        }
    }

    fn run_block(
        &self,
        kernels: &Kernels,
        inputs: &[f32],
        outputs: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (last, rows) = (self.layers.len() - 1, inputs.len() / self.input_size());
        let Scratch { gemm, bias, one, other, .. } = scratch;
        for index in 1..=last {
            let layer = self.dense_layer(index);
            let x = if index == 1 { inputs } else { &one[..rows * layer.inputs] };
            let y = if index == last { &mut *outputs } else { room(other, rows * layer.outputs) };
            layer.arguments(kernels, x, rows, y, bias, gemm);
            layer.activate(kernels, y);
            std::mem::swap(one, other);
        }
    }

    pub(crate) fn check_rows(&self, ins: usize, outs: usize, rows: usize) -> Result<(), Error> {
        let (width, height) = (self.input_size(), self.output_size());
        if ins == rows * width && outs == rows * height {
            return Ok(());
        }
        Err(Error::shape(format!(
            "{ins} inputs and {outs} outputs for a network of {width} and {height}"
        )))
    }
}

/// `out[..len]`, which is made longer if it must be.
pub(crate) fn room(out: &mut AVec<f32>, len: usize) -> &mut [f32] {
    if out.len() < len {
        out.resize(len, 0.0);
    }
    &mut out[..len]
}

impl DenseLayer<'_> {
    /// The matrix of weights without the biases.
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix::new(self.weights, self.outputs, self.inputs, self.inputs + 1)
    }

    pub(crate) fn biases(&self) -> impl Iterator<Item = f32> {
        self.weights.chunks_exact(self.inputs + 1).map(|row| row[row.len() - 1])
    }

    /// The arguments of the functions for `rows` samples. The functions are not fused into the product:
    /// applied to its blocks, row by row, they were measured to take a fifth longer than on a whole layer.
    pub(crate) fn arguments(
        &self,
        kernels: &Kernels,
        x: &[f32],
        rows: usize,
        u: &mut [f32],
        bias: &mut Vec<f32>,
        gemm: &mut GemmScratch,
    ) {
        let gain = self.function.map_or(1.0, |f| f.gain());
        bias.clear();
        bias.extend(self.biases().map(|b| gain * b));
        let epilogue =
            Epilogue { alpha: gain, beta: 0.0, bias: Some(bias), activation: Fused::Identity };
        let x = Matrix::new(x, rows, self.inputs, self.inputs);
        let out = MatrixMut::new(u, rows, self.outputs, self.outputs);
        kernels.gemm(x, self.matrix().transposed(), out, epilogue, gemm);
        if self.function.is_none() {
            for row in u.chunks_exact_mut(self.outputs) {
                row.iter_mut().zip(self.neurons).for_each(|(u, n)| *u *= n.function.gain());
            }
        }
    }

    /// Values in the place of arguments.
    pub(crate) fn activate(&self, kernels: &Kernels, u: &mut [f32]) {
        if let Some(function) = self.function {
            return function.apply(kernels, u);
        }
        for row in u.chunks_exact_mut(self.outputs) {
            row.iter_mut().zip(self.neurons).for_each(|(u, n)| *u = n.function.value(*u));
        }
    }

    /// Multiplies gradients by the slopes; `u` has the arguments, or nothing if none is needed.
    pub(crate) fn backward(&self, kernels: &Kernels, delta: &mut [f32], y: &[f32], u: &[f32]) {
        if let Some(function) = self.function {
            return function.backward(kernels, delta, y, u);
        }
        for (i, d) in delta.iter_mut().enumerate() {
            let function = self.neurons[i % self.outputs].function;
            *d *= function.slope(y[i], u.get(i).copied().unwrap_or(0.0));
        }
    }
}

/// The arguments of the functions for one sample.
pub(crate) fn single(kernels: &Kernels, layer: DenseLayer<'_>, x: &[f32], u: &mut [f32]) {
    let gain = layer.function.map_or(1.0, |f| f.gain());
    u.iter_mut().zip(layer.biases()).for_each(|(u, b)| *u = gain * b);
    kernels.gemv(gain, layer.matrix(), x, 1.0, u);
    if layer.function.is_none() {
        u.iter_mut().zip(layer.neurons).for_each(|(u, n)| *u *= n.function.gain());
    }
}
