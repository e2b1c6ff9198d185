//! A 2-D map of the vectors: the two first principal components, found by power iteration.

use std::fmt::Write;

use edgekit::kernels_simd::Kernels;

use super::report::escape;
use super::sample::Table;

const WIDTH: f32 = 640.0;
const HEIGHT: f32 = 440.0;
const MARGIN: f32 = 14.0;
/// Power iterations a component; the first two are well apart in real embeddings.
const ROUNDS: usize = 60;

/// The plane of the two directions in which the vectors differ most.
pub(crate) struct Map {
    mean: Vec<f32>,
    axes: [Vec<f32>; 2],
    points: Vec<[f32; 2]>,
    low: [f32; 2],
    high: [f32; 2],
    /// Share of the whole variance that the plane shows.
    pub(crate) shown: f32,
}

impl Map {
    pub(crate) fn new(kernels: &Kernels, table: &Table) -> Self {
        let n = table.len() as f32;
        let mut mean = vec![0.0; table.dim];
        for row in table.rows() {
            for (m, x) in mean.iter_mut().zip(row) {
                *m += x / n;
            }
        }
        let mut centred: Vec<f32> = table.values.clone();
        for row in centred.chunks_exact_mut(table.dim) {
            for (x, m) in row.iter_mut().zip(&mean) {
                *x -= m;
            }
        }
        let total = kernels.dot(&centred, &centred) / n;
        let (first, a) = principal(kernels, &centred, table.dim, None);
        let (second, b) = principal(kernels, &centred, table.dim, Some(&first));
        let mut map = Map {
            mean,
            axes: [first, second],
            points: Vec::new(),
            low: [f32::MAX; 2],
            high: [f32::MIN; 2],
            shown: (a + b) / total,
        };
        map.points = table.rows().map(|row| map.project(kernels, row)).collect();
        for point in &map.points {
            for (axis, &along) in point.iter().enumerate() {
                map.low[axis] = map.low[axis].min(along);
                map.high[axis] = map.high[axis].max(along);
            }
        }
        map
    }

    fn project(&self, kernels: &Kernels, row: &[f32]) -> [f32; 2] {
        [0, 1].map(|i| kernels.dot(row, &self.axes[i]) - kernels.dot(&self.mean, &self.axes[i]))
    }

    fn place(&self, point: [f32; 2]) -> (f32, f32) {
        let span =
            |i: usize| ((point[i] - self.low[i]) / (self.high[i] - self.low[i])).clamp(0.0, 1.0);
        (MARGIN + span(0) * (WIDTH - 2.0 * MARGIN), MARGIN + span(1) * (HEIGHT - 2.0 * MARGIN))
    }

    /// All vectors as faint dots, once for the page; [`Map::figure`] refers to it.
    pub(crate) fn cloud(&self, table: &Table) -> String {
        let mut svg = String::from(
            "<svg width=\"0\" height=\"0\" style=\"position:absolute\"><defs><g id=\"cloud\">",
        );
        for (point, text) in self.points.iter().zip(&table.texts) {
            let (x, y) = self.place(*point);
            let _ = write!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.7\"><title>{}</title></circle>",
                escape(&text.name)
            );
        }
        svg + "</g></defs></svg>"
    }

    /// The map with one query and its neighbours marked.
    pub(crate) fn figure(
        &self,
        kernels: &Kernels,
        query: &[f32],
        neighbours: &[(usize, &str)],
    ) -> String {
        let (qx, qy) = self.place(self.project(kernels, query));
        let mut svg = format!(
            "<svg class=\"map\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"map of the vectors\"><use href=\"#cloud\"/>"
        );
        for &(id, _) in neighbours {
            let (x, y) = self.place(self.points[id]);
            let _ =
                write!(svg, "<line x1=\"{qx:.1}\" y1=\"{qy:.1}\" x2=\"{x:.1}\" y2=\"{y:.1}\"/>");
        }
        for &(id, name) in neighbours {
            let (x, y) = self.place(self.points[id]);
            let _ = write!(
                svg,
                "<circle class=\"hit\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"><title>{}</title></circle>",
                escape(name)
            );
        }
        let _ =
            write!(svg, "<circle class=\"query\" cx=\"{qx:.1}\" cy=\"{qy:.1}\" r=\"6\"/></svg>");
        svg
    }
}

/// The direction of greatest variance of centred rows (at right angles to `apart_from`), and that
/// variance.
fn principal(
    kernels: &Kernels,
    rows: &[f32],
    dim: usize,
    apart_from: Option<&[f32]>,
) -> (Vec<f32>, f32) {
    let mut axis: Vec<f32> = (0..dim).map(|i| if i % 2 == 0 { 1.0 } else { -0.5 }).collect();
    let mut variance = 0.0;
    for _ in 0..ROUNDS {
        if let Some(other) = apart_from {
            let along = kernels.dot(&axis, other);
            for (a, o) in axis.iter_mut().zip(other) {
                *a -= along * o;
            }
        }
        let norm = kernels.norm(&axis).max(f32::MIN_POSITIVE);
        axis.iter_mut().for_each(|a| *a /= norm);
        let mut next = vec![0.0; dim];
        for row in rows.chunks_exact(dim) {
            let along = kernels.dot(row, &axis);
            for (n, x) in next.iter_mut().zip(row) {
                *n += along * x;
            }
        }
        variance = kernels.norm(&next) / (rows.len() / dim) as f32;
        axis = next;
    }
    let norm = kernels.norm(&axis).max(f32::MIN_POSITIVE);
    axis.iter_mut().for_each(|a| *a /= norm);
    (axis, variance)
}
