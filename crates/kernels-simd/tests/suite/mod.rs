//! The checks that every kernel of every instruction set must pass, wherever they are run: natively,
//! under qemu, or as WebAssembly in Node (`examples/wasm_suite.rs`).
//!
//! A check is a function that panics. It is listed once, which makes it a `#[test]` and an entry of
//! [`CHECKS`] for runners that have no test harness.

mod bytes;
mod distance;
pub(crate) mod inputs;
mod many;
mod reduce;

macro_rules! checks {
    ($($module:ident :: $check:ident,)*) => {
        /// All checks with their names.
        #[allow(dead_code, reason = "for runners without a test harness")]
        pub(crate) const CHECKS: &[(&str, fn())] =
            &[$((concat!(stringify!($module), "::", stringify!($check)), $module::$check)),*];

        $(
            #[cfg(test)]
            #[test]
            fn $check() {
                $module::$check();
            }
        )*
    };
}

checks! {
    distance::dot_is_within_its_bound,
    distance::l2_squared_is_within_its_bound,
    distance::cosine_is_within_its_bound,
    distance::norm_is_within_its_bound,
    distance::special_values_spread_as_in_the_sum,
    distance::zero_norms_give_zero,
    bytes::dot_i8_is_exact,
    bytes::l2_squared_i8_is_exact,
    bytes::extremes_of_i8_are_exact,
    reduce::sum_is_within_its_bound,
    reduce::min_max_is_exact_and_passes_over_nan,
    reduce::mean_variance_is_stable,
    many::many_equals_one_by_one,
    many::gather_equals_one_by_one,
}
