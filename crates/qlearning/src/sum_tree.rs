//! A tree of sums with eight children a node: a cache line a level, so a draw among 10⁶ touches 7.

/// Non-negative weights that can be changed and drawn from in O(log₈ n).
///
/// Sums are recomputed from their children on every change, never adjusted by a difference, so they
/// do not drift however many changes are made.
#[derive(Clone, Debug)]
pub(crate) struct SumTree {
    /// Leaves first, then their parents, up to the root, which is one node.
    levels: Vec<Vec<Node>>,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Node([f64; 8]);

impl Node {
    fn sum(&self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + b) + (c + d)) + ((e + f) + (g + h))
    }
}

impl SumTree {
    pub(crate) fn new(len: usize) -> Self {
        let mut nodes = len.div_ceil(8).max(1);
        let mut levels = vec![vec![Node::default(); nodes]];
        while nodes > 1 {
            nodes = nodes.div_ceil(8);
            levels.push(vec![Node::default(); nodes]);
        }
        SumTree { levels }
    }

    pub(crate) fn total(&self) -> f64 {
        self.levels[self.levels.len() - 1][0].sum()
    }

    pub(crate) fn get(&self, at: usize) -> f64 {
        self.levels[0][at / 8].0[at % 8]
    }

    /// Sets a weight, which must be finite and not negative.
    pub(crate) fn set(&mut self, at: usize, weight: f64) {
        let (mut at, mut sum) = (at, weight);
        for level in &mut self.levels {
            let node = &mut level[at / 8];
            node.0[at % 8] = sum;
            sum = node.sum();
            at /= 8;
        }
    }

    /// The leaf at which the running sum passes `mass` (0 ≤ mass < total). Never one of weight 0
    /// unless all are.
    pub(crate) fn find(&self, mut mass: f64) -> usize {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let Node(children) = level[at];
            let [a, b, c, d, e, f, g, _] = children;
            // Running sums in a shallow tree, then a count: neither a long chain of additions nor a
            // branch on the draw, which would be mispredicted at each level.
            let (ab, cd, ef) = (a + b, c + d, e + f);
            let abcd = ab + cd;
            let abcdef = abcd + ef;
            let before = [0.0, a, ab, ab + c, abcd, abcd + e, abcdef, abcdef + g];
            let mut child = before[1..].iter().filter(|&&sum| mass >= sum).count();
            if children[child] <= 0.0 {
                // Rounding led past the last weight, or onto an edge: take the nearest one before.
                child = (0..child)
                    .rev()
                    .find(|&c| children[c] > 0.0)
                    .unwrap_or_else(|| (child..8).find(|&c| children[c] > 0.0).unwrap_or(child));
                mass = 0.0;
            } else {
                mass = (mass - before[child]).max(0.0);
            }
            at = at * 8 + child;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::SumTree;

    #[test]
    fn every_weight_is_found_at_its_own_stretch() {
        for len in [1, 2, 7, 8, 9, 64, 65, 513, 1000] {
            let mut tree = SumTree::new(len);
            for at in 0..len {
                tree.set(at, (at % 5) as f64);
            }
            let mut before = 0.0;
            for at in 0..len {
                let weight = (at % 5) as f64;
                assert_eq!(tree.get(at), weight);
                if weight > 0.0 {
                    assert_eq!(tree.find(before), at, "start of {at} of {len}");
                    assert_eq!(tree.find(before + weight * 0.999), at, "end of {at} of {len}");
                }
                before += weight;
            }
            assert_eq!(tree.total(), before);
        }
    }

    #[test]
    fn a_mass_at_or_past_the_total_still_finds_a_weight() {
        let mut tree = SumTree::new(100);
        tree.set(41, 0.1);
        for mass in [0.0, 0.05, 0.1, 0.2, 1e9] {
            assert_eq!(tree.find(mass), 41);
        }
    }
}
