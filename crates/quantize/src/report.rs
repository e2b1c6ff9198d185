//! What quantising a model cost, layer by layer.

use std::fmt;

use crate::{Error, Fidelity, QuantizedTensor};

/// What was lost and saved in each layer of a model.
///
/// ```
/// use edgekit_quantize::{Format, QuantReport, QuantizedTensor, Scheme};
///
/// let weights = [0.5, -1.0, 0.25, 1.0];
/// let tensor = QuantizedTensor::quantize(&weights, &[4], Format::Int8(Scheme::Symmetric))?;
/// let mut report = QuantReport::default();
/// report.add("first", &weights, &tensor)?;
/// assert_eq!(report.layers()[0].bytes, 8);
/// println!("{report}");
/// # Ok::<(), edgekit_quantize::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantReport {
    layers: Vec<LayerReport>,
}

/// One layer of a [`QuantReport`].
#[derive(Clone, Debug, PartialEq)]
pub struct LayerReport {
    /// What the layer is called.
    pub name: String,
    /// Mean squared error, largest error, SQNR and cosine of its values.
    pub fidelity: Fidelity,
    /// Values in it.
    pub values: usize,
    /// Bytes of codes, scales and zero points.
    pub bytes: usize,
}

impl LayerReport {
    /// How many times smaller than `f32` the layer is.
    pub fn compression_ratio(&self) -> f64 {
        (4 * self.values) as f64 / self.bytes as f64
    }
}

impl QuantReport {
    /// Compares a layer with what it was. O(n).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if `original` has another length than `tensor`.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        original: &[f32],
        tensor: &QuantizedTensor,
    ) -> Result<(), Error> {
        let fidelity = tensor.fidelity(original)?;
        let (values, bytes) = (tensor.len(), tensor.bytes());
        self.layers.push(LayerReport { name: name.into(), fidelity, values, bytes });
        Ok(())
    }

    /// The layers in the order in which they were added.
    pub fn layers(&self) -> &[LayerReport] {
        &self.layers
    }

    /// Bytes of all layers.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.bytes).sum()
    }

    /// How many times smaller than `f32` all layers are together; 1 if there are none.
    pub fn compression_ratio(&self) -> f64 {
        let values: usize = self.layers.iter().map(|layer| layer.values).sum();
        if values == 0 { 1.0 } else { (4 * values) as f64 / self.bytes() as f64 }
    }

    /// The layer that kept least of its signal: the lowest SQNR.
    pub fn worst(&self) -> Option<&LayerReport> {
        self.layers.iter().min_by(|a, b| a.fidelity.sqnr_db.total_cmp(&b.fidelity.sqnr_db))
    }
}

/// A table with a line for each layer, and one for all of them.
impl fmt::Display for QuantReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.layers.iter().map(|layer| layer.name.chars().count()).max();
        let width = longest.unwrap_or(0).max(5);
        writeln!(
            f,
            "{:<width$} {:>11} {:>11} {:>9} {:>9} {:>11} {:>8}",
            "layer", "MSE", "max error", "SQNR dB", "cosine", "bytes", "smaller"
        )?;
        for layer in &self.layers {
            let Fidelity { mse, max_error, sqnr_db, cosine } = layer.fidelity;
            writeln!(
                f,
                "{:<width$} {mse:>11.3e} {max_error:>11.3e} {sqnr_db:>9.2} {cosine:>9.6} {:>11} {:>7.2}×",
                layer.name,
                layer.bytes,
                layer.compression_ratio()
            )?;
        }
        let (bytes, ratio) = (self.bytes(), self.compression_ratio());
        write!(f, "{:<width$} {bytes:>55} {ratio:>7.2}×", "all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Format, Scheme};

    #[test]
    fn a_report_adds_up() {
        let values: Vec<f32> = (0..200).map(|i| (i as f32 * 0.3).sin()).collect();
        let make = |format| QuantizedTensor::quantize(&values, &[2, 100], format).unwrap();
        let (fine, coarse) = (make(Format::F16), make(Format::Int8(Scheme::Symmetric)));
        let mut report = QuantReport::default();
        assert_eq!((report.compression_ratio(), report.worst()), (1.0, None));
        report.add("a layer with a long name", &values, &fine).unwrap();
        report.add("b", &values, &coarse).unwrap();
        assert_eq!(report.bytes(), 400 + 204);
        assert_eq!(report.compression_ratio(), 1600.0 / 604.0);
        assert_eq!(report.worst().unwrap().name, "b");
        assert_eq!(report.layers()[1].fidelity, coarse.fidelity(&values).unwrap());
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width), "{text}");
        assert_eq!(report.add("c", &values[1..], &fine).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(report.layers().len(), 2);
    }
}
