//! Federated merge: weights count, order and grouping do not, liars are bounded.

use edgekit_qlearning::{
    ActionMask, Agent, AgentConfig, Algorithm, End, Entry, ErrorKind, HashedTable, Merge,
    MergeConfig, MergeRule, Transition,
};
use proptest::prelude::*;

fn entry(value: f32, visits: u32) -> Entry {
    Entry { state: 1, action: 0, value, visits }
}

fn rule(rule: MergeRule) -> MergeConfig {
    MergeConfig { rule, ..MergeConfig::default() }
}

/// The merged value of peers that know one cell.
fn merged(config: MergeConfig, peers: &[Entry]) -> f32 {
    let mut merge = Merge::new(config).unwrap();
    for (peer, entry) in peers.iter().enumerate() {
        merge.add(peer as u64, &[*entry]).unwrap();
    }
    merge.finish()[0].value
}

#[test]
fn what_nobody_else_has_visited_keeps_its_value() {
    let peers = [entry(10.0, 100), entry(0.0, 0)];
    assert_eq!(merged(MergeConfig::default(), &peers), 10.0);
    assert_eq!(merged(MergeConfig::default(), &[entry(10.0, 30), entry(2.0, 10)]), 8.0);
}

#[test]
fn rules_do_what_they_are_called() {
    let peers: Vec<Entry> = [1.0, 2.0, 3.0, 4.0, 1000.0].map(|v| entry(v, 5)).to_vec();
    assert_eq!(merged(rule(MergeRule::Max), &peers), 1000.0);
    assert_eq!(merged(rule(MergeRule::Min), &peers), 1.0);
    let robust = MergeRule::TrimmedMean { trim: 0.0, outlier: 5.0 };
    assert_eq!(merged(rule(robust), &peers), 2.5);
    let trimmed = MergeRule::TrimmedMean { trim: 0.2, outlier: f64::MAX };
    assert_eq!(merged(rule(trimmed), &peers), 3.0);
    // All but one agree exactly: the deviation is 0 and the one is still an outlier.
    let agreeing = [5.0, 5.0, 5.0, 5.0, -9.0].map(|v| entry(v, 5));
    assert_eq!(merged(rule(robust), &agreeing), 5.0);
}

#[test]
fn one_peer_s_influence_is_bounded() {
    let mut peers = vec![entry(1.0, 500); 9];
    peers.push(entry(100.0, u32::MAX));
    let value = merged(MergeConfig { max_visits: 500, ..MergeConfig::default() }, &peers);
    assert!((value - 10.9).abs() < 1e-5, "{value}");
    let total = {
        let mut merge = Merge::new(MergeConfig::default()).unwrap();
        merge.add(1, &[entry(1.0, u32::MAX)]).unwrap();
        merge.add(2, &[entry(1.0, u32::MAX)]).unwrap();
        merge.finish()[0].visits
    };
    assert_eq!(total, u32::MAX, "visits saturate");
}

#[test]
fn bad_contributions_are_refused_whole() {
    let mut merge = Merge::new(MergeConfig { max_value: 50.0, ..MergeConfig::default() }).unwrap();
    let fine = Entry { state: 9, ..entry(1.0, 1) };
    for bad in [entry(f32::NAN, 1), entry(f32::INFINITY, 1), entry(-51.0, 1), fine] {
        assert_eq!(merge.add(1, &[fine, bad]).unwrap_err().kind(), ErrorKind::Peer, "{bad:?}");
        assert!(merge.finish().is_empty() && merge.peers() == 0);
    }
    merge.add(1, &[fine]).unwrap();
    assert_eq!(merge.add(1, &[fine]).unwrap_err().kind(), ErrorKind::Peer, "counted twice");
    let again = merge.clone();
    assert_eq!(merge.combine(again).unwrap_err().kind(), ErrorKind::Peer);
    let other = Merge::new(MergeConfig::default()).unwrap();
    assert_eq!(merge.combine(other).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn entries_with_too_few_visits_are_counted_and_left_out() {
    let mut merge = Merge::new(MergeConfig { min_visits: 5, ..MergeConfig::default() }).unwrap();
    let entries = [entry(1.0, 4), Entry { state: 2, ..entry(1.0, 5) }];
    let added = merge.add(1, &entries).unwrap();
    assert_eq!((added.taken, added.too_few_visits), (1, 1));
    assert_eq!(merge.finish(), [entries[1]]);
}

#[test]
fn agents_export_import_and_send_only_what_changed() {
    let step = |state, reward| Transition {
        state,
        action: 1,
        reward,
        next_state: 0,
        next_mask: ActionMask::ALL,
        end: End::Terminated,
    };
    for algorithm in [Algorithm::QLearning, Algorithm::DoubleQ] {
        let config = AgentConfig { algorithm, ..AgentConfig::default() };
        let new = || Agent::new(HashedTable::new(10, 2, 0.0).unwrap(), config).unwrap();
        let mut agent = new();
        agent.learn(&step(70, 1.0)).unwrap();
        agent.learn(&step(30, 1.0)).unwrap();
        let base = agent.export();
        assert_eq!(base.iter().map(|e| e.state).collect::<Vec<_>>(), [30, 70]);
        agent.learn(&step(30, 0.06)).unwrap(); // a small change
        agent.learn(&step(70, 9.0)).unwrap();
        agent.learn(&step(50, 9.0)).unwrap();
        let changes = agent.export_changes(&base, 0.1);
        let sent: Vec<(u64, u32)> = changes.iter().map(|e| (e.state, e.visits)).collect();
        assert_eq!(sent, [(50, 1), (70, 1)], "{algorithm:?}");
        // Values that came from elsewhere and rest on no visit of this agent's own.
        let received = Entry { value: 5.0, ..base[0] };
        let mut moved = new();
        moved.import(&base).unwrap();
        moved.import(&[received]).unwrap();
        assert_eq!(moved.export_changes(&base, 0.1), []);
        let mut other = new();
        other.import(&agent.export()).unwrap();
        assert_eq!(other.export(), agent.export());
        let foreign = Entry { action: 2, ..base[0] };
        assert_eq!(other.import(&[foreign]).unwrap_err().kind(), ErrorKind::Action);
    }
}

fn contributions() -> impl Strategy<Value = Vec<Vec<Entry>>> {
    let cell = (-1000.0f32..1000.0, 0u32..2000);
    prop::collection::vec(prop::collection::vec(cell, 3), 1..8).prop_map(|peers| {
        let entries = |cells: Vec<(f32, u32)>| {
            let entry = |(state, (value, visits))| Entry { state, action: 0, value, visits };
            (0u64..).zip(cells).map(entry).collect()
        };
        peers.into_iter().map(entries).collect()
    })
}

proptest! {
    #[test]
    fn order_and_grouping_do_not_matter_to_the_last_bit(
        peers in contributions(),
        order in prop::collection::vec(any::<u64>(), 8),
        cut in 0usize..8,
        which in 0usize..4,
    ) {
        let config = rule([
            MergeRule::VisitWeighted,
            MergeRule::Max,
            MergeRule::Min,
            MergeRule::TrimmedMean { trim: 0.1, outlier: 3.0 },
        ][which]);
        let mut in_order = Merge::new(config).unwrap();
        for (peer, entries) in peers.iter().enumerate() {
            in_order.add(peer as u64, entries).unwrap();
        }
        let mut shuffled: Vec<usize> = (0..peers.len()).collect();
        shuffled.sort_by_key(|&p| order[p]);
        let (left, right) = shuffled.split_at(cut.min(peers.len()));
        let group = |part: &[usize]| {
            let mut merge = Merge::new(config).unwrap();
            for &peer in part {
                merge.add(peer as u64, &peers[peer]).unwrap();
            }
            merge
        };
        let (mut one, two) = (group(left), group(right));
        one.combine(two).unwrap();
        prop_assert_eq!(one.finish(), in_order.finish());
    }

    #[test]
    fn the_weighted_mean_is_the_weighted_mean(peers in contributions()) {
        let mut merge = Merge::new(MergeConfig::default()).unwrap();
        for (peer, entries) in peers.iter().enumerate() {
            merge.add(peer as u64, entries).unwrap();
        }
        for merged in merge.finish() {
            let at = merged.state as usize;
            let weight = |p: &Vec<Entry>| f64::from(p[at].visits.min(1000));
            let total: f64 = peers.iter().map(weight).sum();
            let sum: f64 = peers.iter().map(|p| weight(p) * f64::from(p[at].value)).sum();
            prop_assert!((f64::from(merged.value) - sum / total).abs() < 1e-3);
        }
    }
}
