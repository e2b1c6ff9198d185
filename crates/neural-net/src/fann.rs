//! Network files of FANN 2.1, as libfann 2.2 writes and reads them.
//!
//! A file is text: lines of `key=value` in a fixed order, then a line of neurons and one of
//! connections. Layer sizes include the bias neurons, and layered networks have one even behind the
//! outputs, which nothing sees.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::activation::{Activation, Function};
use crate::builder::{MOST_WEIGHTS, Parts};
use crate::network::{Kind, Network};
use crate::{Error, ErrorKind};

const MAGIC: &str = "FANN_FLO_2.1";

/// The lines of a FANN file that say how libfann should go on training, with FANN's defaults, in
/// FANN's order. They are kept as they were read and have no meaning here.
const SETTINGS: [(&str, &str); 26] = [
    ("learning_rate", "0.700000"),
    ("connection_rate", "1.000000"),
    ("network_type", "0"),
    ("learning_momentum", "0.000000"),
    ("training_algorithm", "2"),
    ("train_error_function", "1"),
    ("train_stop_function", "0"),
    ("cascade_output_change_fraction", "0.010000"),
    ("quickprop_decay", "-0.000100"),
    ("quickprop_mu", "1.750000"),
    ("rprop_increase_factor", "1.200000"),
    ("rprop_decrease_factor", "0.500000"),
    ("rprop_delta_min", "0.000000"),
    ("rprop_delta_max", "50.000000"),
    ("rprop_delta_zero", "0.100000"),
    ("cascade_output_stagnation_epochs", "12"),
    ("cascade_candidate_change_fraction", "0.010000"),
    ("cascade_candidate_stagnation_epochs", "12"),
    ("cascade_max_out_epochs", "150"),
    ("cascade_min_out_epochs", "50"),
    ("cascade_max_cand_epochs", "150"),
    ("cascade_min_cand_epochs", "50"),
    ("cascade_num_candidate_groups", "2"),
    ("bit_fail_limit", "3.49999994039535522461e-01"),
    ("cascade_candidate_limit", "1.00000000000000000000e+03"),
    ("cascade_weight_multiplier", "4.00000005960464477539e-01"),
];
const CASCADE: [(&str, &str); 4] = [
    ("cascade_activation_functions_count", "10"),
    ("cascade_activation_functions", "3 5 7 8 10 11 14 15 16 17 "),
    ("cascade_activation_steepnesses_count", "4"),
    (
        "cascade_activation_steepnesses",
        "2.50000000000000000000e-01 5.00000000000000000000e-01 7.50000000000000000000e-01 \
         1.00000000000000000000e+00 ",
    ),
];
const NEURONS: &str = "neurons (num_inputs, activation_function, activation_steepness)";
const CONNECTIONS: &str = "connections (connected_to_neuron, weight)";

impl Network {
    /// Reads what libfann's `fann_save` wrote. Its settings for training and scaling are skipped:
    /// `fann_run` does not use them either.
    ///
    /// Takes memory in proportion to the text, whatever that says.
    ///
    /// # Errors
    /// [`Format`](ErrorKind::Format) for another version, for fixed-point files and for damage,
    /// [`NotFinite`](ErrorKind::NotFinite) for a weight that is no number.
    pub fn from_fann(text: &str) -> Result<Network, Error> {
        let mut lines = text.lines();
        let magic = lines.next().unwrap_or_default().trim_end();
        if magic != MAGIC {
            let found: String = magic.chars().take(20).collect();
            return Err(Error::format(format!("the file begins with {found:?}, not {MAGIC:?}")));
        }
        let pairs: HashMap<&str, &str> = lines.filter_map(|line| line.split_once('=')).collect();
        let get = |key: &str| {
            let value = pairs.get(key).copied();
            value.ok_or_else(|| Error::format(format!("the file has no line of {key:?}")))
        };
        let kind = match get("network_type")?.trim() {
            "0" => Kind::Layered,
            "1" => Kind::Shortcut,
            other => return Err(Error::format(format!("network type {other:?} is not 0 or 1"))),
        };
        let connection_rate = number(get("connection_rate")?)?;
        let mut sizes = get("layer_sizes")?
            .split_whitespace()
            .map(number::<usize>)
            .collect::<Result<Vec<_>, _>>()?;
        if sizes.len() != number::<usize>(get("num_layers")?)? || sizes.contains(&0) {
            return Err(Error::format("the layer sizes do not fit the number of layers"));
        }
        let neurons = tuples(get(NEURONS)?)
            .map(|fields| Neuron::parse(fields?))
            .collect::<Result<Vec<_>, _>>()?;
        let total = sizes.iter().try_fold(0_usize, |sum, size| sum.checked_add(*size));
        if total != Some(neurons.len()) {
            return Err(Error::format(format!("{} neurons in layers of {sizes:?}", neurons.len())));
        }

        let (mut computing, mut next) = (Vec::new(), 0);
        for (i, size) in sizes.iter_mut().enumerate() {
            let layer = &neurons[next..next + *size];
            next += *size;
            if kind == Kind::Layered || i == 0 {
                *size -= 1;
                if layer[*size].inputs > 0 {
                    return Err(Error::format(format!("the bias neuron of layer {i} has inputs")));
                }
            }
            if i > 0 {
                computing.extend_from_slice(&layer[..*size]);
            }
        }
        let mut connections = tuples(get(CONNECTIONS)?);
        let (mut sources, mut weights) = (Vec::new(), Vec::new());
        for neuron in &computing {
            let mut list = Vec::new();
            for _ in 0..neuron.inputs {
                let fields = connections.next();
                let fields =
                    fields.ok_or_else(|| Error::format("there are too few connections"))?;
                let (source, weight) = connection(fields?)?;
                list.push(source);
                weights.push(weight);
            }
            sources.push(list);
        }
        if connections.next().is_some() {
            return Err(Error::format("there are more connections than the neurons have"));
        }
        let functions = computing.iter().map(|neuron| neuron.function).collect();
        let sources = Some(sources);
        Network::from_parts(Parts { kind, sizes, connection_rate, functions, sources, weights })
    }

    /// The text that libfann's `fann_create_from_file` reads, with every digit of every weight.
    /// Settings for training are FANN's defaults.
    pub fn to_fann(&self) -> String {
        let mut text = format!("{MAGIC}\nnum_layers={}\n", self.layers.len());
        let mut put = |arguments: std::fmt::Arguments<'_>| {
            let _ = text.write_fmt(arguments); // A string takes everything.
        };
        for (key, default) in SETTINGS {
            match key {
                "connection_rate" => put(format_args!("{key}={:.6}\n", self.connection_rate)),
                "network_type" => put(format_args!("{key}={}\n", self.kind as u8)),
                _ => put(format_args!("{key}={default}\n")),
            }
        }
        CASCADE.iter().for_each(|(key, default)| put(format_args!("{key}={default}\n")));
        put(format_args!("layer_sizes="));
        let bias = |i: usize| usize::from(self.kind == Kind::Layered || i == 0);
        for (i, layer) in self.layers.iter().enumerate() {
            put(format_args!("{} ", layer.size + bias(i)));
        }
        put(format_args!("\nscale_included=0\n{NEURONS}="));
        for (i, layer) in self.layers.iter().enumerate() {
            let neurons = if i == 0 { &[] } else { self.computing(i) };
            for neuron in neurons {
                let Function { activation, steepness } = neuron.function;
                let steepness = Scientific(steepness);
                put(format_args!("({}, {}, {steepness}) ", neuron.inputs, activation as u8));
            }
            let silent = bias(i) + if i == 0 { layer.size } else { 0 };
            (0..silent).for_each(|_| put(format_args!("(0, 0, {}) ", Scientific(0.0))));
        }
        put(format_args!("\n{CONNECTIONS}="));
        for neuron in &self.neurons {
            let weights = &self.weights[neuron.start..neuron.start + neuron.inputs];
            for (source, weight) in self.sources(neuron).zip(weights) {
                put(format_args!("({source}, {}) ", Scientific(*weight)));
            }
        }
        put(format_args!("\n"));
        text
    }
}

#[derive(Clone, Copy)]
struct Neuron {
    inputs: usize,
    function: Function,
}

impl Neuron {
    fn parse(fields: &str) -> Result<Self, Error> {
        let mut fields = fields.split(',');
        let mut next = || fields.next().unwrap_or_default();
        let (inputs, activation) = (number::<usize>(next())?, number::<usize>(next())?);
        let steepness = number(next())?;
        let activation = Activation::ALL.get(activation).copied();
        let activation = activation.ok_or_else(|| {
            Error::format("a neuron has an activation function that FANN does not have")
        })?;
        if inputs > MOST_WEIGHTS {
            return Err(Error::format(format!("a neuron has {inputs} inputs")));
        }
        Ok(Neuron { inputs, function: Function { activation, steepness } })
    }
}

fn connection(fields: &str) -> Result<(u32, f32), Error> {
    let (source, weight) = fields.split_once(',').unwrap_or((fields, ""));
    let weight: f32 = number(weight)?;
    if weight.is_finite() {
        return Ok((number(source)?, weight));
    }
    Err(Error::new(ErrorKind::NotFinite, format!("weight {weight} is not a number")))
}

/// What is between parentheses, one after the other.
fn tuples(line: &str) -> impl Iterator<Item = Result<&str, Error>> {
    let mut rest = line.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((fields, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) else {
            let at: String = rest.chars().take(20).collect();
            rest = "";
            return Some(Err(Error::format(format!("{at:?} is not a pair of parentheses"))));
        };
        rest = after.trim_start();
        Some(Ok(fields))
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    let text = text.trim();
    text.parse().map_err(|_| {
        let text: String = text.chars().take(20).collect();
        Error::format(format!("{text:?} is not a number, or is out of range"))
    })
}

/// As C's `%.20e` writes it: more digits than there are, and an exponent of two.
struct Scientific(f32);

impl std::fmt::Display for Scientific {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.20e}", self.0);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        write!(f, "{digits}e{sign}{exponent:0>2}")
    }
}
