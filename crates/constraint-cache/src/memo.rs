//! Masks kept by the tokens that lead to them.
//!
//! The engine is deterministic: the same template and the same tokens since its beginning give the
//! same state. So a mask is kept under its template and those tokens, and both are compared when it
//! is found again: nothing is guessed. What was not used for longest gives way.
//!
//! Most states of free text are seen once. So a mask is kept when it is computed for the second time:
//! what never repeats leaves eight bytes in a table of fixed size, until another state takes them.

use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::store::IdHasher;

/// The masks of all templates of a cache, the bytes of matchers kept for coming sessions, and how
/// often masks helped.
#[derive(Debug)]
pub(crate) struct Memo {
    shards: Box<[Shard]>,
    /// Bytes of masks that a shard may hold.
    shard_bytes: usize,
    /// The states whose masks were computed lately, each at a place that its hash names.
    computed: Box<[AtomicU64]>,
    /// What spare matchers may still take.
    spare_bytes: AtomicUsize,
    templates: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

/// Aligned so that two shards' locks share no cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    by_state: LruCache<u64, Arc<Known>, BuildHasherDefault<IdHasher>>,
    bytes: usize,
}

/// A state of a template, by the hash of what leads to it. Two states may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u64);

/// What is known of a state.
#[derive(Debug)]
pub(crate) struct Known {
    /// The template and the tokens that lead to it.
    beginning: State,
    tokens: Box<[u32]>,
    pub(crate) mask: Mask,
}

/// What a mask costs besides its words and tokens, about.
const KNOWN_BYTES: usize = 192;

/// States that are remembered to have been computed.
const COMPUTED: usize = 1 << 16;

/// A cache that may hold so many bytes has several shards.
const LARGE: usize = 16 << 20;

/// Up to so many tokens are kept as a list.
const FEW: usize = 1024;

impl State {
    /// The state after a token.
    pub(crate) fn after(self, token: u32) -> State {
        // The finaliser of SplitMix64, whose every bit depends on all of its input.
        let mut x = self.0.wrapping_add(u64::from(token)).wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        State(x ^ (x >> 31))
    }
}

impl Memo {
    /// Masks and spare matchers may take half of the bytes each.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        let shards = if bytes < LARGE { 1 } else { 16 };
        let kept = || Kept { by_state: LruCache::unbounded_with_hasher(<_>::default()), bytes: 0 };
        let computed = if bytes == 0 { 0 } else { COMPUTED };
        Arc::new(Memo {
            shards: (0..shards).map(|_| Shard(Mutex::new(kept()))).collect(),
            shard_bytes: bytes / 2 / shards,
            computed: (0..computed).map(|_| AtomicU64::new(0)).collect(),
            spare_bytes: AtomicUsize::new(bytes / 2),
            templates: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    /// The beginning of another template.
    pub(crate) fn beginning(&self) -> State {
        // Different for each, since `after` loses nothing.
        State(self.templates.fetch_add(1, Ordering::Relaxed)).after(0)
    }

    /// Whether anything is kept at all.
    pub(crate) fn keeps(&self) -> bool {
        self.shard_bytes > 0
    }

    /// What is known of the last of `states`, to which `tokens` lead from the first. O(tokens).
    pub(crate) fn find(&self, states: &[State], tokens: &[u32]) -> Option<Arc<Known>> {
        let (Some(beginning), Some(state)) = (states.first(), states.last()) else { return None };
        let mut kept = self.shard(*state).lock();
        let known = kept.by_state.get(&state.0)?;
        (known.beginning == *beginning && *known.tokens == *tokens).then(|| Arc::clone(known))
    }

    /// Keeps the mask of the last of `states` if it was computed before, and whether any text may
    /// follow. O(tokens).
    pub(crate) fn keep(&self, states: &[State], tokens: &[u32], words: &[u32], open: bool) {
        let (Some(beginning), Some(state)) = (states.first(), states.last()) else { return };
        let place = state.0 as usize % COMPUTED;
        let Some(computed) = self.computed.get(place) else { return };
        if computed.swap(state.0, Ordering::Relaxed) != state.0 {
            return;
        }
        let (beginning, mask) = (*beginning, Mask::of(words, open));
        let known = Known { beginning, tokens: tokens.into(), mask };
        let bytes = known.bytes();
        if bytes > self.shard_bytes {
            return;
        }
        let mut out = Vec::new();
        let mut kept = self.shard(*state).lock();
        kept.bytes += bytes;
        out.extend(kept.by_state.put(state.0, Arc::new(known)));
        let replaced: usize = out.iter().map(|known| known.bytes()).sum();
        kept.bytes -= replaced;
        while kept.bytes > self.shard_bytes {
            let Some((_, known)) = kept.by_state.pop_lru() else { break };
            kept.bytes -= known.bytes();
            out.push(known);
        }
        // Masks are dropped after the lock.
        drop(kept);
    }

    /// Takes bytes for a spare matcher, if there are so many left.
    pub(crate) fn take_spare(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.spare_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.spare_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn shard(&self, state: State) -> &Shard {
        // The upper bits: the map inside of the shard uses the lower ones.
        &self.shards[(state.0 >> 56) as usize % self.shards.len()]
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// A template's first mask, which every session passes: kept by the template itself.
    pub(crate) fn first(beginning: State, words: &[u32], open: bool) -> Arc<Self> {
        Arc::new(Known { beginning, tokens: Box::default(), mask: Mask::of(words, open) })
    }

    fn bytes(&self) -> usize {
        self.mask.bytes() + size_of_val(&*self.tokens) + KNOWN_BYTES
    }
}

/// The tokens that may come next.
#[derive(Debug)]
pub(crate) struct Mask {
    tokens: Tokens,
    /// Whether any text may follow, which the engine need not find out again.
    pub(crate) open: bool,
}

#[derive(Debug)]
enum Tokens {
    /// A few tokens, in order.
    Few(Box<[u32]>),
    /// A bit for each token.
    Many(Box<[u32]>),
}

impl Mask {
    fn of(words: &[u32], open: bool) -> Self {
        let few: Vec<u32> = tokens(words).take(FEW + 1).collect();
        let tokens = match few.len() <= FEW {
            true => Tokens::Few(few.into()),
            false => Tokens::Many(words.into()),
        };
        Mask { tokens, open }
    }

    fn bytes(&self) -> usize {
        let (Tokens::Few(words) | Tokens::Many(words)) = &self.tokens;
        words.len() * size_of::<u32>()
    }

    /// Writes one bit for each token into `out`, which has room for all.
    pub(crate) fn write(&self, out: &mut [u32]) {
        match &self.tokens {
            Tokens::Few(tokens) => {
                out.fill(0);
                tokens.iter().for_each(|t| out[*t as usize / 32] |= 1 << (t % 32));
            }
            Tokens::Many(words) => {
                let (head, tail) = out.split_at_mut(words.len());
                head.copy_from_slice(words);
                tail.fill(0);
            }
        }
    }

    /// Whether a token may come next.
    pub(crate) fn allows(&self, token: u32) -> bool {
        match &self.tokens {
            Tokens::Few(tokens) => tokens.binary_search(&token).is_ok(),
            Tokens::Many(words) => bit(words, token),
        }
    }
}

/// Whether a token's bit is set.
pub(crate) fn bit(words: &[u32], token: u32) -> bool {
    words.get(token as usize / 32).is_some_and(|w| w >> (token % 32) & 1 == 1)
}

/// The tokens whose bits are set, in order.
pub(crate) fn tokens(words: &[u32]) -> impl Iterator<Item = u32> {
    // Most masks are zeros almost everywhere: those go by a cache line at a time.
    let some = |(_, line): &(usize, &[u32])| line.iter().fold(0, |all, word| all | word) != 0;
    let lines = words.chunks(16).enumerate().filter(some);
    lines
        .flat_map(|(line, words)| words.iter().enumerate().map(move |(i, w)| (line * 16 + i, *w)))
        .flat_map(|(i, mut rest)| {
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(i as u32 * 32 + bit)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_tokens() {
        let words = [0b101, 0, 1 << 31];
        assert_eq!(tokens(&words).collect::<Vec<_>>(), [0, 2, 95]);
        let mut long = [0; 50];
        (long[20], long[49]) = (1 << 7, 3);
        assert_eq!(tokens(&long).collect::<Vec<_>>(), [647, 1568, 1569]);
        assert!(bit(&words, 95) && !bit(&words, 1) && !bit(&words, 96));
    }

    /// All states on the way from a beginning.
    fn way(beginning: State, tokens: &[u32]) -> Vec<State> {
        let mut states = vec![beginning];
        tokens.iter().for_each(|t| states.push(states[states.len() - 1].after(*t)));
        states
    }

    #[test]
    fn a_mask_is_kept_the_second_time() {
        let memo = Memo::new(1 << 20);
        let states = way(memo.beginning(), &[7, 8]);
        for known in [false, true, true] {
            memo.keep(&states, &[7, 8], &[1], true);
            let found = memo.find(&states, &[7, 8]);
            assert_eq!(found.is_some(), known);
            assert!(found.is_none_or(|found| found.mask.allows(0) && found.mask.open));
        }
    }

    /// As if all hashes were equal.
    #[test]
    fn a_hash_alone_names_no_state() {
        let memo = Memo::new(1 << 20);
        let (one, other) = (memo.beginning(), memo.beginning());
        let state = State(5);
        (0..2).for_each(|_| memo.keep(&[one, state], &[1], &[1], false));
        assert!(memo.find(&[one, state], &[1]).is_some());
        assert!(memo.find(&[other, state], &[1]).is_none());
        assert!(memo.find(&[one, state], &[2]).is_none());
        (0..2).for_each(|_| memo.keep(&[other, state], &[2], &[2], false));
        assert!(memo.find(&[one, state], &[1]).is_none());
        assert!(memo.find(&[other, state], &[2]).is_some_and(|known| known.mask.allows(1)));
    }

    #[test]
    fn tokens_lead_to_states_of_their_own() {
        let memo = Memo::new(0);
        let mut states: Vec<State> = (0..100).map(|_| memo.beginning()).collect();
        let (one, other) = (states[0], states[1]);
        states.extend((0..1_000).flat_map(|t| way(one, &[t, 7])[1..].to_vec()));
        states.extend((0..1_000).map(|t| way(other, &[7, t])[2]));
        states.sort_unstable_by_key(|state| state.0);
        let before = states.len();
        states.dedup();
        assert_eq!(states.len(), before);
    }

    /// However many different texts there are: a full memo goes on keeping what is new.
    #[test]
    fn what_was_not_used_for_longest_gives_way() {
        for bytes in [1 << 14, LARGE] {
            let memo = Memo::new(bytes);
            let beginning = memo.beginning();
            let words = vec![u32::MAX; 64];
            let most = 4 * bytes / (64 * 4);
            let favourite = way(beginning, &[0]);
            for token in 0..most as u32 {
                let states = way(beginning, &[token]);
                (0..2).for_each(|_| memo.keep(&states, &[token], &words, false));
                assert!(memo.find(&states, &[token]).is_some(), "{token}");
                assert!(memo.find(&favourite, &[0]).is_some(), "{token}");
            }
            let kept: usize = memo.shards.iter().map(|shard| shard.lock().bytes).sum();
            assert!(kept <= bytes / 2 && kept > bytes / 4, "{kept} of {bytes}");
            let counted = |shard: &Shard| {
                shard.lock().by_state.iter().map(|(_, known)| known.bytes()).sum::<usize>()
            };
            assert_eq!(memo.shards.iter().map(counted).sum::<usize>(), kept);
        }
    }

    #[test]
    fn nothing_is_kept_where_nothing_fits() {
        for bytes in [0, 2 * KNOWN_BYTES] {
            let memo = Memo::new(bytes);
            let states = way(memo.beginning(), &[1]);
            (0..3).for_each(|_| memo.keep(&states, &[1], &[1], false));
            assert!(memo.find(&states, &[1]).is_none());
        }
    }

    #[test]
    fn half_is_for_spare_matchers() {
        let memo = Memo::new(100);
        assert!(memo.take_spare(30) && !memo.take_spare(21) && memo.take_spare(20));
        assert!(!memo.take_spare(1));
        memo.give_back(50);
        assert!(memo.take_spare(50));
        assert!(!Memo::new(0).take_spare(1));
    }

    #[test]
    fn masks_are_written_as_they_were_kept() {
        for n in [10, 5_000] {
            let mut words = vec![0u32; 200];
            (0..n).for_each(|t| words[t * 7 % 6_400 / 32] |= 1 << (t * 7 % 32));
            let mut out = vec![u32::MAX; 208];
            Known::first(State(0), &words, false).mask.write(&mut out);
            assert_eq!(out[..200], words);
            assert_eq!(out[200..], [0; 8]);
        }
    }
}
