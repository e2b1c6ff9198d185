//! Causal attention whose scores are coinciding spikes.

use crate::energy::Operations;
use crate::trains::SpikeTrains;
use crate::{Error, ErrorKind};

/// Keys and values of the tokens that may be attended to, and where they stand.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// The queries' trains, one token each.
    pub queries: &'a SpikeTrains,
    /// The keys' trains, as many and as wide.
    pub keys: &'a SpikeTrains,
    /// The values, row after row, one row a token.
    pub values: &'a [f32],
    /// The position of each token. They need neither be consecutive nor in order.
    pub positions: &'a [u32],
}

/// Attention by coincidence.
///
/// The score of query i and key j is the number of neurons and steps at which both fire with the
/// same sign, less the number at which they fire with opposite signs; below 0 it is 0. It fades with
/// the distance of their positions, and a key behind the query (pⱼ > pᵢ) has no weight:
///
/// wᵢⱼ = max(0, score(qᵢ, kⱼ)) · 2^(−(pᵢ − pⱼ) / half-life), outᵢ = Σ wᵢⱼ · vⱼ / Σ wᵢⱼ
///
/// and outᵢ is 0 where all weights are. Keys are summed in the order of the tokens, so the result is
/// the same bits everywhere, and the same bits as [`naive::attend`](crate::naive::attend) gives.
#[derive(Clone, Debug)]
pub struct SpikeAttention {
    /// The fading at each distance, to where it vanishes.
    fading: Vec<f32>,
}

impl SpikeAttention {
    /// Attention that fades by half over `half_life` positions, and to nothing where it would be
    /// below 2⁻²⁰.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] unless the half-life is positive and at most 100,000.
    pub fn new(half_life: f64) -> Result<Self, Error> {
        if !(half_life > 0.0 && half_life <= 100_000.0) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("half-life {half_life}: it must be positive and at most 100,000"),
            ));
        }
        let reach = (20.0 * half_life) as usize + 1;
        let fading = (0..reach).map(|d| (-(d as f64) / half_life).exp2() as f32).collect();
        Ok(SpikeAttention { fading })
    }

    /// The share of a score that is left at that distance.
    pub fn fading(&self, distance: u32) -> f32 {
        self.fading.get(distance as usize).copied().unwrap_or(0.0)
    }

    /// Attends from every token to every token that is not behind it; `out` becomes one row a token,
    /// as wide as the values. Returns how many operations that was, counted. O(n² · (width · steps /
    /// 64 + value width)); allocates nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the parts of `tokens` or `out` do not fit each other,
    /// [`ErrorKind::Mismatch`] if queries and keys were encoded differently.
    pub fn attend(&self, tokens: &Tokens<'_>, out: &mut [f32]) -> Result<Operations, Error> {
        let width = tokens.check(out)?;
        let n = tokens.positions.len();
        let mut operations = Operations::default();
        out.fill(0.0);
        if width == 0 {
            return Ok(operations);
        }
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let query = tokens.queries.token(i);
            let mut total = 0.0f32;
            for j in 0..n {
                let Some(distance) = tokens.positions[i].checked_sub(tokens.positions[j]) else {
                    continue;
                };
                let fading = self.fading(distance);
                if fading == 0.0 {
                    continue;
                }
                let (agreeing, opposing) =
                    coincidences(query, tokens.keys.token(j), tokens.keys.words());
                operations.integer_additions += u64::from(agreeing + opposing);
                if agreeing <= opposing {
                    continue;
                }
                let weight = (agreeing - opposing) as f32 * fading;
                total += weight;
                for (out, value) in out.iter_mut().zip(&tokens.values[j * width..][..width]) {
                    *out += weight * value;
                }
                operations.float_multiplications += 1 + width as u64;
                operations.float_additions += 1 + width as u64;
            }
            if total > 0.0 {
                for out in &mut *out {
                    *out /= total;
                }
                operations.float_divisions += width as u64;
            }
        }
        Ok(operations)
    }
}

impl Tokens<'_> {
    /// The width of a value row.
    pub(crate) fn check(&self, out: &[f32]) -> Result<usize, Error> {
        let n = self.positions.len();
        let (queries, keys) = (self.queries, self.keys);
        if queries.config() != keys.config() || queries.width() != keys.width() {
            return Err(Error::new(
                ErrorKind::Mismatch,
                format!(
                    "queries of {} neurons and {:?}, keys of {} and {:?}: encode both alike",
                    queries.width(),
                    queries.config(),
                    keys.width(),
                    keys.config()
                ),
            ));
        }
        let rows = self.values.len().is_multiple_of(n.max(1));
        if queries.len() != n || keys.len() != n || !rows || out.len() != self.values.len() {
            return Err(Error::new(
                ErrorKind::Shape,
                format!(
                    "{} queries, {} keys, {n} positions, {} values, room for {}: all must be of as \
                     many tokens",
                    queries.len(),
                    keys.len(),
                    self.values.len(),
                    out.len()
                ),
            ));
        }
        Ok(self.values.len().checked_div(n).unwrap_or(0))
    }
}

/// How often two tokens fire together with the same and with opposite signs.
#[inline]
fn coincidences(query: &[u64], key: &[u64], words: usize) -> (u32, u32) {
    let (query_signs, query) = query.split_at(words);
    let (key_signs, key) = key.split_at(words);
    let (mut together, mut opposing) = (0, 0);
    for word in 0..words {
        let differ = query_signs[word] ^ key_signs[word];
        let steps = query[word..].iter().step_by(words).zip(key[word..].iter().step_by(words));
        for (q, k) in steps {
            together += (q & k).count_ones();
            opposing += (q & k & differ).count_ones();
        }
    }
    (together - opposing, opposing)
}
