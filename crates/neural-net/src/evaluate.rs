//! How good a network is: always by running it.

use edgekit_kernels_simd::Kernels;

use crate::Error;
use crate::dataset::Dataset;
use crate::loss::Loss;
use crate::network::Network;
use crate::run::Scratch;

/// What [`Network::evaluate`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// The mean objective of a sample.
    pub loss: f64,
    /// The mean squared difference of an output and its target.
    pub mse: f64,
    /// How many outputs differ from their targets by the limit or more. For outputs between −1 and 1
    /// the limit counts twice, as in FANN.
    pub bit_fail: usize,
    /// The share of samples whose largest output is where the largest target is. With one output:
    /// whose output and target lie on the same side of the middle of its range.
    pub accuracy: f64,
}

/// FANN's limit of a difference that counts as a failed bit.
pub const BIT_FAIL_LIMIT: f32 = 0.35;

/// Samples that are run together.
const ROWS: usize = 480;

impl Network {
    /// Runs all samples and compares. The scratch grows once and is used again.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if the samples do not fit or there is none.
    pub fn evaluate(
        &self,
        data: &Dataset,
        loss: Loss,
        bit_fail_limit: f32,
        scratch: &mut Scratch,
    ) -> Result<Evaluation, Error> {
        self.check_data(data)?;
        let (width, height) = (self.input_size(), self.output_size());
        let mut outputs = std::mem::take(&mut scratch.outputs);
        outputs.resize(outputs.len().max(ROWS * height), 0.0);
        let mut spans = std::mem::take(&mut scratch.spans);
        spans.clear();
        spans.extend(self.output_spans());
        let mut judge = Judge::new(&spans, loss, bit_fail_limit);
        let blocks = data.inputs().chunks(ROWS * width).zip(data.targets().chunks(ROWS * height));
        for (inputs, targets) in blocks {
            let outputs = &mut outputs[..targets.len()];
            self.run_batch(inputs, outputs, scratch)?;
            judge.add(outputs, targets);
        }
        let evaluation = judge.evaluation();
        (scratch.outputs, scratch.spans) = (outputs, spans);
        Ok(evaluation)
    }
}

/// Sums over outputs that somebody else computes.
pub(crate) struct Judge<'a> {
    loss: Loss,
    limit: f32,
    spans: &'a [f32],
    objective: f64,
    squares: f64,
    failed: usize,
    right: usize,
    rows: usize,
}

impl<'a> Judge<'a> {
    /// `spans` has 2 for outputs between −1 and 1, else 1.
    pub(crate) fn new(spans: &'a [f32], loss: Loss, limit: f32) -> Self {
        Judge { loss, limit, spans, objective: 0.0, squares: 0.0, failed: 0, right: 0, rows: 0 }
    }

    pub(crate) fn add(&mut self, outputs: &[f32], targets: &[f32]) {
        let kernels = Kernels::get();
        let width = self.spans.len();
        for (y, t) in outputs.chunks_exact(width).zip(targets.chunks_exact(width)) {
            self.objective += self.loss.objective(y, t, self.spans);
            self.squares += f64::from(kernels.l2_squared(y, t));
            for ((y, t), span) in y.iter().zip(t).zip(self.spans) {
                // A NaN fails.
                let passes = (y - t).abs() < self.limit * span;
                self.failed += usize::from(!passes);
            }
            self.right += usize::from(match (y, t) {
                ([y], [t]) => {
                    let middle = if self.spans[0] == 2.0 || self.loss == Loss::CrossEntropy {
                        0.0
                    } else {
                        0.5
                    };
                    (*y > middle) == (*t > middle)
                }
                _ => kernels.argmax(y).is_some() && kernels.argmax(y) == kernels.argmax(t),
            });
            self.rows += 1;
        }
    }

    pub(crate) fn evaluation(&self) -> Evaluation {
        let rows = self.rows as f64;
        Evaluation {
            loss: self.objective / rows,
            mse: self.squares / (rows * self.spans.len() as f64),
            bit_fail: self.failed,
            accuracy: self.right as f64 / rows,
        }
    }
}
