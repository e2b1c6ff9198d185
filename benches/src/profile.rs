//! One case, run for a while inside the counted region, for a profiler to look at.

use std::time::Duration;

use crate::gate::counted_region;
use crate::measure::run;
use crate::room::Wanted;
use crate::suites::SUITES;

/// Runs the case `id` for about `length`, at least once.
///
/// # Errors
///
/// If there is no such case, or more than one contains that name.
pub fn profile(id: &str, length: Duration) -> Result<(), String> {
    let wanted = Wanted { full: true, only: vec![id.to_owned()] };
    let mut cases = Vec::new();
    for (room, declare) in SUITES {
        let mut suite = wanted.suite();
        if suite.wants(room) {
            declare(&mut suite);
            cases.append(&mut suite.cases);
        }
    }
    let exact = cases.iter().position(|case| case.id == id);
    let at = match (exact, cases.len()) {
        (Some(at), _) => at,
        (None, 1) => 0,
        (None, 0) => return Err(format!("no case is named {id}")),
        (None, _) => {
            let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
            return Err(format!("{id} could be any of\n{}", ids.join("\n")));
        }
    };
    let case = &mut cases[at];
    let start = std::time::Instant::now();
    let mut n = 1;
    counted_region(&mut || loop {
        run(case, n);
        if start.elapsed() >= length {
            break;
        }
        n = (n * 2).min(1 << 20);
    });
    Ok(())
}
