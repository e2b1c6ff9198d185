//! A k-d tree that grows point by point and answers which points lie within a ball.

/// Coordinates of a point.
pub(super) const MAPPED: usize = 16;
/// A leaf is split when it holds more points.
const LEAF: usize = 32;

/// Points with a number each. Insertion and a small ball cost O(log n) nodes; the points of a leaf
/// lie side by side.
pub(super) struct BallTree {
    nodes: Vec<Node>,
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
        BallTree { nodes: vec![Node::Leaf { points: Vec::new(), numbers: Vec::new() }] }
    }

    pub(super) fn insert(&mut self, point: [f32; MAPPED], number: u32) {
        let mut node = 0;
        while let Node::Inner { axis, at, below } = &self.nodes[node] {
            node = below + usize::from(point[*axis] >= *at);
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
    pub(super) fn within(&self, centre: &[f32; MAPPED], radius_2: f32, mut found: impl FnMut(u32)) {
        // Each entry is a node, and how far off its region is along each axis.
        let mut left = vec![(0, [0f32; MAPPED])];
        while let Some((node, offsets)) = left.pop() {
            match &self.nodes[node] {
                Node::Leaf { points, numbers } => {
                    for (point, number) in points.iter().zip(numbers) {
                        if is_within(point, centre, radius_2) {
                            found(*number);
                        }
                    }
                }
                Node::Inner { axis, at, below } => {
                    let beyond = centre[*axis] - at;
                    let near = below + usize::from(beyond >= 0.0);
                    let mut further = offsets;
                    further[*axis] = beyond;
                    if further.iter().map(|x| x * x).sum::<f32>() <= radius_2 {
                        left.push((2 * below + 1 - near, further));
                    }
                    left.push((near, offsets));
                }
            }
        }
    }

    /// Splits a leaf at the median of the coordinate in which it is widest.
    fn split(&mut self, node: usize) {
        let below = self.nodes.len();
        let Node::Leaf { points, numbers } = &mut self.nodes[node] else { return };
        let (mut low, mut high) = (points[0], points[0]);
        for point in points.iter() {
            for (axis, x) in point.iter().enumerate() {
                low[axis] = low[axis].min(*x);
                high[axis] = high[axis].max(*x);
            }
        }
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
        for (point, number) in points.drain(..).zip(numbers.drain(..)) {
            let half = &mut halves[usize::from(point[axis] >= at)];
            half.0.push(point);
            half.1.push(number);
        }
        self.nodes[node] = Node::Inner { axis, at, below };
        self.nodes.extend(halves.map(|(points, numbers)| Node::Leaf { points, numbers }));
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
