//! How a gradient becomes a step. All of these descend; the state is two values a weight at most.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A training algorithm with its settings; the defaults are FANN's where FANN has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Algorithm {
    /// Backpropagation after every sample, in an order shuffled anew each epoch.
    Incremental(Backprop),
    /// Backpropagation after every batch.
    Batch(Backprop),
    /// iRPROP− (Igel and Hüsken, 2000): every weight has its own step. After the whole data only.
    Rprop(Rprop),
    /// Quickprop (Fahlman, 1988): a parabola through two slopes. After the whole data only.
    Quickprop(Quickprop),
    /// SARPROP (Treadgold and Gedeon, 1998): RPROP with weight decay and noise that cool down. After
    /// the whole data only.
    Sarprop(Sarprop),
    /// Adam (Kingma and Ba, 2015), after every batch.
    Adam(Adam),
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019), after every batch.
    AdamW(Adam, Decay),
}

/// Plain steps down the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backprop {
    /// The learning rate.
    pub rate: f32,
    /// Which part of the last step is added, 0 to below 1.
    pub momentum: f32,
}

impl Default for Backprop {
    fn default() -> Self {
        Backprop { rate: 0.7, momentum: 0.0 }
    }
}

/// Steps that grow while the slope keeps its sign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rprop {
    /// Factor of a step whose slope kept its sign.
    pub increase: f32,
    /// Factor of a step whose slope changed it.
    pub decrease: f32,
    /// The first step.
    pub initial: f32,
    /// The smallest step.
    pub min: f32,
    /// The largest step.
    pub max: f32,
}

impl Default for Rprop {
    fn default() -> Self {
        Rprop { increase: 1.2, decrease: 0.5, initial: 0.1, min: 0.0, max: 50.0 }
    }
}

/// Steps to the bottom of a parabola.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quickprop {
    /// The rate of the plain step that is added while the slope keeps its sign.
    pub rate: f32,
    /// How many times as long as the last a step may be.
    pub mu: f32,
    /// Pulls weights to zero where it is negative.
    pub decay: f32,
}

impl Default for Quickprop {
    fn default() -> Self {
        Quickprop { rate: 0.7, mu: 1.75, decay: -1e-4 }
    }
}

/// RPROP with simulated annealing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sarprop {
    /// The steps.
    pub rprop: Rprop,
    /// How quickly decay and noise cool down.
    pub temperature: f32,
    /// Logarithm to base 2 of the decay at the beginning.
    pub decay_shift: f32,
    /// Steps below this part of the error get noise.
    pub step_threshold: f32,
    /// Logarithm to base 2 of the noise at the beginning.
    pub noise_shift: f32,
}

impl Default for Sarprop {
    fn default() -> Self {
        Sarprop {
            rprop: Rprop { min: 1e-6, ..Rprop::default() },
            temperature: 0.015,
            decay_shift: -6.644,
            step_threshold: 0.1,
            noise_shift: 1.385,
        }
    }
}

/// Steps scaled by running moments of the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// The learning rate.
    pub rate: f32,
    /// Memory of the gradient, 0 to below 1.
    pub beta1: f32,
    /// Memory of its square, 0 to below 1.
    pub beta2: f32,
    /// Added to the root of the square.
    pub epsilon: f32,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// The part of a weight that each step takes off, times the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decay(pub f32);

impl Default for Decay {
    fn default() -> Self {
        Decay(0.01)
    }
}

/// RPROP, Quickprop and SARPROP keep weights within this, as FANN does.
const WEIGHT_LIMIT: f32 = 1500.0;

impl Algorithm {
    /// Whether a step needs the slope over all samples.
    pub(crate) fn needs_all(self) -> bool {
        matches!(self, Algorithm::Rprop(_) | Algorithm::Quickprop(_) | Algorithm::Sarprop(_))
    }

    /// The learning rate before the schedule, if there is one.
    pub(crate) fn rate(self) -> f32 {
        match self {
            Algorithm::Incremental(b) | Algorithm::Batch(b) => b.rate,
            Algorithm::Quickprop(q) => q.rate,
            Algorithm::Adam(a) | Algorithm::AdamW(a, _) => a.rate,
            Algorithm::Rprop(_) | Algorithm::Sarprop(_) => 1.0,
        }
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        let share = |x: f32| (0.0..1.0).contains(&x);
        let steps = |r: Rprop| {
            r.increase >= 1.0
                && r.increase.is_finite()
                && r.decrease > 0.0
                && r.decrease < 1.0
                && r.min >= 0.0
                && r.max >= r.initial
                && r.initial > r.min
                && r.max.is_finite()
        };
        let right = match self {
            Algorithm::Incremental(b) | Algorithm::Batch(b) => share(b.momentum),
            Algorithm::Rprop(r) => steps(r),
            Algorithm::Quickprop(q) => q.mu > 0.0 && q.mu.is_finite() && q.decay.is_finite(),
            Algorithm::Sarprop(s) => {
                let rest = [s.temperature, s.decay_shift, s.step_threshold, s.noise_shift];
                steps(s.rprop) && rest.iter().all(|x| x.is_finite())
            }
            Algorithm::Adam(a) => share(a.beta1) && share(a.beta2) && a.epsilon > 0.0,
            Algorithm::AdamW(a, Decay(decay)) => {
                share(a.beta1) && share(a.beta2) && a.epsilon > 0.0 && share(decay)
            }
        };
        if right && self.rate() > 0.0 && self.rate().is_finite() {
            return Ok(());
        }
        Err(Error::config(format!("{self:?} has a setting out of its range")))
    }
}

/// What an algorithm remembers from step to step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Optimizer {
    pub(crate) algorithm: Algorithm,
    /// Steps taken.
    pub(crate) steps: u64,
    /// The last step, the step sizes, or the mean gradient.
    pub(crate) one: Vec<f32>,
    /// The last slopes, or the mean square of the gradient.
    pub(crate) two: Vec<f32>,
}

/// What a step depends on besides the gradient.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances {
    /// The schedule's factor.
    pub(crate) factor: f32,
    /// How many samples the gradient is the mean of.
    pub(crate) samples: usize,
    /// The mean squared error before the step; only SARPROP looks at it.
    pub(crate) mse: f32,
}

impl Optimizer {
    pub(crate) fn new(algorithm: Algorithm, weights: usize) -> Self {
        let (one, two) = match algorithm {
            Algorithm::Incremental(b) | Algorithm::Batch(b) => {
                (if b.momentum > 0.0 { vec![0.0; weights] } else { Vec::new() }, Vec::new())
            }
            Algorithm::Rprop(r) => (vec![r.initial; weights], vec![0.0; weights]),
            Algorithm::Sarprop(s) => (vec![s.rprop.initial; weights], vec![0.0; weights]),
            Algorithm::Quickprop(_) | Algorithm::Adam(_) | Algorithm::AdamW(..) => {
                (vec![0.0; weights], vec![0.0; weights])
            }
        };
        Optimizer { algorithm, steps: 0, one, two }
    }

    /// Moves the weights by the mean gradient.
    pub(crate) fn step(
        &mut self,
        weights: &mut [f32],
        gradient: &[f32],
        at: Circumstances,
        rng: &mut Pcg64Mcg,
    ) {
        self.steps += 1;
        let rate = at.factor * self.algorithm.rate();
        let (one, two) = (&mut self.one[..], &mut self.two[..]);
        match self.algorithm {
            Algorithm::Incremental(b) | Algorithm::Batch(b) => {
                backprop(rate, b.momentum, weights, gradient, one);
            }
            Algorithm::Rprop(r) => irprop_minus(r, weights, gradient, one, two),
            Algorithm::Quickprop(q) => quickprop(q, rate, at.samples, weights, gradient, one, two),
            Algorithm::Sarprop(s) => {
                sarprop(s, self.steps, at, weights, gradient, (one, two), rng);
            }
            Algorithm::Adam(a) => adam(a, rate, 0.0, self.steps, weights, gradient, (one, two)),
            Algorithm::AdamW(a, Decay(decay)) => {
                adam(a, rate, decay, self.steps, weights, gradient, (one, two));
            }
        }
    }
}

/// The last steps are empty without momentum.
fn backprop(rate: f32, momentum: f32, weights: &mut [f32], gradient: &[f32], last: &mut [f32]) {
    if last.is_empty() {
        return weights.iter_mut().zip(gradient).for_each(|(w, g)| *w -= rate * g);
    }
    for ((w, g), last) in weights.iter_mut().zip(gradient).zip(last) {
        *last = momentum * *last - rate * g;
        *w += *last;
    }
}

/// `step` times the sign of `slope`, and nothing where that is zero.
#[inline(always)]
fn signed(step: f32, slope: f32) -> f32 {
    if slope > 0.0 {
        step
    } else if slope < 0.0 {
        -step
    } else {
        0.0
    }
}

fn irprop_minus(
    rprop: Rprop,
    weights: &mut [f32],
    gradient: &[f32],
    steps: &mut [f32],
    slopes: &mut [f32],
) {
    for (((w, g), step), last) in weights.iter_mut().zip(gradient).zip(steps).zip(slopes) {
        // Not their product, which may be too small to be quick.
        let sign = signed(*last, *g);
        let grown = (*step * rprop.increase).min(rprop.max);
        let shrunk = (*step * rprop.decrease).max(rprop.min);
        *step = if sign > 0.0 {
            grown
        } else if sign < 0.0 {
            shrunk
        } else {
            *step
        };
        // After a change of sign the weight waits, and the next slope has nothing to differ from.
        let slope = if sign < 0.0 { 0.0 } else { *g };
        *w = (*w - signed(*step, slope)).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
        *last = slope;
    }
}

fn quickprop(
    settings: Quickprop,
    rate: f32,
    samples: usize,
    weights: &mut [f32],
    gradient: &[f32],
    steps: &mut [f32],
    slopes: &mut [f32],
) {
    let Quickprop { mu, decay, .. } = settings;
    let shrink = mu / (1.0 + mu);
    let samples = samples as f32;
    for (((w, g), step), last) in weights.iter_mut().zip(gradient).zip(steps).zip(slopes) {
        // Downhill is positive, and slopes are sums over the samples, as in FANN.
        let slope = decay * *w - samples * g;
        let plain = rate / samples * slope;
        let direction = signed(1.0, *step);
        let mut next = if step.abs() <= 1e-3 || slope * direction > 0.0 { plain } else { 0.0 };
        if step.abs() > 1e-3 {
            next += if slope * direction > shrink * *last * direction {
                mu * *step
            } else {
                *step * slope / (*last - slope)
            };
        }
        *w = (*w + next).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
        *step = next;
        *last = slope;
    }
}

fn sarprop(
    settings: Sarprop,
    epoch: u64,
    at: Circumstances,
    weights: &mut [f32],
    gradient: &[f32],
    (steps, slopes): (&mut [f32], &mut [f32]),
    rng: &mut Pcg64Mcg,
) {
    let Sarprop { rprop, temperature, decay_shift, step_threshold, noise_shift } = settings;
    let cooled = -temperature * (epoch - 1) as f32;
    let (decay, noise) = ((cooled + decay_shift).exp2(), (cooled + noise_shift).exp2());
    let samples = at.samples as f32;
    for (((w, g), step), last) in weights.iter_mut().zip(gradient).zip(steps).zip(slopes) {
        let mut slope = samples * g + decay * *w;
        let sign = *last * slope;
        if sign > 0.0 {
            *step = (*step * rprop.increase).min(rprop.max);
        } else if sign < 0.0 {
            let mut next = *step * rprop.decrease;
            if *step < step_threshold * at.mse {
                next += rng.random::<f32>() * at.mse.sqrt() * noise;
            }
            *step = next.clamp(rprop.min, rprop.max);
            slope = 0.0;
        }
        *w = (*w - signed(*step, slope)).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
        *last = slope;
    }
}

fn adam(
    settings: Adam,
    rate: f32,
    decay: f32,
    step: u64,
    weights: &mut [f32],
    gradient: &[f32],
    (means, squares): (&mut [f32], &mut [f32]),
) {
    let Adam { beta1, beta2, epsilon, .. } = settings;
    let missing = |beta: f32| (1.0 - f64::from(beta).powf(step as f64)) as f32;
    let (rate_now, root) = (rate / missing(beta1), missing(beta2).sqrt());
    let kept = 1.0 - rate * decay;
    for (((w, g), mean), square) in weights.iter_mut().zip(gradient).zip(means).zip(squares) {
        *mean = beta1 * *mean + (1.0 - beta1) * g;
        *square = beta2 * *square + (1.0 - beta2) * g * g;
        *w = kept * *w - rate_now * *mean / (square.sqrt() / root + epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const AT: Circumstances = Circumstances { factor: 1.0, samples: 1, mse: 0.1 };

    fn moves(algorithm: Algorithm, gradients: &[f32]) -> Vec<f32> {
        let mut optimizer = Optimizer::new(algorithm, 1);
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut weight = [1.0];
        let step = |g: &f32| {
            let before = weight[0];
            optimizer.step(&mut weight, &[*g], AT, &mut rng);
            weight[0] - before
        };
        gradients.iter().map(step).collect()
    }

    fn near(found: &[f32], expected: &[f32]) {
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close && found.len() == expected.len(), "{found:?}, not {expected:?}");
    }

    #[test]
    fn steps_follow_their_papers() {
        let plain = Backprop { rate: 0.5, momentum: 0.0 };
        near(&moves(Algorithm::Batch(plain), &[1.0, -2.0]), &[-0.5, 1.0]);
        let heavy = Backprop { rate: 0.5, momentum: 0.5 };
        near(&moves(Algorithm::Batch(heavy), &[1.0, 1.0]), &[-0.5, -0.75]);
        // The step grows, waits at the change of sign, and goes on from half.
        let rprop = Algorithm::Rprop(Rprop::default());
        let found = moves(rprop, &[1.0, 0.1, -3.0, -3.0, -1.0]);
        near(&found, &[-0.1, -0.12, 0.0, 0.06, 0.072]);
        // The first two steps of Adam are the rate, whatever the gradient's size.
        let adam = Adam { rate: 0.01, ..Adam::default() };
        near(&moves(Algorithm::Adam(adam), &[1e3, 1e3]), &[-0.01, -0.01]);
        let found = moves(Algorithm::AdamW(adam, Decay(0.5)), &[1e3]);
        near(&found, &[-0.01 - 0.005]);
    }

    #[test]
    fn decay_pulls_to_zero() {
        let settings = Quickprop { rate: 0.5, decay: -0.1, ..Quickprop::default() };
        near(&moves(Algorithm::Quickprop(settings), &[0.0]), &[-0.05]);
        // Against a slope of less than a hundredth in the first epoch, and of nothing once it is cold.
        let settings = Sarprop { temperature: 10.0, ..Sarprop::default() };
        let found = moves(Algorithm::Sarprop(settings), &[-0.001, -0.001, -0.001]);
        near(&found, &[-0.1, 0.0, 0.05]);
    }

    #[test]
    fn quickprop_jumps_to_the_bottom_of_a_parabola() {
        // E = w², gradient 2w, from 1; without decay the second step ends near 0 but for the plain
        // part of it.
        let settings = Quickprop { rate: 0.1, mu: 100.0, decay: 0.0 };
        let mut optimizer = Optimizer::new(Algorithm::Quickprop(settings), 1);
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut w = [1.0];
        for _ in 0..2 {
            let gradient = [2.0 * w[0]];
            optimizer.step(&mut w, &gradient, AT, &mut rng);
        }
        assert!((w[0] + 0.16).abs() < 1e-5, "{}", w[0]);
        // Past the bottom there is no plain part: it lands.
        let gradient = [2.0 * w[0]];
        optimizer.step(&mut w, &gradient, AT, &mut rng);
        assert!(w[0].abs() < 1e-5, "{}", w[0]);
    }

    #[test]
    fn all_of_them_go_downhill() {
        let all = [
            Algorithm::Incremental(Backprop { rate: 0.05, momentum: 0.5 }),
            Algorithm::Batch(Backprop { rate: 0.1, momentum: 0.0 }),
            Algorithm::Rprop(Rprop::default()),
            Algorithm::Quickprop(Quickprop { rate: 0.05, ..Quickprop::default() }),
            Algorithm::Sarprop(Sarprop::default()),
            Algorithm::Adam(Adam { rate: 0.05, ..Adam::default() }),
            Algorithm::AdamW(Adam { rate: 0.05, ..Adam::default() }, Decay::default()),
        ];
        for algorithm in all {
            let mut optimizer = Optimizer::new(algorithm, 2);
            let mut rng = Pcg64Mcg::seed_from_u64(1);
            let mut w = [3.0_f32, -2.0];
            let error = |w: &[f32; 2]| (w[0] - 1.0).powi(2) + 0.5 * (w[1] - 2.0).powi(2);
            for _ in 0..600 {
                let gradient = [2.0 * (w[0] - 1.0), w[1] - 2.0];
                let at = Circumstances { mse: error(&w), ..AT };
                optimizer.step(&mut w, &gradient, at, &mut rng);
            }
            assert!(error(&w) < 1e-2, "{algorithm:?}: {w:?}");
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(Algorithm::Rprop(Rprop { increase: 0.9, ..Rprop::default() }).check().is_err());
        assert!(Algorithm::Adam(Adam { beta2: 1.0, ..Adam::default() }).check().is_err());
        assert!(Algorithm::Batch(Backprop { rate: -0.1, momentum: 0.0 }).check().is_err());
        let momentum = Backprop { rate: 0.1, momentum: f32::NAN };
        assert!(Algorithm::Incremental(momentum).check().is_err());
        assert!(Algorithm::Sarprop(Sarprop::default()).check().is_ok());
    }
}
