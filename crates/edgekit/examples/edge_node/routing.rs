//! Routing: an agent learns by trial which of three executors answers which requests soonest, and a
//! bank of patterns then knows it of requests that nobody has seen.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use edgekit::qlearning::{
    ActionMask, Agent, AgentConfig, DenseTable, End, Policy, Schedule, StepSize, Transition,
};

use edgekit::reasoning_bank::{Bank, BankConfig, ExtractConfig, LookupScratch, Trajectory};

use super::plot::{Curve, lines};
use super::report::{Report, tiles};
use super::sample::Sample;

const REQUESTS: usize = 3000;
/// Items of a request. A request is a package of the sample, and its kind says how many it has; the
/// agent sees the kind, the bank nothing but the embedding.
const SIZES: [u32; 4] = [1, 4, 16, 64];
const KINDS: [&str; 4] = ["Python", "development files", "R", "anything else"];
const EXECUTORS: [Executor; 3] = [
    Executor { name: "small core", start: 2, each: 3 },
    Executor { name: "big core", start: 14, each: 1 },
    Executor { name: "accelerator", start: 45, each: 0 },
];

/// A stand-in for a processor: what it does takes real time, `start + each · items` microseconds of
/// busy work, and is measured like anything else.
struct Executor {
    name: &'static str,
    start: u32,
    each: u32,
}

impl Executor {
    fn run(&self, items: u32) -> Duration {
        let start = Instant::now();
        let until = Duration::from_micros(u64::from(self.start + self.each * items));
        while start.elapsed() < until {
            black_box(());
        }
        start.elapsed()
    }
}

fn kind(package: &str) -> usize {
    if package.starts_with("python") {
        0
    } else if package.ends_with("-dev") {
        1
    } else if package.starts_with("r-") {
        2
    } else {
        3
    }
}

/// Runs the panel and adds it to the report. Returns the decisions in words, for the record.
pub(crate) fn run(sample: &Sample, report: &mut Report) -> Result<Vec<String>, Box<dyn Error>> {
    println!("\n── routing ── {REQUESTS} requests of four kinds, three executors");
    // A linear congruential generator: the same requests for every policy.
    let mut state = 7_u64;
    let mut draw = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % n
    };
    let asked: Vec<usize> = (0..REQUESTS).map(|_| draw(sample.base.len())).collect();
    let requests: Vec<(usize, usize)> = asked
        .iter()
        .map(|&at| (kind(&sample.base.texts[at].name), draw(EXECUTORS.len())))
        .collect();

    let mut agent = Agent::dense(
        SIZES.len(),
        EXECUTORS.len(),
        AgentConfig {
            policy: Policy::EpsilonGreedy(Schedule::Exponential {
                from: 0.5,
                to: 0.0,
                half_life: 150,
            }),
            step_size: StepSize::Harmonic { half: 1.0, floor: 0.05 },
            discount: 0.0,
            ..AgentConfig::default()
        },
    )?;
    let mut taken = Vec::new();
    let learned = follow(&requests, |size, _| {
        let action = agent.act(size as u64, ActionMask::ALL)?;
        let took = EXECUTORS[action].run(SIZES[size]);
        taken.push((action, took));
        agent.learn(&Transition {
            state: size as u64,
            action,
            // The logarithm, so that one stall of a busy machine does not outweigh a hundred calls.
            reward: -(took.as_secs_f64() * 1e6).max(1.0).ln() as f32,
            next_state: size as u64,
            next_mask: ActionMask::ALL,
            end: End::Terminated,
        })?;
        Ok(took)
    })?;
    let random = follow(&requests, |size, lot| Ok(EXECUTORS[lot].run(SIZES[size])))?;
    let mut fixed = Vec::new();
    for executor in &EXECUTORS {
        fixed.push(follow(&requests, |size, _| Ok(executor.run(SIZES[size])))?);
    }
    let best = (0..fixed.len()).min_by(|&a, &b| total(&fixed[a]).total_cmp(&total(&fixed[b])));
    let best = best.unwrap_or(0);

    // Regret: time beyond that of the executor which is best for each request on average, as the
    // fixed runs measured it.
    let mut mean = [[0.0; SIZES.len()]; EXECUTORS.len()];
    for (mean, times) in mean.iter_mut().zip(&fixed) {
        for (size, mean) in mean.iter_mut().enumerate() {
            let own = || requests.iter().zip(times).filter(|(r, _)| r.0 == size).map(|(_, t)| t);
            *mean = own().sum::<f64>() / own().count() as f64;
        }
    }
    let least = |size: usize| mean.iter().map(|m| m[size]).fold(f64::INFINITY, f64::min);
    let regret = |times: &[f64]| -> Vec<f64> {
        let mut sum = 0.0;
        let beyond = requests.iter().zip(times).map(|(request, time)| time - least(request.0));
        beyond
            .map(|more| {
                sum += more;
                sum / 1e3
            })
            .collect()
    };
    let (learned_regret, random_regret, fixed_regret) =
        (regret(&learned), regret(&random), regret(&fixed[best]));

    let routes: Vec<String> = (0..SIZES.len())
        .map(|size| {
            let action = agent.best_action(size as u64, ActionMask::ALL)?;
            Ok(format!("{} ({} items) → {}", KINDS[size], SIZES[size], EXECUTORS[action].name))
        })
        .collect::<Result<_, edgekit::qlearning::Error>>()?;
    let rows = [
        ("learned".to_string(), &learned, &learned_regret),
        (format!("always {}", EXECUTORS[best].name), &fixed[best], &fixed_regret),
        ("random".to_string(), &random, &random_regret),
    ];
    for (name, times, regret) in &rows {
        println!(
            "  {name:<24}mean {:>6.1} µs   regret {:>7.1} ms",
            total(times) / REQUESTS as f64,
            regret[REQUESTS - 1]
        );
    }
    println!("  routes: {}", routes.join(", "));

    let (patterns, known) = remember(sample, &asked, &taken, &agent)?;
    println!(
        "  bank                    {patterns} patterns; {:.0} % of unseen requests routed as the agent would",
        known * 100.0
    );

    let html = tiles(&[
        ("mean, learned", format!("{:.1} µs", total(&learned) / REQUESTS as f64)),
        ("mean, best fixed", format!("{:.1} µs", total(&fixed[best]) / REQUESTS as f64)),
        ("mean, random", format!("{:.1} µs", total(&random) / REQUESTS as f64)),
        ("patterns in the bank", patterns.to_string()),
        ("unseen, routed alike", format!("{:.0} %", known * 100.0)),
    ]) + &format!("<p>{}</p>", routes.join(" · "))
        + &lines(
            "requests",
            "regret in ms: time beyond that of the best executor for each request",
            &[
                Curve { name: "learned", values: &learned_regret },
                Curve { name: &rows[1].0, values: &fixed_regret },
                Curve { name: "random", values: &random_regret },
            ],
        );
    report.section("Routing, learned", &html);
    let decisions = asked.iter().zip(&taken).enumerate();
    Ok(decisions
        .map(|(i, (&at, &(action, took)))| {
            let name = &sample.base.texts[at].name;
            format!("request {i}: {name} → {} in {took:?}", EXECUTORS[action].name)
        })
        .collect())
}

/// Records the later half of the requests, when the agent had learned, in a bank, and asks it about
/// the held-out packages. Returns how many patterns it made and the share of those packages for which
/// the executor that the nearest pattern was mostly done by is the agent's own choice.
fn remember(
    sample: &Sample,
    asked: &[usize],
    taken: &[(usize, Duration)],
    agent: &Agent<DenseTable>,
) -> Result<(usize, f64), Box<dyn Error>> {
    let half = asked.len() / 2;
    let bank = Bank::new(BankConfig { dim: sample.base.dim, ring: half, ..BankConfig::default() })?;
    let executors: Vec<_> = EXECUTORS.iter().map(|executor| bank.executor(executor.name)).collect();
    for (i, (&at, &(action, latency))) in asked.iter().zip(taken).enumerate().skip(half) {
        bank.record(Trajectory {
            vector: sample.base.row(at).to_vec(),
            latency,
            spent: 1.0,
            earned: 1.0,
            succeeded: true,
            executor: executors[action],
            at: Duration::from_secs(i as u64),
        })?;
    }
    bank.extract(&ExtractConfig { clusters: 64, ..ExtractConfig::default() })?;
    let mut scratch = LookupScratch::default();
    let now = Duration::from_secs(asked.len() as u64);
    let mut alike = 0;
    for (text, row) in sample.query.texts.iter().zip(sample.query.rows()) {
        let Some(near) = bank.lookup(row, 1, now, &mut scratch)?.first().copied() else { continue };
        let Some(stored) = bank.get(near.id) else { continue };
        let shares = stored.pattern.allocation.iter().enumerate();
        let most = shares.max_by(|a, b| a.1.total_cmp(b.1)).map(|(at, _)| at);
        let own = agent.best_action(kind(&text.name) as u64, ActionMask::ALL)?;
        alike += usize::from(most.is_some_and(|most| executors[own].0 as usize == most));
    }
    Ok((bank.len(), alike as f64 / sample.query.len() as f64))
}

/// Microseconds of each request, measured.
fn follow(
    requests: &[(usize, usize)],
    mut route: impl FnMut(usize, usize) -> Result<Duration, Box<dyn Error>>,
) -> Result<Vec<f64>, Box<dyn Error>> {
    requests.iter().map(|&(size, lot)| Ok(route(size, lot)?.as_secs_f64() * 1e6)).collect()
}

fn total(times: &[f64]) -> f64 {
    times.iter().sum()
}
