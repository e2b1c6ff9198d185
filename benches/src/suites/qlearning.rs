//! qlearning: steps learned per second against naive loops and rivals, single operations, memory.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use edgekit_qlearning::envs::{Lake, Surface, cliff_walking, frozen_lake, taxi};
use edgekit_qlearning::{
    ActionMask, Agent, AgentConfig, DenseTable, End, HashedTable, Mdp, MdpEnv, Policy,
    PrioritisedReplay, ReplayConfig, Schedule, StepSize, Transition, train,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::suite::Series;
use crate::{Suite, Unit};

const ALPHA: f32 = 0.1;
const GAMMA: f32 = 0.99;
const EPSILON: f32 = 0.1;
const STEPS: u64 = 1_000_000;

/// Declares the suite.
pub fn declare(suite: &mut Suite) {
    steps_per_second(suite);
    single_operations(suite);
    batch(suite);
    replay(suite);
    memory(suite);
    curves(suite);
}

fn config() -> AgentConfig {
    AgentConfig {
        policy: Policy::EpsilonGreedy(Schedule::Constant(EPSILON)),
        step_size: StepSize::Scheduled(Schedule::Constant(ALPHA)),
        discount: GAMMA,
        seed: 1,
        ..AgentConfig::default()
    }
}

fn agent(states: usize, actions: usize, config: AgentConfig) -> Agent<DenseTable> {
    Agent::dense(states, actions, config).expect("the configurations of this suite are valid")
}

/// The mean return of the greedy policy, worked out on the model.
fn quality(agent: &Agent<DenseTable>, mdp: &Mdp, horizon: usize) -> f64 {
    let policy = agent.greedy_policy(mdp.states()).expect("the states are in the table");
    mdp.mean_over_starts(&mdp.policy_values(&policy, 1.0, horizon))
}

fn steps_per_second(suite: &mut Suite) {
    if !suite.wants("qlearning/lake4") {
        return;
    }
    let lake = frozen_lake(Lake::Small, Surface::Slippery);

    // Both loops must have learned something before their speed means anything.
    let mut ours = agent(16, 4, config());
    let mut env = MdpEnv::new(&lake, 100, 2);
    train(&mut ours, &mut env, STEPS).expect("the lake's steps are valid");
    let success = quality(&ours, &lake, 100);
    suite.check("qlearning/lake4/edgekit", success > 0.5, || format!("success {success}"));
    let mut naive = NaiveLoop::new(1);
    naive.run(STEPS);
    let success = lake.policy_values(&naive.policy(), 1.0, 100)[0];
    suite.check("qlearning/lake4/naive", success > 0.5, || format!("success {success}"));

    suite.measure("qlearning/lake4/edgekit", Unit::PerSecond, move || {
        rate(|| train(&mut ours, &mut env, STEPS).expect("the lake's steps are valid"))
    });
    suite.measure("qlearning/lake4/naive", Unit::PerSecond, move || rate(|| naive.run(STEPS)));
    #[cfg(feature = "peers")]
    peers::declare(suite);
}

/// Events a second of one run.
fn rate(run: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    let events = run();
    events as f64 / start.elapsed().as_secs_f64()
}

/// What one writes in half an hour: the lake and the table in arrays, nothing checked.
struct NaiveLoop {
    values: [[f32; 4]; 16],
    rng: Pcg64Mcg,
}

const HOLES: u16 = 1 << 5 | 1 << 7 | 1 << 11 | 1 << 12;

impl NaiveLoop {
    fn new(seed: u64) -> Self {
        NaiveLoop { values: [[0.0; 4]; 16], rng: Pcg64Mcg::seed_from_u64(seed) }
    }

    fn run(&mut self, steps: u64) -> u64 {
        let (mut state, mut in_episode) = (0usize, 0);
        for _ in 0..steps {
            let action = if self.rng.random::<f32>() < EPSILON {
                self.rng.random_range(0..4)
            } else {
                self.best(state)
            };
            let direction = (action + self.rng.random_range(0..3) + 3) % 4;
            let (row, column) = (state / 4, state % 4);
            let next = match direction {
                0 => row * 4 + column.saturating_sub(1),
                1 => (row + 1).min(3) * 4 + column,
                2 => row * 4 + (column + 1).min(3),
                _ => row.saturating_sub(1) * 4 + column,
            };
            let goal = next == 15;
            let over = goal || HOLES >> next & 1 == 1;
            let reward = if goal { 1.0 } else { 0.0 };
            let future = if over {
                0.0
            } else {
                self.values[next].iter().copied().fold(f32::NEG_INFINITY, f32::max)
            };
            let value = &mut self.values[state][action];
            *value += ALPHA * (reward + GAMMA * future - *value);
            in_episode += 1;
            if over || in_episode == 100 {
                (state, in_episode) = (0, 0);
            } else {
                state = next;
            }
        }
        steps
    }

    /// The best action, equal ones at random: with the first of them nobody ever finds the goal.
    fn best(&mut self, state: usize) -> usize {
        let row = &self.values[state];
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let ties = row.iter().filter(|&&v| v == max).count();
        let mut pick = if ties > 1 { self.rng.random_range(0..ties) } else { 0 };
        for (action, &value) in row.iter().enumerate() {
            if value == max {
                if pick == 0 {
                    return action;
                }
                pick -= 1;
            }
        }
        0
    }

    fn policy(&mut self) -> Vec<usize> {
        (0..16).map(|s| self.best(s)).collect()
    }
}

const STATES: usize = 100_000;
const ACTIONS: usize = 5;

/// Random transitions between random states.
fn transitions(count: usize, states: usize, seed: u64) -> Vec<Transition> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    (0..count)
        .map(|_| Transition {
            state: rng.random_range(0..states as u64),
            action: rng.random_range(0..ACTIONS),
            reward: rng.random::<f32>() - 0.5,
            next_state: rng.random_range(0..states as u64),
            next_mask: ActionMask::ALL,
            end: if rng.random::<f32>() < 0.05 { End::Terminated } else { End::Running },
        })
        .collect()
}

fn single_operations(suite: &mut Suite) {
    if suite.wants("qlearning/one") {
        let steps = transitions(1 << 16, STATES, 3);
        let mut dense = agent(STATES, ACTIONS, config());
        let table = HashedTable::new(STATES, ACTIONS, 0.0).expect("valid");
        let mut hashed = Agent::new(table, config()).expect("valid");
        for step in &steps {
            dense.learn(step).expect("valid");
            hashed.learn(step).expect("valid");
        }
        let same = steps.iter().all(|step| {
            let of = |s| (dense.values(s).ok(), hashed.values(s).ok());
            let (a, b) = of(step.state);
            a == b
        });
        suite.check("qlearning/one/update", same, || "dense and hashed tables differ".into());
        let reader = dense.clone();
        let states: Vec<u64> = steps.iter().map(|s| s.state).collect();
        let mut at = 0;
        suite.time("qlearning/one/max", move || {
            at = (at + 1) % states.len();
            reader.best_value(black_box(states[at]), ActionMask::ALL).unwrap_or(0.0)
        });
        let (for_dense, mut at) = (steps.clone(), 0);
        suite.time("qlearning/one/update", move || {
            at = (at + 1) % for_dense.len();
            dense.learn(black_box(&for_dense[at])).unwrap_or(0.0)
        });
        let mut at = 0;
        suite.time("qlearning/one/update-hashed", move || {
            at = (at + 1) % steps.len();
            hashed.learn(black_box(&steps[at])).unwrap_or(0.0)
        });
    }
}

/// Batches of 100 as replay makes them, one after the other, against the same updates one by one on
/// a plain table. So many different ones that no processor learns by heart where episodes end.
fn batch(suite: &mut Suite) {
    batches_over(suite, "qlearning/batch100", 1000);
    batches_over(suite, "qlearning/batch100-large", STATES);
}

fn batches_over(suite: &mut Suite, id: &'static str, states: usize) {
    if !suite.wants(id) {
        return;
    }
    let batches: Vec<_> = (0..64).map(|seed| transitions(100, states, 8 + seed)).collect();
    let mut batched = agent(states, ACTIONS, config());
    let mut baseline = ScalarTable::new(states);
    let mut errors = Vec::new();
    for steps in &batches {
        batched.learn_batch(steps, &[], &mut errors).expect("valid");
        baseline.update(steps);
    }
    let apart = (0..states)
        .flat_map(|s| {
            let row = batched.values(s as u64).unwrap_or_default();
            let other = &baseline.values[s];
            row.into_iter().zip(other).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>()
        })
        .fold(0.0, f32::max);
    suite.check(id, apart < 1e-5, || format!("batch and scalar baseline differ by {apart}"));
    let mut cycle = Cycle::new(&batches);
    suite.time(format!("{id}/edgekit"), move || {
        batched.learn_batch(cycle.next(), &[], &mut errors).expect("valid")
    });
    let (mut one_by_one, mut cycle) = (agent(states, ACTIONS, config()), Cycle::new(&batches));
    suite.time(format!("{id}/one-by-one"), move || {
        cycle.next().iter().map(|t| one_by_one.learn(t).unwrap_or(0.0)).sum::<f32>()
    });
    let (mut map, mut cycle) = (HashMap::<(u64, usize), f32>::new(), Cycle::new(&batches));
    suite.time(format!("{id}/hash-map"), move || {
        for t in cycle.next() {
            let known = |action| map.get(&(t.next_state, action)).copied().unwrap_or(0.0);
            let future = match t.end {
                End::Terminated => 0.0,
                _ => (0..ACTIONS).map(known).fold(f32::NEG_INFINITY, f32::max),
            };
            let value = map.entry((t.state, t.action)).or_insert(0.0);
            *value += ALPHA * (t.reward + GAMMA * future - *value);
        }
        map.len()
    });
    let mut cycle = Cycle::new(&batches);
    suite.time(format!("{id}/scalar"), move || baseline.update(cycle.next()));
}

/// The same batches again and again.
struct Cycle {
    batches: Vec<Vec<Transition>>,
    at: usize,
}

impl Cycle {
    fn new(batches: &[Vec<Transition>]) -> Self {
        Cycle { batches: batches.to_vec(), at: 0 }
    }

    fn next(&mut self) -> &[Transition] {
        self.at = (self.at + 1) % self.batches.len();
        black_box(&self.batches[self.at])
    }
}

/// The scalar baseline: a vector of rows, the same checks as the agent's, one update at a time.
struct ScalarTable {
    values: Vec<Vec<f32>>,
    visits: Vec<Vec<u32>>,
}

impl ScalarTable {
    fn new(states: usize) -> Self {
        ScalarTable {
            values: vec![vec![0.0; ACTIONS]; states],
            visits: vec![vec![0; ACTIONS]; states],
        }
    }

    fn update(&mut self, steps: &[Transition]) {
        for t in steps {
            let future = match t.end {
                End::Terminated => 0.0,
                _ => {
                    let row = &self.values[t.next_state as usize];
                    (0..row.len())
                        .filter(|&a| t.next_mask.allows(a))
                        .fold(f32::NEG_INFINITY, |best, a| best.max(row[a]))
                }
            };
            let value = &mut self.values[t.state as usize][t.action];
            *value += ALPHA * (t.reward + GAMMA * future - *value);
            self.visits[t.state as usize][t.action] += 1;
        }
    }
}

fn replay(suite: &mut Suite) {
    if !suite.wants("qlearning/replay") {
        return;
    }
    let items = 1_000_000;
    let config = ReplayConfig { capacity: items, ..ReplayConfig::default() };
    let mut replay = PrioritisedReplay::new(config).expect("valid");
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    for item in 0..items as u64 {
        let id = replay.push(item);
        replay.update(id, rng.random()).expect("finite");
    }
    let mut drawn = Vec::new();
    replay.sample(100_000, &mut rng, &mut drawn).expect("not empty");
    let mean = drawn.iter().map(|d| d.id as f64).sum::<f64>() / drawn.len() as f64;
    let off = (mean / (items as f64 / 2.0) - 1.0).abs();
    suite.check("qlearning/replay/sample-update/1e6", off < 0.02, || {
        format!("the mean of the drawn ids is {mean}: not all of the range is drawn")
    });
    // Batches of 32, as a learner draws them; the figure is per item.
    suite.measure("qlearning/replay/sample-update/1e6", Unit::Nanos, move || {
        let items = rate(|| {
            for _ in 0..2000 {
                replay.sample(32, &mut rng, &mut drawn).expect("not empty");
                for drawn in &drawn {
                    let error = (rng.next_u32() >> 8) as f32 * 1e-7;
                    replay.update(drawn.id, error).expect("finite");
                }
            }
            64_000
        });
        1e9 / items
    });
}

fn memory(suite: &mut Suite) {
    if !suite.wants("qlearning/bytes") {
        return;
    }
    let dense = agent(1000, ACTIONS, config());
    suite.value("qlearning/bytes/dense-1000-states", Unit::Bytes, dense.bytes() as f64);
    let table = HashedTable::new(1 << 20, ACTIONS, 0.0).expect("valid");
    let mut hashed = Agent::new(table, config()).expect("valid");
    let mut worst = 0.0f64;
    for state in 0..100_000u64 {
        hashed.act(state.wrapping_mul(0x9e37_79b9_7f4a_7c15), ActionMask::ALL).expect("room");
        // From the thousandth on, at every size: growth must not double what is used.
        if state >= 999 {
            worst = worst.max(hashed.bytes() as f64 / (state + 1) as f64 * 1000.0);
        }
    }
    suite.value("qlearning/bytes/hashed-1000-states", Unit::Bytes, worst);
}

/// A world, how long its episodes last, how it is learned, and how often that is looked at.
struct Course {
    id: &'static str,
    name: &'static str,
    mdp: Mdp,
    limit: u64,
    config: AgentConfig,
    every: u64,
}

/// How good the greedy policy is after so many steps, exactly evaluated on the model.
fn curves(suite: &mut Suite) {
    if !suite.wants("qlearning/learned") {
        return;
    }
    let constant =
        |rate| AgentConfig { step_size: StepSize::Scheduled(Schedule::Constant(rate)), ..config() };
    let undiscounted = AgentConfig { discount: 1.0, ..constant(0.5) };
    let courses = [
        Course {
            id: "lake4",
            name: "FrozenLake 4×4, slippery",
            mdp: frozen_lake(Lake::Small, Surface::Slippery),
            limit: 100,
            config: AgentConfig {
                policy: Policy::EpsilonGreedy(Schedule::Constant(1.0)),
                step_size: StepSize::Harmonic { half: 100.0, floor: 0.0 },
                discount: 0.999,
                ..config()
            },
            every: 40_000,
        },
        Course {
            id: "cliff",
            name: "CliffWalking",
            mdp: cliff_walking(),
            limit: 200,
            config: undiscounted,
            every: 800,
        },
        Course {
            id: "taxi",
            name: "Taxi",
            mdp: taxi(),
            limit: 200,
            config: undiscounted,
            every: 10_000,
        },
    ];
    for Course { id, name, mdp, limit, config, every } in courses {
        let mut learner = agent(mdp.states(), mdp.actions(), config);
        let mut env = MdpEnv::new(&mdp, limit, config.seed + 1);
        let mut points = vec![(0.0, quality(&learner, &mdp, limit as usize))];
        for look in 1..=25 {
            let missing = (look * every).saturating_sub(learner.steps());
            train(&mut learner, &mut env, missing).expect("the model's steps are valid");
            points.push((learner.steps() as f64, quality(&learner, &mdp, limit as usize)));
        }
        let last = points.last().map_or(f64::NAN, |p| p.1);
        suite.value(format!("qlearning/learned/{id}"), Unit::Ratio, last);
        suite.series(Series {
            plot: format!("qlearning: {name}"),
            x_label: "steps learned".into(),
            y_label: "exact return of the greedy policy".into(),
            name: "Q-learning".into(),
            points,
        });
    }
}

/// `rurel`, and Gymnasium with NumPy in a Python of the machine's.
#[cfg(feature = "peers")]
mod peers {
    use std::process::Command;

    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use rurel::AgentTrainer;
    use rurel::mdp::State;
    use rurel::strategy::explore::RandomExploration;
    use rurel::strategy::learn::QLearning;
    use rurel::strategy::terminate::FixedIterations;

    use super::{ALPHA, GAMMA, HOLES, STEPS, agent, config, rate};
    use crate::{Suite, Unit};
    use edgekit_qlearning::envs::{Lake, Surface, frozen_lake};
    use edgekit_qlearning::{AgentConfig, MdpEnv, Policy, Schedule, train};

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Tile(u8);

    impl State for Tile {
        type A = u8;

        fn reward(&self) -> f64 {
            if self.0 == 15 { 1.0 } else { 0.0 }
        }

        fn actions(&self) -> Vec<u8> {
            vec![0, 1, 2, 3]
        }
    }

    struct Walker {
        tile: Tile,
        rng: Pcg64Mcg,
    }

    impl rurel::mdp::Agent<Tile> for Walker {
        fn current_state(&self) -> &Tile {
            &self.tile
        }

        fn take_action(&mut self, action: &u8) {
            let at = self.tile.0;
            if at == 15 || HOLES >> at & 1 == 1 {
                self.tile = Tile(0);
                return;
            }
            let direction = (action + self.rng.random_range(0..3u8) + 3) % 4;
            let (row, column) = (at / 4, at % 4);
            self.tile = Tile(match direction {
                0 => row * 4 + column.saturating_sub(1),
                1 => (row + 1).min(3) * 4 + column,
                2 => row * 4 + (column + 1).min(3),
                _ => row.saturating_sub(1) * 4 + column,
            });
        }
    }

    pub(super) fn declare(suite: &mut Suite) {
        // rurel explores at random only, so it is compared with an agent that does the same.
        let all_random =
            AgentConfig { policy: Policy::EpsilonGreedy(Schedule::Constant(1.0)), ..config() };
        let mut ours = agent(16, 4, all_random);
        let mut env = MdpEnv::new(&frozen_lake(Lake::Small, Surface::Slippery), 100, 2);
        suite.measure("qlearning/lake4/random/edgekit", Unit::PerSecond, move || {
            rate(|| train(&mut ours, &mut env, STEPS).expect("the lake's steps are valid"))
        });
        let mut trainer = AgentTrainer::new();
        let mut walker = Walker { tile: Tile(0), rng: Pcg64Mcg::seed_from_u64(7) };
        suite.measure("qlearning/lake4/random/rurel", Unit::PerSecond, move || {
            rate(|| {
                trainer.train(
                    &mut walker,
                    &QLearning::new(f64::from(ALPHA), f64::from(GAMMA), 0.0),
                    &mut FixedIterations::new(STEPS as u32),
                    &RandomExploration::new(),
                );
                STEPS
            })
        });
        suite.measure("qlearning/lake4/gymnasium-numpy", Unit::PerSecond, python);
    }

    /// Runs the script with `$EDGEKIT_PYTHON` or python3 and reads the rate that it prints.
    fn python() -> f64 {
        let python = std::env::var("EDGEKIT_PYTHON").unwrap_or_else(|_| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/qlearning.py");
        let output = Command::new(&python).arg(script).output();
        let output = output.unwrap_or_else(|e| panic!("{python} does not start: {e}"));
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().unwrap_or_else(|_| {
            let error = String::from_utf8_lossy(&output.stderr);
            panic!("{script} printed {text:?}; it needs `pip install gymnasium numpy`: {error}")
        })
    }
}
