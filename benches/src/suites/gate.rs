//! The gate's cases, one function a room: what must not need more instructions unnoticed.

use crate::gate::Gate;

/// All rooms of the gate.
pub const ROOMS: &[fn(&mut Gate)] = &[driver];

/// The sorting that the driver itself does: no kernel, so that the gate can be tried out alone.
fn driver(gate: &mut Gate) {
    gate.case("driver/median/1000", &["scalar"], || {
        let values: Vec<f64> = (0..1000u32).map(|i| f64::from(i * 7919 % 1009)).collect();
        move || crate::paired::median_interval(values.clone())
    });
}
