//! Samples in memory: inputs and targets, row by row.

use aligned_vec::AVec;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use crate::Error;
use crate::error::check_finite;

/// Samples for training or for judging: `len` rows of inputs, and as many of targets.
///
/// Every value is finite; that is checked when samples are added.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    width: usize,
    height: usize,
    inputs: AVec<f32>,
    targets: AVec<f32>,
}

impl Dataset {
    /// No samples yet, of `inputs` and `targets` values each.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) if either is 0.
    pub fn new(inputs: usize, targets: usize) -> Result<Self, Error> {
        if inputs == 0 || targets == 0 {
            return Err(Error::shape(format!(
                "samples of {inputs} inputs and {targets} targets: both need at least one"
            )));
        }
        Ok(Dataset {
            width: inputs,
            height: targets,
            inputs: AVec::new(64),
            targets: AVec::new(64),
        })
    }

    /// Samples whose values lie one after the other.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) unless both slices hold the same number of whole rows,
    /// [`NotFinite`](crate::ErrorKind::NotFinite).
    pub fn from_rows(
        inputs: &[f32],
        width: usize,
        targets: &[f32],
        height: usize,
    ) -> Result<Self, Error> {
        let mut data = Dataset::new(width, height)?;
        let whole = inputs.len().is_multiple_of(width) && targets.len().is_multiple_of(height);
        if !whole || inputs.len() / width != targets.len() / height {
            return Err(Error::shape(format!(
                "{} inputs in rows of {width} and {} targets in rows of {height}",
                inputs.len(),
                targets.len()
            )));
        }
        check_finite(inputs, "inputs")?;
        check_finite(targets, "targets")?;
        data.inputs.extend_from_slice(inputs);
        data.targets.extend_from_slice(targets);
        Ok(data)
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// [`Shape`](crate::ErrorKind::Shape) and [`NotFinite`](crate::ErrorKind::NotFinite); nothing is
    /// added then.
    pub fn push(&mut self, input: &[f32], target: &[f32]) -> Result<(), Error> {
        if (input.len(), target.len()) != (self.width, self.height) {
            return Err(Error::shape(format!(
                "a sample of {} inputs and {} targets among samples of {} and {}",
                input.len(),
                target.len(),
                self.width,
                self.height
            )));
        }
        check_finite(input, "input")?;
        check_finite(target, "target")?;
        self.inputs.extend_from_slice(input);
        self.targets.extend_from_slice(target);
        Ok(())
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.inputs.len() / self.width
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Inputs of a sample.
    pub fn input_size(&self) -> usize {
        self.width
    }

    /// Targets of a sample.
    pub fn target_size(&self) -> usize {
        self.height
    }

    /// All inputs, row by row.
    pub fn inputs(&self) -> &[f32] {
        &self.inputs
    }

    /// All targets, row by row.
    pub fn targets(&self) -> &[f32] {
        &self.targets
    }

    /// The inputs of sample `i`.
    ///
    /// # Panics
    /// If there is no such sample; likewise [`target`](Self::target).
    #[track_caller]
    pub fn input(&self, i: usize) -> &[f32] {
        &self.inputs[i * self.width..(i + 1) * self.width]
    }

    /// The targets of sample `i`.
    #[track_caller]
    pub fn target(&self, i: usize) -> &[f32] {
        &self.targets[i * self.height..(i + 1) * self.height]
    }

    /// The samples that `order` names, in that order.
    ///
    /// # Panics
    /// If one of them does not exist.
    pub fn select(&self, order: &[usize]) -> Dataset {
        let mut chosen = Dataset { inputs: AVec::new(64), targets: AVec::new(64), ..*self };
        chosen.fill(self, order);
        chosen
    }

    /// Replaces the samples by those of `from` that `order` names.
    pub(crate) fn fill(&mut self, from: &Dataset, order: &[usize]) {
        self.clear();
        for &i in order {
            self.inputs.extend_from_slice(from.input(i));
            self.targets.extend_from_slice(from.target(i));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.inputs.clear();
        self.targets.clear();
    }

    /// `k` pairs of training and held-out samples: each sample is held out once, in an order that
    /// `seed` decides.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) unless `2 ≤ k ≤ len`.
    pub fn folds(&self, k: usize, seed: u64) -> Result<Vec<(Dataset, Dataset)>, Error> {
        let n = self.len();
        if k < 2 || k > n {
            return Err(Error::config(format!("{k} folds of {n} samples: give 2 to {n}")));
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
        let fold = |i: usize| {
            let (from, to) = (i * n / k, (i + 1) * n / k);
            let rest = [&order[..from], &order[to..]].concat();
            (self.select(&rest), self.select(&order[from..to]))
        };
        Ok((0..k).map(fold).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn every_sample_is_held_out_once() {
        let mut data = Dataset::new(1, 1).unwrap();
        (0..103).for_each(|i| data.push(&[i as f32], &[0.0]).unwrap());
        let folds = data.folds(5, 3).unwrap();
        let mut seen: Vec<f32> =
            folds.iter().flat_map(|(_, held)| held.inputs().to_vec()).collect();
        for (train, held) in &folds {
            assert_eq!(train.len() + held.len(), 103);
            assert!(held.inputs().iter().all(|x| !train.inputs().contains(x)));
        }
        seen.sort_by(f32::total_cmp);
        assert!(seen.iter().enumerate().all(|(i, x)| i as f32 == *x));
        assert_eq!(data.folds(1, 0).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(data.folds(104, 0).unwrap_err().kind(), ErrorKind::Config);
    }

    #[test]
    fn bad_samples_are_refused_whole() {
        let mut data = Dataset::new(2, 1).unwrap();
        assert_eq!(data.push(&[1.0], &[1.0]).unwrap_err().kind(), ErrorKind::Shape);
        let error = data.push(&[1.0, f32::NAN], &[1.0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFinite);
        assert!(error.to_string().contains("position 1"), "{error}");
        assert!(data.is_empty());
        let error = Dataset::from_rows(&[1.0; 4], 2, &[1.0; 3], 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
        assert!(Dataset::new(0, 1).is_err());
    }
}
