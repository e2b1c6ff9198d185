//! Keeping a short list in order.

/// Moved at once: a loop of fixed length that compilers turn into instructions on several values.
const BLOCK: usize = 8;

/// Puts `value` in front of the first that is not less; the last drops out. Where it is now.
///
/// What moves is not branched on: every place gets the greater of what was before it, and the lesser
/// of what was there and `value`. That costs the same wherever `value` belongs.
#[inline(always)]
pub(crate) fn insert<S: Copy>(_s: S, values: &mut [u64], value: u64) -> usize {
    let mut less = [0_u64; BLOCK];
    let mut end = values.len();
    // From the back, so that a block is read with its forerunner before that is written over.
    while end > BLOCK {
        let Some(with_forerunner) = values.get_mut(end - BLOCK - 1..end) else { break };
        let Some(&before) = with_forerunner.first_chunk::<BLOCK>() else { break };
        let Some(here) = with_forerunner.last_chunk_mut::<BLOCK>() else { break };
        for i in 0..BLOCK {
            less[i] += u64::from(here[i] < value);
            here[i] = place(before[i], here[i], value);
        }
        end -= BLOCK;
    }
    let mut count = 0;
    for less in less {
        count += less as usize;
    }
    // Fewer than a block, one by one; what is in front of one that is less stays.
    while let Some(&here) = values.get(end.wrapping_sub(1)) {
        if here < value {
            return count + end;
        }
        end -= 1;
        let before = values.get(end.wrapping_sub(1)).copied().unwrap_or(0);
        if let Some(here) = values.get_mut(end) {
            *here = if before > value { before } else { value };
        }
    }
    count
}

#[inline(always)]
fn place(before: u64, here: u64, value: u64) -> u64 {
    let least = if here < value { here } else { value };
    if before > least { before } else { least }
}
