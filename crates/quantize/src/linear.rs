//! A linear layer in integers.

use std::iter::repeat_n;

use aligned_vec::{AVec, ConstAlign};
use edgekit_kernels_simd::{Activation, Dequantize, GemmScratch, Kernels, PackedWeights, Rows};

use crate::error::finite_range;
use crate::{Affine, Error, ErrorKind, Format, QuantizedTensor, Scheme};

/// Beyond this, a sum of products of codes might not fit 32 bits.
const MOST_INPUTS: usize = 65_536;
/// Rows are apart by a multiple of this, so that each begins at a cache line.
const LINE: usize = 64;
/// Bytes of codes or values that one product leaves to the next kernel: they stay in the second-level
/// cache on the way.
const BLOCK: usize = 256 * 1024;

/// How the inputs of a [`QuantizedLinear`] become codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// Each row by its own range, found when it comes: a row's result does not depend on the batch
    /// that it is in.
    Dynamic(Scheme),
    /// All rows by one map, which an [`Observer`](crate::Observer) learned. Values beyond are clipped.
    Static(Affine),
}

/// `activation(x · Wᵀ + bias)` with 8-bit weights and inputs, multiplied in integers.
///
/// Weights are symmetric codes with a scale for each output; inputs are any codes with one map for
/// each row. With input scale `s` and zero point `z`, weight codes `w` and weight scales `t`, the
/// value of output `j` is `activation((s · tⱼ) · Σₖ (xₖ − z) wⱼₖ + biasⱼ)`: the sum is exact, the
/// three operations after it are rounded to `f32` each, and the activation is that of
/// [`Kernels::activate`]. It is the same bit for bit for every batch size, and on every instruction set
/// as well unless the activation is one of those with an exponential.
///
/// ```
/// use edgekit_kernels_simd::Activation;
/// use edgekit_quantize::{Input, LinearScratch, QuantizedLinear, Scheme};
///
/// // Two outputs of three inputs.
/// let layer =
///     QuantizedLinear::new(&[1.0, 2.0, 3.0, -1.0, 0.5, 0.0], 3, &[0.5, 0.0], Activation::Relu)?;
/// let (mut out, mut scratch) = ([0.0; 2], LinearScratch::default());
/// layer.run(&[1.0, 1.0, 2.0], Input::Dynamic(Scheme::Asymmetric), &mut out, &mut scratch)?;
/// assert!((out[0] - 9.5).abs() < 0.1 && out[1] == 0.0);
/// # Ok::<(), edgekit_quantize::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedLinear {
    inputs: usize,
    weights: PackedWeights,
    scales: Vec<f32>,
    code_sums: Vec<i32>,
    bias: Vec<f32>,
    activation: Activation,
}

/// Room that [`QuantizedLinear`] works in: it grows to 16 bytes a row of the largest batch, and
/// to about 256 KiB, or 32 rows, of codes and of values each, and is used again.
#[derive(Debug)]
pub struct LinearScratch {
    codes: AVec<i8, ConstAlign<64>>,
    maps: Vec<Affine>,
    values: AVec<f32, ConstAlign<64>>,
    product: Product,
}

/// What a product needs besides its operands: the parts of the rows' maps, and room.
#[derive(Debug, Default)]
struct Product {
    row_scales: Vec<f32>,
    zero_points: Vec<i32>,
    gemm: GemmScratch,
}

impl Default for LinearScratch {
    fn default() -> Self {
        LinearScratch {
            codes: AVec::new(LINE),
            maps: Vec::new(),
            values: AVec::new(LINE),
            product: Product::default(),
        }
    }
}

impl QuantizedLinear {
    /// Quantises `weights`, of which each output has a row of `inputs`, one scale for each output.
    ///
    /// # Errors
    /// [`ErrorKind::Empty`] and [`ErrorKind::NotFinite`] for weights or a bias that are; and
    /// [`ErrorKind::Shape`] unless there is a row of weights for each value of `bias` and `inputs` is
    /// at most 65,536.
    pub fn new(
        weights: &[f32],
        inputs: usize,
        bias: &[f32],
        activation: Activation,
    ) -> Result<Self, Error> {
        let format = Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 0 };
        let tensor = QuantizedTensor::quantize(weights, &[bias.len(), inputs], format)?;
        QuantizedLinear::from_tensor(&tensor, bias, activation)
    }

    /// A layer of weights that were quantised before, for instance read from a file.
    ///
    /// # Errors
    /// As [`QuantizedLinear::new`], and [`ErrorKind::Config`] unless the weights are symmetric 8-bit
    /// codes with a scale for each output (axis 0) or one for all.
    pub fn from_tensor(
        weights: &QuantizedTensor,
        bias: &[f32],
        activation: Activation,
    ) -> Result<Self, Error> {
        let &[outputs, inputs] = weights.shape() else {
            let what = format!("weights of shape {:?}; give [outputs, inputs]", weights.shape());
            return Err(Error::new(ErrorKind::Shape, what));
        };
        if outputs != bias.len() || inputs > MOST_INPUTS {
            let what = format!(
                "{outputs} × {inputs} weights with {} biases; give one for each output, and at most \
                 {MOST_INPUTS} inputs",
                bias.len()
            );
            return Err(Error::new(ErrorKind::Shape, what));
        }
        finite_range(bias)?;
        let maps = weights.maps();
        let scales: Vec<f32> = match weights.format() {
            Format::Int8(_) => vec![maps[0].scale(); outputs],
            Format::Int8PerChannel { axis: 0, .. } => maps.iter().map(Affine::scale).collect(),
            other => return Err(unfit(other)),
        };
        if maps.iter().any(|map| map.zero_point() != 0) {
            return Err(unfit(weights.format()));
        }
        let codes: &[i8] = bytemuck::cast_slice(weights.codes());
        let sum = |row: &[i8]| row.iter().map(|&code| i32::from(code)).sum();
        let code_sums = codes.chunks_exact(inputs).map(sum).collect();
        let weights = Kernels::get().pack_weights(Rows::new(codes, inputs, inputs));
        let bias = bias.to_vec();
        Ok(QuantizedLinear { inputs, weights, scales, code_sums, bias, activation })
    }

    /// Values of a row of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Values of a row of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Bytes of weights, scales, sums of codes and biases.
    pub fn bytes(&self) -> usize {
        self.weights.bytes() + 12 * self.outputs()
    }

    /// Quantises rows of inputs and writes rows of outputs. O(rows · inputs · outputs); allocates
    /// nothing once `scratch` has grown.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] unless `x` is whole rows and `out` has a row for each of them;
    /// [`ErrorKind::NotFinite`] for inputs that are, and then nothing is written.
    pub fn run(
        &self,
        x: &[f32],
        input: Input,
        out: &mut [f32],
        scratch: &mut LinearScratch,
    ) -> Result<(), Error> {
        self.check(x.len(), out.len())?;
        let LinearScratch { codes, maps, product, .. } = scratch;
        maps.clear();
        for row in x.chunks_exact(self.inputs) {
            let (low, high) = finite_range(row)?;
            maps.push(match input {
                Input::Dynamic(scheme) => Affine::from_range(low, high, scheme)?,
                Input::Static(map) => map,
            });
        }
        let stride = self.inputs.next_multiple_of(LINE);
        let rows = rows_of(stride);
        let blocks = x.chunks(rows * self.inputs).zip(out.chunks_mut(rows * self.outputs()));
        for ((x, out), maps) in blocks.zip(maps.chunks(rows)) {
            let codes = at_least(codes, maps.len() * stride);
            let rows = x.chunks_exact(self.inputs).zip(codes.chunks_exact_mut(stride));
            for ((row, codes), map) in rows.zip(maps) {
                map.quantize(row, &mut codes[..self.inputs]);
            }
            let codes = Rows::new(codes, self.inputs, stride);
            self.multiply(codes, maps.iter().copied(), out, product);
        }
        Ok(())
    }

    /// Multiplies rows of codes, all with the map `input`, and writes rows of values. As
    /// [`QuantizedLinear::run`] otherwise.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] unless `x` is whole rows and `out` has a row for each of them.
    pub fn run_codes(
        &self,
        x: &[i8],
        input: Affine,
        out: &mut [f32],
        scratch: &mut LinearScratch,
    ) -> Result<(), Error> {
        self.check(x.len(), out.len())?;
        let x = Rows::new(x, self.inputs, self.inputs);
        self.multiply(x, repeat_n(input, x.len()), out, &mut scratch.product);
        Ok(())
    }

    /// From codes to codes, for layers in a row: the codes that `output` has for the values of
    /// [`QuantizedLinear::run_codes`], bit for bit.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] unless `x` is whole rows and `out` has a row for each of them.
    pub fn requantize(
        &self,
        x: &[i8],
        input: Affine,
        output: Affine,
        out: &mut [i8],
        scratch: &mut LinearScratch,
    ) -> Result<(), Error> {
        self.check(x.len(), out.len())?;
        let rows = rows_of(4 * self.outputs());
        let LinearScratch { values, product, .. } = scratch;
        let blocks = x.chunks(rows * self.inputs).zip(out.chunks_mut(rows * self.outputs()));
        for (x, out) in blocks {
            let values = at_least(values, out.len());
            let x = Rows::new(x, self.inputs, self.inputs);
            self.multiply(x, repeat_n(input, x.len()), values, product);
            output.quantize(values, out);
        }
        Ok(())
    }

    fn check(&self, inputs: usize, outputs: usize) -> Result<(), Error> {
        let rows = inputs / self.inputs;
        if inputs.is_multiple_of(self.inputs) && rows.checked_mul(self.outputs()) == Some(outputs) {
            return Ok(());
        }
        let what = format!(
            "{inputs} inputs and room for {outputs} outputs; a row has {} and {}",
            self.inputs,
            self.outputs()
        );
        Err(Error::new(ErrorKind::Shape, what))
    }

    /// Rows of values from rows of codes, each with a map of its own.
    fn multiply(
        &self,
        x: Rows<'_, i8>,
        maps: impl Iterator<Item = Affine> + Clone,
        out: &mut [f32],
        room: &mut Product,
    ) {
        let Product { row_scales, zero_points, gemm } = room;
        row_scales.clear();
        row_scales.extend(maps.clone().map(|map| map.scale()));
        zero_points.clear();
        zero_points.extend(maps.map(|map| i32::from(map.zero_point())));
        let meaning = Dequantize {
            row_scales,
            zero_points,
            scales: &self.scales,
            code_sums: &self.code_sums,
            bias: &self.bias,
        };
        let (weights, activation) = (&self.weights, self.activation);
        Kernels::get().gemm_i8_dequantized(x, weights, meaning, activation, out, gemm);
    }
}

/// Rows of `bytes` in a block: at least as many as a product multiplies at once.
fn rows_of(bytes: usize) -> usize {
    (BLOCK / bytes).next_multiple_of(32).max(32)
}

fn unfit(format: Format) -> Error {
    let what = format!(
        "weights in {format:?}; quantise them to symmetric 8-bit codes, per tensor or along axis 0"
    );
    Error::new(ErrorKind::Config, what)
}

/// What is behind the values that are written stays from before; nobody reads it.
fn at_least<T: Copy + Default>(room: &mut AVec<T, ConstAlign<64>>, len: usize) -> &mut [T] {
    if room.len() < len {
        room.resize(len, T::default());
    }
    &mut room[..len]
}
