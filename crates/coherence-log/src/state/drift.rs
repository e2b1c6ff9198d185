//! Drift: how far a context's newest embedding is from the moving mean of those before it.

/// The moving mean of a context's embeddings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drift {
    pub(super) mean: Vec<f64>,
}

impl Drift {
    pub(super) fn begin(embedding: &[f32]) -> Self {
        Drift { mean: embedding.iter().map(|x| f64::from(*x)).collect() }
    }

    /// Returns 1 − cosine to the mean so far and moves the mean by `alpha`; `None` if the
    /// dimension is another, which moves nothing.
    pub(super) fn update(&mut self, embedding: &[f32], alpha: f64) -> Option<f64> {
        if embedding.len() != self.mean.len() {
            return None;
        }
        let (mut dot, mut mm, mut ee) = (0f64, 0f64, 0f64);
        for (m, x) in self.mean.iter_mut().zip(embedding) {
            let x = f64::from(*x);
            dot += *m * x;
            mm += *m * *m;
            ee += x * x;
            *m += alpha * (x - *m);
        }
        let norms = (mm * ee).sqrt();
        Some(if norms > 0.0 { 1.0 - dot / norms } else { 0.0 })
    }
}
