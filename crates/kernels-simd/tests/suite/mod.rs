//! The checks that every kernel of every instruction set must pass, wherever they are run: natively,
//! under qemu, or as WebAssembly in Node (`examples/wasm_suite.rs`).
//!
//! A check is a function that panics. It is listed once, which makes it a `#[test]` and an entry of
//! [`CHECKS`] for runners that have no test harness.

mod activations;
mod binary;
mod bytes;
mod distance;
mod elements;
mod halves;
mod images;
pub(crate) mod inputs;
mod many;
mod packed;
mod places;
mod products;
mod quantize;
mod reduce;
mod specials;

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
    specials::specials_spread_as_in_f64,
    halves::every_half_is_read_exactly,
    halves::distances_of_halves_are_within_their_bound,
    halves::mixed_distances_are_within_their_bound,
    bytes::distances_of_i8_are_exact,
    bytes::distances_of_u8_are_exact,
    bytes::cosines_of_bytes_are_within_their_bound,
    bytes::extremes_of_bytes_are_exact,
    packed::dot_i8_u4_is_exact,
    packed::dot_i8_u2_is_exact,
    places::activations_are_the_same_everywhere,
    places::codes_are_the_same_everywhere,
    places::pixels_are_the_same_everywhere,
    binary::hamming_and_jaccard_are_exact,
    elements::arithmetic_is_exact,
    elements::combinations_are_within_their_bound,
    elements::normalize_gives_unit_length,
    elements::nan_stays_where_it_is,
    elements::argmax_and_count_are_exact,
    elements::top_k_equals_sorting,
    elements::violations_fail_closed,
    products::gemm_is_within_its_bound,
    products::packed_and_activated_gemm_equal_plain_and_apart,
    products::few_rows_of_gemm_equal_the_same_among_many,
    products::gemv_is_within_its_bound,
    products::gemm_of_bytes_is_exact,
    products::the_largest_sums_of_bytes_are_exact,
    products::dequantized_products_equal_those_apart,
    products::requantized_products_equal_those_apart,
    activations::exponentials_are_within_their_ulps,
    activations::relus_are_exact,
    activations::softmax_is_within_its_bound,
    activations::derivatives_are_slopes,
    activations::derivatives_are_within_their_bound,
    activations::softmax_derivatives_are_slopes,
    images::gray_is_bit_exact,
    images::threshold_is_right_for_all_pairs,
    images::normalisations_are_within_their_bound,
    quantize::codes_are_the_rounded_values,
    quantize::codes_of_four_bits_are_packed_in_pairs,
    quantize::values_of_codes_are_rounded_once,
    quantize::columns_have_scales_of_their_own,
    quantize::halves_are_the_nearest,
    quantize::halves_are_widened_exactly,
    quantize::finite_ranges_refuse_what_is_not,
    quantize::sums_are_worth_their_formula,
    images::resize_bilinear_is_within_its_bound,
    images::resize_bilinear_rounds_as_it_says,
    images::resize_area_is_exact,
    images::area_of_many_pixels_is_exact,
    images::whole_images_equal_their_rows,
    images::z_score_of_images_is_within_its_bound,
    reduce::sum_is_within_its_bound,
    reduce::min_max_is_exact_and_passes_over_nan,
    reduce::mean_variance_is_stable,
    many::floats_in_numbers_equal_one_by_one,
    many::halves_in_numbers_equal_one_by_one,
    many::bytes_in_numbers_equal_one_by_one,
    many::packed_and_binary_in_numbers_equal_one_by_one,
}
