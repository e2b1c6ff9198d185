//! The chooser on a small model with calibration data, against trying everything.

use edgekit_quantize::{
    Budget, Choice, Error, Fidelity, Format, Group, LayerOption, QuantizedTensor, Scheme, choose,
};

use crate::tensors::wave;

const SIZES: [usize; 4] = [32, 48, 40, 8];
const FORMATS: [Format; 3] = [
    Format::F16,
    Format::Int8PerChannel { scheme: Scheme::Symmetric, axis: 0 },
    Format::Int4 { scheme: Scheme::Asymmetric, group: Group::G32 },
];

/// Three layers with rectifiers between them, of which the last one's rows differ most in size.
struct Model {
    layers: Vec<Vec<f32>>,
    calibration: Vec<f32>,
}

impl Model {
    fn new() -> Self {
        let layer = |l: usize| -> Vec<f32> {
            let n = SIZES[l] * SIZES[l + 1];
            let scale = |i: usize| if l == 2 { (i / SIZES[l] + 1) as f32 } else { 1.0 };
            wave(n + 31 * l)[31 * l..].iter().enumerate().map(|(i, x)| x * scale(i) * 0.1).collect()
        };
        Model { layers: (0..3).map(layer).collect(), calibration: wave(20 * SIZES[0]) }
    }

    fn run(&self, layers: &[Vec<f32>]) -> Vec<f32> {
        let mut x = self.calibration.clone();
        for (l, weights) in layers.iter().enumerate() {
            let product = |row: &[f32]| -> Vec<f32> {
                let dot = |w: &[f32]| w.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
                weights
                    .chunks(SIZES[l])
                    .map(dot)
                    .map(|y| if l < 2 { y.max(0.0) } else { y })
                    .collect()
            };
            x = x.chunks(SIZES[l]).flat_map(product).collect();
        }
        x
    }

    fn quantised(&self, l: usize, format: Format) -> Result<QuantizedTensor, Error> {
        QuantizedTensor::quantize(&self.layers[l], &[SIZES[l + 1], SIZES[l]], format)
    }

    /// Decibels of signal over noise at the outputs.
    fn accuracy(&self, formats: &[Format]) -> Result<f64, Error> {
        let layers = formats.iter().enumerate();
        let layers = layers
            .map(|(l, &format)| Ok(self.quantised(l, format)?.dequantize()))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Fidelity::between(&self.run(&self.layers), &self.run(&layers))?.sqnr_db)
    }

    fn options(&self) -> Vec<Vec<LayerOption>> {
        let option = |l, format| LayerOption::of(&self.quantised(l, format).unwrap());
        (0..3).map(|l| FORMATS.map(|format| option(l, format)).to_vec()).collect()
    }

    fn formats(&self, choice: &Choice) -> Vec<Format> {
        choice.options.iter().map(|&option| FORMATS[option]).collect()
    }
}

#[test]
fn the_choice_respects_its_budget_and_is_nearly_the_best() {
    let model = Model::new();
    let options = model.options();
    let all: Vec<(usize, f64)> = (0..27)
        .map(|i| {
            let picked = [i % 3, i / 3 % 3, i / 9];
            let formats = picked.map(|option| FORMATS[option]);
            let bytes = (0..3).map(|l| options[l][picked[l]].bytes).sum();
            (bytes, model.accuracy(&formats).unwrap())
        })
        .collect();
    for floor in [15.0, 20.0, 25.0, 30.0, 35.0, 40.0] {
        let plan = choose(&options, Budget::Accuracy(floor), |f| model.accuracy(f)).unwrap();
        let chosen = &plan.chosen;
        // Measured again, it is what it was said to be.
        assert_eq!(model.accuracy(&model.formats(chosen)).unwrap(), chosen.accuracy);
        assert!(chosen.accuracy >= floor);
        let best = all.iter().filter(|(_, accuracy)| *accuracy >= floor);
        let best = best.map(|(bytes, _)| *bytes).min().unwrap();
        assert!(chosen.bytes as f64 <= 1.15 * best as f64, "{floor} dB: {chosen:?}, best {best}");
    }
    for most in [4_400, 5_500, 7_000] {
        let plan = choose(&options, Budget::Bytes(most), |f| model.accuracy(f)).unwrap();
        assert!(plan.chosen.bytes <= most);
        let best = all.iter().filter(|(bytes, _)| *bytes <= most);
        let best = best.map(|(_, accuracy)| *accuracy).fold(0.0, f64::max);
        assert!(plan.chosen.accuracy >= best - 3.0, "{most}: {:?}, best {best} dB", plan.chosen);
    }
}

#[test]
fn the_curve_goes_from_the_largest_model_to_the_smallest() {
    let model = Model::new();
    let plan = choose(&model.options(), Budget::Bytes(usize::MAX), |f| model.accuracy(f)).unwrap();
    assert_eq!(plan.curve.len(), 7);
    assert_eq!(plan.curve[0].options, [0, 0, 0]);
    assert_eq!(plan.curve[6].options, [2, 2, 2]);
    assert!(plan.curve.is_sorted_by(|a, b| a.bytes > b.bytes));
    for point in &plan.curve {
        assert_eq!(model.accuracy(&model.formats(point)).unwrap(), point.accuracy);
        let formats = model.formats(point);
        let bytes = |l: usize| model.quantised(l, formats[l]).unwrap().bytes();
        assert_eq!((0..3).map(bytes).sum::<usize>(), point.bytes);
    }
}
