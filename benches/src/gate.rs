//! Small cases whose instructions `cargo xtask gate` counts under callgrind.
//!
//! A case is prepared outside the counted region and run once before it, so that set-up, feature
//! detection and lazy initialisation are not in the count.

use std::hint::black_box;

use crate::suites::gate::ROOMS;

/// Collects the cases of the gate.
#[derive(Default)]
pub struct Gate {
    cases: Vec<(String, Prepare)>,
}

type Prepare = Box<dyn FnOnce() -> Box<dyn FnMut()>>;

impl Gate {
    /// Adds a case, once for each instruction set, which the process is forced to
    /// (`EDGEKIT_ISA`) when it counts; so the case asks for `Kernels::get()`. `prepare` builds its
    /// inputs and returns what is counted; small inputs, since callgrind is slow, and no random
    /// hasher, since its order changes the count.
    pub fn case<T, F: FnMut() -> T + 'static>(
        &mut self,
        id: &str,
        isas: &[&str],
        prepare: impl FnOnce() -> F + Clone + 'static,
    ) {
        for isa in isas {
            let prepare = prepare.clone();
            let boxed = move || -> Box<dyn FnMut()> {
                let mut run = prepare();
                Box::new(move || {
                    black_box(run());
                })
            };
            self.cases.push((format!("{id}@{isa}"), Box::new(boxed)));
        }
    }
}

/// Prints the cases' ids, or runs the named one.
///
/// # Errors
///
/// If there is no such case.
pub fn gate(id: Option<&str>) -> Result<(), String> {
    let mut gate = Gate::default();
    for declare in ROOMS {
        declare(&mut gate);
    }
    let Some(id) = id else {
        gate.cases.iter().for_each(|(id, _)| println!("{id}"));
        return Ok(());
    };
    let (_, prepare) = gate
        .cases
        .into_iter()
        .find(|(other, _)| other == id)
        .ok_or_else(|| format!("the gate has no case {id}"))?;
    let mut run = prepare();
    run();
    counted_region(&mut *run);
    Ok(())
}

/// What callgrind collects: this call and all below it. Its name is what xtask looks for.
#[inline(never)]
pub fn counted_region(run: &mut dyn FnMut()) {
    run();
    // Keeps the call above from becoming a jump, which would leave the region before it began.
    black_box(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_offered_for_each_instruction_set() {
        let mut gate = Gate::default();
        gate.case("r/x", &["scalar", "avx2"], || || 1 + 1);
        let ids: Vec<&str> = gate.cases.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["r/x@scalar", "r/x@avx2"]);
        for (_, prepare) in gate.cases {
            counted_region(&mut *prepare());
        }
    }

    #[test]
    fn unknown_cases_are_refused() {
        assert!(super::gate(Some("no/such")).unwrap_err().contains("no/such"));
    }
}
