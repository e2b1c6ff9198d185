//! A k-d tree that grows point by point and answers which points lie within a ball.

/// Coordinates of a point.
pub(super) const MAPPED: usize = 16;
/// A leaf is split when it holds more points.
const LEAF: usize = 32;

/// Points with a number each. Insertion and a small ball cost O(log n) nodes; the points of a leaf
/// lie side by side.
pub(super) struct BallTree {
    nodes: Vec<Node>,
    /// What each node's points lie in. In many dimensions most of a ball's misses are seen by the
    /// box, in all coordinates at once, where the planes that a path has crossed show only a few.
    boxes: Vec<Bounds>,
    /// Nodes that a search has still to look at.
    left: Vec<usize>,
}

/// The smallest box, sides along the axes, that holds some points.
#[derive(Clone, Copy)]
struct Bounds {
    low: [f32; MAPPED],
    high: [f32; MAPPED],
}

enum Node {
    Leaf {
        points: Vec<[f32; MAPPED]>,
        numbers: Vec<u32>,
    },
    /// Points with less than `at` in coordinate `axis` are under `below`, the others under the
    /// node after it.
    Inner {
        axis: usize,
        at: f32,
        below: usize,
    },
}

impl BallTree {
    pub(super) fn new() -> Self {
        let root = Node::Leaf { points: Vec::new(), numbers: Vec::new() };
        BallTree { nodes: vec![root], boxes: vec![Bounds::NONE], left: Vec::new() }
    }

    pub(super) fn insert(&mut self, point: [f32; MAPPED], number: u32) {
        let mut node = 0;
        self.boxes[node].add(&point);
        while let Node::Inner { axis, at, below } = &self.nodes[node] {
            node = below + usize::from(point[*axis] >= *at);
            self.boxes[node].add(&point);
        }
        if let Node::Leaf { points, numbers } = &mut self.nodes[node] {
            points.push(point);
            numbers.push(number);
            // Full leaves of equal points cannot be split; they are tried again as they double.
            if points.len() > LEAF && (points.len() - 1).is_power_of_two() || points.len() == LEAF {
                self.split(node);
            }
        }
    }

    /// Calls `found` with the number of each point whose squared distance to `centre` is at most
    /// `radius_2`.
    pub(super) fn within(
        &mut self,
        centre: &[f32; MAPPED],
        radius_2: f32,
        mut found: impl FnMut(u32),
    ) {
        self.left.push(0);
        while let Some(node) = self.left.pop() {
            match &self.nodes[node] {
                Node::Leaf { points, numbers } => {
                    for (point, number) in points.iter().zip(numbers) {
                        if is_within(point, centre, radius_2) {
                            found(*number);
                        }
                    }
                }
                Node::Inner { below, .. } => {
                    for child in [*below, below + 1] {
                        // Every rounding step is monotonic, and the sums are those of a point's
                        // distance: what is computed for a box never exceeds what is computed for
                        // a point in it.
                        if is_within(&self.boxes[child].nearest(centre), centre, radius_2) {
                            self.left.push(child);
                        }
                    }
                }
            }
        }
    }

    /// Splits a leaf at the median of the coordinate in which it is widest.
    fn split(&mut self, node: usize) {
        let below = self.nodes.len();
        let Node::Leaf { points, numbers } = &mut self.nodes[node] else { return };
        let Bounds { low, high } = self.boxes[node];
        let width = |axis: &usize| high[*axis] - low[*axis];
        let widest = (0..MAPPED).max_by(|a, b| width(a).total_cmp(&width(b)));
        let axis = widest.unwrap_or_default();
        let mut values: Vec<f32> = points.iter().map(|point| point[axis]).collect();
        let middle = values.len() / 2;
        let at = *values.select_nth_unstable_by(middle, f32::total_cmp).1;
        if low[axis] >= at {
            return;
        }
        let mut halves = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
        let mut boxes = [Bounds::NONE; 2];
        for (point, number) in points.drain(..).zip(numbers.drain(..)) {
            let side = usize::from(point[axis] >= at);
            halves[side].0.push(point);
            halves[side].1.push(number);
            boxes[side].add(&point);
        }
        self.nodes[node] = Node::Inner { axis, at, below };
        self.nodes.extend(halves.map(|(points, numbers)| Node::Leaf { points, numbers }));
        self.boxes.extend(boxes);
    }
}

impl Bounds {
    /// Without a point.
    const NONE: Bounds = Bounds { low: [f32::INFINITY; MAPPED], high: [f32::NEG_INFINITY; MAPPED] };

    fn add(&mut self, point: &[f32; MAPPED]) {
        for ((low, high), x) in self.low.iter_mut().zip(&mut self.high).zip(point) {
            *low = if *x < *low { *x } else { *low };
            *high = if *x > *high { *x } else { *high };
        }
    }

    /// The place in the box that is nearest to `point`.
    #[inline]
    fn nearest(&self, point: &[f32; MAPPED]) -> [f32; MAPPED] {
        std::array::from_fn(|axis| {
            let x = point[axis];
            let x = if x < self.low[axis] { self.low[axis] } else { x };
            if x > self.high[axis] { self.high[axis] } else { x }
        })
    }
}

/// Whether the squared distance is at most `radius_2`. The first coordinates spread most, so half
/// of them usually settle it.
#[inline]
fn is_within(a: &[f32; MAPPED], b: &[f32; MAPPED], radius_2: f32) -> bool {
    let (a, b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let first = distance_2(&a[0], &b[0]);
    first <= radius_2 && first + distance_2(&a[1], &b[1]) <= radius_2
}

#[inline]
fn distance_2(a: &[f32; 8], b: &[f32; 8]) -> f32 {
    // Sums side by side, so that the compiler keeps them in registers.
    let sums: [f32; 8] = std::array::from_fn(|lane| (a[lane] - b[lane]) * (a[lane] - b[lane]));
    let pairs: [f32; 4] = std::array::from_fn(|lane| sums[lane] + sums[lane + 4]);
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_comparing_all_finds() {
        let mut x = 1u32;
        let mut next = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 20) as f32 / 4096.0
        };
        // Coordinates repeat, some points are equal, and 300 are the same one.
        let mut points: Vec<[f32; MAPPED]> = (0..3000)
            .map(|_| std::array::from_fn(|i| (next() * 8.0).round() / (i + 1) as f32))
            .collect();
        points.extend([[0.5; MAPPED]; 300]);
        let mut tree = BallTree::new();
        for (number, point) in points.iter().enumerate() {
            tree.insert(*point, number as u32);
        }
        for centre in points.iter().step_by(61) {
            for radius_2 in [0.0, 4.0, 30.0] {
                let mut found = vec![];
                tree.within(centre, radius_2, |number| found.push(number));
                found.sort_unstable();
                let near = |i: &u32| is_within(&points[*i as usize], centre, radius_2);
                assert!((0..points.len() as u32).filter(near).eq(found));
            }
        }
    }
}
