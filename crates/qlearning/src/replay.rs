//! Prioritised experience replay: surprising transitions come up more often (Schaul et al. 2016).

use rand::{Rng, RngExt};

use crate::sum_tree::SumTree;
use crate::{Error, ErrorKind, Schedule};

/// How a [`PrioritisedReplay`] draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayConfig {
    /// How many items are kept; then the oldest goes.
    pub capacity: usize,
    /// α: 0 draws uniformly, 1 in proportion to the error.
    pub alpha: f32,
    /// β: how much of the bias that drawing introduces is taken back by the weights, over the
    /// number of items drawn.
    pub beta: Schedule,
    /// Added to each error, so that none is 0.
    pub floor: f32,
}

impl Default for ReplayConfig {
    /// 100,000 items, α = 0.6, β from 0.4 to 1 over a million draws, floor 10⁻⁶.
    fn default() -> Self {
        ReplayConfig {
            capacity: 100_000,
            alpha: 0.6,
            beta: Schedule::Linear { from: 0.4, to: 1.0, over: 1_000_000 },
            floor: 1e-6,
        }
    }
}

/// A ring of items, each drawn with probability pᵢ / Σp where pᵢ = (|δᵢ| + floor)^α.
///
/// Every item has an id that is never used again, so an update that comes after the item was
/// evicted does not hit its successor.
///
/// ```
/// use edgekit_qlearning::{PrioritisedReplay, ReplayConfig};
/// use rand::SeedableRng;
///
/// let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
/// let mut replay = PrioritisedReplay::new(ReplayConfig { capacity: 8, ..Default::default() })?;
/// let dull = replay.push("dull");
/// let odd = replay.push("odd");
/// replay.update(dull, 0.001)?;
/// replay.update(odd, 5.0)?;
/// let mut drawn = Vec::new();
/// replay.sample(100, &mut rng, &mut drawn)?;
/// assert!(drawn.iter().filter(|d| d.id == odd).count() > 90);
/// # Ok::<(), edgekit_qlearning::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PrioritisedReplay<I> {
    config: ReplayConfig,
    /// Item number `id` lies at `id % capacity`.
    items: Vec<I>,
    pushed: u64,
    tree: SumTree,
    largest: f64,
    drawn: u64,
}

/// One drawn item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Which one.
    pub id: u64,
    /// Its importance-sampling weight (N·P(i))^−β, divided by the largest of its batch: what an
    /// update's step is to be multiplied with.
    pub weight: f32,
}

impl<I> PrioritisedReplay<I> {
    /// An empty replay; memory for all weights (8.1 bytes an item and more for inner sums) is taken
    /// at once, for items as they come.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the capacity is 0, α or β lie outside 0 to 1, or the floor is not
    /// positive.
    pub fn new(config: ReplayConfig) -> Result<Self, Error> {
        if config.capacity == 0 || !(config.floor > 0.0 && config.floor.is_finite()) {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "capacity {} and floor {}: both must be positive",
                    config.capacity, config.floor
                ),
            ));
        }
        Schedule::Constant(config.alpha).validate("alpha", 0.0, 1.0)?;
        config.beta.validate("beta", 0.0, 1.0)?;
        Ok(PrioritisedReplay {
            config,
            items: Vec::new(),
            pushed: 0,
            tree: SumTree::new(config.capacity),
            largest: 1.0,
            drawn: 0,
        })
    }

    /// How many items are kept.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items were pushed out by later ones.
    pub fn evicted(&self) -> u64 {
        self.pushed - self.items.len() as u64
    }

    /// Adds an item with the largest priority so far, so that it is drawn at least once soon, and
    /// returns its id. O(log n).
    pub fn push(&mut self, item: I) -> u64 {
        let id = self.pushed;
        let at = self.place(id);
        if at < self.items.len() {
            self.items[at] = item;
        } else {
            self.items.push(item);
        }
        self.pushed += 1;
        self.tree.set(at, self.largest);
        id
    }

    /// The item with that id, unless it was evicted.
    pub fn get(&self, id: u64) -> Option<&I> {
        self.holds(id).then(|| &self.items[self.place(id)])
    }

    /// The probability with which a draw gives that item; 0 if it was evicted.
    pub fn probability(&self, id: u64) -> f64 {
        if self.holds(id) { self.tree.get(self.place(id)) / self.tree.total() } else { 0.0 }
    }

    /// Puts `count` drawn items into `out` (which is cleared): the i-th from the i-th of `count`
    /// equal stretches of the probability mass. O(count · log n), no allocation once `out` has
    /// grown.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if there is nothing to draw.
    pub fn sample(
        &mut self,
        count: usize,
        rng: &mut impl Rng,
        out: &mut Vec<Drawn>,
    ) -> Result<(), Error> {
        if self.is_empty() {
            return Err(Error::new(ErrorKind::State, "the replay is empty; push something first"));
        }
        out.clear();
        let total = self.tree.total();
        let scale = self.len() as f64 / total;
        let beta = self.config.beta.at(self.drawn);
        let oldest = self.pushed - self.len() as u64;
        let mut largest = 0.0f32;
        for stretch in 0..count {
            let mass = (stretch as f64 + rng.random::<f64>()) / count as f64 * total;
            let at = self.tree.find(mass);
            let weight = ((self.tree.get(at) * scale) as f32).powf(-beta);
            largest = largest.max(weight);
            // The id that lies there: the only one of the kept ones with this remainder.
            let capacity = self.config.capacity as u64;
            let first = oldest - oldest % capacity + at as u64;
            let id = if first < oldest { first + capacity } else { first };
            out.push(Drawn { id, weight });
        }
        for drawn in out {
            drawn.weight /= largest;
        }
        self.drawn += count as u64;
        Ok(())
    }

    /// Sets the priority of an item by the error of its latest update; `Ok(false)` if it was
    /// evicted meanwhile. O(log n).
    ///
    /// # Errors
    /// [`ErrorKind::Value`] if the error is not finite.
    pub fn update(&mut self, id: u64, error: f32) -> Result<bool, Error> {
        if !error.is_finite() {
            return Err(Error::new(
                ErrorKind::Value,
                format!("error {error} of item {id}: it must be finite"),
            ));
        }
        if !self.holds(id) {
            return Ok(false);
        }
        let priority = f64::from((error.abs() + self.config.floor).powf(self.config.alpha));
        self.largest = self.largest.max(priority);
        self.tree.set(self.place(id), priority);
        Ok(true)
    }

    fn holds(&self, id: u64) -> bool {
        id < self.pushed && id >= self.evicted()
    }

    fn place(&self, id: u64) -> usize {
        (id % self.config.capacity as u64) as usize
    }
}
