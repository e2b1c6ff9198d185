//! Batches: the same as one by one to the bit, all of it or nothing.

use edgekit_qlearning::{
    ActionMask, Agent, AgentConfig, Algorithm, DenseTable, End, ErrorKind, HashedTable, Policy,
    Rows, Schedule, StepSize, Table, Transition,
};
use proptest::prelude::*;

use crate::agents::{RUN, config, step};

fn transitions(actions: usize) -> impl Strategy<Value = Vec<Transition>> {
    // Few states, so that repeats and targets within the batch are the rule.
    let one = (0u64..6, 0..actions, -10.0f32..10.0, 0u64..6, 0..10u8);
    let one = one.prop_map(|(state, action, reward, next_state, end)| Transition {
        state,
        action,
        reward,
        next_state,
        next_mask: ActionMask::ALL,
        end: match end {
            0 => End::Terminated,
            1 => End::Truncated,
            _ => End::Running,
        },
    });
    prop::collection::vec(one, 0..200)
}

/// A batch with its number of actions; in every other one some actions are illegal.
fn batches() -> impl Strategy<Value = (usize, Vec<Transition>)> {
    let batch = |actions| (Just(actions), transitions(actions), any::<bool>(), 1u64..);
    (1..=10usize).prop_flat_map(batch).prop_map(|(actions, mut batch, masked, bits)| {
        for t in batch.iter_mut().filter(|_| masked).step_by(3) {
            t.next_mask = ActionMask(bits >> t.state | 1);
        }
        (actions, batch)
    })
}

fn step_sizes() -> impl Strategy<Value = StepSize> {
    prop::sample::select(vec![
        StepSize::Scheduled(Schedule::Constant(0.3)),
        StepSize::Scheduled(Schedule::Linear { from: 0.9, to: 0.1, over: 50 }),
        StepSize::Harmonic { half: 3.0, floor: 0.01 },
    ])
}

/// The same batch learned in one call, and one by one.
fn compare<T: Table + Clone>(table: T, config: AgentConfig, batch: &[Transition]) {
    let mut together = Agent::new(table, config).unwrap();
    let (mut apart, mut weighted) = (together.clone(), together.clone());
    let (mut errors, mut more) = (Vec::new(), Vec::new());
    together.learn_batch(batch, &[], &mut errors).unwrap();
    weighted.learn_batch(batch, &vec![1.0; batch.len()], &mut more).unwrap();
    let one_by_one: Vec<f32> = batch.iter().map(|t| apart.learn(t).unwrap()).collect();
    assert_eq!((&errors, &more), (&one_by_one, &one_by_one));
    assert_eq!((together.export(), weighted.export()), (apart.export(), apart.export()));
    assert_eq!((together.steps(), weighted.steps()), (apart.steps(), apart.steps()));
}

proptest! {
    #[test]
    fn a_batch_equals_its_updates_one_after_the_other(
        (actions, batch) in batches(),
        step_size in step_sizes(),
        algorithm in prop::sample::select(
            vec![Algorithm::QLearning, Algorithm::ExpectedSarsa, Algorithm::DoubleQ]
        ),
    ) {
        let config = AgentConfig { step_size, ..config(algorithm) };
        compare(DenseTable::new(6, actions, 0.5).unwrap(), config, &batch);
        compare(HashedTable::new(6, actions, 0.5).unwrap(), config, &batch);
    }
}

#[test]
fn a_weight_multiplies_its_own_step_size() {
    let halves = [
        StepSize::Scheduled(Schedule::Constant(0.5)),
        StepSize::Scheduled(Schedule::Linear { from: 0.5, to: 0.5, over: 9 }),
        StepSize::Harmonic { half: 1.0, floor: 0.5 },
    ];
    for algorithm in [Algorithm::QLearning, Algorithm::ExpectedSarsa, Algorithm::DoubleQ] {
        for (step_size, mask) in
            halves.into_iter().flat_map(|half| [(half, ActionMask::ALL), (half, ActionMask(1))])
        {
            let config = AgentConfig { step_size, ..config(algorithm) };
            let mut agent = Agent::dense(8, 2, config).unwrap();
            // A visit first, with nothing in it, so that all three step sizes are a half.
            let first = [0, 1, 2].map(|state| step(state, 0, 0.0, 3, End::Terminated));
            agent.learn_batch(&first, &[], &mut Vec::new()).unwrap();
            let batch = first.map(|t| Transition { reward: 8.0, end: RUN, next_mask: mask, ..t });
            let mut errors = Vec::new();
            agent.learn_batch(&batch, &[0.25, 0.0, 1.0], &mut errors).unwrap();
            assert_eq!(errors, [8.0; 3]);
            // With two tables one of them has moved, and the mean by half of that.
            let share = if algorithm == Algorithm::DoubleQ { 0.5 } else { 1.0 };
            let values = [0, 1, 2].map(|state| agent.values(state).unwrap()[0]);
            assert_eq!(values, [1.0, 0.0, 4.0].map(|v| v * share), "{algorithm:?} {step_size:?}");
        }
    }
}

/// Batches with one bad transition somewhere, and what is wrong with it.
fn spoiled() -> impl Strategy<Value = (usize, Vec<Transition>, ErrorKind)> {
    (batches(), any::<prop::sample::Index>(), 0..6u8).prop_map(
        |((actions, mut batch), at, flaw)| {
            let mut bad = step(1, 0, 1.0, 2, RUN);
            let kind = match flaw {
                0 => (bad.state = 6, ErrorKind::State).1,
                1 => (bad.next_state = u64::MAX, ErrorKind::State).1,
                2 => (bad.action = actions, ErrorKind::Action).1,
                3 => (bad.next_mask = ActionMask(0), ErrorKind::Action).1,
                4 => (bad.reward = f32::NAN, ErrorKind::Value).1,
                _ => (bad.reward = f32::NEG_INFINITY, ErrorKind::Value).1,
            };
            batch.insert(at.index(batch.len() + 1), bad);
            (actions, batch, kind)
        },
    )
}

proptest! {
    /// A refused batch leaves no value, visit, step or draw behind it.
    #[test]
    fn a_refused_batch_never_was(
        (actions, batch, kind) in spoiled(),
        before in transitions(1),
        step_size in step_sizes(),
        algorithm in prop::sample::select(
            vec![Algorithm::QLearning, Algorithm::ExpectedSarsa, Algorithm::DoubleQ]
        ),
    ) {
        let policy = Policy::Softmax(Schedule::Linear { from: 5.0, to: 1.0, over: 300 });
        let config = AgentConfig { step_size, policy, ..config(algorithm) };
        let mut agent = Agent::dense(6, actions, config).unwrap();
        agent.learn_batch(&before, &[], &mut Vec::new()).unwrap();
        let mut untouched = agent.clone();
        let mut errors = vec![1.0];
        prop_assert_eq!(agent.learn_batch(&batch, &[], &mut errors).unwrap_err().kind(), kind);
        prop_assert!(errors.is_empty());
        prop_assert_eq!(saved(&agent), saved(&untouched));
        // And it goes on in the same way.
        agent.learn_batch(&before, &[], &mut errors).unwrap();
        untouched.learn_batch(&before, &[], &mut errors).unwrap();
        prop_assert_eq!(saved(&agent), saved(&untouched));
    }
}

fn saved(agent: &Agent<DenseTable>) -> Vec<u8> {
    let mut bytes = Vec::new();
    agent.save(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_refused_batch_leaves_a_hashed_table_s_values_alone() {
    let table = HashedTable::new(3, 2, 0.5).unwrap();
    let mut agent = Agent::new(table, config(Algorithm::QLearning)).unwrap();
    agent.learn(&step(70, 1, 8.0, 80, RUN)).unwrap();
    let before = (agent.export(), agent.steps());
    // New states, then one more than there is room for.
    let batch = [70, 80, 70, 90, 100].map(|state| step(state, 1, 1.0, 70, RUN));
    let refused = agent.learn_batch(&batch, &[], &mut Vec::new());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Full);
    assert_eq!((agent.export(), agent.steps()), before);
    assert_eq!(agent.values(80).unwrap(), [0.5, 0.5]);
}

#[test]
fn a_value_that_overflows_takes_its_batch_with_it() {
    for (actions, mask) in [(2, ActionMask::ALL), (2, ActionMask(1)), (9, ActionMask::ALL)] {
        let table = DenseTable::new(4, actions, 2e38).unwrap();
        let mut agent = Agent::new(table, config(Algorithm::QLearning)).unwrap();
        let before = saved(&agent);
        let fine = Transition { next_mask: mask, ..step(0, 1, -1e38, 1, RUN) };
        let beyond = Transition { next_mask: mask, ..step(1, 0, 3e38, 2, RUN) };
        let refused = agent.learn_batch(&[fine, fine, beyond, fine], &[], &mut Vec::new());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Value);
        assert_eq!(saved(&agent), before);
    }
}

/// Errors so large that the fast loop cannot tell by them whether a value is still finite.
#[test]
fn huge_errors_are_learned_as_one_by_one() {
    let batch = [3e38, -1e38, 1.0, 3e38, -0.5].map(|reward| step(0, 0, reward, 1, End::Terminated));
    compare(DenseTable::new(4, 2, 0.0).unwrap(), config(Algorithm::QLearning), &batch);
    compare(HashedTable::new(4, 2, 0.0).unwrap(), config(Algorithm::QLearning), &batch);
}

#[test]
fn visits_stop_at_the_largest_number_and_are_taken_back_to_the_last() {
    // The parts of `Rows`: two actions, their initial worth, values and visits of one state.
    let parts = (2usize, 0.0f32, vec![0.0f32; 2], vec![u32::MAX - 1, u32::MAX]);
    let rows: Rows = postcard::from_bytes(&postcard::to_allocvec(&parts).unwrap()).unwrap();
    let table = DenseTable::try_from(rows).unwrap();
    let visited = |agent: &Agent<DenseTable>| agent.table().rows().visits(0).to_vec();
    let both = [0, 1, 0, 1].map(|action| step(0, action, 1.0, 0, RUN));
    let mut agent = Agent::new(table, config(Algorithm::QLearning)).unwrap();
    let nan = [both[0], both[1], step(0, 0, f32::NAN, 0, RUN)];
    assert!(agent.learn_batch(&nan, &[], &mut Vec::new()).is_err());
    assert_eq!(visited(&agent), [u32::MAX - 1, u32::MAX]);
    agent.learn_batch(&both, &[], &mut Vec::new()).unwrap();
    assert_eq!(visited(&agent), [u32::MAX, u32::MAX]);
}
