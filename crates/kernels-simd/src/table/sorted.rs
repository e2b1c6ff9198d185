//! Keeping a short list in order.

use crate::kernels::sorted;

family! {
    Sorted in sorted;

    /// Puts `value` into a list in ascending order, in front of the first that is not less, and says
    /// where it is then: the last drops out to make room, which is `value` itself, and the place
    /// `values.len()`, if all are less.
    ///
    /// Touches all of the list without a branch on what is in it: meant for lists of a few dozen
    /// whose new values come in no order.
    pub fn insert_sorted(values: &mut [u64], value: u64) -> usize {
        check {} run sorted::insert
    }
}
