//! The driver: runs the suites that were asked for and prints what they measured.
#![deny(unsafe_code)]

use edgekit_benches::suites::SUITES;
use edgekit_benches::{Measurement, Suite};

fn main() {
    let filters: Vec<String> = std::env::args().skip(1).collect();
    for (name, declare) in SUITES {
        let mut suite = Suite::new(filters.clone());
        if !suite.wants(name) {
            continue;
        }
        declare(&mut suite);
        for case in &mut suite.cases {
            match &mut case.measurement {
                Measurement::Time(run) => {
                    let mut n = 1;
                    let mut took = run(n);
                    while took.as_millis() < 20 {
                        n *= 2;
                        took = run(n);
                    }
                    let best = (0..5).map(|_| run(n)).min().unwrap_or(took);
                    println!("{:60} {:12.1} ns", case.id, best.as_nanos() as f64 / n as f64);
                }
                Measurement::Number(unit, run) => {
                    println!("{:60} {:12.4} {unit:?}", case.id, run())
                }
            }
        }
        for fact in &suite.facts {
            println!("{:60} {:12.4} {:?}", fact.id, fact.value, fact.unit);
        }
        for (id, what) in &suite.failures {
            println!("WRONG {id}: {what}");
        }
    }
}
