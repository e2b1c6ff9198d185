//! Federated learning without a server's trust: what peers know, merged cell by cell.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Agent, Error, ErrorKind, Table};

/// What one peer knows about one state and action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The state.
    pub state: u64,
    /// The action.
    pub action: u32,
    /// Its value.
    pub value: f32,
    /// How many updates that value rests on.
    pub visits: u32,
}

/// How the values of several peers become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MergeRule {
    /// The mean, weighted by visits.
    VisitWeighted,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The unweighted mean of what is left without the outliers and then without the `trim` largest
    /// and `trim` smallest share. Holds against a minority of liars.
    TrimmedMean {
        /// The share cut off at each end, 0 to below 0.5.
        trim: f64,
        /// Values further from the median than this many median absolute deviations are outliers.
        outlier: f64,
    },
}

/// What a [`Merge`] accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MergeConfig {
    /// How values become one.
    pub rule: MergeRule,
    /// Entries that rest on fewer visits are left out.
    pub min_visits: u32,
    /// More visits than this count as this many, so that no peer outweighs all others by claiming
    /// to have seen everything.
    pub max_visits: u32,
    /// Entries with a value beyond ± this are refused; r_max / (1 − γ) bounds every honest value.
    pub max_value: f32,
}

impl Default for MergeConfig {
    /// Visit-weighted, at least 1 and at most 1,000 visits count, values within ±10⁶.
    fn default() -> Self {
        MergeConfig {
            rule: MergeRule::VisitWeighted,
            min_visits: 1,
            max_visits: 1000,
            max_value: 1e6,
        }
    }
}

/// The values of peers being merged.
///
/// Sums are integers: values become multiples of 2⁻³² in an `i128`, which holds 2³² peers of 2³²
/// visits each. So a merge is exactly associative and commutative, and every node gets the same
/// bits, in whatever order and grouping the contributions arrive.
///
/// ```
/// use edgekit_qlearning::{Entry, Merge, MergeConfig};
///
/// let entry = |value, visits| Entry { state: 7, action: 0, value, visits };
/// let mut merge = Merge::new(MergeConfig::default())?;
/// merge.add(1, &[entry(10.0, 30)])?;
/// merge.add(2, &[entry(0.0, 10)])?;
/// assert_eq!(merge.finish(), [entry(7.5, 40)]);
/// # Ok::<(), edgekit_qlearning::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Merge {
    config: MergeConfig,
    peers: BTreeSet<u64>,
    cells: BTreeMap<(u64, u32), Cell>,
}

#[derive(Clone, Debug, Default)]
struct Cell {
    /// Σ value · weight, in units of 2⁻³².
    sum: i128,
    weight: u64,
    visits: u64,
    /// Every value, kept only by the rules that need it: all but the visit-weighted mean.
    values: Vec<f32>,
}

/// What became of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Added {
    /// Entries taken.
    pub taken: usize,
    /// Entries left out because they rest on too few visits.
    pub too_few_visits: usize,
}

const UNIT: f64 = 4_294_967_296.0;

impl Merge {
    /// A merge of nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if `max_visits` is below `min_visits` or 0, `max_value` is not positive
    /// or above 2³¹, or the trim is not within 0 to 0.5.
    pub fn new(config: MergeConfig) -> Result<Self, Error> {
        let bad = |what: String| Err(Error::new(ErrorKind::Config, what));
        if config.max_visits == 0 || config.max_visits < config.min_visits {
            return bad(format!(
                "visits from {} to {}: the maximum must be positive and not below the minimum",
                config.min_visits, config.max_visits
            ));
        }
        if !(config.max_value > 0.0 && config.max_value <= 2_147_483_648.0) {
            return bad(format!("max_value {}: it must be within 0 to 2^31", config.max_value));
        }
        if let MergeRule::TrimmedMean { trim, outlier } = config.rule
            && !((0.0..0.5).contains(&trim) && outlier > 0.0)
        {
            return bad(format!(
                "trim {trim} and outlier {outlier}: trim must be within 0 to 0.5 (excluded), \
                 outlier positive"
            ));
        }
        Ok(Merge { config, peers: BTreeSet::new(), cells: BTreeMap::new() })
    }

    /// Adds all that `peer` knows. O(n log cells).
    ///
    /// # Errors
    /// [`ErrorKind::Peer`] if that peer was added before, or an entry occurs twice, is not finite or
    /// lies beyond `max_value`. Nothing of the contribution is taken then.
    pub fn add(&mut self, peer: u64, entries: &[Entry]) -> Result<Added, Error> {
        let bad = |what: String| Err(Error::new(ErrorKind::Peer, format!("peer {peer}: {what}")));
        if self.peers.contains(&peer) {
            return bad("it has contributed before; merge each peer once".into());
        }
        let mut seen = BTreeSet::new();
        for entry in entries {
            if !entry.value.is_finite() || entry.value.abs() > self.config.max_value {
                return bad(format!("{entry:?} is beyond ±{}", self.config.max_value));
            }
            if !seen.insert((entry.state, entry.action)) {
                return bad(format!("{entry:?} is its second for that state and action"));
            }
        }
        self.peers.insert(peer);
        let mut added = Added::default();
        for entry in entries {
            // A value that rests on no visit is an initial value, not knowledge.
            if entry.visits < self.config.min_visits.max(1) {
                added.too_few_visits += 1;
                continue;
            }
            added.taken += 1;
            let weight = entry.visits.min(self.config.max_visits);
            let cell = self.cells.entry((entry.state, entry.action)).or_default();
            cell.sum +=
                (f64::from(entry.value) * UNIT).round_ties_even() as i128 * i128::from(weight);
            cell.weight += u64::from(weight);
            cell.visits += u64::from(entry.visits);
            if self.config.rule != MergeRule::VisitWeighted {
                cell.values.push(entry.value);
            }
        }
        Ok(added)
    }

    /// Adds all that another merge has collected.
    ///
    /// # Errors
    /// [`ErrorKind::Peer`] if the two have a peer in common, [`ErrorKind::Config`] if their
    /// configurations differ. Nothing is taken then.
    pub fn combine(&mut self, other: Merge) -> Result<(), Error> {
        if self.config != other.config {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{:?} cannot be combined with {:?}", self.config, other.config),
            ));
        }
        if let Some(peer) = self.peers.intersection(&other.peers).next() {
            return Err(Error::new(ErrorKind::Peer, format!("peer {peer} is in both merges")));
        }
        self.peers.extend(other.peers);
        for (key, more) in other.cells {
            let cell = self.cells.entry(key).or_default();
            cell.sum += more.sum;
            cell.weight += more.weight;
            cell.visits += more.visits;
            cell.values.extend(more.values);
        }
        Ok(())
    }

    /// How many peers were added.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// The merged entries by state and action; their visits are the peers' together, saturating.
    pub fn finish(&self) -> Vec<Entry> {
        self.cells
            .iter()
            .map(|(&(state, action), cell)| Entry {
                state,
                action,
                value: cell.value(self.config.rule),
                visits: u32::try_from(cell.visits).unwrap_or(u32::MAX),
            })
            .collect()
    }
}

impl Cell {
    fn value(&self, rule: MergeRule) -> f32 {
        match rule {
            MergeRule::VisitWeighted => {
                // The quotient first, in integers: the sum itself may exceed what f64 holds.
                let weight = i128::from(self.weight);
                let whole = self.sum.div_euclid(weight);
                let rest = self.sum.rem_euclid(weight);
                ((whole as f64 + rest as f64 / weight as f64) / UNIT) as f32
            }
            MergeRule::Max => self.values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            MergeRule::Min => self.values.iter().copied().fold(f32::INFINITY, f32::min),
            MergeRule::TrimmedMean { trim, outlier } => trimmed_mean(&self.values, trim, outlier),
        }
    }
}

/// Sorted before anything is summed, so the order of arrival cannot matter.
fn trimmed_mean(values: &[f32], trim: f64, outlier: f64) -> f32 {
    let mut sorted: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let centre = median(&sorted);
    let mut apart: Vec<f64> = sorted.iter().map(|v| (v - centre).abs()).collect();
    apart.sort_unstable_by(f64::total_cmp);
    // If more than half agree exactly the deviation is 0; the resolution of f32 stands in for it.
    let spread = median(&apart).max(centre.abs() * f64::from(f32::EPSILON));
    sorted.retain(|v| (v - centre).abs() <= outlier * spread);
    let cut = (sorted.len() as f64 * trim) as usize;
    let kept = &sorted[cut..sorted.len() - cut];
    let kept = if kept.is_empty() { &[centre][..] } else { kept };
    (kept.iter().sum::<f64>() / kept.len() as f64) as f32
}

fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted {
        [] => 0.0,
        _ if sorted.len().is_multiple_of(2) => 0.5 * (sorted[half - 1] + sorted[half]),
        _ => sorted[half],
    }
}

impl<T: Table> Agent<T> {
    /// All that this agent has learned: an entry for every state and action ever updated, by state
    /// and action.
    pub fn export(&self) -> Vec<Entry> {
        let rows = self.table.rows();
        let mut entries = Vec::new();
        for row in 0..rows.len() {
            let values = self.mean_values(row);
            for (action, &visits) in rows.visits(row).iter().enumerate() {
                if visits > 0 {
                    let (state, action32) = (self.table.state_of(row), action as u32);
                    entries.push(Entry { state, action: action32, value: values[action], visits });
                }
            }
        }
        entries.sort_unstable_by_key(|e| (e.state, e.action));
        entries
    }

    /// What changed since `base` (an earlier [`Agent::export`] or a merge's result): entries whose
    /// value moved by `threshold` or more, and new ones. Their visits are those since then.
    pub fn export_changes(&self, base: &[Entry], threshold: f32) -> Vec<Entry> {
        let before: BTreeMap<_, _> = base.iter().map(|e| ((e.state, e.action), e)).collect();
        let changed = |entry: Entry| match before.get(&(entry.state, entry.action)) {
            Some(old) => {
                let visits = entry.visits.saturating_sub(old.visits);
                let significant = (entry.value - old.value).abs() >= threshold;
                (significant && visits > 0).then_some(Entry { visits, ..entry })
            }
            None => Some(entry),
        };
        self.export().into_iter().filter_map(changed).collect()
    }

    /// Takes over merged entries: their values and visits replace this agent's (in both tables with
    /// double Q-learning).
    ///
    /// # Errors
    /// [`ErrorKind::State`], [`ErrorKind::Full`], [`ErrorKind::Action`] or [`ErrorKind::Value`] for
    /// an entry that the table cannot hold; those before it are taken over.
    pub fn import(&mut self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            let action = entry.action as usize;
            if action >= self.table.rows().actions() {
                return Err(self.no_such_action(action));
            }
            if !entry.value.is_finite() {
                return Err(Error::new(ErrorKind::Value, format!("{entry:?} is not finite")));
            }
            let row = self.table.row(entry.state)?;
            let (value, visits) = self.table.rows_mut().cell_mut(row, action);
            (*value, *visits) = (entry.value, entry.visits);
            if let Some(second) = &mut self.second {
                second.grow_to(row + 1);
                *second.cell_mut(row, action).0 = entry.value;
            }
        }
        Ok(())
    }
}
