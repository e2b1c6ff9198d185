//! Networks in integers: 8-bit weights and layers' inputs, exact sums, functions in `f32`.

use std::sync::OnceLock;

use aligned_vec::AVec;
use edgekit_kernels_simd::{Dequantize, GemmScratch, Kernels, PackedWeights, Rows};
use edgekit_quantize::{Affine, Calibration, Fidelity, Observer, Scheme};

use crate::activation::Function;
use crate::dataset::Dataset;
use crate::error::check_finite;
use crate::evaluate::{Evaluation, Judge};
use crate::loss::Loss;
use crate::network::{DenseLayer, Network};
use crate::run::Scratch;
use crate::{Error, ErrorKind};

/// Rows that go through all layers together.
const ROWS: usize = 480;
/// Inputs of a layer whose sums surely fit 32 bits.
pub(crate) const MOST_INPUTS: usize = 1 << 16;

/// A dense network whose weights and layers' inputs are 8-bit codes.
///
/// Weights are symmetric with a scale for each neuron, inputs of a layer asymmetric with one for all,
/// learned from samples. Products and sums are exact integers; then bias, steepness and function are
/// applied in `f32`. A quarter of the memory; the first batch packs the codes for products, which
/// takes as much again from then on.
#[derive(Clone, Debug)]
pub struct QuantizedNetwork {
    pub(crate) layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    /// A row a neuron.
    pub(crate) codes: AVec<i8>,
    /// What one step of a sum is worth to a neuron's function.
    pub(crate) scales: Vec<f32>,
    /// Likewise what the bias is worth, less what the inputs' zero point adds to the sums.
    pub(crate) biases: Vec<f32>,
    pub(crate) functions: Vec<Function>,
    /// That of all neurons, if they have the same.
    function: Option<Function>,
    /// How the inputs become codes.
    pub(crate) affine: Affine,
    /// The codes once more, for several rows at once. One row reads them faster as they are.
    packed: OnceLock<PackedWeights>,
}

/// What quantising a network cost, by running both on the same samples.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizationReport {
    /// The network in `f32`.
    pub before: Evaluation,
    /// The network in integers.
    pub after: Evaluation,
    /// The share of samples whose largest output is the same.
    pub agreement: f64,
    /// Bytes of the weights in `f32`.
    pub bytes_before: usize,
    /// Bytes of codes, scales and biases.
    pub bytes_after: usize,
    /// What each layer's weights lost.
    pub weights: Vec<Fidelity>,
}

/// Room for codes and sums between the layers.
#[derive(Debug)]
pub struct QuantizedScratch {
    gemm: GemmScratch,
    codes: AVec<i8>,
    sums: AVec<i32>,
    values: AVec<f32>,
}

impl Default for QuantizedScratch {
    fn default() -> Self {
        QuantizedScratch {
            gemm: GemmScratch::default(),
            codes: AVec::new(64),
            sums: AVec::new(64),
            values: AVec::new(64),
        }
    }
}

impl Network {
    /// The network in integers. The ranges of the layers' inputs are learned from `samples`, of which
    /// a few hundred suffice; `calibration` chooses them.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) unless the network is dense, with at most 65,536 inputs
    /// a layer; [`Shape`](ErrorKind::Shape) if the samples do not fit;
    /// [`NotFinite`](ErrorKind::NotFinite) where weights and inputs are so large that their steps are.
    pub fn quantize(
        &self,
        samples: &Dataset,
        calibration: Calibration,
    ) -> Result<QuantizedNetwork, Error> {
        self.check_data(samples)?;
        let wide = self.layer_sizes().any(|size| size > MOST_INPUTS);
        if !self.is_dense() || wide {
            let why = "only dense networks of at most 65,536 neurons a layer run in integers";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let kernels = Kernels::get();
        let mut scratch = Scratch::default();
        let (n, mut inputs) = (samples.len(), samples.inputs().to_vec());
        let mut layers = Vec::new();
        for index in 1..self.layers.len() {
            let layer = self.dense_layer(index);
            let mut observer = Observer::new(calibration)?;
            observer.observe(&inputs)?;
            let affine = observer.affine(Scheme::Asymmetric)?;
            layers.push(Layer::quantize(layer, affine)?);
            let mut outputs = vec![0.0; n * layer.outputs];
            let Scratch { bias, gemm, .. } = &mut scratch;
            layer.arguments(kernels, &inputs, n, &mut outputs, bias, gemm);
            layer.activate(kernels, &mut outputs);
            inputs = outputs;
        }
        Ok(QuantizedNetwork { layers })
    }
}

impl Layer {
    fn quantize(layer: DenseLayer<'_>, affine: Affine) -> Result<Self, Error> {
        let DenseLayer { inputs, outputs, .. } = layer;
        let (mut scales, mut biases) = (Vec::new(), Vec::new());
        let mut codes = AVec::new(64);
        codes.resize(inputs * outputs, 0);
        let rows = layer.weights.chunks_exact(inputs + 1).zip(codes.chunks_exact_mut(inputs));
        for ((row, codes), neuron) in rows.zip(layer.neurons) {
            let (weights, bias) = (&row[..inputs], row[inputs]);
            let own = Affine::from_values(weights, Scheme::Symmetric)?;
            own.quantize(weights, codes);
            let gain = neuron.function.gain();
            let scale = gain * own.scale() * affine.scale();
            let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
            scales.push(scale);
            biases.push(gain * bias - scale * (i32::from(affine.zero_point()) * sum) as f32);
        }
        check_finite(&scales, "scales: weights or inputs are too large for integers")?;
        check_finite(&biases, "biases: weights or inputs are too large for integers")?;
        let functions = layer.neurons.iter().map(|neuron| neuron.function).collect();
        Ok(Layer::new(codes, scales, biases, functions, affine))
    }

    /// A layer of parts that fit each other; it has at least one neuron of one input.
    pub(crate) fn new(
        codes: AVec<i8>,
        scales: Vec<f32>,
        biases: Vec<f32>,
        functions: Vec<Function>,
        affine: Affine,
    ) -> Self {
        let inputs = codes.len() / functions.len();
        let first = functions[0];
        let function = functions.iter().all(|function| *function == first).then_some(first);
        let packed = OnceLock::new();
        Layer { inputs, codes, scales, biases, functions, function, affine, packed }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.functions.len()
    }

    /// The layer's values for `codes`.
    fn run(
        &self,
        kernels: &Kernels,
        codes: &[i8],
        sums: &mut [i32],
        values: &mut [f32],
        gemm: &mut GemmScratch,
    ) {
        let rows = Rows::new(codes, self.inputs, self.inputs);
        let weights = Rows::new(&self.codes, self.inputs, self.inputs);
        if rows.len() == 1 {
            kernels.dot_i8_many(codes, weights, sums);
        } else {
            let packed = self.packed.get_or_init(|| kernels.pack_weights(weights));
            kernels.gemm_i8(rows, packed, sums, gemm);
        }
        let outputs = self.outputs();
        // Steps and zero points are in the scales and biases already: nothing is taken off, whatever
        // sums of codes are named.
        let meaning = Dequantize {
            row_scales: &[1.0; ROWS][..rows.len()],
            zero_points: &[0; ROWS][..rows.len()],
            scales: &self.scales,
            code_sums: &sums[..outputs],
            bias: &self.biases,
        };
        kernels.dequantize_sums(sums, meaning, values);
        if let Some(function) = self.function {
            return function.apply(kernels, values);
        }
        for values in values.chunks_exact_mut(outputs) {
            let neurons = values.iter_mut().zip(&self.functions);
            neurons.for_each(|(value, function)| *value = function.value(*value));
        }
    }

    /// What the weights lost against those of the layer that this one was made from.
    fn fidelity(&self, original: DenseLayer<'_>) -> Result<Fidelity, Error> {
        let (mut plain, mut kept) = (Vec::new(), Vec::new());
        let rows = original.weights.chunks_exact(self.inputs + 1);
        for ((row, codes), (scale, function)) in rows
            .zip(self.codes.chunks_exact(self.inputs))
            .zip(self.scales.iter().zip(&self.functions))
        {
            let step = scale / (function.gain() * self.affine.scale());
            plain.extend_from_slice(&row[..self.inputs]);
            kept.extend(codes.iter().map(|&code| step * f32::from(code)));
        }
        Ok(Fidelity::between(&plain, &kept)?)
    }
}

impl QuantizedNetwork {
    /// Inputs of the network.
    pub fn input_size(&self) -> usize {
        self.layers[0].inputs
    }

    /// Outputs of the network.
    pub fn output_size(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs()
    }

    /// Bytes of codes, scales and biases. What a first batch packs comes on top, a byte a weight.
    pub fn bytes(&self) -> usize {
        let bytes =
            |layer: &Layer| layer.codes.len() + 4 * (layer.scales.len() + layer.biases.len());
        self.layers.iter().map(bytes).sum()
    }

    /// The outputs for one or many samples, row by row, the same for each whatever comes with it. The
    /// first call with more than one packs the weights; then nothing is allocated once `scratch` has
    /// grown.
    ///
    /// # Errors
    /// [`Shape`](ErrorKind::Shape) unless `inputs` has whole rows and `outputs` room for as many. A NaN
    /// among the inputs counts as the smallest value.
    pub fn run_batch(
        &self,
        inputs: &[f32],
        outputs: &mut [f32],
        scratch: &mut QuantizedScratch,
    ) -> Result<(), Error> {
        let (width, height) = (self.input_size(), self.output_size());
        let rows = inputs.len() / width;
        if inputs.len() != rows * width || outputs.len() != rows * height {
            return Err(Error::shape(format!(
                "{} inputs and {} outputs for a network of {width} and {height}",
                inputs.len(),
                outputs.len()
            )));
        }
        let kernels = Kernels::get();
        let widest = self.layers.iter().map(|layer| layer.inputs.max(layer.outputs())).max();
        let room = rows.min(ROWS) * widest.unwrap_or(0);
        let QuantizedScratch { gemm, codes, sums, values } = scratch;
        codes.resize(codes.len().max(room), 0);
        sums.resize(sums.len().max(room), 0);
        values.resize(values.len().max(room), 0.0);
        let blocks = inputs.chunks(ROWS * width).zip(outputs.chunks_mut(ROWS * height));
        for (inputs, outputs) in blocks {
            let rows = inputs.len() / width;
            for (i, layer) in self.layers.iter().enumerate() {
                let codes = &mut codes[..rows * layer.inputs];
                let from = if i == 0 { inputs } else { &values[..codes.len()] };
                layer.affine.quantize(from, codes);
                let len = rows * layer.outputs();
                let last = i + 1 == self.layers.len();
                let to = if last { &mut *outputs } else { &mut values[..len] };
                layer.run(kernels, codes, &mut sums[..len], to, gemm);
            }
        }
        Ok(())
    }

    /// Runs both networks on the samples and compares.
    ///
    /// # Errors
    /// [`Shape`](ErrorKind::Shape) if samples or networks do not fit each other.
    pub fn report(
        &self,
        original: &Network,
        data: &Dataset,
        loss: Loss,
        bit_fail_limit: f32,
    ) -> Result<QuantizationReport, Error> {
        original.check_data(data)?;
        let sizes = self.layers.iter().map(Layer::outputs);
        if !original.is_dense()
            || !original.layer_sizes().eq([self.input_size()].into_iter().chain(sizes))
        {
            return Err(Error::shape(
                "the networks differ in their layers: give the one that was quantised",
            ));
        }
        let kernels = Kernels::get();
        let mut plain = vec![0.0; data.targets().len()];
        let mut quantized = plain.clone();
        original.run_batch(data.inputs(), &mut plain, &mut Scratch::default())?;
        self.run_batch(data.inputs(), &mut quantized, &mut QuantizedScratch::default())?;
        let spans = original.spans();
        let judge = |outputs: &[f32]| {
            let mut judge = Judge::new(&spans, loss, bit_fail_limit);
            judge.add(outputs, data.targets());
            judge.evaluation()
        };
        let pairs = plain.chunks_exact(self.output_size());
        let pairs = pairs.zip(quantized.chunks_exact(self.output_size()));
        let same = pairs.filter(|(a, b)| kernels.argmax(a) == kernels.argmax(b)).count();
        Ok(QuantizationReport {
            before: judge(&plain),
            after: judge(&quantized),
            agreement: same as f64 / data.len() as f64,
            bytes_before: 4 * original.weights.len(),
            bytes_after: self.bytes(),
            weights: (1..original.layers.len())
                .zip(&self.layers)
                .map(|(index, layer)| layer.fidelity(original.dense_layer(index)))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    fn samples() -> Dataset {
        let x: Vec<f32> = (0..1000 * 9).map(|i| ((i * i % 1013) as f32 / 500.0) - 0.7).collect();
        Dataset::from_rows(&x, 9, &vec![0.5; 3000], 3).unwrap()
    }

    #[test]
    fn integers_give_what_their_real_values_give() {
        let data = samples();
        for activation in [Activation::Sigmoid, Activation::SigmoidSymmetric, Activation::Linear] {
            let builder = Network::builder(&[9, 37, 3]).hidden(activation).output(activation);
            let mut network = builder.seed(3).build().unwrap();
            network.set_neuron_function(1, 5, Activation::Gaussian).unwrap();
            let quantized = network.quantize(&data, Calibration::MinMax).unwrap();
            // The slow twin: one product after the other.
            let mut x: Vec<f32> = data.input(7).to_vec();
            for layer in &quantized.layers {
                let mut codes = vec![0; x.len()];
                layer.affine.quantize(&x, &mut codes);
                let rows = layer.codes.chunks_exact(layer.inputs).enumerate();
                let value = |(j, row): (usize, &[i8])| {
                    let terms = row.iter().zip(&codes);
                    let sum: i32 = terms.map(|(w, c)| i32::from(*w) * i32::from(*c)).sum();
                    layer.functions[j].value(sum as f32 * layer.scales[j] + layer.biases[j])
                };
                x = rows.map(value).collect();
            }
            let mut y = vec![0.0; 3000];
            let mut scratch = QuantizedScratch::default();
            quantized.run_batch(data.inputs(), &mut y, &mut scratch).unwrap();
            // Whole slices get their function from a kernel, which rounds otherwise.
            let slack = if activation == Activation::Linear { 0.0 } else { 2e-6 };
            for (a, b) in y[21..24].iter().zip(&x) {
                assert!((a - b).abs() <= slack, "{activation:?}: {a} {b}");
            }
            // And near to what the network gives.
            let report = quantized.report(&network, &data, Loss::Mse, 0.35).unwrap();
            assert!((report.before.mse - report.after.mse).abs() < 0.01, "{report:?}");
            assert!(report.weights.iter().all(|f| f.sqnr_db > 35.0), "{report:?}");
            assert!(report.bytes_after * 2 < report.bytes_before);
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_batch() {
        let (data, network) = (samples(), Network::builder(&[9, 20, 3]).seed(1).build().unwrap());
        let quantized = network.quantize(&data, Calibration::MinMax).unwrap();
        let (mut all, mut one) = (vec![0.0; 3000], [0.0; 3]);
        let mut scratch = QuantizedScratch::default();
        for (i, all) in all.chunks_exact_mut(3).enumerate() {
            quantized.run_batch(data.input(i), all, &mut scratch).unwrap();
        }
        assert!(quantized.layers.iter().all(|layer| layer.packed.get().is_none()));
        for rows in (2..20).chain([479, 480, 481, 1000]) {
            let mut some = vec![0.0; 3 * rows];
            quantized.run_batch(&data.inputs()[..9 * rows], &mut some, &mut scratch).unwrap();
            assert_eq!(some, all[..3 * rows], "{rows} rows");
        }
        assert!(quantized.layers.iter().all(|layer| layer.packed.get().is_some()));
        assert!(quantized.run_batch(&[0.0; 10], &mut one, &mut scratch).is_err());
        let sparse = Network::builder(&[9, 3]).connection_rate(0.5).build().unwrap();
        let error = sparse.quantize(&data, Calibration::MinMax).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let mut huge = Network::builder(&[1, 1]).output(Activation::Linear).build().unwrap();
        huge.set_weights(&[3e38, 0.0]).unwrap();
        let far = Dataset::from_rows(&[3e38], 1, &[0.0], 1).unwrap();
        let error = huge.quantize(&far, Calibration::MinMax).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFinite);
        let other = Network::builder(&[9, 21, 3]).build().unwrap();
        let error = quantized.report(&other, &data, Loss::Mse, 0.35).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
    }
}
