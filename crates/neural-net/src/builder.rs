//! Builds networks: full, sparse, with shortcuts.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::Error;
use crate::activation::{Activation, Function};
use crate::error::check_finite;
use crate::network::{Kind, Layer, Network, Neuron, Source};

/// Connections that a network may have.
pub(crate) const MOST_WEIGHTS: usize = 1 << 30;

/// Settings of a new [`Network`]; [`build`](Self::build) checks them.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    sizes: Vec<usize>,
    kind: Kind,
    connection_rate: f32,
    hidden: Function,
    output: Function,
    seed: u64,
}

impl Builder {
    pub(crate) fn new(sizes: &[usize]) -> Self {
        Builder {
            sizes: sizes.to_vec(),
            kind: Kind::Layered,
            connection_rate: 1.0,
            hidden: Activation::Sigmoid.into(),
            output: Activation::Sigmoid.into(),
            seed: 0,
        }
    }

    /// The function of all hidden neurons, [`Activation::Sigmoid`] with steepness 0.5 if not said.
    pub fn hidden(self, function: impl Into<Function>) -> Self {
        Builder { hidden: function.into(), ..self }
    }

    /// The function of all outputs, likewise.
    pub fn output(self, function: impl Into<Function>) -> Self {
        Builder { output: function.into(), ..self }
    }

    /// Connects each layer with all layers before it.
    pub fn shortcut(self) -> Self {
        Builder { kind: Kind::Shortcut, ..self }
    }

    /// Leaves out connections at random until this share of them is left. Each neuron keeps at least
    /// one input and its bias, and each neuron of the layer before is seen by at least one.
    pub fn connection_rate(self, rate: f32) -> Self {
        Builder { connection_rate: rate, ..self }
    }

    /// Decides the weights, and which connections there are.
    pub fn seed(self, seed: u64) -> Self {
        Builder { seed, ..self }
    }

    /// The network, its weights uniform within ±√(6 / (inputs + outputs)) of each layer (Glorot and
    /// Bengio, 2010) and its biases zero.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) for fewer than two layers, an empty one, a rate outside
    /// (0, 1], a rate below 1 together with shortcuts, a steepness that is not positive, or more than
    /// 2³⁰ connections.
    pub fn build(self) -> Result<Network, Error> {
        let wrong = |what: String| Err(Error::config(what));
        if self.sizes.len() < 2 || self.sizes.contains(&0) {
            return wrong(format!("layers of {:?}: give two or more, none empty", self.sizes));
        }
        let rate = self.connection_rate;
        if !(rate > 0.0 && rate <= 1.0) {
            return wrong(format!("connection rate {rate}: give more than 0 and at most 1"));
        }
        if rate < 1.0 && self.kind == Kind::Shortcut {
            return wrong("networks with shortcuts are never sparse: drop one of both".into());
        }
        self.hidden.check()?;
        self.output.check()?;
        let mut connections = 0_usize;
        let mut before = 0_usize;
        for pair in self.sizes.windows(2) {
            before =
                if self.kind == Kind::Shortcut { before.saturating_add(pair[0]) } else { pair[0] };
            let more = before.checked_add(1).and_then(|n| n.checked_mul(pair[1]));
            connections = match more.and_then(|more| more.checked_add(connections)) {
                Some(all) if all <= MOST_WEIGHTS => all,
                _ => return wrong(format!("layers of {:?} have too many weights", self.sizes)),
            };
        }
        let mut rng = Pcg64Mcg::seed_from_u64(self.seed);
        let mut network = skeleton(self.kind, &self.sizes, self.hidden, self.output);
        if rate < 1.0 {
            network = thinned(&network, &self.sizes, rate, &mut rng)?;
        }
        network.initialise(&mut rng);
        Ok(network)
    }
}

impl Network {
    /// Draws all weights anew, biases included, uniform within `low..high`: FANN's way.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) unless `low < high` and both are finite.
    pub fn randomize(&mut self, low: f32, high: f32, seed: u64) -> Result<(), Error> {
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(Error::config(format!("weights within {low} and {high}: give low < high")));
        }
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        self.weights.iter_mut().for_each(|w| *w = rng.random_range(low..high));
        Ok(())
    }

    fn initialise(&mut self, rng: &mut Pcg64Mcg) {
        let inputs = self.layers[0];
        for layer in 1..self.layers.len() {
            let bias = match self.kind {
                Kind::Layered => self.layers[layer - 1].first + self.layers[layer - 1].size,
                Kind::Shortcut => inputs.first + inputs.size,
            };
            let at = self.layers[layer];
            for index in at.computing..at.computing + at.size {
                let neuron = self.neurons[index];
                let bound = (6.0 / (neuron.inputs - 1 + at.size) as f32).sqrt();
                let sources: Vec<usize> = self.sources(&neuron).collect();
                let weights = &mut self.weights[neuron.start..neuron.start + neuron.inputs];
                for (weight, source) in weights.iter_mut().zip(sources) {
                    *weight = if source == bias { 0.0 } else { rng.random_range(-bound..bound) };
                }
            }
        }
    }
}

/// The fully connected network of these sizes, without weights' values.
pub(crate) fn skeleton(kind: Kind, sizes: &[usize], hidden: Function, output: Function) -> Network {
    let (mut layers, mut neurons) = (Vec::new(), Vec::<Neuron>::new());
    let (mut next, mut start) = (0, 0);
    for (i, &size) in sizes.iter().enumerate() {
        let computing = neurons.len();
        let layer = Layer { first: next, size, computing, function: None, keeps_arguments: false };
        if i > 0 {
            let function = if i + 1 == sizes.len() { output } else { hidden };
            let before: &Layer = &layers[i - 1];
            let (from, inputs) = match kind {
                Kind::Layered => (before.first, before.size + 1),
                Kind::Shortcut => (0, next),
            };
            for _ in 0..size {
                neurons.push(Neuron { start, inputs, source: Source::Run(from), function });
                start += inputs;
            }
        }
        layers.push(layer);
        let bias = match kind {
            Kind::Layered => i + 1 < sizes.len(),
            Kind::Shortcut => i == 0,
        };
        next += size + usize::from(bias);
    }
    let mut network = Network {
        kind,
        layers,
        neurons,
        listed: Vec::new(),
        weights: vec![0.0; start],
        connection_rate: 1.0,
        dense: false,
    };
    network.refresh();
    network
}

/// Leaves `rate` of the connections between layers, spread evenly over the neurons.
///
/// Sources are dealt from a shuffled deck, so that none is dealt twice before all were dealt.
fn thinned(
    full: &Network,
    sizes: &[usize],
    rate: f32,
    rng: &mut Pcg64Mcg,
) -> Result<Network, Error> {
    let mut sources = Vec::with_capacity(full.neurons.len());
    for layer in 1..full.layers.len() {
        let (before, at) = (full.layers[layer - 1], full.layers[layer]);
        let possible = before.size * at.size;
        let least = before.size.max(at.size);
        let total = least.max((possible as f64 * f64::from(rate) + 0.5) as usize);
        let mut deck: Vec<u32> = Vec::new();
        for j in 0..at.size {
            let count = total * (j + 1) / at.size - total * j / at.size;
            let (mut hand, mut aside) = (Vec::with_capacity(count + 1), Vec::new());
            while hand.len() < count {
                if deck.is_empty() {
                    deck.extend((before.first..before.first + before.size).map(|i| i as u32));
                    deck.shuffle(rng);
                }
                let Some(card) = deck.pop() else { break };
                if hand.contains(&card) { aside.push(card) } else { hand.push(card) }
            }
            deck.extend(aside);
            hand.sort_unstable();
            hand.push((before.first + before.size) as u32);
            sources.push(hand);
        }
    }
    let weights = sources.iter().map(Vec::len).sum();
    let mut network = wired(full.kind, sizes, &sources, weights)?;
    let functions = full.neurons.iter().map(|neuron| neuron.function);
    network.neurons.iter_mut().zip(functions).for_each(|(neuron, f)| neuron.function = f);
    network.weights = vec![0.0; weights];
    network.connection_rate = rate;
    network.refresh();
    Ok(network)
}

/// What a file says about a network.
pub(crate) struct Parts {
    pub(crate) kind: Kind,
    pub(crate) sizes: Vec<usize>,
    pub(crate) connection_rate: f32,
    /// One for each neuron that computes.
    pub(crate) functions: Vec<Function>,
    /// Where each neuron that computes gets its inputs from, by number; `None` if from all it can.
    pub(crate) sources: Option<Vec<Vec<u32>>>,
    pub(crate) weights: Vec<f32>,
}

impl Network {
    /// The network that was taken apart, if it can be one.
    pub(crate) fn from_parts(parts: Parts) -> Result<Network, Error> {
        let Parts { kind, sizes, connection_rate, functions, sources, weights } = parts;
        let wrong = |what: String| Err(Error::format(what));
        if sizes.len() < 2 || sizes.contains(&0) {
            return wrong(format!("layers of {sizes:?}: a network has two or more, none empty"));
        }
        let computing = sizes[1..].iter().try_fold(0_usize, |sum, size| sum.checked_add(*size));
        if computing != Some(functions.len()) {
            return wrong(format!("{} neurons for layers of {sizes:?}", functions.len()));
        }
        for function in &functions {
            function.check().map_err(|error| Error::format(error.to_string()))?;
        }
        check_finite(&weights, "weights")?;
        let mut network = match &sources {
            None => {
                // Checked before anything is allocated for it.
                let mut expected = Some(0_usize);
                let mut before = 0_usize;
                for pair in sizes.windows(2) {
                    before = if kind == Kind::Shortcut { before + pair[0] } else { pair[0] };
                    let more = (before + 1).checked_mul(pair[1]);
                    expected = expected.zip(more).and_then(|(a, b)| a.checked_add(b));
                }
                if expected != Some(weights.len()) {
                    return wrong(format!("{} weights for layers of {sizes:?}", weights.len()));
                }
                skeleton(kind, &sizes, functions[0], functions[0])
            }
            Some(sources) => wired(kind, &sizes, sources, weights.len())?,
        };
        let neurons = network.neurons.iter_mut().zip(functions);
        neurons.for_each(|(neuron, function)| neuron.function = function);
        network.weights = weights;
        network.connection_rate = connection_rate;
        network.refresh();
        Ok(network)
    }
}

/// A network whose neurons see what is listed, and only neurons of layers before theirs.
fn wired(
    kind: Kind,
    sizes: &[usize],
    sources: &[Vec<u32>],
    weights: usize,
) -> Result<Network, Error> {
    let (mut layers, mut neurons) = (Vec::new(), Vec::with_capacity(sources.len()));
    let (mut next, mut start, mut listed) = (0, 0, Vec::new());
    for (i, &size) in sizes.iter().enumerate() {
        let computing = neurons.len();
        layers.push(Layer { first: next, size, computing, function: None, keeps_arguments: false });
        let count = if i == 0 { 0 } else { size };
        let own = sources.get(computing..computing + count).unwrap_or(&[]);
        if own.len() < count {
            return Err(Error::format(format!(
                "{} neurons for layers of {sizes:?}",
                sources.len()
            )));
        }
        for list in own {
            let Some(&first) = list.first() else {
                return Err(Error::format(format!("neuron {} has no input", next + neurons.len())));
            };
            if let Some(late) = list.iter().find(|&&source| source as usize >= next) {
                return Err(Error::format(format!(
                    "a neuron of layer {i}, which begins with neuron {next}, sees neuron {late}"
                )));
            }
            let run = list.windows(2).all(|pair| pair[1] == pair[0] + 1);
            let source = if run {
                Source::Run(first as usize)
            } else {
                listed.extend(list);
                Source::Listed(listed.len() - list.len())
            };
            let function = Activation::Linear.into();
            neurons.push(Neuron { start, inputs: list.len(), source, function });
            start += list.len();
        }
        let bias = match kind {
            Kind::Layered => i + 1 < sizes.len(),
            Kind::Shortcut => i == 0,
        };
        next += size + usize::from(bias);
    }
    if (start, neurons.len()) != (weights, sources.len()) {
        return Err(Error::format(format!("{weights} weights for {start} connections")));
    }
    let (weights, connection_rate) = (Vec::new(), 1.0);
    Ok(Network { kind, layers, neurons, listed, weights, connection_rate, dense: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn sparse_layers_use_every_source_and_no_source_twice() {
        for (seed, rate) in [(1, 0.01), (2, 0.3), (3, 0.5), (4, 0.9)] {
            let sizes = [7, 23, 5, 11];
            let network =
                Network::builder(&sizes).connection_rate(rate).seed(seed).build().unwrap();
            for layer in 1..4 {
                let before = network.layers[layer - 1];
                let bias = before.first + before.size;
                let mut used = vec![0; before.size];
                for neuron in network.computing(layer) {
                    let sources: Vec<usize> = network.sources(neuron).collect();
                    assert_eq!(sources.last(), Some(&bias));
                    assert!(sources.len() >= 2 && sources.is_sorted_by(|a, b| a < b));
                    sources[..sources.len() - 1].iter().for_each(|s| used[s - before.first] += 1);
                }
                assert!(used.iter().all(|count| *count > 0), "{rate}: {used:?}");
                let kept = used.iter().sum::<usize>() as f32;
                let possible = (sizes[layer - 1] * sizes[layer]) as f32;
                let least = sizes[layer - 1].max(sizes[layer]) as f32;
                assert!((kept - (possible * rate).max(least)).abs() <= 0.5);
            }
        }
    }

    #[test]
    fn weights_start_within_their_bound_and_biases_at_zero() {
        let network = Network::builder(&[30, 20, 4]).seed(9).build().unwrap();
        let layer = network.dense_layer(1);
        assert!(layer.biases().all(|bias| bias == 0.0));
        let most = layer.weights.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let bound = (6.0_f32 / 50.0).sqrt();
        assert!(most <= bound && most > 0.95 * bound, "{most} of {bound}");
        let again = Network::builder(&[30, 20, 4]).seed(9).build().unwrap();
        assert_eq!(again, network);
        assert_ne!(Network::builder(&[30, 20, 4]).seed(8).build().unwrap(), network);
    }

    #[test]
    fn contradictions_are_typed_errors() {
        for builder in [
            Network::builder(&[3]),
            Network::builder(&[3, 0, 1]),
            Network::builder(&[3, 1]).connection_rate(0.0),
            Network::builder(&[3, 1]).connection_rate(f32::NAN),
            Network::builder(&[3, 2, 1]).connection_rate(0.5).shortcut(),
            Network::builder(&[usize::MAX, usize::MAX]),
            Network::builder(&[1 << 20, 1 << 20]).shortcut(),
            Network::builder(&[3, 1]).hidden((Activation::Sin, -1.0)),
        ] {
            assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Config);
        }
    }
}
