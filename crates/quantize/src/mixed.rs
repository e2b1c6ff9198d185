//! Which layer gets how many bits.

use crate::{Error, ErrorKind, Format, QuantizedTensor};

/// What the choice must respect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// The smallest model that is at least this accurate (in the unit of the evaluation).
    Accuracy(f64),
    /// The most accurate model of at most this many bytes.
    Bytes(usize),
}

/// A point of the curve from the largest model to the smallest.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Index into the options of each layer.
    pub options: Vec<usize>,
    /// Bytes of all layers.
    pub bytes: usize,
    /// What the evaluation said.
    pub accuracy: f64,
}

/// What [`choose`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The choice within the budget.
    pub chosen: Choice,
    /// All choices on the way, the largest model first: accuracy against bytes.
    pub curve: Vec<Choice>,
}

/// One way to store a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerOption {
    /// The format.
    pub format: Format,
    /// Bytes of the layer in it.
    pub bytes: usize,
}

impl LayerOption {
    /// A layer as that tensor stores it.
    pub fn of(tensor: &QuantizedTensor) -> Self {
        LayerOption { format: tensor.format(), bytes: tensor.bytes() }
    }
}

/// Chooses a format for each layer under a budget.
///
/// `layers[i]` lists the options of layer `i`, the largest first; `evaluate` says how accurate the
/// model is with the given formats, greater being better. Starting from the largest options, the
/// step (one layer to its next smaller option) that loses the least accuracy per byte saved is
/// taken, until nothing can shrink. Greedy, so not optimal in theory; each point of the curve was
/// really evaluated, none is extrapolated.
///
/// Costs: at most (steps · layers) evaluations, where steps is the number of options beyond the
/// first of all layers together.
///
/// # Errors
/// [`ErrorKind::Empty`] without layers or for a layer without options; [`ErrorKind::Config`] if
/// options are not in order of size, if an accuracy is NaN, or if no choice respects the budget.
/// Errors of `evaluate` are passed on.
pub fn choose(
    layers: &[Vec<LayerOption>],
    budget: Budget,
    mut evaluate: impl FnMut(&[Format]) -> Result<f64, Error>,
) -> Result<Plan, Error> {
    check(layers)?;
    let mut measure = |options: Vec<usize>| {
        let picked: Vec<&LayerOption> =
            layers.iter().zip(&options).map(|(layer, &option)| &layer[option]).collect();
        let bytes = picked.iter().map(|option| option.bytes).sum();
        let formats: Vec<Format> = picked.iter().map(|option| option.format).collect();
        let accuracy = evaluate(&formats)?;
        if accuracy.is_nan() {
            let what = format!("the accuracy with {formats:?} is NaN; give a number to compare");
            return Err(Error::new(ErrorKind::Config, what));
        }
        Ok(Choice { options, bytes, accuracy })
    };
    let mut curve = vec![measure(vec![0; layers.len()])?];
    loop {
        let here = &curve[curve.len() - 1];
        let mut best: Option<(f64, Choice)> = None;
        for (i, layer) in layers.iter().enumerate() {
            if here.options[i] + 1 == layer.len() {
                continue;
            }
            let mut options = here.options.clone();
            options[i] += 1;
            let next = measure(options)?;
            let saved = (here.bytes - next.bytes).max(1) as f64;
            let price = (here.accuracy - next.accuracy) / saved;
            if best.as_ref().is_none_or(|(least, _)| price < *least) {
                best = Some((price, next));
            }
        }
        match best {
            Some((_, next)) => curve.push(next),
            None => break,
        }
    }
    let fits = curve.iter().filter(|choice| match budget {
        Budget::Accuracy(floor) => choice.accuracy >= floor,
        Budget::Bytes(most) => choice.bytes <= most,
    });
    let chosen = match budget {
        Budget::Accuracy(_) => fits.min_by_key(|choice| choice.bytes),
        Budget::Bytes(_) => fits.max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)),
    };
    match chosen.cloned() {
        Some(chosen) => Ok(Plan { chosen, curve }),
        None => Err(Error::new(
            ErrorKind::Config,
            format!("no choice of formats respects {budget:?}; loosen it or offer other formats"),
        )),
    }
}

fn check(layers: &[Vec<LayerOption>]) -> Result<(), Error> {
    if layers.is_empty() {
        return Err(Error::new(ErrorKind::Empty, "there are no layers to choose for"));
    }
    for (i, layer) in layers.iter().enumerate() {
        if layer.is_empty() {
            return Err(Error::new(ErrorKind::Empty, format!("layer {i} has no options")));
        }
        if !layer.is_sorted_by(|a, b| a.bytes >= b.bytes) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the options of layer {i} are not in order of size, the largest first"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Group, Scheme};

    const INT8: Format = Format::Int8(Scheme::Symmetric);
    const INT4: Format = Format::Int4 { scheme: Scheme::Symmetric, group: Group::G32 };

    fn layers() -> Vec<Vec<LayerOption>> {
        let option = |format, bytes| LayerOption { format, bytes };
        vec![
            vec![option(Format::F16, 200), option(INT8, 100), option(INT4, 60)],
            vec![option(Format::F16, 2000), option(INT8, 1000), option(INT4, 600)],
        ]
    }

    /// The first layer is the sensitive one.
    fn accuracy(formats: &[Format]) -> Result<f64, Error> {
        let loss = |format: &Format, weight: f64| match format {
            Format::F16 => 0.0,
            Format::Int4 { .. } => 3.0 * weight,
            _ => weight,
        };
        Ok(100.0 - loss(&formats[0], 4.0) - loss(&formats[1], 0.5))
    }

    #[test]
    fn the_sensitive_layer_keeps_its_bits() {
        let plan = choose(&layers(), Budget::Accuracy(98.0), accuracy).unwrap();
        assert_eq!(plan.chosen.options, [0, 2]);
        assert_eq!((plan.chosen.bytes, plan.chosen.accuracy), (800, 98.5));
        assert_eq!(plan.curve.len(), 5);
        assert!(plan.curve.is_sorted_by(|a, b| a.bytes > b.bytes));
        let small = choose(&layers(), Budget::Bytes(1200), accuracy).unwrap();
        assert_eq!((small.chosen.bytes, small.chosen.accuracy), (1200, 99.5));
    }

    #[test]
    fn budgets_that_nothing_meets_are_errors() {
        let kind = |layers: &[Vec<LayerOption>], budget| {
            choose(layers, budget, accuracy).unwrap_err().kind()
        };
        assert_eq!(kind(&layers(), Budget::Bytes(659)), ErrorKind::Config);
        assert_eq!(kind(&layers(), Budget::Accuracy(100.5)), ErrorKind::Config);
        assert_eq!(kind(&[], Budget::Bytes(1)), ErrorKind::Empty);
        assert_eq!(kind(&[vec![]], Budget::Bytes(1)), ErrorKind::Empty);
        let mut upside_down = layers();
        upside_down[0].reverse();
        assert_eq!(kind(&upside_down, Budget::Bytes(9999)), ErrorKind::Config);
        let nan = choose(&layers(), Budget::Bytes(9999), |_| Ok(f64::NAN));
        assert_eq!(nan.unwrap_err().kind(), ErrorKind::Config);
    }
}
